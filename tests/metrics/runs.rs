//! Metrics of runs and of the archive.

use super::{metrics, watched};
use crate::support::{
    events, now,
    script::{Cut, Endpoint, Script},
    world::World,
};
use chrono::{DateTime, Utc};
use std::{fs, os::unix::fs::PermissionsExt as _, thread, time::Duration};

const MONTH: &str = "2025-03";

/// January and March are archived, February is not.
fn gap() -> (World, std::path::PathBuf) {
    let events = ["2025-01", "2025-02", MONTH].iter().flat_map(|month| events::month(month, 40)).collect();
    let mut world = World::at("2025-04-10T03:00:00Z", "UTC", Script::new(events));
    let file = watched(&mut world);
    let replicas = ["near", "far"].map(|name| world.host.path(name).display().to_string());
    world.host.set("KT_ARCHIVE_REPLICA", replicas.join(","));
    world.host.set("KT_ARCHIVE_PLATFORM_RETENTION", "90d");
    world.archive_month("2025-01").expect(0);
    world.archive_month(MONTH).expect(0);
    (world, file)
}

#[test]
fn successful_run_writes_metrics_of_the_run_and_the_archive() {
    let (world, file) = gap();
    let bytes = |month: &str| {
        let manifest = world.archive().month(month);
        manifest["files"].as_array().unwrap().iter().map(|file| file["bytes"].as_u64().unwrap()).sum::<u64>()
    };
    let found = metrics(&file);
    found.assert(&[
        ("last_attempt_exit_code", "0"),
        ("run_months_archived{dataset=\"events\"}", "1"),
        ("run_months_failed{dataset=\"events\"}", "0"),
        ("run_events{dataset=\"events\"}", "40"),
        ("run_bytes{dataset=\"events\"}", &bytes(MONTH).to_string()),
        ("run_retries{server=\"source\"}", "0"),
        ("head_sequence", "2"),
        ("months_archived{dataset=\"events\"}", "2"),
        ("months_missing{dataset=\"events\"}", "1"),
        ("months_late{dataset=\"events\"}", "1"),
        ("complete_until_timestamp_seconds{dataset=\"events\"}", "1738368000"),
        ("prune_timestamp_seconds{dataset=\"events\"}", "1746144000"),
        ("events{dataset=\"events\"}", "80"),
        ("rejected_rows{dataset=\"events\"}", "0"),
        ("bytes{dataset=\"events\"}", &(bytes("2025-01") + bytes(MONTH)).to_string()),
    ]);
    for replica in ["near", "far"].map(|name| world.host.path(name)) {
        found.assert(&[
            (&format!("replica_usable{{replica=\"{}\"}}", replica.display()), "1"),
            (&format!("replica_behind_manifests{{replica=\"{}\"}}", replica.display()), "0"),
        ]);
    }
}

#[test]
fn times_are_of_the_run_and_stages_add_up_to_less() {
    let (before, mut world) = (now(), World::new(Script::new(events::month(MONTH, 40)).statuses(&["queued", "done"])));
    let file = watched(&mut world);
    world.archive_month(MONTH).expect(0);
    let found = metrics(&file);
    let [began, succeeded] = ["attempt", "success"].map(|what| found.number(&format!("last_{what}_timestamp_seconds")));
    let seconds =
        |time: DateTime<Utc>| Duration::from_micros(time.timestamp_micros().try_into().unwrap()).as_secs_f64();
    assert!(seconds(before) < began && began < succeeded && succeeded < seconds(now()), "{began} {succeeded}");
    let duration = found.number("run_duration_seconds");
    assert!((succeeded - began - duration).abs() < 0.001, "{found:#?}");
    let stage = |stage: &str| found.number(&format!("run_stage_seconds{{stage=\"{stage}\"}}"));
    // An unfinished job is polled again after about two seconds.
    assert!(stage("wait") > 1.5, "{found:#?}");
    let stages = ["create", "wait", "download", "index", "decode", "check", "upload"].map(stage);
    let sum = stages.iter().sum::<f64>();
    assert!(sum <= duration && sum > 1.5, "stages {sum}, run {duration}");
}

#[test]
fn file_is_world_readable_and_alone_in_its_folder() {
    let (_world, file) = gap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn run_with_nothing_to_do_succeeds_and_writes_zeros() {
    let (mut world, file) = gap();
    let before = metrics(&file).number("last_success_timestamp_seconds");
    world.host.set_time("2025-04-10 04:00:00");
    world.archive_month(MONTH).expect(0);
    let found = metrics(&file);
    found.assert(&[("run_events{dataset=\"events\"}", "0"), ("run_months_archived{dataset=\"events\"}", "0")]);
    assert!(found.number("last_success_timestamp_seconds") > before, "{found:#?}");
}

#[test]
fn dry_run_writes_no_metrics() {
    let mut world = World::new(Script::new(events::month(MONTH, 4)));
    let file = watched(&mut world);
    world.run(&["backfill", "--from", MONTH, "--to", MONTH, "--dry-run"]).expect(0);
    assert!(!file.try_exists().unwrap());
}

#[test]
fn datasets_of_other_jobs_are_left_out() {
    let (mut world, file) = gap();
    world.host.set("KT_ARCHIVE_DATASET", "traces");
    world.archive_month(MONTH).expect(0);
    let found = metrics(&file);
    assert!(!found.0.keys().any(|name| name.contains("dataset=\"events\"")), "{found:#?}");
    found.assert(&[("months_archived{dataset=\"traces\"}", "1"), ("head_sequence", "3")]);
}

#[test]
fn running_attempt_has_no_exit_code_and_keeps_earlier_metrics() {
    let mut world =
        World::new(Script::new(["2025-02", MONTH].iter().flat_map(|month| events::month(month, 40)).collect()));
    let file = watched(&mut world);
    world.archive_month("2025-02").expect(0);
    let good = metrics(&file);
    world.platform.behave(|script| script.cuts(&[Cut::Slow(50, Duration::from_millis(50))]));
    let running = world.start_month(MONTH);
    world.platform.wait_for(Endpoint::Download, 2);
    let working = metrics(&file);
    running.kill();
    assert_eq!(metrics(&file), working, "a killed run writes nothing");
    let gone = good.0.keys().filter(|metric| !working.0.contains_key(*metric));
    assert_eq!(gone.collect::<Vec<_>>(), ["last_attempt_exit_code"]);
    let changed = working.0.keys().filter(|metric| good.get(metric) != working.get(metric));
    assert_eq!(changed.collect::<Vec<_>>(), ["last_attempt_timestamp_seconds"]);
    assert!(good.number("last_attempt_timestamp_seconds") < working.number("last_attempt_timestamp_seconds"));
}

#[test]
fn locked_run_keeps_the_metrics_of_the_other() {
    let mut world =
        World::new(Script::new(["2025-02", MONTH].iter().flat_map(|month| events::month(month, 40)).collect()));
    let file = watched(&mut world);
    world.archive_month("2025-02").expect(0);
    let good = metrics(&file);
    world.platform.behave(|script| script.cuts(&[Cut::Slow(500, Duration::from_millis(100))]));
    let running = world.start_month(MONTH);
    world.platform.wait_for(Endpoint::Download, 2);
    world.archive_month(MONTH).expect(8);
    let locked = metrics(&file);
    locked.assert(&[("last_attempt_exit_code", "8")]);
    let changed = good.0.keys().filter(|metric| good.get(metric) != locked.get(metric));
    assert_eq!(changed.collect::<Vec<_>>(), ["last_attempt_exit_code", "last_attempt_timestamp_seconds"]);
    running.wait().expect(0);
    let done = metrics(&file);
    done.assert(&[("last_attempt_exit_code", "0"), ("run_events{dataset=\"events\"}", "40")]);
    assert!(done.number("last_attempt_timestamp_seconds") < locked.number("last_attempt_timestamp_seconds"));
}

/// Each run replaces the file twice, while a reader polls it.
#[test]
fn readers_never_see_a_partial_file() {
    let (world, file) = gap();
    thread::scope(|scope| {
        let runs = (0..3).map(|_| scope.spawn(|| (0..4).for_each(|_| drop(world.archive_month(MONTH).expect(0)))));
        let runs = runs.collect::<Vec<_>>();
        let mut reads = 0;
        while runs.iter().any(|run| !run.is_finished()) {
            let text = fs::read_to_string(&file).unwrap();
            let last = text.lines().last().unwrap();
            assert!(text.ends_with('\n') && last.starts_with("kt_archive_"), "{text}");
            assert!(text.starts_with("# HELP kt_archive_info "), "{text}");
            reads += 1;
        }
        assert!(reads > 10, "{reads} reads");
    });
    metrics(&file).assert(&[("last_attempt_exit_code", "0"), ("events{dataset=\"events\"}", "80")]);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}
