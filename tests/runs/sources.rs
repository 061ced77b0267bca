//! A dataset goes on with the source that it began with.

use crate::support::{archive::Archive, cli::Host, events, script::Script, world::World};
use serde_json::json;
use std::fs;

const CSV: &str = "id,created_at\ne1,2025-02-03T00:00:00Z\n";

#[test]
fn invented_and_real_events_never_share_an_archive() {
    let world = World::new(Script::new(events::month("2025-03", 20)));
    world.run(&["run", "--month", "2025-02", "--source", "demo:?events=5"]).expect(0);
    for month in ["2025-02", "2025-03"] {
        for extra in [&[][..], &["--accept-source-change"], &["--dataset", "traces"]] {
            let outcome = world.run(&[&["run", "--month", month][..], extra].concat()).expect(2);
            assert!(outcome.stderr.contains("invented events"), "{}", outcome.stderr);
        }
    }
    let real = ["--archive", "real"];
    world.run(&[&["run", "--month", "2025-03"][..], &real].concat()).expect(0);
    world.run(&[&["run", "--month", "2025-03", "--source", "demo:"][..], &real].concat()).expect(2);
    assert_eq!(world.archive().months(), ["2025-02"]);
}

#[test]
fn invented_events_are_marked_wherever_they_are_shown() {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=40");
    host.set_time("2025-04-10 12:00:00");
    host.run(&["run", "--quiet"]).expect(0);
    assert!(host.run(&["status"]).expect(0).stdout.contains("source demo: (invented events)"));
    let status = host.run(&["status", "--json"]).expect(0).json();
    assert_eq!(status["datasets"][0]["sources"], json!([{"type": "demo", "url": "demo:", "invented": true}]));
    host.run(&["report", "--output", "page.html", "--quiet"]).expect(0);
    assert!(fs::read_to_string(host.path("page.html")).unwrap().contains("invented"));
    let invented = json!([{"type": "demo", "url": "demo:", "invented": true}]);
    for command in [
        &["run", "--json"][..],
        &["backfill", "--from", "2025-03", "--json"],
        &["replicate", "--replica", "replica", "--json"],
        &["pull", "--from", "2025-03", "--to", "2025-04", "--output", "json.csv", "--json"],
    ] {
        assert_eq!(host.run(command).expect(0).json()["sources"], invented, "{command:?}");
    }
    let pull = ["pull", "--from", "2025-03", "--to", "2025-04", "--format", "csv", "--output", "slice.csv"];
    assert!(host.run(&pull).expect(0).stdout.contains("invented"));
    let slice = fs::read_to_string(host.path("slice.csv.manifest.json")).unwrap();
    let slice = serde_json::from_str::<serde_json::Value>(&slice).unwrap();
    assert_eq!(slice["sources"], json!([{"type": "demo", "url": "demo:"}]));
}

#[test]
fn another_kind_of_source_needs_consent_which_the_manifest_records() {
    let world = World::new(Script::new(events::month("2025-03", 20)));
    fs::write(world.host.path("february.csv"), CSV).unwrap();
    world.run(&["run", "--month", "2025-02", "--source", "february.csv"]).expect(0);
    let doctor = world.run(&["doctor"]).expect(2);
    assert!(doctor.output().contains("--accept-source-change"), "{}", doctor.output());
    // Also where nothing would be read: `already` would hide that the server was never asked.
    for month in ["2025-02", "2025-03"] {
        let outcome = world.run(&["run", "--month", month]).expect(2);
        assert!(outcome.stderr.contains("--accept-source-change"), "{}", outcome.stderr);
    }
    world.run(&["run", "--month", "2025-03", "--accept-source-change", "--accept-schema-change"]).expect(0);
    let archive = world.archive();
    let change = json!({"type": "file", "url": "february.csv"});
    assert_eq!(archive.month("2025-03")["source"]["changed_from"], change);
    assert_eq!(archive.month("2025-02")["source"].get("changed_from"), None);
    world.run(&["run", "--month", "2025-03"]).expect(0);
}

#[test]
fn another_address_of_the_same_kind_is_a_warning() {
    let mut host = Host::new();
    host.set_time("2025-04-10 12:00:00");
    fs::create_dir(host.path("elsewhere")).unwrap();
    fs::write(host.path("february.csv"), CSV).unwrap();
    fs::write(host.path("elsewhere/march.csv"), CSV.replace("2025-02", "2025-03")).unwrap();
    host.run(&["run", "--month", "2025-02", "--source", "february.csv"]).expect(0);
    let outcome = host.run(&["run", "--month", "2025-03", "--source", "elsewhere/march.csv"]).expect(0);
    assert!(outcome.stderr.contains("another address"), "{}", outcome.stderr);
}

#[test]
fn unknown_datasets_are_refused_with_the_nearest_one() {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=5");
    host.set_time("2025-04-10 12:00:00");
    host.run(&["run", "--quiet"]).expect(0);
    for command in [
        &["run", "--dataset", "evnts"][..],
        &["backfill", "--from", "2025-01", "--to", "2025-02", "--dataset", "evnts"],
        &["status", "--dataset", "evnts"],
        &["report", "--dataset", "evnts", "--output", "page.html"],
        &["pull", "--dataset", "evnts", "--from", "2025-03", "--to", "2025-04", "--format", "csv", "--output", "x.csv"],
        &["restore", "--dataset", "evnts", "--month", "2025-03", "--into", "postgres://u@127.0.0.1:9/x"],
    ] {
        let outcome = host.run(command).expect(2);
        assert!(outcome.stderr.contains("did you mean") && outcome.stderr.contains("events"), "{}", outcome.stderr);
    }
    assert_eq!(Archive::at(host.path("archive")).months(), ["2025-03"]);
}

#[test]
fn a_misspelt_dataset_of_files_begins_only_where_it_is_meant() {
    let mut host = Host::new();
    host.set_time("2025-04-10 12:00:00");
    fs::write(host.path("february.csv"), CSV).unwrap();
    host.set("KT_ARCHIVE_SOURCE", "february.csv");
    host.run(&["run", "--month", "2025-02"]).expect(0);
    for command in [
        &["run", "--month", "2025-02", "--dataset", "evnets"][..],
        &["backfill", "--from", "2025-02", "--to", "2025-02", "--dataset", "evnets", "--dry-run"],
        &["doctor", "--dataset", "evnets"],
    ] {
        let outcome = host.run(command).expect(2);
        let hint = "did you mean --dataset events? a new dataset evnets begins with --new-dataset";
        assert!(
            outcome.output().split_whitespace().collect::<Vec<_>>().join(" ").contains(hint),
            "{}",
            outcome.output()
        );
    }
    assert_eq!(Archive::at(host.path("archive")).months(), ["2025-02"]);
    host.run(&["run", "--month", "2025-02", "--dataset", "evnets", "--new-dataset"]).expect(0);
    host.run(&["run", "--month", "2025-02", "--dataset", "evnets"]).expect(0);
    host.run(&["run", "--month", "2025-02", "--dataset", "decisions"]).expect(0);
}

#[test]
fn an_archive_inside_an_archive_is_refused() {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=5");
    host.set_time("2025-04-10 12:00:00");
    host.run(&["run", "--archive", "outer/archive", "--quiet"]).expect(0);
    for place in ["outer/archive/inner", "outer/archive/events/parquet", "outer"] {
        let outcome = host.run(&["run", "--archive", place]).expect(2);
        assert!(outcome.stderr.contains("another archive"), "{}", outcome.stderr);
    }
    host.run(&["run", "--archive", "outer/other", "--quiet"]).expect(0);
    host.run(&["run", "--archive", "outer/archive", "--quiet"]).expect(0);
}
