//! `config check`, `show` and `schema`.

use crate::support::{cli::Host, test_variable};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, process::Command};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/kt-archive.toml");

fn host(settings: &str) -> Host {
    let host = Host::new();
    fs::write(host.path("archive.toml"), settings).unwrap();
    host
}

/// Each key of `config show` with its value and origin.
#[track_caller]
fn shown(host: &Host, arguments: &[&str]) -> BTreeMap<String, (Value, String)> {
    let arguments = [&["config", "show", "--json", "--config", "archive.toml"], arguments].concat();
    let document = host.run(&arguments).expect(0).json();
    assert_eq!(document["command"], "config show");
    let settings = document["settings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    settings.map(|it| (text(&it["key"]), (it["value"].clone(), text(&it["from"])))).collect()
}

#[test]
fn example_configuration_passes_the_check() {
    let host = Host::new();
    let document = host.run(&["config", "check", "--config", EXAMPLE, "--json"]);
    let mut with_token = Host::new();
    with_token.set("KEEPTRUSTS_API_TOKEN", "t");
    with_token.run(&["config", "check", "--config", EXAMPLE]).expect(0);
    // Without a token, only that check fails.
    let document = document.expect(2).json();
    let checks = document["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["ok"] == false).map(|check| &check["name"]).collect::<Vec<_>>();
    assert_eq!(failed, [&json!("token")]);
}

#[test]
fn failed_check_has_a_hint() {
    let wrong = [
        ("archive = \"s3:bucket\"", "s3://bucket/prefix"),
        ("jobs = 0", "1 to 64"),
        ("datset = \"events\"", "\"dataset\""),
        ("archive = \"${NO_SUCH_VARIABLE}\"", "NO_SUCH_VARIABLE"),
        ("state-dir = \"archive.toml/state\"", "state"),
    ];
    for (settings, hint) in wrong {
        let host = host(&format!("source = \"demo:\"\n{settings}\n"));
        let document = host.run(&["config", "check", "--config", "archive.toml", "--json"]).expect(2).json();
        assert!(document["checks"].to_string().contains(hint.trim_matches('"')), "{settings}: {document}");
        assert_eq!(document["exit"], 2);
    }
    let host = host("source = \"demo:\"\n");
    let said = host.run(&["config", "check", "--config", "archive.toml"]).expect(0).stdout;
    assert!(said.lines().all(|line| line.starts_with("ok ")), "{said}");
}

#[test]
fn token_file_readable_by_others_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let mut host = host("source = \"https://api.example\"\n");
    let token = host.path("token");
    host.set("KEEPTRUSTS_API_TOKEN_FILE", token.display().to_string());
    let check = |host: &Host, code| {
        let document = host.run(&["config", "check", "--config", "archive.toml", "--json"]).expect(code).json();
        let checks = document["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["name"] == "token").unwrap()
    };
    assert_eq!(check(&host, 2)["ok"], false);
    fs::write(&token, "secret\n").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(check(&host, 2)["hint"].as_str().unwrap().contains("chmod 600"));
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(check(&host, 0)["hint"], Value::Null);
}

#[test]
fn settings_are_shown_with_their_origin() {
    let mut host = host("grace = \"3h\"\njobs = 2\nformat = [\"csv\", \"${OTHER}\"]\n");
    host.set("OTHER", "parquet");
    host.set("KT_ARCHIVE_JOBS", "3");
    host.set("KEEPTRUSTS_API_URL", "https://api.example");
    host.set("KEEPTRUSTS_API_TOKEN", "canary");
    let shown = shown(&host, &["--api-margin", "2h", "-q"]);
    let expect = |key: &str, value: Value, from: &str| assert_eq!(shown[key], (value, from.to_owned()), "{key}");
    expect("grace", json!("3h"), "file");
    expect("format", json!(["csv", "parquet"]), "file");
    expect("jobs", json!("3"), "KT_ARCHIVE_JOBS");
    expect("api-margin", json!("2h"), "flag");
    expect("quiet", json!(true), "flag");
    expect("source", json!("https://api.example"), "KEEPTRUSTS_API_URL");
    expect("job-timeout", json!("1h"), "default");
    expect("id-column", Value::Null, "default");
    let text = host.run(&["config", "show", "--config", "archive.toml"]).expect(0).stdout;
    assert!(text.contains("grace = \"3h\"  # file\n") && text.contains("# KEEPTRUSTS_API_TOKEN is set\n"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn shown_configuration_parses_to_the_same_settings() {
    let settings = "source = \"demo:?events=7\"\nid-column = \"$${ID} \\\"x\\\"\"\nexpect-head = \"4\"\n";
    let host = host(settings);
    let values = |shown: BTreeMap<String, (Value, String)>| {
        shown.into_iter().map(|(key, (value, _))| (key, value)).collect::<BTreeMap<_, _>>()
    };
    let first = values(shown(&host, &["--format", "csv,parquet", "-v", "--dataset", "events,traces"]));
    assert_eq!(first["id-column"], "${ID} \"x\"");
    let arguments = ["config", "show", "--config", "archive.toml", "--format", "csv,parquet", "-v"];
    let text = host.run(&[&arguments[..], &["--dataset", "events,traces"]].concat()).expect(0).stdout;
    fs::write(host.path("archive.toml"), text).unwrap();
    assert_eq!(values(shown(&host, &[])), first);
}

#[test]
fn schema_lists_exactly_the_known_keys() {
    let host = host("source = \"demo:\"\n");
    let text = host.run(&["config", "schema"]).expect(0).stdout;
    let schema = serde_json::from_str::<Value>(&text).unwrap();
    let known = schema["properties"].as_object().unwrap();
    assert_eq!(known.keys().collect::<Vec<_>>().len(), shown(&host, &[]).len());
    for (key, property) in known {
        assert!(shown(&host, &[]).contains_key(key), "{key}");
        assert!(!property["description"].as_str().unwrap().is_empty(), "{key}");
    }
    assert_eq!(host.run(&["config", "schema", "--json"]).expect(0).json()["schema"], schema);
}

/// An independent validator applies the schema.
#[test]
fn schema_and_program_reject_the_same_configurations() {
    let host = Host::new();
    fs::write(host.path("schema.json"), host.run(&["config", "schema"]).expect(0).stdout).unwrap();
    let good = [
        fs::read_to_string(EXAMPLE).unwrap(),
        "grace = '2h'\npart-size = '5MiB'\nformat = ['csv']\ndataset = 'events,traces'\nquiet = true\nlevel = 'quick'"
            .to_owned(),
        "format = 'parquet,csv'\nlevel = '${LEVEL}'\nverbose = 2".to_owned(),
        "source = 'postgres://u@db/x'\n[[dataset]]\nname = 'a'\ntable = 'b.c'\ncolumns = 'd,e'\n[[dataset]]\nname = 'f'"
            .to_owned(),
        "source = 'postgres://u@db/x'\ndataset = ['a', {name = 'b', id-column = 'c'}]\nconnections = 2".to_owned(),
    ];
    let bad = [
        "datset = 'events'",
        "level = 'fast'",
        "quiet = 1",
        "archive = 5",
        "jobs = -1",
        "part-size = 5",
        "format = ['xml']",
        "source = 'postgres://u@db/x'\n[[dataset]]\nname = 'a'\ntabel = 'b'",
        "source = 'postgres://u@db/x'\n[[dataset]]\ntable = 'a'",
        "source = 'postgres://u@db/x'\ndataset = [{name = 'a', columns = 5}]",
    ];
    for (settings, expected) in good.iter().map(|it| (it.as_str(), "valid")).chain(bad.map(|it| (it, "invalid"))) {
        let python = "import json, sys, tomllib, jsonschema\n\
                      schema = json.load(open(sys.argv[1]))\n\
                      jsonschema.Draft202012Validator.check_schema(schema)\n\
                      found = list(jsonschema.Draft202012Validator(schema).iter_errors(tomllib.loads(sys.argv[2])))\n\
                      print('invalid' if found else 'valid', file=sys.stdout)";
        let mut command = Command::new(test_variable("KT_TEST_PYTHON"));
        let output = command.args(["-c", python]).arg(host.path("schema.json")).arg(settings).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim(), expected, "{settings}\n{}", String::from_utf8_lossy(&output.stderr));
        let mut host = Host::new();
        host.set("LEVEL", "quick");
        host.set("KEEPTRUSTS_API_TOKEN", "t");
        host.set("KEEPTRUSTS_API_URL", "https://api.example");
        fs::write(host.path("archive.toml"), settings).unwrap();
        host.run(&["config", "check", "--config", "archive.toml"]).expect(if expected == "valid" { 0 } else { 2 });
    }
}
