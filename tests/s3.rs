//! Archives in buckets of a real S3 server.

use crate::support::{
    events::{self, Event},
    handed_over,
    s3::Place,
    script::{Endpoint, Script},
    world::World,
};
use std::{fs, thread, time::Duration};

fn events() -> Vec<Event> {
    ["2025-02", "2025-03"].iter().flat_map(|month| events::month(month, 40)).collect()
}

fn world(place: &Place, script: Script) -> World {
    let mut world = World::new(script);
    Place::admit(&mut world.host);
    world.host.set("KT_ARCHIVE_ARCHIVE", place.url());
    world
}

fn assert_archives_verifies_and_repeats(place: &Place) {
    let world = world(place, Script::of(events()));
    world.run(&["backfill", "--from", "2025-02", "--to", "2025-03", "--json"]).expect(0);
    let archive = place.download(world.host.path("copy"));
    archive.check();
    assert_eq!(archive.ids("2025-02").len() + archive.ids("2025-03").len(), 80);
    for level in ["quick", "full"] {
        let document = world.run(&["verify", "--level", level, "--json"]).expect(0).json();
        assert_eq!(document["findings"], serde_json::json!([]));
    }
    let again = world.run(&["backfill", "--from", "2025-02", "--to", "2025-03", "--json"]).expect(0).json();
    assert!(again["months"].as_array().unwrap().iter().all(|month| month["state"] == "already"), "{again}");
    assert_eq!(place.download(world.host.path("second-copy")).snapshot(), archive.snapshot());
    assert_eq!(world.platform.jobs(), 2);
}

#[test]
fn a_bucket_can_be_an_archive() {
    assert_archives_verifies_and_repeats(&Place::plain("whole"));
}

#[test]
fn a_bucket_with_object_lock_can_be_an_archive() {
    assert_archives_verifies_and_repeats(&Place::locked("whole"));
}

#[test]
fn a_copy_of_a_bucket_is_the_same_archive() {
    let place = Place::plain("copied");
    let mut world = world(&place, Script::of(events()));
    world.archive_month("2025-03").expect(0);
    let archive = place.download(world.host.path("copy"));
    world.host.set("KT_ARCHIVE_ARCHIVE", archive.root().display().to_string());
    let document = world.run(&["verify", "--json"]).expect(0).json();
    assert_eq!(document["events"], 40);
}

#[test]
fn a_slice_can_be_pulled_out_of_a_bucket() {
    let place = Place::locked("pulled");
    let world = world(&place, Script::of(events()));
    world.run(&["backfill", "--from", "2025-02", "--to", "2025-03", "--json"]).expect(0);
    let before = place.download(world.host.path("before")).snapshot();
    let pull = ["pull", "--from", "2025-02-20", "--to", "2025-03-10", "--format", "jsonl", "--output", "slice.jsonl"];
    let pulled = world.run(&[&pull[..], &["--json", "-v", "-v"]].concat()).expect(0);
    let slice = fs::read_to_string(world.host.path("slice.jsonl")).unwrap();
    let manifest = fs::read_to_string(world.host.path("slice.jsonl.manifest.json")).unwrap();
    let events = events();
    let of_range = events.iter().filter(|event| ("2025-02-20".."2025-03-10").contains(&&event.0[1][..10]));
    assert_eq!(slice.lines().count(), of_range.count());
    assert_eq!(place.download(world.host.path("after")).snapshot(), before);
    let secret = handed_over("KT_TEST_S3_SECRET");
    assert!([pulled.output(), slice, manifest].iter().all(|text| !text.contains(&secret)));
}

#[test]
fn two_hosts_at_once_commit_a_month_once() {
    let place = Place::plain("race");
    let worlds = [(); 3].map(|()| world(&place, Script::of(events())));
    let running = worlds.each_ref().map(|world| world.start_month("2025-03"));
    for running in running {
        running.wait().expect(0);
    }
    let archive = place.download(worlds[0].host.path("copy"));
    archive.check();
    assert_eq!(archive.months(), ["2025-03"]);
}

#[test]
fn a_kill_leaves_a_bucket_that_the_next_run_completes() {
    for milliseconds in [0, 20, 60, 120, 200] {
        let place = Place::locked("killed");
        let world = world(&place, Script::of(events()));
        let running = world.start_month("2025-03");
        world.platform.wait_for(Endpoint::Download, 1);
        thread::sleep(Duration::from_millis(milliseconds));
        running.kill();
        world.archive_month("2025-03").expect(0);
        let archive = place.download(world.host.path("copy"));
        archive.check();
        assert_eq!(archive.ids("2025-03").len(), 40);
        assert_eq!(world.platform.jobs(), 1);
    }
}

#[test]
fn a_wrong_key_is_9() {
    let place = Place::plain("refused");
    let mut wrong = world(&place, Script::of(events()));
    wrong.host.set("AWS_SECRET_ACCESS_KEY", "not-the-key");
    wrong.archive_month("2025-03").expect(9);
}
