//! Jobs that archive every month, for what people run jobs with: settings in, text out.
//!
//! Nothing here holds a secret: a [`Job`] knows the names of the variables and the places of the files that do.

mod airflow;
mod command;
mod cron;
mod github_actions;
mod job;
mod kubernetes;
mod paths;
mod quote;
mod secrets;
mod systemd;

pub(crate) use command::{PrintedJob, schedule};
pub use job::{Given, Job, SourceKind};
pub use paths::Place;

use archive::exit::ExitCode;
use archive_connectors::{Error, ErrorKind, Result};
use serde::Deserialize;

/// What runs a job.
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
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Cron, Self::Systemd, Self::Kubernetes, Self::GithubActions, Self::Airflow];

    /// What a user types.
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

/// 04:00 on the first three days of a month, as cron has it. A run that finds its month archived ends at once, so that
/// the second and the third are tries for what failed on the first.
pub const TIMES: &str = "0 4 1-3 * *";

/// What no further try mends: settings, damage, contradicting data, rights.
const HOPELESS: [ExitCode; 4] = [ExitCode::Usage, ExitCode::Damaged, ExitCode::Incomplete, ExitCode::Unauthorized];

/// The codes that no further try mends, as a list.
fn hopeless(separator: &str) -> String {
    HOPELESS.map(|code| code.code().to_string()).join(separator)
}

/// The job, ready for a scheduler. Fails where that scheduler cannot run it, or cannot hold its words.
pub fn render(kind: Kind, job: &Job) -> Result<String> {
    match kind {
        Kind::Cron => cron::render(job),
        Kind::Systemd => systemd::render(job),
        Kind::Kubernetes => kubernetes::render(job),
        Kind::GithubActions => github_actions::render(job),
        Kind::Airflow => Ok(airflow::render(job)),
    }
}

/// A job that cannot be.
fn impossible(message: impl Into<String>, hint: &str) -> Error {
    Error::new(ErrorKind::Configuration, message).with_hint(hint)
}

/// Who hears of a failure: the receivers of `notify`, and what the scheduler itself does.
fn telling(job: &Job, scheduler: &str) -> String {
    comment(&if job.notifies() {
        format!("Who is told of a failure: the receivers of notify, as soon as a run has begun. {scheduler}")
    } else {
        format!(
            "Who is told of a failure: {scheduler} A webhook is told of runs where --notify or KT_ARCHIVE_NOTIFY names \
             one when this is printed."
        )
    })
}

/// `text`, each line a comment, broken at 100 columns.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    // Some readers end a line, and with it the comment, at more letters than `lines` does.
    let text = text.replace(|letter| letter != '\n' && !quote::is_plain(letter), "\u{fffd}");
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
    fn every_kind_is_read_as_it_is_written() {
        assert!(Kind::ALL.into_iter().all(|kind| choice::<Kind>(kind.as_str()) == Ok(kind)));
    }

    #[test]
    fn comments_stay_comments_however_long_they_are() {
        let text = comment(&format!("{}\nnext", "word ".repeat(60)));
        assert!(text.lines().all(|line| line.starts_with("# ") && line.len() <= 100), "{text}");
        assert!(text.ends_with("\n# next\n"), "{text}");
        assert_eq!(comment("a\rb\u{2028}c\n\nd"), "# a\u{fffd}b\u{fffd}c\n#\n# d\n");
    }
}
