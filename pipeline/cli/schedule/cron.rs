//! A line of a crontab.

use super::{
    Job, SourceKind, TIMES, comment, impossible,
    quote::{cron_quoted, shell_quoted},
    telling,
};
use archive_connectors::Result;

/// The file that sets what no crontab should hold.
const ENVIRONMENT: &str = "/etc/kt-archive/env";
/// Where secrets lie, unless the environment names another file.
const TOKEN: &str = "/etc/kt-archive/token";
const PASSWORDS: &str = "/etc/kt-archive/pgpass";

/// Debian's cron takes no longer command, and says so to nobody.
const MOST_BYTES: usize = 998;

pub(super) fn render(job: &Job) -> Result<String> {
    let command = command(job)?;
    if command.len() > MOST_BYTES {
        return Err(impossible(
            format!("the command has {} bytes, and cron takes {MOST_BYTES}", command.len()),
            "write the settings into a configuration file, and name that with --config",
        ));
    }
    let mut text = comment(
        "kt-archive: archives the last month, and every gap before it.\n\
         Put these lines into the crontab of the user who may write the archive: crontab -e\n\
         (a file in /etc/cron.d has the user's name between the times and the command).",
    );
    text.push_str("#\n");
    text.push_str(&comment(
        "When: at 04:00 on the 1st; the 2nd and the 3rd are tries in case something was down, and a run that finds its \
         month archived ends at once. CRON_TZ counts for the lines below it. Debian's cron ignores it and takes the host's \
         zone: nothing is lost then, since a month is a month of UTC for the program, and the 2nd comes after its \
         end in every zone. To change the hour, change the 4.",
    ));
    text.push_str(&telling(
        job,
        "cron mails it, with what to do about it, and nothing else, since results are thrown away. Mail needs an MTA on \
         this host (try: echo test | mail -s test you@example), and MAILTO=you@example above the line says to whom. Exit \
         code 75 means that the next try may do.",
    ));
    text.push_str(&secrets(job));
    let names = job.host_secrets().into_iter().collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        text.push_str(&comment(&format!(
            "Variables: {ENVIRONMENT} sets {names}, a line NAME='value' for each; chmod 600 it, or take out what is \
             not needed."
        )));
    }
    text.push_str("CRON_TZ=UTC\n");
    text.extend([TIMES, " ", &command, "\n"]);
    Ok(text)
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

/// What the shell is told: the exit code is that of the program.
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
        // A line for each month would be mail for each month.
        words.push("--quiet".to_owned());
    }
    words.push(">/dev/null".to_owned());
    Ok(words.join(" "))
}
