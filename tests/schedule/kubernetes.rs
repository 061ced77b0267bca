//! The `CronJob`, checked by the schemas of Kubernetes and read by `kubectl`, without a cluster.

use super::{NASTY, installed, job, python, read_config};
use crate::support::cli::Host;
use serde_json::Value;
use std::{collections::BTreeMap, fs, process::Command};

const SOURCES: [&[&str]; 3] = [
    &["--source", "demo:"],
    &["--source", "https://api.example", "--archive", "s3://bucket/x", "--replica", "/mnt/nas/x,gs://b"],
    &["--source", "postgres://u@db/x", "--metrics-file", "/var/lib/node_exporter/kt.prom", "--grace", "2h"],
];

/// The documents of a file, read by another YAML parser.
#[track_caller]
fn documents(text: &str) -> Vec<Value> {
    let program = "import sys, json, yaml\nprint(json.dumps(list(yaml.safe_load_all(sys.stdin))))";
    serde_json::from_str(&python(program, text)).unwrap()
}

#[test]
fn manifest_matches_the_strict_schema() {
    for arguments in SOURCES {
        let host = Host::new();
        let file = host.path("job.yaml");
        fs::write(&file, job(&host, "kubernetes", arguments)).unwrap();
        let strict = Command::new(installed("kubernetes-validate")).arg("--strict").arg(&file).output().unwrap();
        let output = [strict.stdout, strict.stderr].concat();
        assert!(strict.status.success(), "{}", String::from_utf8_lossy(&output));
        assert!(
            String::from_utf8_lossy(&output).contains("cronjob/kt-archive"),
            "{}",
            String::from_utf8_lossy(&output)
        );
        let mut kubectl = Command::new("kubectl");
        let read = kubectl.args(["set", "env", "--local", "--list", "-f"]).arg(&file).env("KUBECONFIG", "/dev/null");
        let read = read.output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        assert!(String::from_utf8_lossy(&read.stdout).contains("container kt-archive") || arguments.contains(&"demo:"));
    }
}

#[test]
fn strict_schema_refuses_unknown_fields() {
    let host = Host::new();
    let file = host.path("job.yaml");
    let text = job(&host, "kubernetes", SOURCES[0]).replace("concurrencyPolicy", "concurencyPolicy");
    fs::write(&file, text).unwrap();
    let strict = Command::new(installed("kubernetes-validate")).arg("--strict").arg(&file).output().unwrap();
    assert!(!strict.status.success());
}

#[test]
fn paths_of_settings_are_on_mounted_volumes() {
    for arguments in SOURCES {
        let host = Host::new();
        let documents = documents(&job(&host, "kubernetes", arguments));
        let job = documents.iter().find(|document| document["kind"] == "CronJob").unwrap();
        let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let names = |list: &Value| {
            let names = list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names(&container["volumeMounts"]), names(&pod["volumes"]));
        let claims = documents.iter().filter(|document| document["kind"] == "PersistentVolumeClaim");
        let claims = claims.map(|claim| claim["metadata"]["name"].as_str().unwrap()).collect::<Vec<_>>();
        for volume in pod["volumes"].as_array().unwrap() {
            if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
                assert!(claims.contains(&claim), "{claim}");
            }
        }
        let mounted = container["volumeMounts"].as_array().unwrap().iter();
        let mounted = mounted.map(|mount| mount["mountPath"].as_str().unwrap()).collect::<Vec<_>>();
        let settings = read_config(&host, documents[0]["data"]["kt-archive.toml"].as_str().unwrap());
        for (key, value) in &settings {
            let paths =
                value.as_str().into_iter().flat_map(|text| text.split(',')).filter(|text| text.starts_with('/'));
            for path in paths {
                assert!(mounted.iter().any(|mount| path.starts_with(mount)), "{key} = {path}: {mounted:?}");
            }
        }
        let image = container["image"].as_str().unwrap();
        assert!(image.contains("@sha256:"), "{image}");
    }
}

#[test]
fn settings_round_trip() {
    for nasty in NASTY.into_iter().chain(["two\nlines\tand \u{85} \r\u{7f}"]) {
        let mut host = Host::new();
        host.set("PGOPTIONS", nasty);
        host.set("KT_ARCHIVE_JOBS", "3");
        let column = format!("--id-column={nasty}");
        let documents = documents(&job(&host, "kubernetes", &["--source", "postgres://u@db/x", &column]));
        let printed = read_config(&host, documents[0]["data"]["kt-archive.toml"].as_str().unwrap());
        assert_eq!((&printed["id-column"], &printed["jobs"]), (&nasty.into(), &"3".into()));
        let pod = &documents.last().unwrap()["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        let variables = pod["containers"][0]["env"].as_array().unwrap();
        let options = variables.iter().find(|variable| variable["name"] == "PGOPTIONS").unwrap();
        // The kubelet reads `$$` as `$` and expands `$(NAME)`.
        assert_eq!(options["value"].as_str().unwrap().replace("$$", "$"), nasty);
        assert!(!options["value"].as_str().unwrap().replace("$$", "").contains('$'));
    }
}

#[test]
fn dataset_tables_are_in_the_settings() {
    let host = Host::new();
    let file =
        "source = 'postgres://u@db/x'\n[[dataset]]\nname = 'events'\ntable = 'public.e'\ncolumns = ['a,b', 'c']\n";
    fs::write(host.path("kt.toml"), file).unwrap();
    let documents = documents(&job(&host, "kubernetes", &["--config", "kt.toml"]));
    let printed = read_config(&host, documents[0]["data"]["kt-archive.toml"].as_str().unwrap());
    assert_eq!(printed["dataset"][0]["table"], "public.e");
    assert_eq!(printed["dataset"][0]["columns"][0], "a,b");
}

/// The variables of the pod, by name.
#[track_caller]
fn environment(job: &str) -> BTreeMap<String, Value> {
    let documents = documents(job);
    let pod = &documents.last().unwrap()["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let variables = pod["containers"][0]["env"].as_array().cloned().unwrap_or_default();
    variables.into_iter().map(|it| (it["name"].as_str().unwrap().to_owned(), it)).collect()
}

/// A pod does not start while its Secret lacks a key.
#[test]
fn pod_has_only_the_variables_that_its_settings_name() {
    let mut host = Host::new();
    for (name, value) in
        [("BUCKET", "acme"), ("COPIES", "gs://a,gs://b"), ("ORG", "org"), ("HOOK", "x"), ("OTHER", "x")]
    {
        host.set(name, value);
    }
    host.set("KT_ARCHIVE_NOTIFY", "https://hooks.example/x");
    let file = "source = 'postgres://u@db/x'\narchive = 's3://${BUCKET}/$${kt}'\nreplica = ['az://${BUCKET}', '/r']\n\
                where-org = '${ORG}'\nnotify = 'https://hooks.example/${HOOK}'\nid-column = '${OTHER}'\n";
    fs::write(host.path("kt.toml"), file).unwrap();
    let text = job(&host, "kubernetes", &["--config", "kt.toml", "--id-column", "$${OTHER}"]);
    for spelled in ["\"s3://${BUCKET}/$${kt}\"", "[\"az://${BUCKET}\", \"/replica-2\"]", "\"${ORG}\""] {
        assert!(text.contains(spelled), "{spelled}: {text}");
    }
    assert!(!text.contains("acme"), "{text}");
    let needed = environment(&text);
    let needed = needed.keys().filter(|name| !["AWS_", "AZURE_"].iter().any(|cloud| name.starts_with(cloud)));
    assert_eq!(needed.collect::<Vec<_>>(), ["BUCKET", "KT_ARCHIVE_NOTIFY", "ORG", "PGPASSWORD"]);

    fs::write(host.path("kt.toml"), "source = 'demo:'\nreplica = '${COPIES}'\n").unwrap();
    let text = job(&host, "kubernetes", &["--config", "kt.toml"]);
    assert!(text.contains("replica = [\"gs://a\", \"gs://b\"]") && !text.contains("COPIES"), "{text}");
}

#[test]
fn cloud_keys_are_optional_for_pods_with_an_identity() {
    let mut host = Host::new();
    let arguments = ["--source", "demo:", "--archive", "s3://b"];
    let text = job(&host, "kubernetes", &arguments);
    assert!(text.contains("serviceAccountName"), "{text}");
    let variables = environment(&text);
    assert_eq!(variables.len(), 2, "{text}");
    assert!(variables.values().all(|it| it["valueFrom"]["secretKeyRef"]["optional"] == true), "{text}");
    // The identity of this host is not that of the pod.
    host.set("AWS_ROLE_ARN", "arn:aws:iam::1:role/x");
    host.set("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token");
    let text = job(&host, "kubernetes", &arguments);
    assert!(environment(&text).is_empty() && !text.contains("/var/run/token"), "{text}");
    let unit = job(&host, "systemd", &arguments);
    assert!(unit.contains("/var/run/token") && unit.contains("arn:aws:iam"), "{unit}");
}

#[test]
fn final_exit_codes_are_not_retried() {
    let host = Host::new();
    let documents = documents(&job(&host, "kubernetes", SOURCES[0]));
    let rules = &documents.last().unwrap()["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"];
    assert_eq!(rules[1]["onExitCodes"]["values"], serde_json::json!([2, 4, 5, 9]));
}

#[test]
fn files_of_this_host_are_refused_as_a_source() {
    let host = Host::new();
    for kind in ["kubernetes", "github-actions"] {
        let refused = host.run(&["schedule", kind, "--source", "x/*.csv", "--archive", "s3://b"]).expect(2);
        assert!(refused.stderr.contains("hint: "), "{}", refused.stderr);
    }
}
