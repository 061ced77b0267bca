//! Jobs that archive every month, for cron, systemd, Kubernetes, GitHub Actions and Airflow: settings in, text out.
//!
//! A [`Job`] holds no secret, only the names of variables and the paths of files with secrets.

mod airflow;
mod backups;
mod command;
mod cron;
mod github_actions;
mod job;
mod kubernetes;
mod paths;
mod quote;
mod secrets;
mod systemd;
mod template;

pub(crate) use command::{PrintedJob, schedule};
pub use job::{Job, JobInput, SourceKind};
pub use paths::StoreLocation;

use archive::exit::ExitCode;
use archive_connectors::{Error, ErrorKind, Result};
use serde::Deserialize;

/// A scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A line of a crontab.
    Cron,
    /// A service and its timer.
    Systemd,
    /// A `CronJob`, with its settings and volumes.
    Kubernetes,
    /// A workflow.
    GithubActions,
    /// A DAG.
    Airflow,
}

impl Kind {
    /// All schedulers.
    pub const ALL: [Self; 5] = [Self::Cron, Self::Systemd, Self::Kubernetes, Self::GithubActions, Self::Airflow];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cron => "cron",
            Self::Systemd => "systemd",
            Self::Kubernetes => "kubernetes",
            Self::GithubActions => "github-actions",
            Self::Airflow => "airflow",
        }
    }
}

/// 04:00 on the first three days of a month, in the syntax of cron. A run whose month is archived ends at once, so the
/// second and the third day repeat a run that failed.
pub const TIMES: &str = "0 4 1-3 * *";

/// Codes after which a retry cannot succeed: settings, damage, contradicting data, missing rights.
const FINAL_CODES: [ExitCode; 4] = [ExitCode::Usage, ExitCode::Damaged, ExitCode::Incomplete, ExitCode::Unauthorized];

/// The codes without a retry, as a list.
fn final_codes(separator: &str) -> String {
    FINAL_CODES.map(|code| code.code().to_string()).join(separator)
}

/// The job in the format of a scheduler. Fails if that scheduler cannot run it, or cannot represent one of its values.
pub fn render(kind: Kind, job: &Job) -> Result<String> {
    match kind {
        Kind::Cron => cron::render(job),
        Kind::Systemd => systemd::render(job),
        Kind::Kubernetes => kubernetes::render(job),
        Kind::GithubActions => github_actions::render(job),
        Kind::Airflow => Ok(airflow::render(job)),
    }
}

/// A job that a scheduler cannot run.
fn unsupported(message: impl Into<String>, hint: &str) -> Error {
    Error::new(ErrorKind::Configuration, message).with_hint(hint)
}

/// The comment on notifications of failures: the receivers of `notify`, and what the scheduler itself does.
fn notifications(job: &Job, scheduler: &str) -> String {
    comment(&if job.notifies() {
        format!("Failure notifications: the receivers of notify, once a run has started. {scheduler}")
    } else {
        format!(
            "Failure notifications: {scheduler} To notify a webhook of runs, set --notify or KT_ARCHIVE_NOTIFY when \
             printing this."
        )
    })
}

/// `text` as comment lines of at most 100 columns.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    // Some parsers end a comment at more characters than those that `lines` splits at.
    let text = text.replace(|character| character != '\n' && !quote::is_plain(character), "\u{fffd}");
    for paragraph in text.lines() {
        let mut line = "#".to_owned();
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            if line.len() + word.len() >= 100 {
                lines.extend([&line, "\n"]);
                "#".clone_into(&mut line);
            }
            line.extend([" ", word]);
        }
        lines.extend([&line, "\n"]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive::config::choice;

    #[test]
    fn kinds_parse_from_their_names() {
        assert!(Kind::ALL.into_iter().all(|kind| choice::<Kind>(kind.as_str()) == Ok(kind)));
    }

    #[test]
    fn long_comments_are_wrapped() {
        let text = comment(&format!("{}\nnext", "word ".repeat(60)));
        assert!(text.lines().all(|line| line.starts_with("# ") && line.len() <= 100), "{text}");
        assert!(text.ends_with("\n# next\n"), "{text}");
        assert_eq!(comment("a\rb\u{2028}c\n\nd"), "# a\u{fffd}b\u{fffd}c\n#\n# d\n");
    }
}
