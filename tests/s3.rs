//! Archives in buckets of a real S3 server, and the policies of `examples/iam`.

use crate::support::{
    events::{self, Event},
    s3::BucketPrefix,
    script::{Endpoint, Script},
    test_variable,
    world::World,
};
use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

fn events() -> Vec<Event> {
    ["2025-02", "2025-03"].iter().flat_map(|month| events::month(month, 40)).collect()
}

fn world(place: &BucketPrefix, script: Script) -> World {
    let mut world = World::new(script);
    BucketPrefix::admit(&mut world.host);
    world.host.set("KT_ARCHIVE_ARCHIVE", place.url());
    world
}

fn assert_archives_verifies_and_repeats(place: &BucketPrefix) {
    let world = world(place, Script::new(events()));
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
fn bucket_holds_an_archive() {
    assert_archives_verifies_and_repeats(&BucketPrefix::plain("whole"));
}

#[test]
fn bucket_with_object_lock_holds_an_archive() {
    assert_archives_verifies_and_repeats(&BucketPrefix::locked("whole"));
}

#[test]
fn copy_of_a_bucket_is_the_same_archive() {
    let place = BucketPrefix::plain("copied");
    let mut world = world(&place, Script::new(events()));
    world.archive_month("2025-03").expect(0);
    let archive = place.download(world.host.path("copy"));
    world.host.set("KT_ARCHIVE_ARCHIVE", archive.root().display().to_string());
    let document = world.run(&["verify", "--json"]).expect(0).json();
    assert_eq!(document["events"], 40);
}

#[test]
fn slice_is_pulled_from_a_bucket() {
    let place = BucketPrefix::locked("pulled");
    let world = world(&place, Script::new(events()));
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
    let secret = test_variable("KT_TEST_S3_SECRET");
    assert!([pulled.output(), slice, manifest].iter().all(|text| !text.contains(&secret)));
}

/// Forwards connections to the S3 server and counts the bytes that it answers.
struct Meter {
    port: u16,
    bytes: Arc<AtomicU64>,
}

impl Meter {
    fn new(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, bytes) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU64::new(0)));
        let counter = Arc::clone(&bytes);
        thread::spawn(move || {
            for client in listener.incoming().map(Result::unwrap) {
                let server = TcpStream::connect(&upstream).unwrap();
                let (mut questions, mut answered) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let counter = Arc::clone(&counter);
                thread::spawn(move || {
                    drop(io::copy(&mut questions, &mut answered));
                    drop(answered.shutdown(Shutdown::Write));
                });
                thread::spawn(move || answer(server, client, &counter));
            }
        });
        Self { port, bytes }
    }
}

fn answer(mut server: TcpStream, mut client: TcpStream, counter: &AtomicU64) {
    let mut block = vec![0; 1 << 16];
    while let Ok(count @ 1..) = server.read(&mut block) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
        if client.write_all(&block[..count]).is_err() {
            break;
        }
    }
    drop(client.shutdown(Shutdown::Write));
}

#[test]
fn slice_of_a_few_days_fetches_their_row_groups_and_the_footer() {
    let place = BucketPrefix::plain("ranges");
    let mut world = world(&place, Script::new(Vec::new()));
    world.host.set("KT_ARCHIVE_SOURCE", "demo:?events=400000&seed=7");
    world.run(&["run", "--month", "2025-03", "--format", "parquet", "--quiet"]).expect(0);
    let file = place.download(world.host.path("copy")).month("2025-03")["files"][0].clone();

    let meter = Meter::new(test_variable("KT_TEST_S3_ENDPOINT").trim_start_matches("http://").to_owned());
    world.host.set("AWS_ENDPOINT", format!("http://127.0.0.1:{}", meter.port));
    world.run(&["pull", "--from", "2025-03-20", "--to", "2025-03-21", "--output", "slice.csv"]).expect(0);
    let manifest = fs::read(world.host.path("slice.csv.manifest.json")).unwrap();
    let manifest = serde_json::from_slice::<serde_json::Value>(&manifest).unwrap();
    let read = &manifest["manifests"][0]["files"][0];
    let ranges = read["row_groups"].as_array().unwrap().iter().chain([&read["footer"]]);
    let ranges = ranges.map(|range| range["bytes"].as_u64().unwrap()).sum::<u64>();
    // Besides the ranges there are the documents, and the heads of some answers.
    let fetched = meter.bytes.load(Ordering::Relaxed);
    assert!((ranges..ranges + (64 << 10)).contains(&fetched), "{fetched} bytes for ranges of {ranges}");
    assert!(fetched < file["bytes"].as_u64().unwrap() * 2 / 3, "{fetched} of {}", file["bytes"]);
}

#[test]
fn two_concurrent_hosts_commit_a_month_once() {
    let place = BucketPrefix::plain("race");
    let worlds = [(); 3].map(|()| world(&place, Script::new(events())));
    let running = worlds.each_ref().map(|world| world.start_month("2025-03"));
    for running in running {
        running.wait().expect(0);
    }
    let archive = place.download(worlds[0].host.path("copy"));
    archive.check();
    assert_eq!(archive.months(), ["2025-03"]);
}

#[test]
fn kill_leaves_a_bucket_that_the_next_run_completes() {
    for milliseconds in [0, 20, 60, 120, 200] {
        let place = BucketPrefix::locked("killed");
        let world = world(&place, Script::new(events()));
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
fn wrong_key_exits_with_9() {
    let place = BucketPrefix::plain("refused");
    let mut wrong = world(&place, Script::new(events()));
    wrong.host.set("AWS_SECRET_ACCESS_KEY", "not-the-key");
    wrong.archive_month("2025-03").expect(9);
}

/// A world whose host has the credentials of a user with this policy.
fn world_with_policy(place: &BucketPrefix, policy: &str) -> World {
    let mut world = World::new(Script::new(events()));
    place.admit_as(&mut world.host, policy);
    world.host.set("KT_ARCHIVE_ARCHIVE", place.url());
    world
}

const BACKFILL: [&str; 6] = ["backfill", "--from", "2025-02", "--to", "2025-03", "--json"];
const READING: [&[&str]; 3] = [
    &["status", "--json"],
    &["verify", "--json"],
    &["pull", "--from", "2025-02-20", "--to", "2025-03-10", "--format", "csv", "--output", "slice.csv", "--json"],
];

#[test]
fn writer_policy_archives_and_verifies() {
    for place in [BucketPrefix::plain("writer"), BucketPrefix::locked("writer")] {
        let world = world_with_policy(&place, "writer");
        world.run(&["doctor", "--json"]).expect(0);
        world.run(&BACKFILL).expect(0);
        world.run(&["verify", "--json"]).expect(0);
        let again = world.run(&BACKFILL).expect(0).json();
        assert!(again["months"].as_array().unwrap().iter().all(|month| month["state"] == "already"), "{again}");
    }
}

#[test]
fn writer_policy_cannot_write_elsewhere() {
    let (place, other) = (BucketPrefix::plain("writer"), BucketPrefix::plain("other"));
    let mut world = world_with_policy(&place, "writer");
    world.host.set("KT_ARCHIVE_ARCHIVE", other.url());
    world.run(&BACKFILL).expect(9);
    assert_eq!(other.versions(), 0);
}

#[test]
fn reader_policy_reads_and_cannot_write() {
    let place = BucketPrefix::plain("reader");
    world_with_policy(&place, "writer").run(&["run", "--month", "2025-02", "--json"]).expect(0);
    let before = place.download(tempfile::tempdir().unwrap().keep()).snapshot();
    let reader = world_with_policy(&place, "reader");
    reader.archive_month("2025-03").expect(9);
    assert_eq!(place.download(tempfile::tempdir().unwrap().keep()).snapshot(), before);
    reader.run(&["run", "--month", "2025-02", "--json"]).expect(0);
    for command in &READING[..2] {
        reader.run(command).expect(0);
    }
    reader.run(&[READING[2], &["--allow-gaps"]].concat()).expect(0);
}

#[test]
fn pruner_policy_only_deletes() {
    let place = BucketPrefix::plain("pruner");
    world_with_policy(&place, "writer").run(&BACKFILL).expect(0);
    let pruner = world_with_policy(&place, "pruner");
    for command in READING {
        pruner.run(command).expect(9);
    }
    pruner.run(&BACKFILL).expect(9);
    place.empty_as("pruner");
    assert_eq!(place.versions(), 0);
}
