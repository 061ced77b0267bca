//! A `CronJob` of Kubernetes, with its settings and its volumes.

use super::{
    Job, SourceKind, StoreLocation, TIMES, comment, final_codes, notifications,
    quote::{quoted, toml_line},
    secrets::is_cloud_key,
    template::fill,
    unsupported,
};
use archive_connectors::Result;
use std::{collections::BTreeSet, fmt::Write as _};
use toml::Value;

const TEMPLATE: &str = include_str!("kubernetes.yaml");

/// Paths in the container.
const SECRETS: &str = "/run/secrets/kt-archive";
const METRICS: &str = "/metrics";
const STATE: &str = "/state";

/// A persistent volume claim.
struct Claim {
    name: String,
    path: String,
    note: &'static str,
}

pub(super) fn render(job: &Job) -> Result<String> {
    if job.source == SourceKind::Files {
        return Err(unsupported(
            "a pod cannot read the files of this host",
            "archive them from the host that has them: kt-archive schedule systemd, or cron",
        ));
    }
    let claims = claims(job);
    let values = [
        ("COMMENTS", comments(job)),
        ("SETTINGS", settings(job)),
        ("VOLUME_CLAIMS", claims.iter().map(volume_claim).collect()),
        ("TIMES", TIMES.to_owned()),
        ("FINAL_CODES", final_codes(", ")),
        ("ENVIRONMENT", environment(job)),
        ("MOUNTS", mounts(job, &claims)),
        ("VOLUMES", volumes(job, &claims)),
    ];
    Ok(fill(TEMPLATE, &values.each_ref().map(|(name, value)| (*name, value.as_str()))))
}

fn comments(job: &Job) -> String {
    let notifications = notifications(
        job,
        "Kubernetes sends none: alert on kube_job_status_failed of kube-state-metrics, or on a missing month, which also \
         detects a pod that never started.",
    );
    let files = job.files_elsewhere().map_or_else(String::new, |files| comment(&files));
    [notifications, secret_comment(job), identity_comment(job), files].concat()
}

fn claims(job: &Job) -> Vec<Claim> {
    let mut claims = vec![Claim {
        name: "kt-archive-state".to_owned(),
        path: STATE.to_owned(),
        note: "Spool, staging and journal: losing it costs time, never data. Size it for the files of a month.",
    }];
    for (name, location) in mounted(job) {
        if location.folder().is_some() {
            let note = "Large enough for years, and part of your backups.";
            claims.push(Claim { path: format!("/{name}"), name: format!("kt-archive-{name}"), note });
        }
    }
    if job.metrics_file.is_some() {
        let note = "Instead of this claim, mount the folder of the node exporter's textfile collector.";
        claims.push(Claim { name: "kt-archive-metrics".to_owned(), path: METRICS.to_owned(), note });
    }
    claims
}

/// The archive and its replicas, each with the name of its volume.
fn mounted(job: &Job) -> impl Iterator<Item = (String, &StoreLocation)> {
    let name = |index| if index == 0 { "archive".to_owned() } else { format!("replica-{index}") };
    job.locations().enumerate().map(move |(index, location)| (name(index), location))
}

/// Keys of the Secret that are mounted as files.
fn secret_files(job: &Job) -> Vec<&'static str> {
    let token = (job.source == SourceKind::ExportsApi).then_some("token");
    token.into_iter().chain(job.pseudonym_key.is_some().then_some("pseudonym-key")).collect()
}

/// Keys of the Secret that become variables.
fn secret_variables(job: &Job) -> BTreeSet<&str> {
    let password = (job.source == SourceKind::Postgres).then_some("PGPASSWORD");
    password.into_iter().chain(job.secrets_elsewhere()).collect()
}

fn secret_comment(job: &Job) -> String {
    let keys = secret_files(job).into_iter().chain(secret_variables(job)).collect::<Vec<_>>();
    if keys.is_empty() {
        return String::new();
    }
    let files = keys.iter().flat_map(|key| [" --from-file=", key, "=FILE"]).collect::<String>();
    comment(&format!(
        "Secrets come from a Secret of the cluster, made from files with one value each and no line end (or by the operator \
         of your secret store):\n\
         kubectl create secret generic kt-archive{files}"
    ))
}

/// How to authenticate the pod without keys.
fn identity_comment(job: &Job) -> String {
    if !["s3", "gs", "az"].into_iter().any(|scheme| job.has_scheme(scheme)) {
        return String::new();
    }
    let keys = secret_variables(job).into_iter().filter(|name| is_cloud_key(name)).collect::<Vec<_>>().join(", ");
    let keys = if keys.is_empty() { keys } else { format!(", and remove from the Secret and from env: {keys}") };
    comment(&format!(
        "To authenticate without keys (IRSA, Workload Identity): set serviceAccountName beside restartPolicy{keys}."
    ))
}

/// The configuration file, with the paths of the container.
fn settings(job: &Job) -> String {
    let mut config = String::new();
    for (key, value) in &job.settings {
        config.push_str(&toml_line(key, value));
    }
    let mut add = |key: &str, value: Value| config.push_str(&toml_line(key, &value));
    let addresses = mounted(job).map(|(name, location)| match location {
        StoreLocation::Folder(_) => format!("/{name}"),
        StoreLocation::Bucket { spelled, .. } => spelled.clone(),
    });
    let mut addresses = addresses.map(Value::from);
    add("archive", addresses.next().unwrap_or_else(|| "/archive".into()));
    let replicas = addresses.collect::<Vec<_>>();
    if !replicas.is_empty() {
        add("replica", replicas.into());
    }
    add("state-dir", STATE.into());
    if let Some(path) = &job.metrics_file {
        add("metrics-file", format!("{METRICS}/{}", path.rsplit('/').next().unwrap_or("kt-archive.prom")).into());
    }
    if job.pseudonym_key.is_some() {
        add("pseudonym-key-file", format!("{SECRETS}/pseudonym-key").into());
    }
    config
}

fn volume_claim(Claim { name, note, .. }: &Claim) -> String {
    format!(
        "---\n# {note}\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: {name}\nspec:\n  \
         accessModes: [ReadWriteOnce]\n  resources:\n    requests:\n      storage: 10Gi\n"
    )
}

fn volumes(job: &Job, claims: &[Claim]) -> String {
    let mut text = String::new();
    let files = secret_files(job);
    if !files.is_empty() {
        text.push_str("- name: secrets\n  secret:\n    secretName: kt-archive\n    defaultMode: 0400\n    items:\n");
        for key in files {
            let _ = writeln!(text, "      - {{key: {key}, path: {key}}}");
        }
    }
    for Claim { name, .. } in claims {
        let _ = writeln!(text, "- name: {name}\n  persistentVolumeClaim:\n    claimName: {name}");
    }
    text
}

fn environment(job: &Job) -> String {
    let mut text = String::new();
    for (name, value) in job.public_elsewhere() {
        // The kubelet expands `$(NAME)`, and reads `$$` as `$`.
        let _ = writeln!(text, "  - name: {name}\n    value: {}", quoted(&value.replace('$', "$$")));
    }
    if job.source == SourceKind::ExportsApi {
        let _ = writeln!(text, "  - name: KEEPTRUSTS_API_TOKEN_FILE\n    value: {SECRETS}/token");
    }
    for name in secret_variables(job) {
        // A pod with a cloud identity needs no key; without any other secret it should not start.
        let optional = if is_cloud_key(name) { ", optional: true" } else { "" };
        let from = format!("{{name: kt-archive, key: {name}{optional}}}");
        let _ = writeln!(text, "  - name: {name}\n    valueFrom:\n      secretKeyRef: {from}");
    }
    if text.is_empty() { text } else { format!("env:\n{text}") }
}

fn mounts(job: &Job, claims: &[Claim]) -> String {
    let mut text = String::new();
    if !secret_files(job).is_empty() {
        let _ = writeln!(text, "- {{name: secrets, mountPath: {SECRETS}, readOnly: true}}");
    }
    for Claim { name, path, .. } in claims {
        let _ = writeln!(text, "- {{name: {name}, mountPath: {path}}}");
    }
    text
}
