//! Failures as people read them.

use crate::{
    address,
    exit::ExitCode,
    report::Failure,
    style::{Style, Tone},
};
use std::io::Write as _;

/// Prints `error: …` and, where there is something to do about it, `hint: …`.
pub(super) fn print(failure: &Failure, style: Style) {
    // Nothing can be said about a failure to print to stderr.
    drop(std::io::stderr().write_all(render(failure, style).as_bytes()));
}

fn render(failure: &Failure, style: Style) -> String {
    let hint = failure.hint.as_ref().map(|hint| format!("{} {hint}\n", style.paint(Tone::Good, "hint:")));
    format!("{} {}\n{}", style.paint(Tone::Bad, "error:"), failure.message, hint.unwrap_or_default())
}

/// A failure of clap in our own form. What was typed is repeated in it, so passwords of URLs are blotted out.
pub(super) fn usage(error: &clap::Error, command: Option<&str>) -> Failure {
    let text = address::redact(&error.render().to_string());
    let mut paragraphs = text.split("\n\n");
    let first = paragraphs.next().unwrap_or_default().trim_start_matches("error: ");
    let message = first.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let tip = paragraphs.find_map(|paragraph| paragraph.trim().strip_prefix("tip: "));
    let command = command.map_or_else(|| "kt-archive".to_owned(), |command| format!("kt-archive {command}"));
    let see = format!("see `{command} --help`");
    let hint = tip.map_or_else(|| see.clone(), |tip| format!("{tip}; {see}"));
    Failure { message, hint: Some(hint), exit: ExitCode::Usage }
}

#[cfg(test)]
mod tests {
    use super::{super::args::Arguments, *};
    use clap::Parser as _;

    fn failure(line: &str) -> Failure {
        usage(&Arguments::try_parse_from(line.split(' ')).unwrap_err(), Some("run"))
    }

    #[test]
    fn a_usage_error_is_one_line_and_one_hint() {
        let failure = failure("kt-archive run --mont 2025-03");
        assert_eq!(failure.message, "unexpected argument '--mont' found");
        assert_eq!(failure.hint.as_deref(), Some("a similar argument exists: '--month'; see `kt-archive run --help`"));
        let text = render(&failure, Style::plain());
        assert!(text.starts_with("error: unexpected") && text.contains("\nhint: a similar"), "{text}");
    }

    #[test]
    fn missing_options_are_named() {
        let failure = failure("kt-archive backfill");
        assert!(failure.message.contains("--from <YYYY-MM> --to <YYYY-MM>"), "{}", failure.message);
    }

    #[test]
    fn a_password_that_was_typed_is_not_repeated() {
        let failure = failure("kt-archive run https://user:canary@api.example");
        assert!(!failure.message.contains("canary"), "{}", failure.message);
    }
}
