//! A workflow of GitHub Actions.

use super::{
    Job, Place, SourceKind, TIMES, comment, impossible,
    quote::{indented, quoted, toml_line},
    telling,
};
use archive_connectors::Result;
use std::{collections::BTreeSet, fmt::Write as _};
use toml::Value;

pub(super) fn render(job: &Job) -> Result<String> {
    if job.source == SourceKind::Files {
        return Err(impossible(
            "a runner does not see the files of this host",
            "archive them from the host that has them: kt-archive schedule systemd, or cron",
        ));
    }
    if job.places().any(|place| place.folder().is_some()) {
        return Err(impossible(
            "the disk of a runner vanishes with the job, and an archive on it too",
            "archive into a bucket: --archive s3://…, gs://… or az://…, and --replica likewise",
        ));
    }
    let mut text = comment(
        "kt-archive: archives the last month, and every gap before it. Save it as .github/workflows/kt-archive.yml of a \
         private repository. To change: the address and the digest of the program below; the runner, where the platform \
         or the store can be reached from your network alone (runs-on: self-hosted). GitHub starts scheduled workflows \
         late when it is busy, and stops doing so after 60 days without a commit to a public repository.",
    );
    text.push_str(&comment(
        "The journal of export jobs is lost with the runner: a try makes a new job where another host would go on with \
         the last one. Exit code 75 means that the next day's try may do.",
    ));
    text.push_str(&telling(
        job,
        "GitHub mails whoever last changed the times below, if that person's settings say so, and nobody when a workflow \
         was not started at all.",
    ));
    if job.metrics_file.is_some() {
        text.push_str(&comment("metrics-file was left out: no node exporter sees the disk of a runner."));
    }
    text.push_str(&secrets_comment(job));
    if job.has_place("s3") {
        text.push_str(&comment(
            "Without keys of AWS (OIDC): change permissions to {id-token: write}, put a step with \
             aws-actions/configure-aws-credentials and its role-to-assume before the last one, and take AWS_ACCESS_KEY_ID \
             and AWS_SECRET_ACCESS_KEY out of the env of the last one: an empty one hides what that step sets.",
        ));
    }
    text.push_str(&job.files_elsewhere().map_or_else(String::new, |files| comment(&files)));
    text.push_str(&HEAD.replace("{TIMES}", TIMES));
    text.push_str(&indented(&environment(job), 8));
    text.push_str(RUN_HEAD);
    if job.pseudonym_key.is_some() {
        text.push_str("          (umask 077 && printf '%s' \"$PSEUDONYM_KEY\" > \"$RUNNER_TEMP/pseudonym-key\")\n");
        text.push_str("          unset PSEUDONYM_KEY\n");
    }
    text.push_str(RUN);
    Ok(text)
}

/// Names of the repository's secrets.
fn secrets(job: &Job) -> BTreeSet<&str> {
    let of_source = match job.source {
        SourceKind::ExportsApi => Some("KEEPTRUSTS_API_TOKEN"),
        SourceKind::Postgres => Some("PGPASSWORD"),
        SourceKind::Demo | SourceKind::Files => None,
    };
    let key = job.pseudonym_key.is_some().then_some("PSEUDONYM_KEY");
    of_source.into_iter().chain(key).chain(job.secrets_elsewhere()).collect()
}

fn secrets_comment(job: &Job) -> String {
    let names = secrets(job).into_iter().collect::<Vec<_>>().join(", ");
    if names.is_empty() {
        return names;
    }
    comment(&format!("Secrets of the repository (Settings, Secrets and variables, Actions): {names}."))
}

/// What the step is told. Its settings are a file that the step writes, so that no shell reads them.
fn environment(job: &Job) -> String {
    let mut text = "env:\n  SETTINGS: |\n".to_owned();
    let mut settings = String::new();
    let url = |place: &Place| match place {
        Place::Bucket { spelled: address, .. } | Place::Folder(address) => Value::from(address.clone()),
    };
    let replicas = job.replicas.iter().map(url).collect::<Vec<_>>();
    let replicas = (!replicas.is_empty()).then(|| ("replica".to_owned(), replicas.into()));
    let archive = ("archive".to_owned(), url(&job.archive));
    for (key, value) in job.settings.iter().cloned().chain([archive]).chain(replicas) {
        // Inside a text of TOML this is the same, and to GitHub it is no expression.
        settings.push_str(&toml_line(&key, &value).replace("${{", "$\\u007b{"));
    }
    if job.pseudonym_key.is_some() {
        settings.push_str("pseudonym-key-file = \"${RUNNER_TEMP}/pseudonym-key\"\n");
    }
    text.push_str(&indented(&settings, 4));
    for (name, value) in job.public_elsewhere() {
        let _ = writeln!(text, "  {name}: {}", quoted(&value.replace("${{", "${{ '${{' }}")));
    }
    for name in secrets(job) {
        let _ = writeln!(text, "  {name}: ${{{{ secrets.{name} }}}}");
    }
    text
}

const HEAD: &str = r#"name: kt-archive
on:
  schedule:
    # UTC. The 2nd and the 3rd are tries in case something was down: a run that finds its month archived ends at once.
    - cron: "{TIMES}"
  workflow_dispatch:
permissions: {}
concurrency:
  group: kt-archive
  cancel-in-progress: false
jobs:
  archive:
    runs-on: ubuntu-latest
    timeout-minutes: 350
    steps:
      - name: Install
        env:
          # The static program of a release, and its line of SHA256SUMS.
          PROGRAM_URL: https://github.com/OWNER/REPOSITORY/releases/download/v0.1.0/kt-archive-x86_64-unknown-linux-musl
          PROGRAM_SHA256: "0000000000000000000000000000000000000000000000000000000000000000"
        run: |
          curl --fail --silent --show-error --location --retry 3 --output "$RUNNER_TEMP/kt-archive" "$PROGRAM_URL"
          echo "$PROGRAM_SHA256  $RUNNER_TEMP/kt-archive" | sha256sum --check --strict
          chmod +x "$RUNNER_TEMP/kt-archive"
      - name: Archive
"#;

const RUN_HEAD: &str = "        run: |\n          printf '%s' \"$SETTINGS\" > \"$RUNNER_TEMP/kt-archive.toml\"\n";

const RUN: &str = "          \"$RUNNER_TEMP/kt-archive\" run --config \"$RUNNER_TEMP/kt-archive.toml\" \
    --state-dir \"$RUNNER_TEMP/kt-archive-state\"\n";
