//! The outcome of a command, and its output on stdout and stderr.

use super::{
    args::Arguments,
    options::{self, InvalidValue},
    signals::{Notifications, UNWRITTEN},
    terminal::{self, Screen},
};
use archive::{
    address,
    config::{LogFormat, Names},
    environment::Environment,
    exit::ExitCode,
    monitoring::{Telemetry, metrics::Retries},
    report::{Failure, Report},
    settings::OutputSettings,
    style::{Style, Tone},
    wrap::wrap,
};
use archive_connectors::Error;
use archive_formats::{Month, printable};
use clap::{
    CommandFactory as _,
    error::{ContextKind, ContextValue, ErrorKind as ClapKind},
};
use serde_json::{Map, Value, json};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Write as _},
};

/// The outcome of a command.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) exit: ExitCode,
    /// Why the exit code is not zero, in one sentence.
    pub(super) error: Option<Failure>,
    /// Failures of single months, printed to stderr instead of `error`.
    pub(super) details: Vec<Failure>,
    /// The fields of the `--json` document.
    pub(super) report: Value,
    /// The report for people.
    pub(super) text: String,
    /// The result instead of the report, which then is for stderr.
    pub(super) slice: Option<File>,
    /// Whether stderr is for errors only.
    pub(super) is_quiet: bool,
    /// Sent after everything is printed.
    pub(super) notifications: Option<Box<Notifications>>,
}

impl Outcome {
    /// The outcome of `report`.
    pub(super) fn new<R: Report>(report: &R, style: Style) -> Self {
        let (exit, error, details) = (report.exit(), report.failure(), report.details());
        let (report, text) = (fields(report), report.text(style));
        Self { exit, error, details, report, text, slice: None, is_quiet: false, notifications: None }
    }

    /// The same outcome, whose messages and hints name settings as they were given.
    pub(super) fn spelled(self, names: &Names) -> Self {
        let spelled = |failure: Failure| Failure {
            message: names.spell(&failure.message),
            hint: names.spell(&failure.hint),
            ..failure
        };
        Self {
            error: self.error.map(spelled),
            details: self.details.into_iter().map(spelled).collect(),
            report: spelled_report(self.report, names),
            ..self
        }
    }

    /// Adds the error of the signal that ended the command early, if one did.
    pub(super) fn stopped(mut self, error: Option<Error>) -> Self {
        if let Some(failure) = error.map(Failure::from) {
            self.exit = failure.exit;
            self.details.push(failure.clone());
            self.error = Some(failure);
        }
        self
    }

    /// A command that failed before it had a report.
    pub(super) fn failed(failure: impl Into<Failure>, report: Value) -> Self {
        let failure = failure.into();
        let (exit, error) = (failure.exit, Some(failure));
        Self {
            exit,
            error,
            details: Vec::new(),
            report,
            text: String::new(),
            slice: None,
            is_quiet: false,
            notifications: None,
        }
    }
}

/// A report in which the errors, which have a message and a hint, name settings as they were given.
fn spelled_report(report: Value, names: &Names) -> Value {
    match report {
        Value::Object(fields) => {
            let is_error = fields.contains_key("message") && fields.contains_key("hint");
            let fields = fields.into_iter().map(|(key, value)| match value {
                Value::String(text) if is_error => (key, names.spell(&text).into()),
                other => (key, spelled_report(other, names)),
            });
            Value::Object(fields.collect())
        }
        Value::Array(values) => values.into_iter().map(|value| spelled_report(value, names)).collect(),
        other => other,
    }
}

/// The formats of stdout and stderr.
#[derive(Debug)]
pub(super) struct Console {
    json: bool,
    command: Option<String>,
    /// The format of messages before the settings are known.
    log_format: LogFormat,
    /// Style of stdout.
    pub(super) results: Style,
    /// Style of stderr.
    pub(super) messages: Style,
}

impl Console {
    /// Scans the arguments without parsing them: with `--json`, parse errors are JSON too.
    pub(super) fn new(arguments: &[OsString], environment: Option<&Environment>) -> Self {
        let words =
            || arguments.iter().skip(1).filter_map(|argument| argument.to_str()).take_while(|word| *word != "--");
        let in_environment = environment.and_then(|it| it.get("KT_ARCHIVE_LOG_FORMAT")) == Some("json");
        let commands = Arguments::command();
        let is_command = |word: &&str| commands.get_subcommands().any(|command| command.get_name() == *word);
        let typed = words().zip(words().skip(1)).any(|pair| pair == ("--log-format", "json"))
            || words().any(|word| word == "--log-format=json");
        Self {
            json: words().any(|word| word == "--json"),
            log_format: if typed || in_environment { LogFormat::Json } else { LogFormat::Text },
            command: words().find(is_command).map(str::to_owned),
            results: Style::new(&io::stdout(), environment).with_width(terminal::width(io::stdout())),
            messages: Style::new(&io::stderr(), environment).with_width(terminal::width(io::stderr())),
        }
    }

    /// Sets the command that was parsed.
    pub(super) fn with_command(self, command: &str) -> Self {
        Self { command: Some(command.to_owned()), ..self }
    }

    /// Prints a usage error, or the help that was asked for.
    pub(super) fn usage(&self, error: &clap::Error, empty_report: fn(Option<&str>) -> Value) -> ExitCode {
        match error.kind() {
            ClapKind::DisplayHelp | ClapKind::DisplayVersion => {
                drop(error.print());
                ExitCode::Done
            }
            ClapKind::DisplayHelpOnMissingArgumentOrSubcommand if !self.json => {
                drop(error.print());
                ExitCode::Usage
            }
            _ => {
                let command = self.command.as_deref();
                self.finish(Outcome::failed(usage(error, command), empty_report(command)))
            }
        }
    }

    /// Prints the outcome.
    pub(super) fn finish(&self, outcome: Outcome) -> ExitCode {
        let command = self.command.as_deref();
        let printed = match outcome.slice {
            Some(slice) => pass_on(slice).inspect(|()| {
                if !outcome.is_quiet {
                    // A failure to write to stderr cannot be reported.
                    drop(io::stderr().write_all(outcome.text.as_bytes()));
                }
            }),
            None if self.json => print(&document(command, outcome.exit, outcome.error.as_ref(), outcome.report)),
            None => print(&outcome.text),
        };
        let sentence = outcome.error.iter().filter(|_| outcome.details.is_empty());
        self.report_failures(&sentence.chain(&outcome.details).collect::<Vec<_>>());
        match printed {
            Ok(()) => outcome.exit,
            Err(error) => {
                let message = format!("could not write the result to stdout: {error}");
                self.report_failures(&[&Failure { message, hint: UNWRITTEN.to_owned(), exit: ExitCode::Failed }]);
                if outcome.exit == ExitCode::Done { ExitCode::Failed } else { outcome.exit }
            }
        }
    }

    /// Prints failures in the log format of stderr.
    fn report_failures(&self, failures: &[&Failure]) {
        let output = OutputSettings { log_format: self.log_format, ..OutputSettings::default() };
        // No effect if the command has started its logs.
        terminal::start(output, &Screen::new(output), self.messages, &Retries::default(), &Telemetry::default());
        match terminal::format() {
            // A failure to write to stderr cannot be reported.
            LogFormat::Text => drop(io::stderr().write_all(render(failures, self.messages).as_bytes())),
            LogFormat::Json => {
                for failure in failures {
                    tracing::error!(hint = failure.hint, "{}", failure.message);
                }
            }
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    pass_on(text.as_bytes())
}

/// Writes to stdout. Ignores a broken pipe: a reader such as `head` may close early.
fn pass_on(mut bytes: impl io::Read) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match io::copy(&mut bytes, &mut stdout).and_then(|_| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Prints a failure as `error: …` and `hint: …`.
pub(super) fn print_failure(failure: &Failure, style: Style) {
    // A failure to write to stderr cannot be reported.
    drop(io::stderr().write_all(render(&[failure], style).as_bytes()));
}

/// Each failure as `error: …`, then `hint: …`: failures with the same hint follow each other, and it follows them once. A
/// signal is no error: its failure is one line.
fn render(failures: &[&Failure], style: Style) -> String {
    let (error, hint) = (style.paint(Tone::Bad, "error:"), style.paint(Tone::Good, "hint:"));
    let wrapped = |text: &str, prefix: &str| match style.width() {
        Some(width) => wrap(&printable(text), width, prefix.len(), &" ".repeat(prefix.len())),
        None => printable(text).into_owned(),
    };
    let mut groups: Vec<Vec<&Failure>> = Vec::new();
    for failure in failures {
        match groups.iter_mut().find(|group| group.iter().any(|other| other.hint == failure.hint)) {
            Some(group) => group.push(failure),
            None => groups.push(vec![failure]),
        }
    }
    let mut text = String::new();
    for group in groups {
        let is_signal = |failure: &&Failure| matches!(failure.exit, ExitCode::Interrupted | ExitCode::Terminated);
        let (signals, errors): (Vec<_>, Vec<_>) = group.iter().copied().partition(is_signal);
        for failure in errors {
            text.extend([&error, " ", &wrapped(&failure.message, "error: "), "\n"]);
        }
        let reason = group.first().map_or("", |failure| failure.hint.as_str());
        if signals.is_empty() {
            text.extend([&hint, " ", &wrapped(reason, "hint: "), "\n"]);
        } else {
            let parts = signals.iter().map(|failure| failure.message.as_str()).chain([reason]);
            text.extend([&wrapped(&parts.collect::<Vec<_>>().join("; "), ""), "\n"]);
        }
    }
    text
}

/// Converts an error of clap. Its text repeats the arguments, so passwords in URLs are redacted.
pub(super) fn usage(error: &clap::Error, command: Option<&str>) -> Failure {
    let text = address::redact(&error.render().to_string());
    let mut paragraphs = text.split("\n\n");
    let first = paragraphs.next().unwrap_or_default().trim_start_matches("error: ");
    let message = first.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let tip = paragraphs.find_map(|paragraph| paragraph.trim().strip_prefix("tip: "));
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<InvalidValue>());
    let option = option_for(error, command);
    let tip = cause.and_then(|cause| cause.hint.as_deref()).or(option.as_deref()).or(tip);
    let command = command.map_or_else(|| "kt-archive".to_owned(), |command| format!("kt-archive {command}"));
    let see = format!("see `{command} --help`");
    let hint = tip.map_or_else(|| see.clone(), |tip| format!("{tip}; {see}"));
    Failure { message, hint, exit: ExitCode::Usage }
}

/// The option for a word that was typed without one, such as `--archive ./archive`.
fn option_for(error: &clap::Error, command: Option<&str>) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return None };
    let is_bare = error.kind() == ClapKind::UnknownArgument && !word.starts_with('-');
    if !is_bare || address::contains_secret(word) {
        return None;
    }
    let commands = options::command();
    let command = commands.find_subcommand(command?.split(' ').next()?)?;
    let takes = |option: &str| command.get_arguments().any(|argument| argument.get_id() == option);
    let is_month = word.parse::<Month>().is_ok();
    let has_scheme = ["https:", "http:", "postgres:", "postgresql:", "demo:"].iter().any(|it| word.starts_with(it));
    let ends_in = |ends: &[&str]| ends.iter().any(|end| word.trim_end_matches(".gz").ends_with(end));
    let options = [
        ("--month", is_month && takes("month")),
        ("--from", is_month && takes("from")),
        ("--source", takes("source") && (has_scheme || ends_in(&[".csv", ".json", ".jsonl", ".ndjson"]))),
        ("--config", ends_in(&[".toml"])),
        ("--output", takes("output") && ends_in(&[".csv", ".jsonl", ".ndjson", ".parquet", ".html"])),
        ("--dataset", takes("dataset") && EXPORT_TYPES.contains(&word.as_str())),
        ("--archive", READS_SETTINGS.contains(&command.get_name())),
    ];
    let (option, _) = options.into_iter().find(|(_, fits)| *fits)?;
    Some(format!("write it as {option} {word}"))
}

/// Datasets of the exports API.
const EXPORT_TYPES: [&str; 4] = ["events", "traces", "escalations", "audit-log"];

/// Commands that take `--archive`. The others accept it only since it is global.
const READS_SETTINGS: [&str; 10] =
    ["run", "backfill", "verify", "status", "report", "doctor", "config", "replicate", "pull", "restore"];

/// The JSON document of a command, on one line without hidden characters: common fields first, then those of the report.
pub(super) fn document(command: Option<&str>, exit: ExitCode, error: Option<&Failure>, report: Value) -> String {
    let mut document = Map::new();
    document.insert("command".to_owned(), json!(command));
    document.insert("exit".to_owned(), json!(exit.code()));
    document.insert("error".to_owned(), json!(error));
    if let Value::Object(fields) = report {
        document.extend(fields);
    }
    format!("{}\n", printable(&Value::Object(document).to_string()))
}

/// The fields of a report.
pub(super) fn fields<R: Report>(report: &R) -> Value {
    serde_json::to_value(report).unwrap_or_else(|_| unreachable!("reports have string keys"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::stopped;
    use archive::status::StatusReport;
    use clap::Parser as _;

    fn failure(line: &str) -> Failure {
        usage(&Arguments::try_parse_from(line.split(' ')).unwrap_err(), Some("run"))
    }

    #[test]
    fn a_usage_error_is_one_line_and_one_hint() {
        let failure = failure("kt-archive run --mont 2025-03");
        assert_eq!(failure.message, "unexpected argument '--mont' found");
        assert_eq!(failure.hint, "a similar argument exists: '--month'; see `kt-archive run --help`");
        let text = render(&[&failure], Style::plain());
        assert!(text.starts_with("error: unexpected") && text.contains("\nhint: a similar"), "{text}");
    }

    #[test]
    fn equal_hints_are_printed_once_and_signals_are_one_line() {
        let failure =
            |message: &str, hint: &str, exit| Failure { message: message.to_owned(), hint: hint.to_owned(), exit };
        let failures = [
            failure("one", "do this", ExitCode::Source),
            failure("two", "do that", ExitCode::Source),
            failure("three", "do this", ExitCode::Source),
            failure("interrupted", "run it again", ExitCode::Interrupted),
        ];
        let expected = "\
error: one
error: three
hint: do this
error: two
hint: do that
interrupted; run it again
";
        assert_eq!(render(&failures.iter().collect::<Vec<_>>(), Style::plain()), expected);
    }

    #[test]
    fn the_line_of_a_signal_is_broken_between_words() {
        let failure = Failure::from(stopped(ExitCode::Interrupted));
        for width in [60, 80] {
            let text = render(&[&failure], Style::plain().with_width(Some(width)));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
            assert_eq!(text.split_whitespace().next_back(), Some("stays"), "{text}");
        }
    }

    #[test]
    fn a_number_without_its_unit_has_a_hint() {
        let words = ["kt-archive", "run", "--part-size", "64"];
        let failure = usage(&options::parse(words).unwrap_err(), Some("run"));
        assert!(failure.message.contains("'64' for '--part-size <SIZE>'"), "{}", failure.message);
        assert_eq!(failure.hint, "add the unit: 64KiB, 64MiB, 64GiB; see `kt-archive run --help`");
    }

    #[test]
    fn missing_options_are_named() {
        let failure = failure("kt-archive backfill");
        assert!(failure.message.contains("--from <YYYY-MM>"), "{}", failure.message);
    }

    #[test]
    fn words_without_an_option_lead_to_it() {
        let hint = |line: &str| {
            let error = options::parse(line.split(' ')).unwrap_err();
            usage(&error, line.split(' ').nth(1)).hint
        };
        for (line, option) in [
            ("kt-archive verify ./archive", "--archive ./archive"),
            ("kt-archive status s3://bucket/x", "--archive s3://bucket/x"),
            ("kt-archive run ./archive", "--archive ./archive"),
            ("kt-archive run 2025-03", "--month 2025-03"),
            ("kt-archive backfill 2025-03", "--from 2025-03"),
            ("kt-archive run demo:", "--source demo:"),
            ("kt-archive doctor https://api.example", "--source https://api.example"),
            ("kt-archive report report.html", "--output report.html"),
            ("kt-archive pull slice.csv.gz", "--output slice.csv.gz"),
            ("kt-archive config check kt.toml", "--config kt.toml"),
            ("kt-archive status traces", "--dataset traces"),
        ] {
            assert!(
                hint(line).starts_with(&format!("write it as {option}; see `kt-archive ")),
                "{line}: {}",
                hint(line)
            );
        }
        for line in ["kt-archive run https://user:canary@api.example", "kt-archive man a b", "kt-archive run --mont"] {
            assert!(!hint(line).contains("write it as"), "{line}: {}", hint(line));
        }
    }

    #[test]
    fn typed_passwords_are_redacted() {
        let failure = failure("kt-archive run https://user:canary@api.example");
        assert!(!failure.message.contains("canary"), "{}", failure.message);
    }

    #[test]
    fn json_of_a_failure_has_the_fields_of_the_report() {
        let failure = Failure { message: "no".to_owned(), hint: "do".to_owned(), exit: ExitCode::Usage };
        let text = document(Some("status"), ExitCode::Usage, Some(&failure), fields(&StatusReport::default()));
        let expected = r#"{"command":"status","exit":2,"error":{"message":"no","hint":"do"},"archive":null,"head":null,"datasets":[],"replicas":[],"backups":null,"verification":null,"damage":[],"unlooked":null}"#;
        assert_eq!(text.trim_end(), expected);
    }
}
