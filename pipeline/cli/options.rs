//! The options of the configuration as arguments: which of them a command takes, and which were typed.

use super::{
    args::{Arguments, COMMON, LONG, SHORT},
    backup_options, examples, terminal,
};
use archive::{
    config::{self, ConfigOption, OPTIONS},
    wrap,
};
use clap::{
    Arg, ArgAction, ArgMatches, Command, CommandFactory as _, FromArgMatches as _, ValueHint, parser::ValueSource,
};
use std::{ffi::OsString, io};
use toml::{Table, Value};

/// Options under a heading; without one they are under clap's own.
type Section = (Option<&'static str>, &'static [&'static str]);

/// The options of a command that archives.
const ARCHIVING: [Section; 6] = [
    (None, &["source", "replica", "dataset", "format", "grace", "part-size", "file-mode", "id-column", "time-column"]),
    (
        Some("What may be committed"),
        &[
            "rejects",
            "conflicts",
            "harmless-members",
            "truncate-times",
            "allow-empty",
            "accept-schema-change",
            "accept-source-change",
            "new-dataset",
        ],
    ),
    (
        Some("Columns (the id and the time of an event always stay)"),
        &["columns", "drop", "pseudonymise", "pseudonym-key-file", "parquet-compat", "rename"],
    ),
    (Some("Exports API"), &["api-layout", "api-format", "api-margin", "job-timeout", "allow-http"]),
    (Some("PostgreSQL"), &["table", "connections", "where-org", "statement-timeout", "lock-timeout"]),
    (Some("Monitoring"), &["metrics-file", "notify", "platform-retention"]),
];

/// The options of every command.
const EVERYWHERE: [&str; 6] = ["archive", "state-dir", "log-format", "progress", "verbose", "quiet"];

/// The options of the short help, besides those that only some commands take, in few words. `--help` has the others too.
const SHORT_HELP: [(&str, &str); 5] = [
    ("source", "https://…, postgres://…, demo: or files"),
    ("replica", "A copy of the archive, updated after it"),
    ("dataset", "What to archive [default: events]"),
    ("format", "parquet, csv or artifact [default: parquet]"),
    ("archive", "A folder, s3://…, gs://… or az://… [default: ./archive]"),
];

/// The whole command line for the width of this terminal.
pub(super) fn command() -> Command {
    command_at(terminal::width(io::stdout()).unwrap_or(wrap::WIDTH))
}

/// The whole command line: every command with its options, and help in lines of at most `width` columns.
pub(super) fn command_at(width: usize) -> Command {
    let width = width.clamp(NARROWEST, WIDEST);
    with_examples(add(Arguments::command(), width), "kt-archive", width).term_width(width)
}

/// Help is not laid out for narrower terminals, and is not easier to read in wider lines.
const NARROWEST: usize = 60;
const WIDEST: usize = 100;

/// Puts the examples of each command before the end of its long help.
fn with_examples(command: Command, name: &str, width: usize) -> Command {
    let notes = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let command = command.after_long_help(format!("{}{notes}", examples::section(name, width)));
    command.mut_subcommands(|below| {
        let name = format!("{name}-{}", below.get_name());
        with_examples(below, &name, width)
    })
}

/// [`LONG`] in lines of at most `width` columns. The meanings of terms are indented.
fn notes(width: usize) -> String {
    let lines = LONG.lines().map(|line| {
        let term = line.strip_prefix("  ").and_then(|row| row.split_once("  ")).map(|(term, _)| term.len() + 2);
        let meaning = |term: usize| line.len() - line[term..].trim_start().len();
        wrap::wrap(line, width.min(wrap::WIDTH), 0, &" ".repeat(term.map_or(0, meaning)))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Parses a command line. Returns the arguments, and the options in the notation of the configuration file.
pub(super) fn parse(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<(Arguments, Table), clap::Error> {
    let matches = command().try_get_matches_from(words)?;
    Ok((Arguments::from_arg_matches(&matches)?, typed(&matches)))
}

/// Adds its options to each command.
fn add(program: Command, width: usize) -> Command {
    let common = || EVERYWHERE.iter().map(|key| in_short_help(argument(key).global(true).help_heading(COMMON)));
    let own = program.get_arguments().cloned().collect::<Vec<_>>();
    // The short help of the program is a list of commands; that of each has the common options too.
    let program = documented(program.args(common()), width).mut_args(|argument| argument.hide_short_help(true));
    program.mut_subcommands(|command| {
        let command = command.args(common()).args(&own);
        match command.get_name() {
            "run" => archiving(command, width),
            "doctor" => backup_options::add_to_doctor(archiving(command, width)),
            "backfill" => archiving(with(command, &["jobs", "dry-run"]), width),
            "verify" => documented(with(command, &["level", "expect-head", "metrics-file"]), width),
            "status" => documented(
                with(command, &["dataset", "replica", "platform-retention", "list", "check", "backups", "rpo", "rto"]),
                width,
            ),
            "report" => documented(
                with(
                    command,
                    &[
                        "dataset",
                        "replica",
                        "platform-retention",
                        "organisation",
                        "output",
                        "force",
                        "backups",
                        "rpo",
                        "rto",
                    ],
                ),
                width,
            ),
            "config" => command
                .mut_subcommands(|below| if below.get_name() == "schema" { below } else { archiving(below, width) }),
            "replicate" => documented(with(command, &["replica", "repair", "file-mode"]), width),
            "pull" => documented(
                with(command, &["dataset", "match", "columns", "format", "output", "force", "allow-gaps", "csv-safe"]),
                width,
            ),
            "restore" => documented(with(command, &["into", "dataset", "table", "drill"]), width),
            "schedule" => backup_options::add_to_schedule(archiving(with(command, &["program"]), width)),
            // The archive of events is no setting of theirs.
            "backup" | "recover" => command
                .mut_arg("archive", |archive| archive.hide(true))
                .mut_subcommands(|below| backup_options::add(below, width)),
            _ => command,
        }
    })
}

/// A value that an option does not accept, as the cause of clap's error.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct InvalidValue {
    message: String,
    /// What to write instead, if it is known.
    pub(super) hint: Option<String>,
}

fn with(command: Command, keys: &[&str]) -> Command {
    let name = command.get_name().to_owned();
    command.args(keys.iter().map(|key| as_in(&name, argument(key))))
}

fn archiving(command: Command, width: usize) -> Command {
    let command = ARCHIVING.into_iter().fold(command, |command, (heading, keys)| {
        command.args(keys.iter().map(|key| in_short_help(argument(key).help_heading(heading))))
    });
    documented(command, width)
}

/// Hides an option from the short help, unless it is a common one, which is described in few words there.
fn in_short_help(argument: Arg) -> Arg {
    match SHORT_HELP.iter().find(|(key, _)| argument.get_id() == key) {
        Some((_, help)) => shortened(argument, help),
        None => argument.hide_short_help(true),
    }
}

/// Adds the notes on values, environment, secrets and exit codes, and a usage line with what is required, also where an
/// option can come from the environment or the file.
pub(super) fn documented(command: Command, width: usize) -> Command {
    let required = match command.get_name() {
        "run" | "doctor" => "--source <URL>",
        "backfill" => "--from <YYYY-MM> --source <URL>",
        "report" => "--output <FILE>",
        "replicate" => "--replica <URL>",
        "pull" => "--from <TIME> --to <TIME> --output <FILE>",
        "restore" => "--month <YYYY-MM> --into <URL>",
        "schedule" => "<KIND> --source <URL>",
        // A list of commands, with help of their own.
        // Without a line between usage and commands, to fit on a screen.
        "kt-archive" => {
            let template = "{about-with-newline}\n{usage-heading} {usage}\n{all-args}{after-help}";
            return command.help_template(template).after_long_help(notes(width));
        }
        _ => return command.after_help(SHORT).after_long_help(notes(width)),
    };
    let usage = format!("kt-archive {} {required} [OPTIONS]", command.get_name());
    // An option and its value stay together.
    let usage = wrap::wrap(&usage.replace(" <", "\u{a0}<"), width, "Usage: ".len(), "         ").replace('\u{a0}', " ");
    command.override_usage(usage).after_help(SHORT).after_long_help(notes(width))
}

/// Options that mean less to a command that reads than to one that archives.
fn as_in(command: &str, argument: Arg) -> Arg {
    match (command, argument.get_id().as_str()) {
        ("status" | "report", "dataset") => {
            argument.help("Show these datasets; repeat it or use commas [default: all]")
        }
        ("status" | "report", "replica") => shortened(
            argument.help("A copy of the archive, to see how far it is behind; repeat it or use commas"),
            "A copy of the archive, to see how far it is behind",
        ),
        ("status" | "report", "platform-retention") | ("backfill", "jobs") | ("schedule", "program") => {
            argument.hide_short_help(true)
        }
        ("status", "list") => shortened(argument, "A line for each month instead of the calendar"),
        ("status", "check") => shortened(argument, "Exit with 4 for damage, 5 for late months"),
        ("backfill", "dry-run") => shortened(argument, "Print which months would be archived"),
        ("replicate", "repair") => shortened(argument, "Replace what is missing or damaged"),
        ("verify", "level") => shortened(argument, "quick or full [default: full]"),
        ("verify", "expect-head") => shortened(argument, "A head that the archive had once"),
        ("report", "output") => argument.help("The page to write"),
        ("verify", "metrics-file") => shortened(argument, "Write known damage to this file of a run's metrics").long_help(
            "Write what is known of damage to this file for Prometheus' node exporter, the one of the runs; its other metrics \
             stay",
        ),
        ("replicate", "replica") => {
            argument.help("A copy of the archive: a place like --archive; repeat it or use commas")
        }
        ("pull", "dataset") => argument.help("The dataset [default: events]"),
        ("pull", "columns") => argument.help("These columns, in this order [default: all]").long_help(
            "These columns, in this order; repeat it or use commas. Those of the configuration file are the columns of \
             a run [default: all]",
        ),
        ("pull", "match") => shortened(argument, "Only events with this value in a column"),
        ("pull", "output") => shortened(argument, "The file to write, with its proof beside it"),
        ("pull", "allow-gaps") => shortened(argument, "Take what there is of a range with gaps"),
        ("pull", "csv-safe") | ("status" | "report", "backups" | "rpo" | "rto") => argument.hide_short_help(true),
        ("pull", "format") => shortened(
            argument.help("csv, parquet or jsonl (a JSON object per line) [default: what --output ends in]"),
            "csv, parquet or jsonl [default: by --output]",
        ),
        ("restore", "dataset") => {
            argument.help("The dataset [default: events]").action(ArgAction::Set).value_delimiter(None)
        }
        ("restore", "into") => shortened(argument, "The database: postgres://user@host/database"),
        ("restore", "drill") => shortened(argument, "A rehearsal that leaves nothing behind"),
        ("restore", "table") => shortened(
            argument.value_name("NAME").help(
                "The table, as SQL spells it: name or schema.name [default: the one that the month came from, else the \
                 dataset's name]",
            ),
            "The table, as SQL spells it",
        ),
        _ => argument,
    }
}

/// The same argument with another short help.
pub(super) fn shortened(argument: Arg, help: &'static str) -> Arg {
    match argument.get_help().cloned() {
        Some(long) => argument.help(help).long_help(long),
        None => argument.help(help),
    }
}

/// The option with this key as an argument, which checks its values as the other layers do.
#[expect(clippy::expect_used, reason = "a test adds the options of every command")]
pub(super) fn argument(key: &str) -> Arg {
    let option = config::option(key).expect("a command names options of the configuration");
    let ConfigOption { key, help, value_name, default } = *option;
    let default = default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let argument = Arg::new(key).long(key).help(format!("{help}{default}"));
    let Some(value_name) = value_name else {
        return match key {
            "verbose" => argument.short('v').action(ArgAction::Count),
            "quiet" => argument.short('q').action(ArgAction::SetTrue).conflicts_with("verbose"),
            _ => argument.action(ArgAction::SetTrue),
        };
    };
    let is_list = config::spelling(key).array;
    let check = move |text: &str| {
        let value = if is_list { Value::from(vec![listed(key, text)]) } else { Value::from(text) };
        let hint = config::correction(key, &value);
        config::check(key, value).map(|()| text.to_owned()).map_err(|message| InvalidValue { message, hint })
    };
    let hint = match value_name {
        "FILE" => ValueHint::AnyPath,
        "DIR" => ValueHint::DirPath,
        _ => ValueHint::Unknown,
    };
    let argument = argument.value_name(value_name).value_hint(hint).value_parser(check);
    match key {
        // The value of a condition may hold commas.
        "match" => argument.action(ArgAction::Append),
        _ if is_list => argument.action(ArgAction::Append).value_delimiter(','),
        _ => argument,
    }
}

/// A value of a list, without the blanks around a comma. Those of a condition belong to it.
fn listed<'a>(key: &str, text: &'a str) -> &'a str {
    if key == "match" { text } else { text.trim() }
}

/// The keys of the settings of a run: its options, and `jobs`, which only the file and the environment set.
pub(super) fn keys_of_run() -> Vec<&'static str> {
    let run = ARCHIVING.iter().flat_map(|(_, keys)| *keys).chain(&EVERYWHERE).chain(&["jobs"]);
    let run = run.collect::<Vec<_>>();
    OPTIONS.iter().map(|option| option.key).filter(|key| run.contains(&key)).collect()
}

/// The options that were typed, in the notation of the configuration file.
fn typed(matches: &ArgMatches) -> Table {
    let mut words = matches.subcommand().map(|(_, below)| typed(below)).unwrap_or_default();
    for ConfigOption { key, .. } in OPTIONS {
        let is_known = matches.try_contains_id(key).is_ok();
        if is_known && matches.value_source(key) == Some(ValueSource::CommandLine) {
            words.entry(*key).or_insert_with(|| value(matches, key));
        }
    }
    words
}

fn value(matches: &ArgMatches, key: &'static str) -> Value {
    let raw = matches.get_raw(key).into_iter().flatten().map(|text| text.to_string_lossy().into_owned());
    let texts = raw.collect::<Vec<_>>();
    let syntax = config::spelling(key);
    match texts.as_slice() {
        _ if key == "verbose" => i64::from(matches.get_count(key)).into(),
        _ if syntax.boolean => true.into(),
        _ if syntax.array => texts.iter().map(|text| listed(key, text)).collect::<Vec<_>>().into(),
        [.., last] if syntax.integer => last.parse::<i64>().map_or_else(|_| last.as_str().into(), Value::from),
        [.., last] => last.as_str().into(),
        [] => "".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive::{config::Config, environment::Environment, settings::Settings};

    fn typed_in(line: &str) -> Table {
        parse(line.split(' ')).unwrap().1
    }

    #[test]
    fn every_option_belongs_to_a_command() {
        fn takes(command: &Command, key: &str) -> bool {
            command.get_arguments().any(|argument| argument.get_id() == key)
                || command.get_subcommands().any(|below| takes(below, key))
        }
        let command = command();
        let missing = OPTIONS.iter().map(|option| option.key).filter(|key| !takes(&command, key)).collect::<Vec<_>>();
        assert_eq!(missing, [] as [&str; 0]);
    }

    #[test]
    fn documented_defaults_equal_the_effective_ones() {
        let defaults = OPTIONS.iter().filter_map(|option| Some((option.key.to_owned(), option.default_value()?)));
        let mut defaults = defaults.collect::<Table>();
        assert!(defaults.contains_key("grace") && defaults.contains_key("allow-http"), "{defaults}");
        assert_eq!(defaults.remove("dataset"), Some("events".into()));
        let documented = defaults.try_into::<Config>().unwrap();
        let environment = Environment::from([("HOME", "/home/ada"), ("KEEPTRUSTS_API_TOKEN", "t")]);
        let settings = |config: Config| {
            let config = Config { source: Some("https://api.example".to_owned()), ..config };
            format!("{:?}", Settings::new(config, &environment).unwrap())
        };
        assert_eq!(settings(documented), settings(Config::default()));
    }

    #[test]
    fn typed_options_have_the_notation_of_the_file() {
        let typed = typed_in("kt-archive --quiet config show --format csv --format parquet --grace 2h --state-dir /s");
        let expected = "quiet = true\nformat = ['csv', 'parquet']\ngrace = '2h'\nstate-dir = '/s'";
        assert_eq!(typed, expected.parse::<Table>().unwrap());
        assert_eq!(typed_in("kt-archive run -vv"), "verbose = 2".parse::<Table>().unwrap());
        assert_eq!(typed_in("kt-archive verify"), Table::new());
    }

    #[test]
    fn job_has_the_settings_of_a_run_only() {
        let keys = keys_of_run();
        for key in ["archive", "state-dir", "source", "notify", "metrics-file", "jobs", "quiet"] {
            assert!(keys.contains(&key), "{key}");
        }
        for key in ["output", "repair", "level", "program", "into", "dry-run"] {
            assert!(!keys.contains(&key), "{key}");
        }
    }

    #[test]
    fn short_help_fits_on_a_screen_of_24_lines() {
        for_each_command(80, |command| {
            let help = command.render_help().to_string();
            let lines = help.lines().count();
            assert!(lines <= 24, "{lines} lines: {help}");
        });
    }

    #[test]
    fn help_is_not_wider_than_the_terminal() {
        for width in [60, 80, 100] {
            for_each_command(width, |command| {
                for help in [command.render_help().to_string(), command.render_long_help().to_string()] {
                    let wide = help.lines().filter(|line| line.chars().count() > width).collect::<Vec<_>>();
                    assert_eq!(wide, [] as [&str; 0], "{} at {width}", command.get_name());
                }
            });
        }
    }

    #[test]
    fn notes_are_broken_between_words_and_below_their_meaning() {
        let notes = notes(60);
        let expected =
            "  times                      2025-03-01T08:00:00Z, or\n                             2025-03-01 or";
        assert!(notes.contains(expected), "{notes}");
        assert!(
            notes.contains("\n  5    incomplete data: nothing was committed but what keep\n       asks for"),
            "{notes}"
        );
    }

    /// Calls `check` with every command and its subcommands, for a terminal of this width.
    fn for_each_command(width: usize, mut check: impl FnMut(&mut Command)) {
        fn visit(command: &mut Command, check: &mut impl FnMut(&mut Command)) {
            check(command);
            command
                .get_subcommands_mut()
                .filter(|below| below.get_name() != "help")
                .for_each(|below| visit(below, check));
        }
        let mut program = command_at(width);
        program.build();
        visit(&mut program, &mut check);
    }

    #[test]
    fn usage_shows_what_is_required() {
        let mut program = command();
        program.build();
        for (name, required) in [("pull", "--from <TIME> --to <TIME> --output <FILE>"), ("report", "--output <FILE>")] {
            let usage = program.find_subcommand_mut(name).unwrap().render_usage().to_string();
            assert_eq!(usage, format!("Usage: kt-archive {name} {required} [OPTIONS]"));
        }
    }

    #[test]
    fn definition_is_valid() {
        command().debug_assert();
    }

    #[test]
    fn common_options_are_accepted_before_and_after_the_command() {
        for line in ["kt-archive --json status", "kt-archive status --json"] {
            assert!(parse(line.split(' ')).unwrap().0.json, "{line}");
        }
    }

    #[test]
    fn invalid_combinations_and_values_are_refused() {
        for line in [
            "kt-archive verify --month 2025-03 --from 2025-01 --to 2025-02",
            "kt-archive verify --from 2025-01",
            "kt-archive backfill --to 2025-01",
            "kt-archive run --month 2025-13",
            "kt-archive run --format rejects",
            "kt-archive pull --from 2025-03-01",
            "kt-archive pull --from 2025-03-01 --to yesterday",
            "kt-archive pull --from 2025-03-01 --to 2025-03-02 --match model",
        ] {
            assert!(parse(line.split(' ')).is_err(), "{line}");
        }
    }
}
