//! No job holds a secret, wherever the secret was.

use super::KINDS;
use crate::support::cli::Host;
use std::fs;

const SOURCES: [&str; 3] = ["https://api.example", "postgres://u@db/x", "demo:"];

/// A host with a secret everywhere that a secret can be.
fn host() -> Host {
    let mut host = Host::new();
    for name in [
        "KEEPTRUSTS_API_TOKEN",
        "API_TOKEN",
        "PGPASSWORD",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "DATABASE_USER",
    ] {
        host.set(name, "canary");
    }
    host.set("KT_ARCHIVE_NOTIFY", "https://hooks.example/canary");
    host.set("AWS_ENDPOINT", "https://minio.example/?key=canary");
    host
}

#[test]
fn no_job_holds_a_secret() {
    let host = host();
    for kind in KINDS {
        for source in SOURCES {
            let places = ["--archive", "s3://bucket/x", "--replica", "gs://b,az://c"];
            for output in [&[][..], &["--json"]] {
                let arguments = [&["schedule", kind, "--source", source], &places[..], output].concat();
                let outcome = host.run(&arguments).expect(0);
                assert!(!outcome.output().contains("canary"), "{}", outcome.output());
                assert!(outcome.stdout.contains("AWS_SECRET_ACCESS_KEY"), "{}", outcome.stdout);
                assert!(outcome.stdout.contains("KT_ARCHIVE_NOTIFY"), "{}", outcome.stdout);
            }
        }
    }
}

#[test]
fn an_address_that_was_typed_is_not_repeated() {
    let host = Host::new();
    for kind in KINDS {
        let arguments = ["--source", "demo:", "--archive", "s3://b", "--notify", "https://hooks.example/canary"];
        let outcome = host.run(&[&["schedule", kind], &arguments[..]].concat()).expect(0);
        assert!(
            !outcome.output().contains("canary") && outcome.stdout.contains("KT_ARCHIVE_NOTIFY"),
            "{}",
            outcome.stdout
        );
    }
}

#[test]
fn what_a_variable_holds_stays_in_the_variable() {
    let host = host();
    let file = "source = 'postgres://${DATABASE_USER}@db/x'\nwhere-org = '${DATABASE_USER}'\narchive = 's3://b'\n\
                notify = 'https://hooks.example/${DATABASE_USER}'\n";
    fs::write(host.path("kt.toml"), file).unwrap();
    for kind in KINDS {
        let outcome = host.run(&["schedule", kind, "--config", "kt.toml"]).expect(0);
        assert!(!outcome.output().contains("canary"), "{}", outcome.output());
        assert!(outcome.stdout.contains("DATABASE_USER"), "{}", outcome.stdout);
    }
}

#[test]
fn files_that_hold_secrets_are_named() {
    let mut host = Host::new();
    host.set("KEEPTRUSTS_API_TOKEN_FILE", "secrets/token");
    for kind in ["cron", "systemd", "airflow"] {
        let outcome = host.run(&["schedule", kind, "--source", "https://api.example"]).expect(0);
        let path = host.path("secrets/token").display().to_string();
        assert!(outcome.stdout.contains(&path), "{}", outcome.stdout);
    }
}
