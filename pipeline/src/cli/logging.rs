//! Logs on stderr.

use super::{progress::Screen, style::Style};
use crate::{config::LogFormat, settings::OutputSettings};
use std::io;
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
};

/// Our own crates; those of others only warn, however verbose we are.
const OURS: [&str; 3] = ["archive", "archive_connectors", "archive_formats"];

/// Sends logs to the screen, where they do not tear the bars apart.
pub(super) fn start(output: OutputSettings, screen: &Screen, style: Style) {
    let screen = screen.clone();
    let layer = fmt::layer().with_ansi(style.has_color()).with_writer(move || LogWriter(screen.clone()));
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match output.log_format {
        LogFormat::Text => Box::new(layer),
        LogFormat::Json => Box::new(layer.json().flatten_event(true)),
    };
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter(output)));
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
    Targets::new().with_default(others).with_targets(OURS.map(|target| (target, ours)))
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
