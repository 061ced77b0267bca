//! Settings of a database, and refusals before a connection.

use crate::support::cli::Host;
use serde_json::{Value, json};
use std::{fs, path::Path};

const SOURCE: &str = "postgres://archiver@db.internal/keeptrusts";
const TABLES: &str = "source = 'postgres://archiver@db.internal/keeptrusts'\n\
    [[dataset]]\nname = 'events'\n\
    [[dataset]]\nname = 'decisions'\ntable = 'ai.decisions'\ntime-column = 'at'\ncolumns = ['id', 'at']\n";

fn host(settings: &str) -> Host {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_CONFIG", "archive.toml");
    fs::write(host.path("archive.toml"), settings).unwrap();
    host
}

/// Message and hint of a refused run.
#[track_caller]
fn refusal(host: &Host, arguments: &[&str]) -> (String, String) {
    let document = host.run(&[&["run", "--month", "2025-03", "--json"], arguments].concat()).expect(2).json();
    let text = |key: &str| document["error"][key].as_str().unwrap_or_default().to_owned();
    (text("message"), text("hint"))
}

/// The value of a setting in `config show`.
#[track_caller]
fn shown(host: &Host, key: &str, arguments: &[&str]) -> Value {
    let document = host.run(&[&["config", "show", "--json"], arguments].concat()).expect(0).json();
    document["settings"].as_array().unwrap().iter().find(|it| it["key"] == key).unwrap()["value"].clone()
}

#[test]
fn password_in_the_url_is_refused_and_not_printed() {
    let urls = [
        "postgres://archiver:canary@db.internal/keeptrusts",
        "postgresql://archiver:ca?/#nary@db.internal/keeptrusts",
        "postgres://db.internal/keeptrusts?user=archiver&password=canary",
        "postgres://archiver@db.internal/keeptrusts?pass%77ord=canary",
    ];
    let commands = [&["run", "--month", "2025-03"][..], &["doctor"], &["config", "check"], &["config", "show"]];
    for url in urls {
        let mut host = host(&format!("source = \"{url}\"\n"));
        for command in commands {
            let check = |host: &Host, source: &[&str]| {
                for format in [&[][..], &["--json"], &["-v", "-v", "--log-format", "json"]] {
                    let outcome = host.run(&[command, source, format].concat()).expect(2);
                    assert!(!outcome.output().contains("nary"), "{command:?} {url}: {}", outcome.output());
                    let hint = outcome.output();
                    assert!(hint.contains("PGPASSWORD") && hint.contains(".pgpass"), "{command:?} {url}: {hint}");
                }
            };
            check(&host, &[]);
            check(&host, &["--source", url]);
        }
        host.set("KT_ARCHIVE_CONFIG", "");
        for variable in ["KT_ARCHIVE_SOURCE", "KEEPTRUSTS_API_URL"] {
            host.set(variable, url);
            let (message, hint) = refusal(&host, &[]);
            assert!(message.contains("password") && hint.contains("PGPASSWORD"), "{variable}: {message}; {hint}");
            assert!(!message.contains("nary") && !hint.contains("nary"), "{variable}: {message}; {hint}");
            host.set(variable, "");
        }
    }
}

#[test]
fn user_is_printed_and_password_of_the_environment_is_not() {
    let mut host = host("");
    host.set("PGPASSWORD", "canary");
    let url = format!("{SOURCE}?sslmode=require");
    assert_eq!(shown(&host, "source", &["--source", &url]), url);
    for command in [&["config", "show"][..], &["config", "check"]] {
        let outcome = host.run(&[command, &["--source", &url, "-v", "-v"]].concat()).expect(0);
        assert!(!outcome.output().contains("canary"), "{}", outcome.output());
        assert_eq!(outcome.stdout.contains("# PGPASSWORD is set\n"), command[1] == "show", "{}", outcome.stdout);
    }
}

#[test]
fn unknown_parameter_is_refused() {
    let url = format!("{SOURCE}?sslmod=require");
    let (message, hint) = refusal(&host(""), &["--source", &url]);
    assert!(message.contains("sslmod") && hint.contains("sslmode"), "{message}; {hint}");
}

#[test]
fn invalid_settings_are_refused_before_connecting() {
    let mut host = host("");
    host.set("KT_ARCHIVE_SOURCE", SOURCE);
    for (arguments, shown, to_do) in [
        (&["--connections", "0"][..], "0 connections", "--connections"),
        (&["--dataset", "events,decisions", "--table", "ai.decisions"], "one dataset", "[[dataset]]"),
        (&["--format", "parquet,artifact"], "artifacts", "--format"),
        (&["--source", "demo:", "--table", "x"], "--table", "postgres://"),
        (&["--source", "demo:", "--where-org", "x"], "--where-org", "postgres://"),
    ] {
        let (message, hint) = refusal(&host, arguments);
        assert!(message.contains(shown) && hint.contains(to_do), "{arguments:?}: {message}; {hint}");
    }
    for arguments in [&["--statement-timeout", "soon"][..], &["--lock-timeout", "5x"], &["--connections", "many"]] {
        assert!(refusal(&host, arguments).0.contains(arguments[1]), "{arguments:?}");
    }
    assert!(!host.path("archive").try_exists().unwrap(), "an archive was created");
}

#[test]
fn every_option_is_a_variable_and_a_configuration_key() {
    let options = [
        ("table", "ai.decisions", "x"),
        ("connections", "3", "5"),
        ("where-org", "acme", "x"),
        ("statement-timeout", "0s", "5m"),
        ("lock-timeout", "1m", "5m"),
    ];
    for (key, value, lower) in options {
        let file = host(&format!("source = '{SOURCE}'\n{key} = '{value}'\n"));
        assert_eq!(shown(&file, key, &[]), value);
        let mut variable = host(&format!("source = '{SOURCE}'\n{key} = '{lower}'\n"));
        variable.set(&format!("KT_ARCHIVE_{}", key.to_uppercase().replace('-', "_")), value);
        assert_eq!(shown(&variable, key, &[]), value);
    }
}

#[test]
fn mistake_in_a_dataset_table_is_found() {
    let mistakes = [
        ("[[dataset]]\nname = 'a'\nid-colum = 'x'", "line 4", "\"id-column\""),
        ("[[dataset]]\nname = 'a'\n\ngrace = '1h'", "line 5", "above the first [[dataset]]"),
        ("[[dataset]]\ntable = 'x'", "name", ""),
        ("[[dataset]]\nname = 'a'\n[[dataset]]\nname = 'a'\ntable = 'x'", "the name \"a\"", ""),
        ("[[dataset]]\nname = 'a'\ncolumns = []", "dataset a", ""),
        ("[[dataset]]\nname = 'a'\ntable = '${NO_SUCH}'", "NO_SUCH", "NO_SUCH"),
    ];
    for (tables, shown, to_do) in mistakes {
        let (message, hint) = refusal(&host(&format!("source = '{SOURCE}'\n{tables}\n")), &[]);
        assert!(message.contains(shown) && hint.contains(to_do), "{tables}: {message}; {hint}");
    }
    let (message, hint) = refusal(&host(TABLES), &["--source", "demo:"]);
    assert!(message.contains("dataset decisions") && hint.contains("postgres://"), "{message}; {hint}");
}

#[test]
fn selected_dataset_keeps_its_table_from_the_file() {
    let mut host = host(TABLES);
    let decisions = json!({"name": "decisions", "table": "ai.decisions", "time-column": "at", "columns": ["id", "at"]});
    assert_eq!(shown(&host, "dataset", &[]), json!([{"name": "events"}, decisions]));
    assert_eq!(shown(&host, "dataset", &["--dataset", "decisions"]), json!([decisions]));
    host.set("KT_ARCHIVE_DATASET", "decisions");
    let elsewhere = json!({"name": "decisions", "time-column": "at", "columns": ["id", "at"]});
    assert_eq!(shown(&host, "dataset", &["--table", "elsewhere"]), json!([elsewhere]));
    // The shown configuration parses to the same settings.
    let text = host.run(&["config", "show"]).expect(0).stdout;
    host.set("KT_ARCHIVE_DATASET", "");
    fs::write(host.path("archive.toml"), text).unwrap();
    assert_eq!(shown(&host, "dataset", &[]), json!([decisions]));
}

#[test]
fn reading_commands_accept_configured_datasets() {
    let host = host(&TABLES.replace("postgres://archiver@db.internal/keeptrusts", "demo:"));
    host.run(&["run", "--month", "2025-03", "--config", "/dev/null", "--source", "demo:?events=5"]).expect(0);
    let status = host.run(&["status", "--json"]).expect(0).json();
    let named = status["datasets"].as_array().unwrap().iter().map(|it| it["dataset"].clone());
    assert_eq!(named.collect::<Vec<_>>(), [json!("decisions"), json!("events")]);
}

#[test]
fn documented_configurations_pass_the_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = fs::read_to_string(root.join("examples/kt-archive.toml")).unwrap();
    let commented = example.split_once("# source = \"postgres").unwrap().1;
    let uncommented = commented.lines().map(|line| line.trim_start_matches('#').trim_start()).collect::<Vec<_>>();
    let page = fs::read_to_string(root.join("docs/sources.md")).unwrap();
    let page = page.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    for settings in [format!("source = \"postgres{}", uncommented.join("\n")), page.to_owned()] {
        let host = host(&settings);
        host.run(&["config", "check"]).expect(0);
        assert_eq!(shown(&host, "dataset", &[])[1]["columns"], json!(["id", "timestamp", "decision"]), "{settings}");
    }
}
