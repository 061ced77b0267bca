//! The report of `doctor`.

use crate::{
    config::Names,
    exit::ExitCode,
    report::{Failure, Report},
    style::{Style, Tone},
    wrap::{WIDTH, wrap},
};
use archive_connectors::{Error, Probe, Result};
use archive_formats::printable;
use serde::Serialize;

const INDENT: &str = "        ";

/// The report of `doctor`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DoctorReport {
    /// Every check, in the order of a run.
    pub checks: Vec<Check>,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// Whether a run would pass it.
    pub ok: bool,
    /// The result.
    pub message: String,
    /// How to fix it; if `ok`, a possible improvement.
    pub hint: Option<String>,
    /// The exit code of a run that fails here.
    #[serde(skip)]
    pub exit: ExitCode,
}

impl Report for DoctorReport {
    /// The exit code of a run: that of the most severe failure. If only replicas fail, the run is partial.
    fn exit(&self) -> ExitCode {
        let failures = self.checks.iter().filter(|check| !check.ok).map(|check| check.exit);
        let (partial, others) = failures.partition::<Vec<_>, _>(|exit| *exit == ExitCode::Partial);
        ExitCode::combine(false, if others.is_empty() { partial.into_iter().take(1).collect() } else { others })
    }

    /// One line per check, followed by its hint.
    fn text(&self, style: Style) -> String {
        self.checks.iter().map(|check| line(check, style)).collect()
    }

    fn failure(&self) -> Option<Failure> {
        let failed = self.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect::<Vec<_>>();
        let exit = self.exit();
        (exit != ExitCode::Done).then(|| {
            let message = format!("{} of {} checks failed: {}", failed.len(), self.checks.len(), failed.join(", "));
            let mut gravest = self.checks.iter().filter(|check| check.exit == exit);
            let hint = gravest.find_map(|check| check.hint.clone());
            Failure { message, hint: hint.unwrap_or_else(|| "see the hint of each check that failed".to_owned()), exit }
        })
    }
}

impl Check {
    /// Creates a check from its result.
    pub fn new(name: impl Into<String>, found: Result<String>) -> Self {
        match found {
            Ok(message) => Self { name: name.into(), ok: true, message, hint: None, exit: ExitCode::Done },
            Err(error) => Self::failed(name, &error),
        }
    }

    /// Creates a check that makes a run fail.
    pub fn failed(name: impl Into<String>, error: &Error) -> Self {
        let Failure { message, hint, exit } = Failure::from(error);
        Self { name: name.into(), ok: false, message, hint: Some(hint), exit }
    }

    /// Adds a hint.
    #[must_use]
    pub fn with_hint(self, hint: Option<String>) -> Self {
        Self { hint: self.hint.or(hint), ..self }
    }
}

impl DoctorReport {
    /// The report of `checks`, whose messages and hints name settings as they were given.
    pub fn new(checks: Vec<Check>, names: Option<&Names>) -> Self {
        let Some(names) = names else { return Self { checks } };
        let spelled = |check: Check| Check {
            message: names.spell(&check.message),
            hint: check.hint.map(|hint| names.spell(&hint)),
            ..check
        };
        Self { checks: checks.into_iter().map(spelled).collect() }
    }
}

impl From<Probe> for Check {
    fn from(Probe { name, found, hint }: Probe) -> Self {
        Self::new(name, found).with_hint(hint)
    }
}

fn line(check: &Check, style: Style) -> String {
    let (word, tone) = if check.ok { ("ok", Tone::Good) } else { ("FAILED", Tone::Bad) };
    let padding = INDENT.get(word.len()..).unwrap_or_default();
    let wrapped = |text: &str| wrap(text, style.width().unwrap_or(WIDTH), INDENT.len(), INDENT);
    let message = wrapped(&format!("{}: {}", check.name, printable(&check.message)));
    let mut text = format!("{}{padding}{message}\n", style.paint(tone, word));
    if let Some(hint) = &check.hint {
        text.extend([INDENT, &wrapped(&format!("hint: {hint}")), "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_connectors::ErrorKind;

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
    fn each_check_is_a_line_within_the_terminal_width() {
        let expected = "\
ok      state folder: /srv/state can be made
FAILED  source: could not list the export jobs (status: 401)
        hint: the token was refused: check KEEPTRUSTS_API_TOKEN, or renew it if
        it is too old
FAILED  archive: later
        hint: run the same command again later
";
        assert_eq!(report().text(Style::plain()), expected);
        let narrow = report().text(Style::plain().with_width(Some(60)));
        assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
    }

    #[test]
    fn most_severe_failure_gives_code_and_hint() {
        let failure = report().failure().unwrap();
        assert_eq!(failure.message, "2 of 3 checks failed: source, archive");
        assert_eq!(failure.exit, ExitCode::Unauthorized);
        assert!(failure.hint.starts_with("the token was refused"));
        assert_eq!(DoctorReport::default().failure(), None);
    }
}
