//! A `CronJob` of Kubernetes, with its settings and its volumes.

use super::{
    Job, Place, SourceKind, TIMES, comment, hopeless, impossible,
    quote::{indented, quoted, toml_line},
    secrets::is_cloud_key,
    telling,
};
use archive_connectors::Result;
use std::{collections::BTreeSet, fmt::Write as _};
use toml::Value;

/// Where the container finds what is not in its image.
const SECRETS: &str = "/run/secrets/kt-archive";
const METRICS: &str = "/metrics";
const STATE: &str = "/state";

/// A folder that outlives the pods.
struct Claim {
    name: String,
    path: String,
    what: &'static str,
}

pub(super) fn render(job: &Job) -> Result<String> {
    if job.source == SourceKind::Files {
        return Err(impossible(
            "a pod does not see the files of this host",
            "archive them from the host that has them: kt-archive schedule systemd, or cron",
        ));
    }
    let claims = claims(job);
    let mut text = comment(
        "kt-archive: archives the last month, and every gap before it. Apply it with kubectl apply --namespace NAMESPACE \
         -f FILE; try it at once with kubectl create job --from=cronjob/kt-archive kt-archive-by-hand. To change: the \
         image, the sizes of the volumes, the storage class where the cluster has no default.",
    );
    text.push_str(&telling(
        job,
        "Kubernetes tells nobody: alert on kube_job_status_failed of kube-state-metrics, or on a month that is missing, \
         which also finds a pod that never began.",
    ));
    text.push_str(&secret_comment(job));
    text.push_str(&identity_comment(job));
    text.push_str(&job.files_elsewhere().map_or_else(String::new, |files| comment(&files)));
    text.push_str(&config_map(job));
    for claim in &claims {
        text.push_str(&volume_claim(claim));
    }
    text.push_str(&cron_job(job, &claims));
    Ok(text)
}

fn claims(job: &Job) -> Vec<Claim> {
    let mut claims = vec![Claim {
        name: "kt-archive-state".to_owned(),
        path: STATE.to_owned(),
        what: "Spool, staging and journal: losing it costs time, never data. A month needs room for its files.",
    }];
    for (name, place) in mounted(job) {
        if place.folder().is_some() {
            let what = "Large enough for years, and in your backups.";
            claims.push(Claim { path: format!("/{name}"), name: format!("kt-archive-{name}"), what });
        }
    }
    if job.metrics_file.is_some() {
        let what = "Instead of this claim, mount the folder of the node exporter's textfile collector.";
        claims.push(Claim { name: "kt-archive-metrics".to_owned(), path: METRICS.to_owned(), what });
    }
    claims
}

/// The archive and its copies, each with what it is called.
fn mounted(job: &Job) -> impl Iterator<Item = (String, &Place)> {
    let name = |index| if index == 0 { "archive".to_owned() } else { format!("replica-{index}") };
    job.places().enumerate().map(move |(index, place)| (name(index), place))
}

/// Keys of the secret that are mounted as files.
fn secret_files(job: &Job) -> Vec<&'static str> {
    let token = (job.source == SourceKind::ExportsApi).then_some("token");
    token.into_iter().chain(job.pseudonym_key.is_some().then_some("pseudonym-key")).collect()
}

/// Keys of the secret that become variables.
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
        "Secrets come from a Secret of the cluster, made from files that hold one value each, without a line end (or by \
         your secret store's operator):\n\
         kubectl create secret generic kt-archive{files}"
    ))
}

/// How a cloud knows the pod without keys.
fn identity_comment(job: &Job) -> String {
    if !["s3", "gs", "az"].into_iter().any(|scheme| job.has_place(scheme)) {
        return String::new();
    }
    let keys = secret_variables(job).into_iter().filter(|name| is_cloud_key(name)).collect::<Vec<_>>().join(", ");
    let keys = if keys.is_empty() { keys } else { format!(", and take out of the Secret and of env: {keys}") };
    comment(&format!(
        "Without keys of the cloud (IRSA, Workload Identity): give the pod the serviceAccountName of an account that the \
         cloud knows, beside restartPolicy{keys}."
    ))
}

/// The settings, for a container whose places have other names.
fn config_map(job: &Job) -> String {
    let mut config = String::new();
    for (key, value) in &job.settings {
        config.push_str(&toml_line(key, value));
    }
    let mut add = |key: &str, value: Value| config.push_str(&toml_line(key, &value));
    let addresses = mounted(job).map(|(name, place)| match place {
        Place::Folder(_) => format!("/{name}"),
        Place::Bucket { spelled, .. } => spelled.clone(),
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
    let config = indented(&config, 4);
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: kt-archive\ndata:\n  kt-archive.toml: |\n{config}"
    )
}

fn volume_claim(Claim { name, what, .. }: &Claim) -> String {
    format!(
        "---\n# {what}\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: {name}\nspec:\n  \
         accessModes: [ReadWriteOnce]\n  resources:\n    requests:\n      storage: 10Gi\n"
    )
}

fn cron_job(job: &Job, claims: &[Claim]) -> String {
    let mut text = HEAD.replace("{TIMES}", TIMES).replace("{HOPELESS}", &hopeless(", "));
    text.push_str(&indented(&environment(job), 14));
    text.push_str(&indented(&mounts(job, claims), 14));
    text.push_str("          volumes:\n            - name: settings\n              configMap:\n                name: kt-archive\n");
    let files = secret_files(job);
    if !files.is_empty() {
        text.push_str("            - name: secrets\n              secret:\n                secretName: kt-archive\n");
        text.push_str("                defaultMode: 0400\n                items:\n");
        for key in files {
            let _ = writeln!(text, "                  - {{key: {key}, path: {key}}}");
        }
    }
    for Claim { name, .. } in claims {
        let _ = writeln!(
            text,
            "            - name: {name}\n              persistentVolumeClaim:\n                claimName: {name}"
        );
    }
    text
}

fn environment(job: &Job) -> String {
    let mut text = String::new();
    for (name, value) in job.public_elsewhere() {
        // `$(NAME)` would be replaced, and `$$` means `$`.
        let _ = writeln!(text, "  - name: {name}\n    value: {}", quoted(&value.replace('$', "$$")));
    }
    if job.source == SourceKind::ExportsApi {
        let _ = writeln!(text, "  - name: KEEPTRUSTS_API_TOKEN_FILE\n    value: {SECRETS}/token");
    }
    for name in secret_variables(job) {
        // Without a key there may still be an identity; without anything else the pod had better not start.
        let optional = if is_cloud_key(name) { ", optional: true" } else { "" };
        let from = format!("{{name: kt-archive, key: {name}{optional}}}");
        let _ = writeln!(text, "  - name: {name}\n    valueFrom:\n      secretKeyRef: {from}");
    }
    if text.is_empty() { text } else { format!("env:\n{text}") }
}

fn mounts(job: &Job, claims: &[Claim]) -> String {
    let mut text = "volumeMounts:\n  - {name: settings, mountPath: /etc/kt-archive, readOnly: true}\n".to_owned();
    if !secret_files(job).is_empty() {
        let _ = writeln!(text, "  - {{name: secrets, mountPath: {SECRETS}, readOnly: true}}");
    }
    for Claim { name, path, .. } in claims {
        let _ = writeln!(text, "  - {{name: {name}, mountPath: {path}}}");
    }
    text
}

const HEAD: &str = r#"---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: kt-archive
  labels: {app.kubernetes.io/name: kt-archive}
spec:
  # The 2nd and the 3rd are tries in case something was down: a run that finds its month archived ends at once.
  schedule: "{TIMES}"
  timeZone: Etc/UTC
  concurrencyPolicy: Forbid
  # A cluster that was down at four o'clock makes up for it within half a day.
  startingDeadlineSeconds: 43200
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 6
  jobTemplate:
    metadata:
      labels: {app.kubernetes.io/name: kt-archive}
    spec:
      backoffLimit: 6
      podFailurePolicy:
        rules:
          # A node that went away is no failure of the job.
          - action: Ignore
            onPodConditions: [{type: DisruptionTarget, status: "True"}]
          # Settings, damage, contradicting data and rights: no further try mends them. 75, 7 and others are tried again.
          - action: FailJob
            onExitCodes: {containerName: kt-archive, operator: In, values: [{HOPELESS}]}
      template:
        metadata:
          labels: {app.kubernetes.io/name: kt-archive}
        spec:
          restartPolicy: Never
          automountServiceAccountToken: false
          enableServiceLinks: false
          # What is being committed is finished first.
          terminationGracePeriodSeconds: 300
          securityContext:
            runAsNonRoot: true
            runAsUser: 65532
            runAsGroup: 65532
            fsGroup: 65532
            fsGroupChangePolicy: OnRootMismatch
            seccompProfile: {type: RuntimeDefault}
          containers:
            - name: kt-archive
              # Yours, named by its digest: a tag can be moved.
              image: registry.example/kt-archive@sha256:0000000000000000000000000000000000000000000000000000000000000000
              args: [run, --config, /etc/kt-archive/kt-archive.toml]
              securityContext:
                allowPrivilegeEscalation: false
                readOnlyRootFilesystem: true
                capabilities: {drop: [ALL]}
              resources:
                # Memory does not grow with the month.
                requests: {cpu: 250m, memory: 256Mi}
                limits: {memory: 512Mi}
"#;
