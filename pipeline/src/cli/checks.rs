//! Checks as people read them.

use super::style::{Style, Tone};
use crate::{
    exit::ExitCode,
    report::{Check, DoctorReport, Failure},
};

/// As wide as a terminal has always been.
const WIDTH: usize = 80;
const INDENT: &str = "        ";

/// A line for each check, and below it what to do.
pub(super) fn text(checks: &[Check], style: Style) -> String {
    checks.iter().map(|check| line(check, style)).collect()
}

/// What several failed checks come to, in a sentence.
pub(super) fn failure(report: &DoctorReport) -> Option<Failure> {
    let failed = report.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect::<Vec<_>>();
    let exit = report.exit();
    (exit != ExitCode::Done).then(|| {
        let message = format!("{} of {} checks failed: {}", failed.len(), report.checks.len(), failed.join(", "));
        let mut gravest = report.checks.iter().filter(|check| check.exit == exit);
        Failure { message, hint: gravest.find_map(|check| check.hint.clone()), exit }
    })
}

fn line(check: &Check, style: Style) -> String {
    let (word, tone) = if check.ok { ("ok", Tone::Good) } else { ("FAILED", Tone::Bad) };
    let padding = INDENT.get(word.len()..).unwrap_or_default();
    let mut text =
        format!("{}{padding}{}\n", style.paint(tone, word), wrap(&format!("{}: {}", check.name, check.message)));
    if let Some(hint) = &check.hint {
        text.extend([INDENT, &wrap(&format!("hint: {hint}")), "\n"]);
    }
    text
}

/// Breaks a text between words, so that it fits beside the indentation. A word that is too long stays whole: it is a path
/// or a digest that somebody will copy.
fn wrap(text: &str) -> String {
    let mut wrapped = String::with_capacity(text.len());
    let mut room = WIDTH - INDENT.len();
    for word in text.split(' ') {
        let length = word.chars().count();
        if wrapped.is_empty() {
            room = room.saturating_sub(length);
        } else if length < room {
            wrapped.push(' ');
            room -= length + 1;
        } else {
            wrapped.extend(["\n", INDENT]);
            room = (WIDTH - INDENT.len()).saturating_sub(length);
        }
        wrapped.push_str(word);
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_connectors::{Error, ErrorKind};

    fn report() -> DoctorReport {
        let error = Error::new(ErrorKind::Unauthorized, "could not list the export jobs").with_context("status", 401);
        let error = error.with_hint("the token was refused: check KEEPTRUSTS_API_TOKEN, or renew it if it is too old");
        let checks = vec![
            Check::new("state folder", Ok("/srv/state can be made".to_owned())),
            Check::failed("source", &error),
            Check::failed("archive", &Error::new(ErrorKind::TryLater, "later")),
        ];
        DoctorReport { checks }
    }

    #[test]
    fn each_check_is_a_line_that_fits_a_terminal() {
        let expected = "\
ok      state folder: /srv/state can be made
FAILED  source: could not list the export jobs (status: 401)
        hint: the token was refused: check KEEPTRUSTS_API_TOKEN, or renew it if
        it is too old
FAILED  archive: later
";
        assert_eq!(text(&report().checks, Style::plain()), expected);
    }

    #[test]
    fn the_gravest_failure_gives_code_and_hint() {
        let failure = failure(&report()).unwrap();
        assert_eq!(failure.message, "2 of 3 checks failed: source, archive");
        assert_eq!(failure.exit, ExitCode::Unauthorized);
        assert!(failure.hint.unwrap().starts_with("the token was refused"));
        assert_eq!(super::failure(&DoctorReport::default()), None);
    }

    #[test]
    fn lines_are_full_and_long_words_stay_whole() {
        let wrapped = wrap(&"word ".repeat(40));
        assert!(wrapped.lines().all(|line| line.trim_start().len() <= WIDTH - INDENT.len()), "{wrapped}");
        let path = "x".repeat(100);
        assert_eq!(wrap(&format!("a {path} b")), format!("a\n{INDENT}{path}\n{INDENT}b"));
    }
}
