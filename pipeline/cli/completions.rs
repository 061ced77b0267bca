//! `kt-archive completions`.

use super::{options, outcome::Outcome};
use archive::{config, report::Report, style::Style};
use clap::{
    Arg, Command,
    builder::{PossibleValue, PossibleValuesParser},
};
use clap_complete::Shell;
use serde::Serialize;
use std::fmt::Write as _;

/// The report of `completions`.
#[derive(Debug, Default, Serialize)]
pub(super) struct PrintedCompletions {
    shell: Option<String>,
    script: Option<String>,
}

impl Report for PrintedCompletions {
    fn text(&self, _: Style) -> String {
        self.script.clone().unwrap_or_default()
    }
}

pub(super) fn completions(shell: Shell, style: Style) -> Outcome {
    let (shell, script) = (Some(shell.to_string()), Some(script(shell)));
    Outcome::new(&PrintedCompletions { shell, script }, style)
}

fn script(shell: Shell) -> String {
    let (mut script, mut command) = (Vec::new(), with_values(options::command()));
    clap_complete::generate(shell, &mut command, "kt-archive", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        // clap_complete uses two names for a program with a hyphen: one is set, the other is looked up.
        Shell::Bash => script.replace("kt__subcmd__archive", "kt__archive"),
        Shell::Fish => script + &fish_positionals(&command),
        _ => script,
    }
}

/// The values of positional arguments, which `clap_complete` omits for fish.
fn fish_positionals(command: &Command) -> String {
    let mut lines = String::new();
    for below in command.get_subcommands() {
        for argument in below.get_positionals() {
            let words = argument.get_possible_values();
            let words = words.iter().map(PossibleValue::get_name).collect::<Vec<_>>();
            if !words.is_empty() {
                let (name, words) = (below.get_name(), words.join(" "));
                let is_used = format!("__fish_kt_archive_using_subcommand {name}");
                let _ = writeln!(lines, "complete -c kt-archive -n \"{is_used}\" -f -a \"{words}\"");
            }
        }
    }
    lines
}

/// Adds the possible values of options, as the configuration defines them.
fn with_values(command: Command) -> Command {
    let slices = command.get_name() == "pull";
    let command = command.mut_args(|argument| with_argument_values(argument, slices));
    command.mut_subcommands(with_values)
}

fn with_argument_values(argument: Arg, slices: bool) -> Arg {
    // Values that the help text lists are hidden for `--help` only.
    let argument = argument.hide_possible_values(false);
    let id = argument.get_id().to_string();
    let words = config::option(&id).map(|option| config::spelling(option.key).words).unwrap_or_default();
    match id.as_str() {
        "format" if slices => argument.value_parser(PossibleValuesParser::new(["csv", "parquet", "jsonl"])),
        _ if words.is_empty() => argument,
        _ => argument.value_parser(PossibleValuesParser::new(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_completed_with_their_possible_values() {
        let script = script(Shell::Fish);
        let line = |command: &str, option: &str| {
            let mut lines = script.lines().filter(|text| text.contains(command) && text.contains(option));
            lines.next().unwrap_or_else(|| panic!("{command} {option}")).to_owned()
        };
        assert!(line("subcommand run", "-l format").contains("artifact"));
        assert!(line("subcommand pull", "-l format").contains("jsonl"));
        assert!(line("subcommand verify", "-l level").contains("quick"));
        assert!(line("subcommand schedule", "github-actions").contains("cron systemd"));
        assert!(!line("subcommand run", "-l source").contains("auto"));
    }
}
