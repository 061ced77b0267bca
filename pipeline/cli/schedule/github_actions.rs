//! A workflow of GitHub Actions.

use super::{
    Job, SourceKind, StoreLocation, TIMES, comment, notifications,
    quote::{quoted, toml_line},
    template::fill,
    unsupported,
};
use archive_connectors::Result;
use std::{collections::BTreeSet, fmt::Write as _};
use toml::Value;

const TEMPLATE: &str = include_str!("github-actions.yml");

/// Writes the key of pseudonyms to a file that only the runner's user can read.
const PSEUDONYM_KEY: &str =
    "(umask 077 && printf '%s' \"$PSEUDONYM_KEY\" > \"$RUNNER_TEMP/pseudonym-key\")\nunset PSEUDONYM_KEY\n";

pub(super) fn render(job: &Job) -> Result<String> {
    if job.source == SourceKind::Files {
        return Err(unsupported(
            "a runner cannot read the files of this host",
            "archive them from the host that has them: kt-archive schedule systemd, or cron",
        ));
    }
    if job.locations().any(|location| location.folder().is_some()) {
        return Err(unsupported(
            "the disk of a runner is deleted with the job, and an archive on it too",
            "archive into a bucket: --archive s3://…, gs://… or az://…, and --replica likewise",
        ));
    }
    let (comments, settings, environment) = (comments(job), settings(job), environment(job));
    let values = [
        ("COMMENTS", comments.as_str()),
        ("TIMES", TIMES),
        ("SETTINGS", &settings),
        ("ENVIRONMENT", &environment),
        ("PSEUDONYM_KEY", if job.pseudonym_key.is_some() { PSEUDONYM_KEY } else { "" }),
    ];
    Ok(fill(TEMPLATE, &values))
}

fn comments(job: &Job) -> String {
    let mut text = notifications(
        job,
        "GitHub mails the last person who changed the times below, if that person has enabled it, and sends nothing when a \
         workflow did not start at all.",
    );
    if job.metrics_file.is_some() {
        text.push_str(&comment("metrics-file was left out: no node exporter reads the disk of a runner."));
    }
    let names = secrets(job).into_iter().collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        text.push_str(&comment(&format!(
            "Secrets of the repository (Settings, Secrets and variables, Actions): {names}."
        )));
    }
    if job.has_scheme("s3") {
        text.push_str(&comment(
            "To authenticate to AWS without keys (OIDC): set permissions to {id-token: write}, add a step with \
             aws-actions/configure-aws-credentials and its role-to-assume before the last one, and remove AWS_ACCESS_KEY_ID \
             and AWS_SECRET_ACCESS_KEY from the env of the last one, where empty values would override those of that step.",
        ));
    }
    text + &job.files_elsewhere().map_or_else(String::new, |files| comment(&files))
}

/// Names of the repository's secrets.
fn secrets(job: &Job) -> BTreeSet<&str> {
    let source_secret = match job.source {
        SourceKind::ExportsApi => Some("KEEPTRUSTS_API_TOKEN"),
        SourceKind::Postgres => Some("PGPASSWORD"),
        SourceKind::Demo | SourceKind::Files => None,
    };
    let key = job.pseudonym_key.is_some().then_some("PSEUDONYM_KEY");
    source_secret.into_iter().chain(key).chain(job.secrets_elsewhere()).collect()
}

/// The configuration file. The step reads it from a variable, so the shell does not expand it.
fn settings(job: &Job) -> String {
    let url = |location: &StoreLocation| match location {
        StoreLocation::Bucket { spelled: address, .. } | StoreLocation::Folder(address) => Value::from(address.clone()),
    };
    let replicas = job.replicas.iter().map(url).collect::<Vec<_>>();
    let replicas = (!replicas.is_empty()).then(|| ("replica".to_owned(), replicas.into()));
    let archive = ("archive".to_owned(), url(&job.archive));
    let settings = job.settings.iter().cloned().chain([archive]).chain(replicas);
    // An escape of TOML, so that GitHub does not evaluate an expression.
    let lines = settings.map(|(key, value)| toml_line(&key, &value).replace("${{", "$\\u007b{"));
    let key = job.pseudonym_key.is_some().then(|| "pseudonym-key-file = \"${RUNNER_TEMP}/pseudonym-key\"\n".to_owned());
    lines.chain(key).collect()
}

fn environment(job: &Job) -> String {
    let mut text = String::new();
    for (name, value) in job.public_elsewhere() {
        let _ = writeln!(text, "{name}: {}", quoted(&value.replace("${{", "${{ '${{' }}")));
    }
    for name in secrets(job) {
        let _ = writeln!(text, "{name}: ${{{{ secrets.{name} }}}}");
    }
    text
}
