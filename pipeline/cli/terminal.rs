//! Progress on stderr: bars on a terminal, one line per month otherwise.

use archive::{
    config::{LogFormat, ProgressMode},
    human,
    monitoring::{Telemetry, metrics::Retries, spans},
    observer::Observer,
    replicate::ReplicaReport,
    run::{MonthReport, MonthState},
    settings::OutputSettings,
    style::Style,
};
use archive_connectors::{
    Progress,
    progress::{DatasetMonth, Silent, Step},
};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write as _},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
};

/// The part of stderr that bars share with logs and lines.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    bars: MultiProgress,
    manner: Manner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Bars,
    Lines,
    /// Lines among logs that are read by a machine.
    Records,
    Silent,
}

impl Screen {
    pub(super) fn new(output: OutputSettings) -> Self {
        let terminal = io::stderr().is_terminal();
        let (manner, target) = match output.progress {
            _ if output.quiet => (Manner::Silent, ProgressDrawTarget::hidden()),
            ProgressMode::Never => (Manner::Silent, ProgressDrawTarget::hidden()),
            ProgressMode::Auto if output.log_format == LogFormat::Json => {
                (Manner::Records, ProgressDrawTarget::hidden())
            }
            ProgressMode::Auto if !terminal => (Manner::Lines, ProgressDrawTarget::hidden()),
            ProgressMode::Always if !terminal => (Manner::Bars, ProgressDrawTarget::term_like(Box::new(NoTerminal))),
            ProgressMode::Auto | ProgressMode::Always => (Manner::Bars, ProgressDrawTarget::stderr()),
        };
        Self { bars: MultiProgress::with_draw_target(target), manner }
    }

    /// Who watches a run on this screen.
    pub(super) fn observer(&self) -> Arc<dyn Observer> {
        match self.manner {
            Manner::Bars => Arc::new(Bars { screen: self.clone(), months: Mutex::default() }),
            Manner::Lines => Arc::new(Lines(self.clone())),
            Manner::Records => Arc::new(Records),
            Manner::Silent => Arc::new(Silent),
        }
    }

    /// Takes the bars away, those too that nobody finished: results come next.
    pub(super) fn close(&self) {
        drop(self.bars.clear());
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Writes above the bars.
    pub(super) fn write(&self, bytes: &[u8]) {
        // Nothing can be said about a failure to write to stderr.
        self.bars.suspend(|| drop(io::stderr().write_all(bytes)));
    }
}

const fn state(report: &MonthReport) -> &'static str {
    match report.state {
        MonthState::Archived => "archived",
        MonthState::Already => "already archived",
        MonthState::Failed => "failed",
        MonthState::Planned => "planned",
    }
}

fn finished_line(report: &MonthReport) -> String {
    let mut parts = vec![format!("{} {}", report.dataset, report.month), state(report).to_owned()];
    if let Some(events) = report.events {
        parts.push(human::count(events.archived, "event"));
        parts.push(human::size(report.bytes));
    }
    parts.push(human::time(report.seconds));
    format!("{}\n", parts.join("  "))
}

fn replica_line(report: &ReplicaReport) -> String {
    let copied = (report.copied > 0).then(|| format!("  {} copied", human::count(report.copied, "month")));
    format!("replica {}  {}{}\n", report.url, report.state, copied.unwrap_or_default())
}

/// One line for each month that is done.
#[derive(Debug)]
struct Lines(Screen);

impl Progress for Lines {
    fn step(&self, _: &DatasetMonth, _: Step, _: Option<u64>) {}

    fn advance(&self, _: &DatasetMonth, _: u64) {}

    fn finish(&self, _: &DatasetMonth) {}
}

impl Observer for Lines {
    fn month_finished(&self, report: &MonthReport) {
        self.0.write(finished_line(report).as_bytes());
    }

    fn replica_finished(&self, report: &ReplicaReport) {
        self.0.write(replica_line(report).as_bytes());
    }
}

/// One log record for each month that is done.
#[derive(Debug)]
struct Records;

impl Progress for Records {
    fn step(&self, _: &DatasetMonth, _: Step, _: Option<u64>) {}

    fn advance(&self, _: &DatasetMonth, _: u64) {}

    fn finish(&self, _: &DatasetMonth) {}
}

impl Observer for Records {
    fn month_finished(&self, report: &MonthReport) {
        let MonthReport { dataset, month, bytes, seconds, .. } = report;
        let events = report.events.map(|events| events.archived);
        tracing::info!(target: PROGRESS, %dataset, %month, events, bytes, seconds, "{}", state(report));
    }

    fn replica_finished(&self, report: &ReplicaReport) {
        let ReplicaReport { url, state, copied, .. } = report;
        tracing::info!(target: PROGRESS, replica = url, copied, "{state}");
    }
}

/// A bar for each month that is worked on, and a line for each that is done.
#[derive(Debug)]
struct Bars {
    screen: Screen,
    months: Mutex<HashMap<DatasetMonth, ProgressBar>>,
}

/// How often a bar moves by itself, so that waiting does not look like hanging.
const TICK: Duration = Duration::from_millis(200);

impl Bars {
    /// A thread that panicked with the lock left a map that is as good as before.
    fn months(&self) -> MutexGuard<'_, HashMap<DatasetMonth, ProgressBar>> {
        self.months.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, coverage: &DatasetMonth) -> ProgressBar {
        let bar = self.screen.bars.add(ProgressBar::new_spinner()).with_prefix(coverage.to_string());
        bar.enable_steady_tick(TICK);
        bar
    }
}

impl Progress for Bars {
    fn step(&self, coverage: &DatasetMonth, step: Step, total: Option<u64>) {
        let mut months = self.months();
        let bar = months.entry(coverage.clone()).or_insert_with(|| self.start(coverage));
        bar.reset();
        bar.set_length(total.unwrap_or_default());
        bar.set_message(step.name());
        bar.set_style(style(step, total.is_some()));
    }

    fn advance(&self, coverage: &DatasetMonth, amount: u64) {
        if let Some(bar) = self.months().get(coverage) {
            bar.inc(amount);
        }
    }

    fn finish(&self, coverage: &DatasetMonth) {
        if let Some(bar) = self.months().remove(coverage) {
            bar.finish_and_clear();
            self.screen.bars.remove(&bar);
        }
    }
}

impl Observer for Bars {
    fn month_finished(&self, report: &MonthReport) {
        self.finish(&DatasetMonth { dataset: report.dataset.clone(), month: report.month });
        self.screen.write(finished_line(report).as_bytes());
    }

    fn replica_finished(&self, report: &ReplicaReport) {
        self.screen.write(replica_line(report).as_bytes());
    }
}

fn style(step: Step, bounded: bool) -> ProgressStyle {
    let template = match step {
        Step::Create | Step::Wait => "{prefix}  {msg:8}  {spinner} {elapsed}",
        Step::Decode if bounded => "{prefix}  {msg:8}  {bar:24} {percent:>3}%  eta {eta}",
        Step::Decode => "{prefix}  {msg:8}  {spinner} {human_pos}",
        _ if bounded => "{prefix}  {msg:8}  {bar:24} {binary_bytes:>10}/{binary_total_bytes}  {binary_bytes_per_sec}",
        _ => "{prefix}  {msg:8}  {spinner} {binary_bytes}  {binary_bytes_per_sec}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Stderr where bars were asked for although it is no terminal: a log viewer may know the escape sequences.
#[derive(Debug)]
struct NoTerminal;

impl NoTerminal {
    fn put(text: &str) -> io::Result<()> {
        io::stderr().write_all(text.as_bytes())
    }

    fn move_by(count: usize, direction: char) -> io::Result<()> {
        if count == 0 { Ok(()) } else { Self::put(&format!("\x1b[{count}{direction}")) }
    }
}

impl TermLike for NoTerminal {
    fn width(&self) -> u16 {
        80
    }

    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        Self::move_by(count, 'A')
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        Self::move_by(count, 'B')
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        Self::move_by(count, 'C')
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        Self::move_by(count, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        Self::put(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        Self::put(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        Self::put("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}

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
    fn a_finished_month_is_one_line() {
        let report = MonthReport {
            dataset: "events".parse().unwrap(),
            month: "2025-03".parse().unwrap(),
            state: MonthState::Failed,
            sequence: None,
            manifest_sha256: None,
            events: None,
            files: 0,
            bytes: 0,
            seconds: 0.83,
            error: None,
        };
        assert_eq!(finished_line(&report), "events 2025-03  failed  0.8 s\n");
    }

    #[test]
    fn every_template_is_understood() {
        for step in Step::ALL {
            for bounded in [true, false] {
                let bar = ProgressBar::hidden().with_style(style(step, bounded));
                assert_eq!(bar.position(), 0);
            }
        }
    }

    #[test]
    fn verbosity_is_about_our_own_crates() {
        let verbose = filter(OutputSettings { verbosity: 2, ..OutputSettings::default() });
        assert!(verbose.would_enable("archive_connectors::exports_api", &Level::DEBUG));
        assert!(!verbose.would_enable("hyper::client", &Level::INFO));
        let quiet = filter(OutputSettings { quiet: true, ..OutputSettings::default() });
        assert!(quiet.would_enable("archive", &Level::ERROR) && !quiet.would_enable("archive", &Level::WARN));
    }
}
