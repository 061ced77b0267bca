//! SIGINT and SIGTERM ask the work to stop; the process does not die by them.

use archive::{
    exit::ExitCode,
    monitoring::{self, Finished, Telemetry},
    report::Failure,
    settings::Settings,
};
use archive_connectors::{Clock as _, Error, ErrorKind, Result, clock::SystemClock};
use archive_formats::Timestamp;
use futures::future::{Either, select};
use std::pin::pin;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Listens for both signals.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    stop: CancellationToken,
}

/// What became of work that was listened for.
#[derive(Debug)]
pub(super) struct Guarded<T> {
    /// What it returned; nothing when it was given up.
    pub(super) output: Option<T>,
    /// The signal that came first.
    pub(super) signal: Option<ExitCode>,
}

impl<T> Guarded<Result<T>> {
    /// The report of the work, and the error of the signal that ended it early. Where there is no report, why.
    pub(super) fn into_report(self) -> Result<(T, Option<Error>)> {
        match (self.output, self.signal.map(stopped)) {
            (Some(Ok(report)), stopped) => Ok((report, stopped)),
            (_, Some(error)) | (Some(Err(error)), None) => Err(error),
            (None, None) => unreachable!("work is given up after a signal only"),
        }
    }
}

impl Signals {
    /// Starts to listen.
    pub(super) fn listen() -> Result<Self> {
        let failed = |error| Error::new(ErrorKind::Local, "could not listen for signals").with_source(error);
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        Ok(Self { interrupt, terminate, stop: CancellationToken::new() })
    }

    /// What is cancelled by the first signal.
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Awaits work that finishes what it must once [`Self::stop`] is cancelled. A second signal gives it up: nothing is
    /// lost by that which a crash would not lose too.
    pub(super) async fn let_finish<T>(mut self, work: impl Future<Output = T>) -> Guarded<T> {
        let mut work = pin!(work);
        let signal = tokio::select! {
            biased;
            output = &mut work => return Guarded { output: Some(output), signal: None },
            signal = next(&mut self.interrupt, &mut self.terminate) => signal,
        };
        self.stop.cancel();
        tokio::select! {
            biased;
            output = work => Guarded { output: Some(output), signal: Some(signal) },
            _ = next(&mut self.interrupt, &mut self.terminate) => Guarded { output: None, signal: Some(signal) },
        }
    }

    /// Awaits work that only reads, and gives it up at the first signal.
    pub(super) async fn give_up<T>(mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            output = work => output,
            signal = next(&mut self.interrupt, &mut self.terminate) => Err(error(signal)),
        }
    }
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> ExitCode {
    tokio::select! {
        _ = interrupt.recv() => ExitCode::Interrupted,
        _ = terminate.recv() => ExitCode::Terminated,
    }
}

/// The error of work that commits, and that a signal stopped.
pub(super) fn stopped(signal: ExitCode) -> Error {
    error(signal).with_hint("run the same command again: what is committed stays, and the rest goes on from there")
}

fn error(signal: ExitCode) -> Error {
    match signal {
        ExitCode::Terminated => Error::new(ErrorKind::Terminated, "stopped by SIGTERM"),
        _ => Error::new(ErrorKind::Interrupted, "interrupted by SIGINT"),
    }
}

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
