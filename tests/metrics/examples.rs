//! The alert rules and the dashboard of `examples/` use existing metrics, and work.

use super::{metrics, promtool, watched};
use crate::support::{events, postgres::Database, script::Script, test_variable, world::World};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(example(name)).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&text("grafana/kt-archive.json")).unwrap()
}

/// All names `kt_archive_…` in a text.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |part: char| part.is_ascii_alphanumeric() || part == '_';
    let words = text.split(|part| !is_part(part)).filter(|word| word.starts_with("kt_archive_"));
    words.map(str::to_owned).collect()
}

/// All metrics: those of a run with a replica and a platform retention.
fn written() -> BTreeSet<String> {
    let mut world = World::new(Script::new(events::month("2025-03", 4)));
    let file = watched(&mut world);
    world.host.set("KT_ARCHIVE_REPLICA", world.host.path("replica").display().to_string());
    world.host.set("KT_ARCHIVE_PLATFORM_RETENTION", "365d");
    world.archive_month("2025-03").expect(0);
    world.run(&["verify", "--quiet"]).expect(0);
    world.archive_month("2025-03").expect(0);
    let mut written =
        metrics(&file).names().into_iter().map(|name| format!("kt_archive_{name}")).collect::<BTreeSet<_>>();
    let database = Database::new();
    world.host.set("KT_ARCHIVE_BACKUPS", world.host.path("backups").display().to_string());
    world.host.set("KT_ARCHIVE_PG_BIN", test_variable("KT_TEST_POSTGRES_BIN"));
    world.run(&["backup", "database", "--from", &database.url(), "--quiet"]).expect(0);
    world.run(&["backup", "drill", "--quiet"]).expect(0);
    // A run keeps the metrics of backups.
    world.archive_month("2025-03").expect(0);
    let samples = fs::read_to_string(&file).unwrap();
    let names = samples.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('{').next());
    written.extend(names.map(str::to_owned));
    assert!(written.contains("kt_archive_backup_restore_seconds"), "{written:?}");
    written
}

#[test]
fn examples_and_docs_name_exactly_the_written_metrics() {
    let (rules, tests, shown) =
        (text("prometheus/alerts.yml"), text("prometheus/alerts_test.yml"), text("grafana/kt-archive.json"));
    let written = written();
    let missing = named(&[rules.as_str(), &tests, &shown].concat());
    assert_eq!(missing.difference(&written).collect::<Vec<_>>(), [] as [&String; 0], "not written");
    assert_eq!(written.difference(&named(&shown)).collect::<Vec<_>>(), [] as [&String; 0], "not on the dashboard");
    let page = include_str!("../../docs/monitoring.md");
    let is_documented = |name: &&String| page.contains(&format!("`{}`", name.strip_prefix("kt_archive_").unwrap()));
    assert_eq!(
        written.iter().filter(|name| !is_documented(name)).collect::<Vec<_>>(),
        [] as [&String; 0],
        "not in docs/monitoring.md"
    );
}

#[test]
fn alert_rules_are_valid_and_fire() {
    let rules = example("prometheus/alerts.yml");
    assert_eq!(promtool(&["check", "rules", rules.to_str().unwrap()], ""), "");
    let tests = example("prometheus/alerts_test.yml");
    assert_eq!(promtool(&["test", "rules", tests.to_str().unwrap()], ""), "");
}

#[test]
fn every_alert_has_a_test_a_severity_and_a_runbook() {
    let (rules, tests) = (text("prometheus/alerts.yml"), text("prometheus/alerts_test.yml"));
    let alerts = rules.split("- alert: ").skip(1).collect::<Vec<_>>();
    assert!(alerts.len() > 10, "{} alerts", alerts.len());
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        for part in ["expr: ", "severity: ", "summary: ", "description: ", "runbook: docs/operations.md"] {
            assert_eq!(alert.matches(part).count(), 1, "{part} of {name}");
        }
        assert!(tests.contains(name), "no test of {name}");
    }
}

#[test]
fn dashboard_queries_are_valid() {
    let dashboard = dashboard();
    let targets = panels(&dashboard).flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries = targets.map(|target| target["expr"].as_str().unwrap().replace("$archive", ".*"));
    let rules = queries.map(|query| serde_json::json!({"record": "query", "expr": query})).collect::<Vec<_>>();
    assert!(rules.len() > 20, "{} queries", rules.len());
    // JSON is YAML. Rules with one name need labels that differ.
    let rules = rules.into_iter().enumerate().map(|(number, mut rule)| {
        rule["labels"] = serde_json::json!({"number": number.to_string()});
        rule
    });
    let file = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules.collect::<Vec<_>>()}]});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dashboard.yml");
    fs::write(&path, file.to_string()).unwrap();
    assert_eq!(promtool(&["check", "rules", path.to_str().unwrap()], ""), "");
}

/// Grafana imports it unchanged: its one data source is a variable.
#[test]
fn dashboard_is_consistent_and_its_data_source_is_a_variable() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let variables = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(variables, ["datasource", "archive"]);
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
    let source = serde_json::json!({"type": "prometheus", "uid": "${datasource}"});
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title} shares its id");
        assert!(panel["description"].as_str().unwrap().ends_with('.'), "{title} has no description");
        assert_eq!(panel["datasource"], source, "{title}");
        let mut references = BTreeSet::new();
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], source, "{title}");
            assert!(target["expr"].as_str().unwrap().contains(r#"{archive=~"$archive"}"#), "{title}");
            assert!(references.insert(target["refId"].as_str().unwrap()), "{title} repeats a refId");
        }
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{title} is too wide");
        let mut covered = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
        assert!(covered.all(|cell| cells.insert(cell)), "{title} overlaps another panel");
    }
}

fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter()
}
