//! Logs on stderr.

use super::progress::Screen;
use crate::{
    config::LogFormat,
    monitoring::{Telemetry, metrics::Retries},
    settings::OutputSettings,
    spans,
    style::Style,
};
use std::{io, sync::OnceLock};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
};

/// Our own crates; those of others only warn, however verbose we are.
const OURS: [&str; 3] = ["archive", "archive_connectors", "archive_formats"];

/// Which months are done: said however little is logged, unless progress is not wanted.
pub(super) const PROGRESS: &str = "archive::progress";

/// Set once, as the subscriber is.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// How everything on stderr looks.
pub(super) fn format() -> LogFormat {
    FORMAT.get().copied().unwrap_or_default()
}

/// Sends logs to the screen, where they do not tear the bars apart, and has others listen: who counts retries, and who
/// takes traces. The first call counts.
pub(super) fn start(output: OutputSettings, screen: &Screen, style: Style, retries: &Retries, telemetry: &Telemetry) {
    if FORMAT.set(output.log_format).is_err() {
        return;
    }
    let screen = screen.clone();
    let layer = fmt::layer().with_ansi(style.has_color()).with_writer(move || LogWriter(screen.clone()));
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match output.log_format {
        LogFormat::Text => Box::new(layer),
        LogFormat::Json => Box::new(layer.json().flatten_event(true)),
    };
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter(output)));
    let subscriber = subscriber.with(retries.clone().with_filter(Retries::filter())).with(telemetry.layer());
    // Fails when a test, which shares its process with others, has started one before.
    drop(tracing::subscriber::set_global_default(subscriber));
}

fn filter(output: OutputSettings) -> Targets {
    let (others, ours) = match (output.quiet, output.verbosity) {
        (true, _) => (LevelFilter::ERROR, LevelFilter::ERROR),
        (false, 0) => (LevelFilter::WARN, LevelFilter::WARN),
        (false, 1) => (LevelFilter::WARN, LevelFilter::INFO),
        (false, _) => (LevelFilter::WARN, LevelFilter::DEBUG),
    };
    let targets = Targets::new().with_default(others).with_targets(OURS.map(|target| (target, ours)));
    let targets = targets.with_target(spans::TARGET, LevelFilter::OFF);
    targets.with_target(PROGRESS, if output.quiet { LevelFilter::ERROR } else { LevelFilter::INFO })
}

/// The subscriber writes each event with one call.
#[derive(Debug)]
struct LogWriter(Screen);

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn verbosity_is_about_our_own_crates() {
        let verbose = filter(OutputSettings { verbosity: 2, ..OutputSettings::default() });
        assert!(verbose.would_enable("archive_connectors::exports_api", &Level::DEBUG));
        assert!(!verbose.would_enable("hyper::client", &Level::INFO));
        let quiet = filter(OutputSettings { quiet: true, ..OutputSettings::default() });
        assert!(quiet.would_enable("archive", &Level::ERROR) && !quiet.would_enable("archive", &Level::WARN));
    }
}
