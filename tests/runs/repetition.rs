//! Running a command again, also after a kill, ends in the same archive.

use crate::support::{
    events::{self, Event},
    script::{Cut, Endpoint, Script},
    world::World,
};
use std::{collections::BTreeMap, path::Path, thread, time::Duration};

fn quarter() -> Vec<Event> {
    ["2025-01", "2025-02", "2025-03"].iter().flat_map(|month| events::month(month, 40)).collect()
}

#[test]
fn second_run_changes_no_byte() {
    let world = World::new(Script::new(quarter()));
    let first = world.archive_month("2025-03").expect(0).json();
    assert_eq!(first["months"][0]["state"], "archived");
    let before = world.archive().snapshot();
    let second = world.archive_month("2025-03").expect(0).json();
    assert_eq!(second["months"][0]["state"], "already");
    assert_eq!(second["head"], first["head"]);
    assert_eq!(world.archive().snapshot(), before);
    assert_eq!(world.platform.jobs(), 1);
}

#[test]
fn second_run_needs_no_state_folder() {
    let world = World::new(Script::new(quarter()));
    world.archive_month("2025-03").expect(0);
    let before = world.archive().snapshot();
    std::fs::remove_dir_all(world.host.state_dir()).unwrap();
    let second = world.archive_month("2025-03").expect(0).json();
    assert_eq!(second["months"][0]["state"], "already");
    assert_eq!(world.archive().snapshot(), before);
    assert_eq!(world.platform.jobs(), 1);
}

#[test]
fn backfill_archives_only_missing_months() {
    let world = World::new(Script::new(quarter()));
    world.archive_month("2025-02").expect(0);
    let february = world.archive().month("2025-02");
    let outcome = world.run(&["backfill", "--from", "2025-01", "--to", "2025-03", "--json"]).expect(0).json();
    let states = outcome["months"].as_array().unwrap().iter();
    let states = states.map(|month| (month["month"].as_str().unwrap(), month["state"].as_str().unwrap()));
    let expected = [("2025-01", "archived"), ("2025-02", "already"), ("2025-03", "archived")];
    assert_eq!(states.collect::<BTreeMap<_, _>>(), BTreeMap::from(expected));
    assert_eq!(world.archive().month("2025-02"), february);
    assert_eq!(world.platform.jobs(), 3);
    world.archive().check();
}

#[test]
fn dry_run_plans_and_writes_nothing() {
    let world = World::new(Script::new(quarter()));
    let outcome = world.run(&["backfill", "--from", "2025-01", "--to", "2025-03", "--dry-run", "--json"]).expect(0);
    let outcome = outcome.json();
    let states = outcome["months"].as_array().unwrap().iter().map(|month| month["state"].as_str().unwrap());
    assert_eq!(states.collect::<Vec<_>>(), ["planned"; 3]);
    world.assert_nothing_committed();
    assert_eq!(world.platform.jobs(), 0);
}

#[test]
fn run_without_a_month_closes_gaps() {
    let world = World::at("2025-04-10T03:00:00Z", "UTC", Script::new(quarter()));
    world.archive_month("2025-01").expect(0);
    world.run(&["run", "--json"]).expect(0);
    assert_eq!(world.archive().months(), ["2025-01", "2025-02", "2025-03"]);
    world.archive().check();
    world.run(&["verify", "--json"]).expect(0);
}

#[test]
fn same_events_make_the_same_files_on_another_host() {
    let [one, other] = [(); 2].map(|()| World::identified(Script::new(quarter())));
    for world in [&one, &other] {
        world.archive_month("2025-03").expect(0);
    }
    assert_eq!(one.archive().data_snapshot(), other.archive().data_snapshot());
}

#[test]
fn kill_while_the_job_waits_ends_in_the_same_archive() {
    let world = World::identified(Script::new(quarter()).statuses(&["queued", "queued", "completed"]));
    let running = world.start_month("2025-03");
    world.platform.wait_for(Endpoint::Status, 1);
    thread::sleep(Duration::from_millis(50));
    running.kill();
    assert_converges(&world);
}

#[test]
fn kill_during_a_status_request_ends_in_the_same_archive() {
    let world = World::identified(Script::new(quarter()).pause(Endpoint::Status, Duration::from_millis(300)));
    let running = world.start_month("2025-03");
    world.platform.wait_for(Endpoint::Status, 1);
    running.kill();
    assert_converges(&world);
}

#[test]
fn kill_during_a_download_ends_in_the_same_archive() {
    let slow = Cut::Slow(500, Duration::from_millis(50));
    let world = World::identified(Script::new(quarter()).ranges("\"strong\"").cuts(&[slow]));
    let running = world.start_month("2025-03");
    world.platform.wait_for(Endpoint::Download, 1);
    thread::sleep(Duration::from_millis(400));
    running.kill();
    assert_converges(&world);
}

/// The work between download and commit takes milliseconds, so each kill comes a little later.
#[test]
fn kill_at_any_time_after_the_download_ends_in_the_same_archive() {
    for milliseconds in [0, 2, 5, 10, 15, 20, 30, 45, 65, 100, 150, 250] {
        let world = World::identified(Script::new(quarter()));
        let running = world.start_month("2025-03");
        world.platform.wait_for(Endpoint::Download, 1);
        thread::sleep(Duration::from_millis(milliseconds));
        running.kill();
        assert_converges(&world);
    }
}

#[test]
fn repeated_kills_end_in_the_same_archive() {
    let world = World::identified(Script::new(quarter()));
    for attempt in 0..8 {
        let mut running = world.start_month("2025-03");
        thread::sleep(Duration::from_millis(40 + 35 * attempt));
        if running.is_running() {
            running.kill();
        }
    }
    world.archive_month("2025-03").expect(0);
    assert_eq!(world.archive().data_snapshot(), uninterrupted());
    world.archive().check();
}

/// Runs the command again, and asserts that the archive equals that of an uninterrupted run, from one job.
#[track_caller]
fn assert_converges(world: &World) {
    world.archive_month("2025-03").expect(0);
    world.archive().check();
    assert_eq!(world.archive().data_snapshot(), uninterrupted());
    assert_eq!(world.platform.jobs(), 1, "the job of the killed run was not found again");
}

fn uninterrupted() -> BTreeMap<String, String> {
    let world = World::identified(Script::new(quarter()));
    world.archive_month("2025-03").expect(0);
    world.archive().data_snapshot()
}

/// Journal and spool hold a job's id and its events in clear text: the next run must remove what a crash after the
/// commit left.
#[test]
fn next_run_removes_files_left_by_a_crash_after_the_commit() {
    let world = World::new(Script::new(quarter()).statuses(&["queued", "queued", "completed"]));
    let running = world.start_month("2025-03");
    world.platform.wait_for(Endpoint::Status, 1);
    running.kill();
    let (kept, aside) = (world.host.state_dir().join("exports-api"), world.host.path("aside"));
    assert!(files_below(&kept) > 0, "the journal has no job");
    std::fs::rename(&kept, &aside).unwrap();
    world.archive_month("2025-03").expect(0);
    std::fs::remove_dir_all(&kept).unwrap();
    std::fs::rename(&aside, &kept).unwrap();
    let again = world.archive_month("2025-03").expect(0).json();
    assert_eq!(again["months"][0]["state"], "already");
    assert_eq!(files_below(&kept), 0);
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}
