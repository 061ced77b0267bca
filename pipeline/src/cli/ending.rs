//! What is told of a run once its result is printed: nobody waits for that, and the exit code is the one that counts.

use super::signals::Signals;
use crate::{
    exit::ExitCode,
    monitoring::{self, Finished, Telemetry},
    report::Failure,
    settings::Settings,
};
use futures::future::join;

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

    /// Tells that the run ended with `exit`. A signal ends the telling.
    pub(super) async fn tell(self, exit: ExitCode) {
        let Self { settings, telemetry, mut finished } = self;
        if exit != finished.exit {
            let message = "could not write the result to stdout".to_owned();
            finished.error.get_or_insert(Failure { message, hint: None, exit });
            finished.exit = exit;
        }
        let telling = async {
            join(monitoring::end(&settings, &finished), telemetry.end(&settings, &finished)).await;
            Ok(())
        };
        if let Ok(signals) = Signals::listen() {
            drop(Box::pin(signals.give_up(telling)).await);
        }
    }
}
