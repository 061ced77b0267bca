//! Metrics of failed runs, and metrics files that cannot be written.

use super::{metrics, watched};
use crate::support::{
    events,
    http::Reply,
    script::{Endpoint, Script},
    together,
    world::World,
};
use serde_json::json;
use std::{fs, path::PathBuf};

const MONTH: &str = "2025-03";

fn world() -> (World, PathBuf) {
    let mut world =
        World::new(Script::new(["2025-02", MONTH].iter().flat_map(|month| events::month(month, 40)).collect()));
    let file = watched(&mut world);
    (world, file)
}

#[test]
fn failures_keep_the_last_success() {
    let (world, file) = world();
    world.archive_month("2025-02").expect(0);
    let good = metrics(&file);
    world.platform.behave(|script| script.always(Endpoint::Create, Reply::json(401, &json!({}))));
    for _ in 0..2 {
        world.archive_month(MONTH).expect(9);
        let failed = metrics(&file);
        failed.assert(&[("last_attempt_exit_code", "9")]);
        failed.assert(&[("run_months_failed{dataset=\"events\"}", "1")]);
        for same in ["last_success_timestamp_seconds", "head_sequence", "events{dataset=\"events\"}"] {
            assert_eq!(failed.get(same), good.get(same), "{same}");
        }
    }
}

#[test]
fn failed_first_run_has_no_metrics_of_an_archive() {
    let (mut world, file) = world();
    world.host.set("KEEPTRUSTS_API_TOKEN", "");
    world.archive_month(MONTH).expect(2);
    let found = metrics(&file);
    found.assert(&[("last_attempt_exit_code", "2")]);
    let names = found.names();
    for absent in ["last_success_timestamp_seconds", "head_sequence", "months_archived", "run_months_archived"] {
        assert!(!names.contains(absent), "{absent}");
    }
}

#[test]
fn retries_are_counted_at_any_log_level() {
    let cases = [(Endpoint::Create, &["--quiet"][..]), (Endpoint::Status, &[]), (Endpoint::Download, &["-v", "-v"])];
    together(cases, |(endpoint, arguments)| {
        let (world, file) = world();
        world.platform.behave(|script| script.answer(endpoint, 2, &Reply::json(503, &json!({}))));
        world.run(&[&["run", "--month", MONTH], arguments].concat()).expect(0);
        let found = metrics(&file);
        found.assert(&[("run_retries{server=\"source\"}", "2")]);
        found.assert(&[("run_retries{server=\"store\"}", "0")]);
    });
}

#[test]
fn unreachable_store_has_retries_and_no_metrics_of_the_archive() {
    let (mut world, file) = world();
    world.host.set("KT_ARCHIVE_ARCHIVE", "s3://nowhere/archive");
    world.host.set("AWS_ENDPOINT", "http://127.0.0.1:9");
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        world.host.set(name, "canary");
    }
    world.archive_month(MONTH).expect(7);
    let found = metrics(&file);
    found.assert(&[("last_attempt_exit_code", "7")]);
    assert!(found.number("run_retries{server=\"store\"}") > 0.0, "{found:#?}");
    assert!(!found.names().contains("head_sequence"));
    assert!(!fs::read_to_string(&file).unwrap().contains("canary"));
}

#[test]
fn unreachable_replica_is_not_usable() {
    let (mut world, file) = world();
    let replica = world.host.path("replica");
    fs::write(&replica, "a file, where a folder should be").unwrap();
    world.host.set("KT_ARCHIVE_REPLICA", replica.display().to_string());
    world.archive_month(MONTH).expect(3);
    let found = metrics(&file);
    found.assert(&[(&format!("replica_usable{{replica=\"{}\"}}", replica.display()), "0")]);
    assert!(!found.names().contains("replica_behind_manifests"));
}

#[test]
fn empty_or_damaged_metrics_file_is_replaced() {
    let cut = "# HELP kt_archive_info x.\n# TYPE kt_archive_info gauge\nkt_archive_info{archive=\"a\",ver";
    together([&b""[..], cut.as_bytes()], |damage| {
        let (world, file) = world();
        fs::write(&file, damage).unwrap();
        world.archive_month("2025-01").expect(5);
        let found = metrics(&file);
        found.assert(&[("last_attempt_exit_code", "5")]);
        assert!(!found.names().contains("last_success_timestamp_seconds"), "{found:#?}");
    });
}

#[test]
fn foreign_file_is_not_replaced() {
    let others = "# HELP node_load1 1m load average.\n# TYPE node_load1 gauge\nnode_load1 0.3\n";
    together([&b"a token"[..], b"\0\0\0\0", b"\xff\xfe binary", others.as_bytes()], |other| {
        let (world, file) = world();
        fs::write(&file, other).unwrap();
        let outcome = world.archive_month(MONTH).expect(0);
        assert!(outcome.stderr.contains("was not written by kt-archive"), "{}", outcome.stderr);
        assert_eq!(fs::read(&file).unwrap(), other);
    });
    let (world, file) = world();
    let target = world.host.path("target");
    fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, &file).unwrap();
    world.archive_month(MONTH).expect(0);
    assert!(file.is_symlink() && fs::read(&target).unwrap().is_empty());
}

#[test]
fn metrics_file_inside_an_archive_or_replica_is_refused() {
    let (mut world, _) = world();
    world.host.set("KT_ARCHIVE_REPLICA", world.host.path("replica").display().to_string());
    world.archive_month("2025-01").expect(5);
    world.archive_month(MONTH).expect(0);
    let before = world.archive().snapshot();
    for place in ["archive/archive.json", "archive/new.prom", "replica/manifests/kt-archive.prom"] {
        world.host.set("KT_ARCHIVE_METRICS_FILE", world.host.path(place).display().to_string());
        let outcome = world.archive_month(MONTH).expect(0);
        assert!(outcome.stderr.contains("is inside the archive or a replica"), "{place}: {}", outcome.stderr);
    }
    assert_eq!(world.archive().snapshot(), before);
    assert_eq!(crate::support::archive::Archive::at(world.host.path("replica")).snapshot(), before);
}

#[test]
fn unwritable_metrics_file_is_only_a_warning() {
    let places = [
        ("", "not a regular file"),
        ("missing/kt-archive.prom", "No such file"),
        ("file/kt-archive.prom", "Not a directory"),
    ];
    together(places, |(place, reason)| {
        let (mut world, _) = world();
        fs::write(world.host.path("file"), "no folder").unwrap();
        world.host.set("KT_ARCHIVE_METRICS_FILE", world.host.path(place).display().to_string());
        let outcome = world.archive_month(MONTH).expect(0);
        let warnings = outcome.stderr.lines().filter(|line| line.contains("could not write the metrics"));
        let warnings = warnings.collect::<Vec<_>>();
        assert!(warnings.len() == 1 && warnings[0].contains(reason), "{place}: {}", outcome.stderr);
        world.archive().check();
    });
}

#[test]
fn exit_code_after_a_signal_is_written() {
    let (world, file) = world();
    world.platform.behave(|script| script.statuses(&["queued"]));
    let running = world.start_month(MONTH);
    world.platform.wait_for(Endpoint::Status, 1);
    running.signal("TERM");
    running.wait().expect(143);
    let found = metrics(&file);
    found.assert(&[("last_attempt_exit_code", "143")]);
    // The archive was created, and nothing committed.
    found.assert(&[("head_sequence", "0")]);
}
