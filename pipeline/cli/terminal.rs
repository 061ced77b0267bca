//! Progress and logs on stderr: bars on a terminal, one line per month otherwise.

use super::log::Sentences;
use archive::{
    config::{LogFormat, ProgressMode},
    human,
    monitoring::{Telemetry, metrics::Retries, spans},
    observer::Observer,
    replicate::ReplicaReport,
    run::{MonthReport, MonthState},
    settings::OutputSettings,
    style::Style,
    wrap::WIDTH,
};
use archive_connectors::{
    Progress,
    progress::{DatasetMonth, Silent, Step, Subject, Whole},
};
use archive_formats::printable::{escaped, is_hidden};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};
use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write as _},
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
};

/// Columns of a terminal; `None` if `stream` is none.
pub(super) fn width(stream: impl AsFd) -> Option<usize> {
    terminal_size::terminal_size_of(stream).map(|(columns, _)| usize::from(columns.0))
}

/// Stderr, shared by progress bars, lines and logs.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    bars: MultiProgress,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Bars,
    Lines,
    /// Log records, for logs in JSON.
    Records,
    Silent,
}

impl Screen {
    pub(super) fn new(output: OutputSettings) -> Self {
        let terminal = io::stderr().is_terminal();
        let (mode, target) = match output.progress {
            _ if output.quiet => (Mode::Silent, ProgressDrawTarget::hidden()),
            ProgressMode::Never => (Mode::Silent, ProgressDrawTarget::hidden()),
            ProgressMode::Auto if output.log_format == LogFormat::Json => (Mode::Records, ProgressDrawTarget::hidden()),
            ProgressMode::Auto if !terminal => (Mode::Lines, ProgressDrawTarget::hidden()),
            ProgressMode::Always if !terminal => (Mode::Bars, ProgressDrawTarget::term_like(Box::new(NoTerminal))),
            ProgressMode::Auto | ProgressMode::Always => (Mode::Bars, ProgressDrawTarget::stderr()),
        };
        Self { bars: MultiProgress::with_draw_target(target), mode }
    }

    /// The observer that shows a run on this screen.
    pub(super) fn observer(&self) -> Arc<dyn Observer> {
        match self.mode {
            Mode::Bars => Arc::new(Bars::new(self.clone())),
            Mode::Lines => Arc::new(Lines(self.clone())),
            Mode::Records => Arc::new(Records),
            Mode::Silent => Arc::new(Silent),
        }
    }

    /// Removes all bars, also unfinished ones, before results are printed.
    pub(super) fn close(&self) {
        drop(self.bars.clear());
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Writes above the bars.
    pub(super) fn write(&self, bytes: &[u8]) {
        // A failure to write to stderr cannot be reported.
        self.bars.suspend(|| drop(io::stderr().write_all(bytes)));
    }
}

fn state(report: &MonthReport) -> &'static str {
    match report.state {
        _ if report.is_stopped() => "stopped",
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
    let copied = (report.copied > 0).then(|| format!("  {} copied", human::count(report.copied, report.unit)));
    format!("replica {}  {}{}\n", report.url, report.state, copied.unwrap_or_default())
}

/// Prints a line per finished month.
#[derive(Debug)]
struct Lines(Screen);

impl Progress for Lines {
    fn step(&self, _: &Subject, _: Step, _: Option<u64>) {}

    fn advance(&self, _: &Subject, _: u64) {}

    fn finish(&self, _: &Subject) {}
}

impl Observer for Lines {
    fn month_finished(&self, report: &MonthReport) {
        // The result names the others in one line.
        if report.is_tried {
            self.0.write(finished_line(report).as_bytes());
        }
    }

    fn replica_finished(&self, report: &ReplicaReport) {
        self.0.write(replica_line(report).as_bytes());
    }
}

/// Logs a record per finished month.
#[derive(Debug)]
struct Records;

impl Progress for Records {
    fn step(&self, _: &Subject, _: Step, _: Option<u64>) {}

    fn advance(&self, _: &Subject, _: u64) {}

    fn finish(&self, _: &Subject) {}
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

/// Shows a bar per month in work above one for the whole command, and prints a line per finished month.
#[derive(Debug)]
struct Bars {
    screen: Screen,
    months: Mutex<HashMap<Subject, ProgressBar>>,
    whole: OnceLock<(Whole, ProgressBar)>,
    /// Whether the terminal has less than 80 columns.
    is_narrow: bool,
}

/// Redraw interval of a bar, so that waiting does not look like hanging.
const TICK: Duration = Duration::from_millis(200);

impl Bars {
    fn new(screen: Screen) -> Self {
        let is_narrow = width(io::stderr()).is_some_and(|columns| columns < WIDTH);
        Self { screen, months: Mutex::default(), whole: OnceLock::new(), is_narrow }
    }

    /// Ignores poisoning: every change of the map is a single call.
    fn months(&self) -> MutexGuard<'_, HashMap<Subject, ProgressBar>> {
        self.months.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, subject: &Subject) -> ProgressBar {
        let bar = ProgressBar::new_spinner();
        let bar = match self.whole.get() {
            Some((_, whole)) => self.screen.bars.insert_before(whole, bar),
            None => self.screen.bars.add(bar),
        };
        let bar = bar.with_prefix(subject.to_string());
        bar.enable_steady_tick(TICK);
        bar
    }
}

impl Progress for Bars {
    fn begin(&self, whole: Whole) {
        let (Whole::Months(length) | Whole::Bytes(length)) = whole;
        // The bar of a single month shows the same.
        if whole == Whole::Months(length) && length < 2 {
            return;
        }
        let bar = self.screen.bars.add(ProgressBar::new(length)).with_style(whole_style(whole));
        bar.enable_steady_tick(TICK);
        // Set once for a command.
        drop(self.whole.set((whole, bar)));
    }

    fn step(&self, subject: &Subject, step: Step, total: Option<u64>) {
        let mut months = self.months();
        let bar = months.entry(subject.clone()).or_insert_with(|| self.start(subject));
        bar.reset();
        bar.set_length(total.unwrap_or_default());
        bar.set_message(step.name());
        bar.set_style(style(step, total.is_some(), self.is_narrow));
    }

    fn advance(&self, subject: &Subject, amount: u64) {
        if let Some(bar) = self.months().get(subject) {
            bar.inc(amount);
        }
        if let Some((Whole::Bytes(_), whole)) = self.whole.get() {
            whole.inc(amount);
        }
    }

    fn finish(&self, subject: &Subject) {
        if let Some(bar) = self.months().remove(subject) {
            bar.finish_and_clear();
            self.screen.bars.remove(&bar);
        }
    }
}

impl Observer for Bars {
    fn month_finished(&self, report: &MonthReport) {
        self.finish(&DatasetMonth { dataset: report.dataset.clone(), month: report.month }.into());
        if report.is_tried {
            self.screen.write(finished_line(report).as_bytes());
        }
        if let Some((Whole::Months(_), whole)) = self.whole.get().filter(|_| report.state != MonthState::Already) {
            whole.inc(1);
        }
    }

    fn replica_finished(&self, report: &ReplicaReport) {
        self.screen.write(replica_line(report).as_bytes());
    }
}

/// The style of the bar of a whole command, with an estimate of the time left once a part of the work is done.
fn whole_style(whole: Whole) -> ProgressStyle {
    let template = match whole {
        Whole::Months(_) => "all months  {bar:20} {pos}/{len}  {left}",
        Whole::Bytes(_) => "all files  {bar:20} {percent:>3}%  {left}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("left", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        // A failure to write shortens the bar.
        text.write_str(&left(state.pos(), state.len().unwrap_or_default(), state.elapsed())).unwrap_or_default();
    })
}

/// The time left if the rest of the work takes as long as the part that is done.
fn left(done: u64, all: u64, elapsed: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let share = |part: u64| part as f64;
    match done {
        0 => "estimating".to_owned(),
        _ if done >= all => String::new(),
        _ => format!("about {} left", human::time(elapsed.as_secs_f64() * share(all - done) / share(done))),
    }
}

fn style(step: Step, bounded: bool, is_narrow: bool) -> ProgressStyle {
    let template = match step {
        Step::Create | Step::Wait => "{prefix}  {msg:8}  {spinner} {elapsed}",
        Step::Decode if bounded => "{prefix}  {msg:8}  {wide_bar} {percent:>3}%  eta {eta}",
        Step::Decode => "{prefix}  {msg:8}  {spinner} {human_pos}",
        Step::Digest => "{prefix}  {msg:8}  {wide_bar} {pos}/{len} tables",
        _ if bounded && is_narrow => "{prefix}  {msg:8}  {wide_bar} {percent:>3}%  eta {eta}",
        _ if bounded => "{prefix}  {msg:8}  {wide_bar} {binary_bytes:>10}/{binary_total_bytes}  {binary_bytes_per_sec}",
        _ if is_narrow => "{prefix}  {msg:8}  {spinner} {binary_bytes}",
        _ => "{prefix}  {msg:8}  {spinner} {binary_bytes}  {binary_bytes_per_sec}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Stderr that is not a terminal, with `--progress always`: a log viewer may interpret the escape sequences.
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

/// Crates of this workspace. Other crates log warnings only, at any verbosity.
const OURS: [&str; 3] = ["archive", "archive_connectors", "archive_formats"];

/// Target of records of finished months: logged at any verbosity except `--quiet`.
pub(super) const PROGRESS: &str = "archive::progress";

/// Set once, together with the subscriber.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// The format of everything on stderr.
pub(super) fn format() -> LogFormat {
    FORMAT.get().copied().unwrap_or_default()
}

/// Installs the subscriber: logs to the screen, above the bars, the retry counter and telemetry. Later calls have no
/// effect.
pub(super) fn start(output: OutputSettings, screen: &Screen, style: Style, retries: &Retries, telemetry: &Telemetry) {
    if FORMAT.set(output.log_format).is_err() {
        return;
    }
    let writer = LogWriter { screen: screen.clone(), has_color: style.has_color() };
    let layer = fmt::layer().with_ansi(style.has_color()).with_writer(move || writer.clone());
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match output.log_format {
        LogFormat::Text if output.verbosity == 0 => Box::new(layer.event_format(Sentences(style))),
        LogFormat::Text => Box::new(layer),
        LogFormat::Json => Box::new(layer.json().flatten_event(true)),
    };
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter(output)));
    let subscriber = subscriber.with(retries.clone().with_filter(Retries::filter())).with(telemetry.layer());
    // Fails if another test of the same process has installed one.
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

/// Writes logs above the bars. The subscriber writes each event with one call.
#[derive(Clone, Debug)]
struct LogWriter {
    screen: Screen,
    has_color: bool,
}

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.screen.write(one_line(bytes, self.has_color).as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event as one line without hidden characters, whose values may come from a server. With colours, sequences that set
/// them stay.
fn one_line(event: &[u8], has_color: bool) -> String {
    let event = String::from_utf8_lossy(event);
    let line = event.strip_suffix('\n').unwrap_or(&event);
    let mut pieces = line.split('\u{1b}');
    let mut printed = escaped(pieces.next().unwrap_or_default(), is_hidden).to_string();
    for piece in pieces {
        printed.push_str(if has_color && sets_color(piece) { "\u{1b}" } else { "\\u001b" });
        printed.push_str(&escaped(piece, is_hidden));
    }
    printed + "\n"
}

/// Whether an escape character before `text` begins a sequence that sets a colour.
fn sets_color(text: &str) -> bool {
    let parameters = text.strip_prefix('[').and_then(|text| text.split_once('m'));
    parameters.is_some_and(|(parameters, _)| parameters.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn an_event_is_one_line_without_hidden_characters() {
        let event = "\u{1b}[33mWARN\u{1b}[0m status=a\u{202e}\nb\u{2028}\n".as_bytes();
        assert_eq!(one_line(event, true), "\u{1b}[33mWARN\u{1b}[0m status=a\\u202e\\nb\\u2028\n");
        assert!(!one_line(event, false).contains('\u{1b}'));
        assert_eq!(one_line(b"file=a\x1b[2Jb\x1b", true), "file=a\\u001b[2Jb\\u001b\n");
    }

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
            is_tried: true,
        };
        assert_eq!(finished_line(&report), "events 2025-03  failed  0.8 s\n");
    }

    #[test]
    fn every_template_is_valid() {
        for step in Step::ALL {
            for (bounded, is_narrow) in [(true, false), (true, true), (false, false), (false, true)] {
                let bar = ProgressBar::hidden().with_style(style(step, bounded, is_narrow));
                assert_eq!(bar.position(), 0);
            }
        }
        for whole in [Whole::Months(2), Whole::Bytes(2)] {
            assert_eq!(ProgressBar::hidden().with_style(whole_style(whole)).position(), 0);
        }
    }

    #[test]
    fn time_left_is_estimated_from_the_part_that_is_done() {
        let left = |done, all, seconds| left(done, all, Duration::from_secs(seconds));
        assert_eq!(left(0, 27, 10), "estimating");
        assert_eq!(left(3, 27, 30), "about 4m 00s left");
        assert_eq!(left(27, 27, 270), "");
    }

    #[test]
    fn verbosity_applies_to_workspace_crates_only() {
        let verbose = filter(OutputSettings { verbosity: 2, ..OutputSettings::default() });
        assert!(verbose.would_enable("archive_connectors::exports_api", &Level::DEBUG));
        assert!(!verbose.would_enable("hyper::client", &Level::INFO));
        let quiet = filter(OutputSettings { quiet: true, ..OutputSettings::default() });
        assert!(quiet.would_enable("archive", &Level::ERROR) && !quiet.would_enable("archive", &Level::WARN));
    }
}
