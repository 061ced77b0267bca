//! A DAG of Airflow. Short, since most of it is the template.

use super::{Job, SourceKind, TIMES, comment, final_codes, notifications, quote::quoted, template::fill};
use std::collections::BTreeSet;

const TEMPLATE: &str = include_str!("airflow.py");

pub(super) fn render(job: &Job) -> String {
    let words = std::iter::once(job.program.clone()).chain(job.arguments()).chain(state(job));
    let variables = job.own.iter().chain(&job.public).map(|(name, value)| (name.as_str(), value)).chain(files(job));
    let secret = |name: &str| entry(name, &format!("kt_archive_{}_secret", name.to_lowercase()));
    let values = [
        ("COMMENTS", comments(job)),
        ("COMMAND", words.flat_map(|word| [quoted(&word), ",\n".to_owned()]).collect()),
        ("ENVIRONMENT", variables.map(|(name, value)| entry(name, value)).collect()),
        ("SECRETS", secrets(job).into_iter().map(secret).collect()),
        ("FINAL_CODES", final_codes(", ")),
        ("TIMES", TIMES.to_owned()),
    ];
    fill(TEMPLATE, &values.each_ref().map(|(name, value)| (*name, value.as_str())))
}

/// An entry of a dictionary, on its own line.
fn entry(key: &str, value: &str) -> String {
    format!("{}: {},\n", quoted(key), quoted(value))
}

fn comments(job: &Job) -> String {
    let has_secrets = !secrets(job).is_empty() || job.source != SourceKind::Demo;
    let secrets = "Secrets are Variables of Airflow, from the secrets backend that you have configured. This file holds none, \
                   and only the task reads them.";
    let secrets = if has_secrets { comment(secrets) } else { String::new() };
    let notifications = notifications(
        job,
        "Airflow marks the task as failed and sends none: add an on_failure_callback to @dag below.",
    );
    secrets + &notifications
}

fn state(job: &Job) -> Option<String> {
    job.own_state.as_ref().map(|state| format!("--state-dir={state}"))
}

/// Variables that name files with secrets.
fn files(job: &Job) -> impl Iterator<Item = (&str, &String)> {
    let token = job.token_file.as_ref().filter(|_| job.source == SourceKind::ExportsApi);
    let passwords = job.password_file.as_ref().filter(|_| job.source == SourceKind::Postgres);
    let files = [("KEEPTRUSTS_API_TOKEN_FILE", token), ("PGPASSFILE", passwords)];
    files.into_iter().filter_map(|(name, path)| Some((name, path?)))
}

fn secrets(job: &Job) -> BTreeSet<&str> {
    let source_secret = match job.source {
        SourceKind::ExportsApi if job.token_file.is_none() => Some("KEEPTRUSTS_API_TOKEN"),
        SourceKind::Postgres if job.password_file.is_none() => Some("PGPASSWORD"),
        _ => None,
    };
    source_secret.into_iter().chain(job.host_secrets()).collect()
}
