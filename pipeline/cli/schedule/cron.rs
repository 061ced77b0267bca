//! A line of a crontab.

use super::{
    Job, SourceKind, TIMES,
    backups::BackupJob,
    comment, notifications,
    quote::{cron_quoted, shell_quoted},
    unsupported,
};
use archive_connectors::Result;
use std::collections::BTreeSet;

/// The file of variables with secrets.
const ENVIRONMENT: &str = "/etc/kt-archive/env";
/// Default files with secrets.
const TOKEN: &str = "/etc/kt-archive/token";
const PASSWORDS: &str = "/etc/kt-archive/pgpass";

/// Maximum command length of Debian's cron, which silently ignores longer ones.
const MAX_BYTES: usize = 998;

pub(super) fn render(job: &Job) -> Result<String> {
    let command = checked(command(job)?)?;
    let mut text = comment(
        "kt-archive: archives the last month and every gap before it.\n\
         Add these lines to the crontab of the user who may write the archive: crontab -e\n\
         (in /etc/cron.d, the user's name goes between the times and the command).",
    );
    text.push_str("#\n");
    text.push_str(&comment(
        "Runs at 04:00 on the 1st. The 2nd and the 3rd repeat a run that failed; a run whose month is archived ends at \
         once. CRON_TZ applies to the lines below it. Debian's cron ignores it and uses the host's zone: nothing is lost, \
         since months are those of UTC, and the 2nd is after the end of the month in every zone. To change the hour, \
         change the 4.",
    ));
    text.push_str(&notifications(
        job,
        "cron mails errors with their hints; results are discarded. Mail needs an MTA on this host (test it with: echo \
         test | mail -s test you@example) and MAILTO=you@example above the line. After exit code 75 the next run may \
         succeed.",
    ));
    text.push_str(&secrets(job));
    let names = job.host_secrets().into_iter().collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        text.push_str(&variables(&names));
    }
    text.push_str("CRON_TZ=UTC\n");
    text.extend([TIMES, " ", &command, "\n"]);
    Ok(text)
}

/// The lines of backups.
pub(super) fn render_backups(jobs: &[BackupJob]) -> Result<String> {
    let Some(first) = jobs.first() else { return Ok(String::new()) };
    let mut text = comment(
        "kt-archive: backs the database up every night, and proves the newest backup on the 2nd of each month.\n\
         Add these lines to the crontab of the user who may write the backups: crontab -e\n\
         (in /etc/cron.d, the user's name goes between the times and the command).\n\
         CRON_TZ applies to the lines below it. Debian's cron ignores it and uses the host's zone.",
    );
    text.push_str(&notifications(
        &first.job,
        "cron mails errors with their hints; results are discarded. Mail needs an MTA on this host and MAILTO=you@example \
         above the lines. Two commands at once are refused with exit code 8.",
    ));
    text.push_str(&secrets(&first.job));
    let names = jobs.iter().flat_map(|job| job.job.host_secrets()).collect::<BTreeSet<_>>();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        text.push_str(&variables(&names));
    }
    text.push_str("CRON_TZ=UTC\n");
    for BackupJob { job, times, .. } in jobs {
        let command = checked(command(job)?)?;
        text.extend([times, " ", command.as_str(), "\n"]);
    }
    Ok(text)
}

fn variables(names: &str) -> String {
    comment(&format!(
        "Variables: {ENVIRONMENT} sets {names}, with a line NAME='value' for each; chmod 600 it, and remove those that are not \
         needed."
    ))
}

/// Refuses a command that Debian's cron would ignore.
fn checked(command: String) -> Result<String> {
    if command.len() <= MAX_BYTES {
        return Ok(command);
    }
    Err(unsupported(
        format!("the command has {} bytes, and cron accepts {MAX_BYTES}", command.len()),
        "write the settings into a configuration file, and name that with --config",
    ))
}

fn secrets(job: &Job) -> String {
    let file = |what: &str, path: &str| comment(&format!("Secrets: {path} holds {what}; chmod 600 it."));
    match job.source {
        SourceKind::ExportsApi => file("the token of the exports API", &shell_quoted(token(job))),
        SourceKind::Postgres => {
            let path = shell_quoted(passwords(job));
            file("the database's password as host:port:database:user:password", &path)
        }
        SourceKind::Demo | SourceKind::Files => String::new(),
    }
}

fn token(job: &Job) -> &str {
    job.token_file.as_deref().unwrap_or(TOKEN)
}

fn passwords(job: &Job) -> &str {
    job.password_file.as_deref().unwrap_or(PASSWORDS)
}

/// The command for the shell, which exits with the code of the program.
fn command(job: &Job) -> Result<String> {
    let mut words = Vec::new();
    if !job.host_secrets().is_empty() {
        words.push(format!("set -a && . {} &&", cron_quoted(ENVIRONMENT)?));
    }
    let file = match job.source {
        SourceKind::ExportsApi => Some(("KEEPTRUSTS_API_TOKEN_FILE", token(job))),
        SourceKind::Postgres => Some(("PGPASSFILE", passwords(job))),
        SourceKind::Demo | SourceKind::Files => None,
    };
    let variables = job.own.iter().chain(&job.public).map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in variables.chain(file) {
        words.push(format!("{name}={}", cron_quoted(value)?));
    }
    words.push(cron_quoted(&job.program)?);
    for argument in job.arguments() {
        words.push(cron_quoted(&argument)?);
    }
    if let Some(state) = &job.own_state {
        words.push(cron_quoted(&format!("--state-dir={state}"))?);
    }
    if !job.settings.iter().any(|(key, _)| ["quiet", "verbose", "progress"].contains(&key.as_str())) {
        // cron would mail the lines of every run.
        words.push("--quiet".to_owned());
    }
    words.push(">/dev/null".to_owned());
    Ok(words.join(" "))
}
