//! SIGINT and SIGTERM stop the work instead of killing the process, and the last notifications of a run.

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

/// Handlers of both signals.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    stop: CancellationToken,
}

/// The result of work that a signal can stop.
#[derive(Debug)]
pub(super) struct Guarded<T> {
    /// The output; `None` if the work was aborted.
    pub(super) output: Option<T>,
    /// The first signal.
    pub(super) signal: Option<ExitCode>,
}

impl<T> Guarded<Result<T>> {
    /// The report of the work, with the error of the signal that ended it early. Fails if there is no report.
    pub(super) fn into_report(self) -> Result<(T, Option<Error>)> {
        match (self.output, self.signal.map(stopped)) {
            (Some(Ok(report)), stopped) => Ok((report, stopped)),
            (_, Some(error)) | (Some(Err(error)), None) => Err(error),
            (None, None) => unreachable!("only a signal aborts the work"),
        }
    }
}

/// `SIGXFSZ` on Linux and macOS.
const FILE_TOO_LARGE: i32 = 25;

/// Makes a write beyond the limit of file sizes (`ulimit -f`) an error, which has a hint, instead of the silent end of the
/// process.
pub(super) fn survive_file_size_limit() {
    // The handler stays when the stream is dropped. Without it, nothing is lost but the message.
    drop(signal(SignalKind::from_raw(FILE_TOO_LARGE)));
}

impl Signals {
    /// Installs the handlers.
    pub(super) fn listen() -> Result<Self> {
        let failed = |error| Error::new(ErrorKind::Local, "could not listen for signals").with_source(error);
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        Ok(Self { interrupt, terminate, stop: CancellationToken::new() })
    }

    /// The token that the first signal cancels, with [`Self::finish_on_signal`].
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Awaits work that stops by itself once [`Self::stop`] is cancelled. A second signal aborts it, which loses no more
    /// than a crash.
    pub(super) async fn finish_on_signal<T>(mut self, work: impl Future<Output = T>) -> Guarded<T> {
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

    /// Awaits work that only reads. The first signal aborts it.
    pub(super) async fn abort_on_signal<T>(mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
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

/// The error of work that commits and was stopped by a signal.
pub(super) fn stopped(signal: ExitCode) -> Error {
    error(signal).with_hint("run the same command again for the rest; what is committed stays")
}

fn error(signal: ExitCode) -> Error {
    match signal {
        ExitCode::Terminated => Error::new(ErrorKind::Terminated, "stopped by SIGTERM"),
        _ => Error::new(ErrorKind::Interrupted, "interrupted by SIGINT"),
    }
}

/// The hint if the result could not be written.
pub(super) const UNWRITTEN: &str =
    "check what stdout leads to; what is committed stays, and the same command reports it again";

/// The notifications and metrics that a finished run has yet to send.
#[derive(Debug)]
pub(super) struct Notifications {
    settings: Settings,
    telemetry: Telemetry,
    finished: Finished,
}

impl Notifications {
    pub(super) fn new(settings: Settings, telemetry: Telemetry, finished: Finished) -> Box<Self> {
        Box::new(Self { settings, telemetry, finished })
    }

    /// Sends them: the run ended with `exit`.
    pub(super) async fn send(self, exit: ExitCode) {
        let Self { settings, telemetry, mut finished } = self;
        if exit != finished.exit {
            let message = "could not write the result to stdout".to_owned();
            finished.error.get_or_insert(Failure { message, hint: UNWRITTEN.to_owned(), exit });
            finished.exit = exit;
        }
        await_until_signal(monitoring::end(&settings, &finished, telemetry)).await;
    }
}

/// Awaits `work` and `notifications` concurrently. Returns the output of `work` and when it ended.
pub(super) async fn run_alongside<T>(notifications: impl Future, work: impl Future<Output = T>) -> (T, Timestamp) {
    let work = async { (work.await, SystemClock.now()) };
    match Box::pin(select(pin!(notifications), pin!(work))).await {
        Either::Left((_, work)) => work.await,
        Either::Right((done, notifications)) => {
            await_until_signal(notifications).await;
            done
        }
    }
}

/// Awaits `notifications` until a signal comes. The outcome of the run does not change.
async fn await_until_signal(notifications: impl Future) {
    let sent = async {
        notifications.await;
        Ok(())
    };
    if let Ok(signals) = Signals::listen() {
        drop(Box::pin(signals.abort_on_signal(sent)).await);
    }
}
