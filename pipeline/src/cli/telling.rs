//! When a run is told: that it began beside its work, and how it ended once its result is printed. Nobody waits for that
//! who does not want to, and the exit code that is told is the one that counts.

use super::signals::Signals;
use crate::{
    exit::ExitCode,
    monitoring::{self, Finished, Telemetry},
    report::Failure,
    settings::Settings,
};
use archive_connectors::{Clock as _, clock::SystemClock};
use archive_formats::Timestamp;
use futures::future::{Either, select};
use std::pin::pin;

/// A run that is over, but for being told.
#[derive(Debug)]
pub(super) struct Ending {
    settings: Settings,
    telemetry: Telemetry,
    finished: Finished,
}

impl Ending {
    pub(super) fn new(settings: Settings, telemetry: Telemetry, finished: Finished) -> Box<Self> {
        Box::new(Self { settings, telemetry, finished })
    }

    /// Tells that the run ended with `exit`.
    pub(super) async fn tell(self, exit: ExitCode) {
        let Self { settings, telemetry, mut finished } = self;
        if exit != finished.exit {
            let message = "could not write the result to stdout".to_owned();
            finished.error.get_or_insert(Failure { message, hint: None, exit });
            finished.exit = exit;
        }
        unless_stopped(monitoring::end(&settings, &finished, telemetry)).await;
    }
}

/// Awaits `work` with `telling` beside it, and after it what is left of that. Says when the work ended.
pub(super) async fn beside<T>(telling: impl Future, work: impl Future<Output = T>) -> (T, Timestamp) {
    let work = async { (work.await, SystemClock.now()) };
    match Box::pin(select(pin!(telling), pin!(work))).await {
        Either::Left((_, work)) => work.await,
        Either::Right((done, telling)) => {
            unless_stopped(telling).await;
            done
        }
    }
}

/// Awaits `telling`, which a signal ends: the run is over, and stays what it was.
async fn unless_stopped(telling: impl Future) {
    let told = async {
        telling.await;
        Ok(())
    };
    if let Ok(signals) = Signals::listen() {
        drop(Box::pin(signals.give_up(told)).await);
    }
}
