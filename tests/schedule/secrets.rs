//! Jobs hold no secret, from any input.

use super::KINDS;
use crate::support::cli::Host;
use std::fs;

const SOURCES: [&str; 3] = ["https://api.example", "postgres://u@db/x", "demo:"];

/// A host with a secret in every variable that can hold one.
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
    host.set("HTTPS_PROXY", "http://ada:canary@proxy.example:3128");
    host.set("https_proxy", "ada:canary@proxy.example:3128");
    host.set("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary");
    host
}

#[test]
fn jobs_hold_no_secret_of_the_environment() {
    let host = host();
    for kind in KINDS {
        for source in SOURCES {
            let places = ["--archive", "s3://bucket/x", "--replica", "gs://b,az://c"];
            for output in [&[][..], &["--json"]] {
                let arguments = [&["schedule", kind, "--source", source], &places[..], output].concat();
                let outcome = host.run(&arguments).expect(0);
                assert!(!outcome.output().contains("canary"), "{}", outcome.output());
                for name in ["AWS_SECRET_ACCESS_KEY", "KT_ARCHIVE_NOTIFY", "HTTPS_PROXY", "OTEL_EXPORTER_OTLP_HEADERS"]
                {
                    assert!(outcome.stdout.contains(name), "{name}: {}", outcome.stdout);
                }
            }
        }
    }
}

#[test]
fn typed_receivers_are_not_printed() {
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
fn variables_of_the_file_are_not_expanded() {
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
fn paths_of_secret_files_are_printed() {
    let mut host = Host::new();
    host.set("KEEPTRUSTS_API_TOKEN_FILE", "secrets/token");
    for kind in ["cron", "systemd", "airflow"] {
        let outcome = host.run(&["schedule", kind, "--source", "https://api.example"]).expect(0);
        let path = host.path("secrets/token").display().to_string();
        assert!(outcome.stdout.contains(&path), "{}", outcome.stdout);
    }
}

#[test]
fn secrets_in_the_configuration_file_are_not_printed() {
    let mut host = Host::new();
    let file = host.path("kt.toml");
    fs::write(&file, "source = 'demo:'\narchive = 's3://b'\nnotify = 'https://hooks.example/canary'\n").unwrap();
    for kind in KINDS {
        let outcome = host.run(&["schedule", kind, "--config", "kt.toml"]).expect(0);
        assert!(!outcome.output().contains("canary"), "{}", outcome.output());
        // A job without the file needs its receivers as a secret.
        let is_elsewhere = ["kubernetes", "github-actions"].contains(&kind);
        assert_eq!(
            outcome.stdout.contains("{name: kt-archive, key: KT_ARCHIVE_NOTIFY}")
                || outcome.stdout.contains("secrets.KT_ARCHIVE_NOTIFY"),
            is_elsewhere,
            "{}",
            outcome.stdout
        );
    }
    fs::write(&file, "source = 'postgres://u:canary@db/x'\narchive = 's3://b'\n").unwrap();
    for kind in KINDS {
        let refused = host.run(&["schedule", kind, "--config", "kt.toml"]).expect(2);
        assert!(refused.stdout.is_empty() && !refused.stderr.contains("canary"), "{}", refused.output());
    }
    host.set("KEEPTRUSTS_API_URL", "https://u:canary@api.example");
    for kind in KINDS {
        let refused = host.run(&["schedule", kind, "--archive", "s3://b"]).expect(2);
        assert!(refused.stdout.is_empty() && !refused.stderr.contains("canary"), "{}", refused.output());
    }
}

#[test]
fn proxies_certificates_and_telemetry_are_passed() {
    let mut host = Host::new();
    host.set("HTTPS_PROXY", "http://proxy.example:3128");
    host.set("no_proxy", "localhost,.example");
    host.set("SSL_CERT_FILE", "own-ca.pem");
    host.set("SSL_CERT_DIR", "/etc/ssl/certs:more");
    host.set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318");
    let (file, folder) = (host.path("own-ca.pem").display().to_string(), host.path("more").display().to_string());
    for kind in KINDS {
        let text = host.run(&["schedule", kind, "--source", "demo:", "--archive", "s3://b"]).expect(0).stdout;
        for value in [
            "http://proxy.example:3128",
            "localhost,.example",
            &file,
            &format!("/etc/ssl/certs:{folder}"),
            "http://collector.example:4318",
        ] {
            assert!(text.contains(value), "{kind}, {value}: {text}");
        }
    }
}
