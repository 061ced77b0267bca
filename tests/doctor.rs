//! `doctor` exits like the run that it checks, and leaves nothing behind.

use crate::support::{
    cli::{Host, Outcome},
    events,
    http::Reply,
    s3::BucketPrefix,
    script::{Endpoint, Layout, Script, ServerClock},
    together,
    world::World,
};
use chrono::TimeDelta;
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

fn world(script: Script) -> World {
    World::new(script)
}

fn healthy() -> Script {
    Script::new(events::month("2025-03", 20))
}

/// Runs `doctor`, which must leave the host unchanged and create no job.
#[track_caller]
fn examine(world: &World, code: i32) -> Outcome {
    let before = tree(&world.host.path(""));
    let outcome = world.run(&["doctor", "--json"]).expect(code);
    let mut after = tree(&world.host.path(""));
    after.retain(|path, _| !path.contains("output-"));
    assert_eq!(after, without_outputs(before));
    assert_eq!(world.platform.jobs(), 0);
    outcome
}

fn without_outputs(mut tree: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    tree.retain(|path, _| !path.contains("output-"));
    tree
}

/// Every file and folder, and the sizes of the files.
fn tree(folder: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let size = if path.is_dir() { 0 } else { fs::metadata(&path).unwrap().len() };
        if path.is_dir() {
            found.extend(tree(&path));
        }
        found.insert(path.display().to_string(), size);
    }
    found
}

#[track_caller]
fn check(outcome: &Outcome, name: &str) -> Value {
    let document = outcome.json();
    let checks = document["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no check {name}: {document}")).clone()
}

#[track_caller]
fn failed(outcome: &Outcome) -> Vec<String> {
    let document = outcome.json();
    let failed = document["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false);
    failed.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_check_passes_where_a_run_works() {
    let world = world(healthy());
    let outcome = examine(&world, 0);
    assert_eq!(failed(&outcome), [] as [String; 0]);
    for check in outcome.json()["checks"].as_array().unwrap() {
        let keys = check.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(keys, ["name", "ok", "message", "hint"]);
    }
    world.archive_month("2025-03").expect(0);
    world.archive().check();
}

#[test]
fn archive_is_recognised_and_left_unchanged() {
    let world = world(healthy());
    world.archive_month("2025-03").expect(0);
    let snapshot = world.archive().snapshot();
    let outcome = world.run(&["doctor", "--json"]).expect(0);
    let message = check(&outcome, "archive")["message"].as_str().unwrap().to_owned();
    let identity = fs::read_to_string(world.archive().path("archive.json")).unwrap();
    let identity = serde_json::from_str::<Value>(&identity).unwrap();
    assert!(message.contains(identity["archive"].as_str().unwrap()) && message.contains("head 1:"), "{message}");
    assert_eq!(world.archive().snapshot(), snapshot);
    world.archive().check();
}

#[test]
fn broken_chain_exits_with_4() {
    let world = world(healthy());
    world.archive_month("2025-03").expect(0);
    fs::remove_file(world.archive().path("manifests/00000001.json")).unwrap();
    assert_eq!(failed(&world.run(&["doctor", "--json"]).expect(4)), ["archive"]);
}

#[test]
fn refused_token_exits_with_9() {
    together([401, 403], |status| {
        let world = world(healthy().always(Endpoint::List, Reply::new(status, "")));
        let outcome = examine(&world, 9);
        assert_eq!(failed(&outcome), ["source"]);
        assert!(check(&outcome, "source")["hint"].as_str().unwrap().contains("token"));
    });
}

#[test]
fn missing_token_exits_like_a_run() {
    let mut world = world(healthy());
    world.host.set("KEEPTRUSTS_API_TOKEN", "");
    let outcome = examine(&world, world.archive_month("2025-03").code.unwrap());
    assert_eq!(failed(&outcome), ["token"]);
    assert!(check(&outcome, "token")["hint"].as_str().unwrap().contains("KEEPTRUSTS_API_TOKEN"));
}

#[test]
fn endpoint_layout_found_is_reported() {
    let mut other = world(healthy().layouts(&[Layout::Jobs]));
    let outcome = examine(&other, 6);
    let source = check(&outcome, "source");
    assert!(source["message"].as_str().unwrap().contains("GET /v1/exports: 404, GET /v1/exports/jobs: 200"));
    assert!(source["hint"].as_str().unwrap().contains("--api-layout exports-jobs"));
    for layout in ["exports-jobs", "auto"] {
        other.host.set("KT_ARCHIVE_API_LAYOUT", layout);
        let outcome = examine(&other, 0);
        let message = check(&outcome, "source")["message"].as_str().unwrap().to_owned();
        assert!(message.ends_with("a run uses /v1/exports/jobs"), "{message}");
    }
    let neither = world(healthy().layouts(&[]));
    assert_eq!(failed(&examine(&neither, 6)), ["source"]);
}

#[test]
fn endpoint_without_a_list_passes() {
    let world = world(healthy().always(Endpoint::List, Reply::new(405, "")));
    examine(&world, 0);
    world.archive_month("2025-03").expect(0);
}

#[test]
fn clock_skew_exits_with_75_like_a_run() {
    for minutes in [-7, 7] {
        let world = world(healthy().clock(ServerClock::Moved(TimeDelta::minutes(minutes))));
        assert_eq!(failed(&examine(&world, 75)), ["source: clock"]);
        world.archive_month("2025-03").expect(75);
    }
    examine(&world(healthy().clock(ServerClock::Silent)), 0);
}

#[test]
fn unreachable_server_exits_with_6() {
    let mut world = world(healthy());
    // No server listens on port 9 of the loopback interface.
    world.host.set("KT_ARCHIVE_SOURCE", "http://127.0.0.1:9");
    assert_eq!(failed(&examine(&world, 6)), ["source"]);
}

#[test]
fn invalid_settings_fail_a_check() {
    let mut host = Host::new();
    assert_eq!(failed(&host.run(&["doctor", "--json"]).expect(2)), ["source"]);
    host.set("KT_ARCHIVE_JOBS", "many");
    assert_eq!(failed(&host.run(&["doctor", "--json"]).expect(2)), ["settings"]);
}

#[test]
fn unwritable_folders_exit_like_a_run() {
    // Not even root can write to /proc.
    for (variable, name, code) in
        [("KT_ARCHIVE_ARCHIVE", "archive: write", 7), ("KT_ARCHIVE_STATE_DIR", "state folder", 1)]
    {
        let mut world = world(healthy());
        world.host.set(variable, "/proc/kt-archive");
        let outcome = world.run(&["doctor", "--json"]).expect(code);
        assert_eq!(failed(&outcome).first().map(String::as_str), Some(name));
        world.archive_month("2025-03").expect(code);
    }
}

#[test]
fn worst_of_several_failures_decides_the_exit_code() {
    let mut world = world(healthy().always(Endpoint::List, Reply::new(401, "")));
    world.host.set("KT_ARCHIVE_ARCHIVE", "/proc/kt-archive");
    let document = examine(&world, 9).json();
    assert!(document["error"]["message"].as_str().unwrap().contains("source, archive: write"), "{document}");
}

#[test]
fn text_fits_80_columns() {
    let mut world = world(healthy().always(Endpoint::List, Reply::new(401, "")));
    world.host.set("KT_ARCHIVE_ARCHIVE", "archive");
    let outcome = world.run(&["doctor"]).expect(9);
    for line in outcome.stdout.lines() {
        assert!(line.starts_with("ok      ") || line.starts_with("FAILED  ") || line.starts_with("        "), "{line}");
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(outcome.stdout.contains("\n        hint: "), "{}", outcome.stdout);
}

#[test]
fn buckets_are_left_unchanged() {
    together(
        [BucketPrefix::plain("doctor"), BucketPrefix::locked("doctor"), BucketPrefix::versioned("doctor")],
        |place| {
            let mut world = world(healthy());
            BucketPrefix::admit(&mut world.host);
            world.host.set("KT_ARCHIVE_ARCHIVE", place.url());
            examine(&world, 0);
            assert_eq!(place.versions(), 0, "{place:?}");
            world.archive_month("2025-03").expect(0);
            let versions = place.versions();
            assert!(versions > 0);
            examine_again(&world);
            assert_eq!(place.versions(), versions, "{place:?}");
        },
    );
}

fn examine_again(world: &World) {
    assert_eq!(failed(&world.run(&["doctor", "--json"]).expect(0)), [] as [String; 0]);
}

#[test]
fn each_ability_of_a_bucket_is_checked() {
    let examined = |place: &BucketPrefix| {
        let mut world = world(healthy());
        BucketPrefix::admit(&mut world.host);
        world.host.set("KT_ARCHIVE_ARCHIVE", place.url());
        examine(&world, 0)
    };
    for place in [BucketPrefix::plain("trial"), BucketPrefix::versioned("trial")] {
        let outcome = examined(&place);
        for name in ["write", "put-if-absent", "checksum", "list", "read back", "delete"] {
            assert_eq!(check(&outcome, &format!("archive: {name}"))["ok"], true);
        }
        let checksum = check(&outcome, "archive: checksum");
        assert!(checksum["message"].as_str().unwrap().contains("refused"), "{checksum}");
    }
    let outcome = examined(&BucketPrefix::locked("trial"));
    let lock = check(&outcome, "archive: object lock");
    assert!(lock["message"].as_str().unwrap().contains("locked (COMPLIANCE, days: 1)"), "{lock}");
}

#[test]
fn wrong_bucket_key_exits_with_9() {
    let place = BucketPrefix::plain("refused");
    let mut world = world(healthy());
    BucketPrefix::admit(&mut world.host);
    world.host.set("KT_ARCHIVE_ARCHIVE", place.url());
    world.host.set("AWS_SECRET_ACCESS_KEY", "not-the-key");
    assert_eq!(failed(&examine(&world, 9)), ["archive"]);
}

#[test]
fn failed_replica_exits_with_3_like_a_run() {
    let mut world = world(healthy());
    world.archive_month("2025-03").expect(0);
    let good = world.host.path("replica").display().to_string();
    let examined = |world: &World, code| {
        let outcome = world.run(&["doctor", "--json"]).expect(code);
        failed(&outcome)
    };
    world.host.set("KT_ARCHIVE_REPLICA", good.as_str());
    assert_eq!(examined(&world, 0), [] as [String; 0]);
    world.archive_month("2025-03").expect(0);
    assert_eq!(examined(&world, 0), [] as [String; 0]);
    let archive = world.archive().root().display().to_string();
    for (replica, part) in [("/proc/kt-archive", ": write"), (archive.as_str(), "")] {
        world.host.set("KT_ARCHIVE_REPLICA", format!("{good},{replica}"));
        assert_eq!(examined(&world, 3), [format!("replica {replica}{part}")]);
        world.archive_month("2025-03").expect(3);
    }
    // A replica without archive.json, which a run restores.
    world.host.set("KT_ARCHIVE_REPLICA", good.as_str());
    fs::remove_file(Path::new(&good).join("archive.json")).unwrap();
    assert_eq!(examined(&world, 0), [] as [String; 0]);
    world.archive_month("2025-03").expect(0);
    // A replica of another archive, alone and with a failure of the archive itself.
    let other = crate::support::archive::Archive::at(world.host.path("other"));
    world.host.set("KT_ARCHIVE_REPLICA", "");
    world.host.run(&["run", "--source", "demo:?events=1", "--archive", "other"]).expect(0);
    world.host.set("KT_ARCHIVE_REPLICA", other.root().display().to_string());
    assert_eq!(examined(&world, 3), [format!("replica {}", other.root().display())]);
    world.host.set("KT_ARCHIVE_ARCHIVE", world.host.path("not-yet").display().to_string());
    assert_eq!(examined(&world, 3), [format!("replica {}", other.root().display())]);
    world.host.set("KT_ARCHIVE_ARCHIVE", archive);
    world.platform.behave(|script| script.always(Endpoint::List, Reply::new(401, "")));
    assert_eq!(examined(&world, 9).len(), 2);
}
