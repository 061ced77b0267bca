//! The format `artifact` keeps the platform's bytes unchanged.

use crate::support::{
    archive::files,
    cli::Outcome,
    events::{self, Event},
    foreign::verify,
    platform::gzip,
    script::{Packing, Script},
    world::World,
};
use serde_json::json;
use std::fs;

const MONTH: &str = "2025-03";

fn run(world: &World, format: &str) -> Outcome {
    world.run(&["run", "--month", MONTH, "--format", format, "--json"])
}

#[track_caller]
fn assert_sound(world: &World) {
    world.archive().check();
    world.run(&["verify"]).expect(0);
    assert_eq!(verify(&world.archive())["findings"], json!([]));
}

#[test]
fn artifact_is_archived_byte_for_byte() {
    let delivered = events::csv(&[events::month(MONTH, 50), events::edges(MONTH).to_vec()].concat());
    for format in ["artifact", "parquet,artifact"] {
        let world = World::new(Script::from_bytes(delivered.clone()));
        run(&world, format).expect(0);
        let path = world.archive().file(MONTH, "artifact");
        assert!(path.starts_with("events/artifact/month=2025-03/part-00000-") && path.ends_with(".csv.gz"), "{path}");
        assert_eq!(world.archive().unzipped(&path), delivered);
        let manifest = world.archive().month(MONTH);
        let file = files(&manifest).find(|file| file["format"] == "artifact").unwrap();
        // The artifact also has the rows outside the window.
        assert_eq!((&file["rows"], &manifest["events"]["archived"]), (&json!(54), &json!(52)));
        assert!(file["first"].is_null() && file["last"].is_null(), "{file}");
        let job = &manifest["source"]["detail"]["jobs"][0];
        assert_eq!(job["artifact_sha256"], crate::support::archive::sha256(&delivered));
        assert_eq!(files(&manifest).count(), format.split(',').count());
        assert_sound(&world);
        assert_eq!(run(&world, format).expect(0).json()["months"][0]["state"], "already");
    }
}

#[test]
fn gzipped_artifact_is_not_compressed_again() {
    let delivered = gzip(&events::csv(&events::month(MONTH, 50)));
    let world = World::new(Script::new(events::month(MONTH, 50)).packing(Packing::GzipFile));
    run(&world, "artifact").expect(0);
    let path = world.archive().file(MONTH, "artifact");
    assert_eq!(fs::read(world.archive().path(&path)).unwrap(), delivered);
    assert_sound(&world);
}

#[test]
fn each_artifact_is_one_file_regardless_of_part_size() {
    let events = events::month(MONTH, 400).into_iter().zip(0..);
    let events = events.map(|(event, index)| event.with("note", events::digits(index, 16_384))).collect();
    let world = World::new(Script::new(events).longest_window(20));
    let arguments = ["run", "--month", MONTH, "--format", "csv,artifact", "--part-size", "1MiB", "--json"];
    world.run(&arguments).expect(0);
    let manifest = world.archive().month(MONTH);
    let artifacts = files(&manifest).filter(|file| file["format"] == "artifact").collect::<Vec<_>>();
    assert_eq!(artifacts.len(), 2);
    assert!(artifacts.iter().all(|file| file["bytes"].as_u64() > Some(1 << 20)), "{artifacts:?}");
    for (part, file) in artifacts.iter().enumerate() {
        assert!(file["path"].as_str().unwrap().contains(&format!("/part-{part:05}-")), "{file}");
    }
    assert_sound(&world);
}

#[test]
fn same_artifact_makes_the_same_file() {
    let [first, second] = [(), ()].map(|()| {
        let world = World::identified(Script::new(events::month(MONTH, 50)));
        run(&world, "artifact").expect(0);
        world.archive().data_snapshot()
    });
    assert_eq!(first, second);
}

#[test]
fn source_without_artifacts_exits_with_2() {
    let world = World::new(Script::new(Vec::new()));
    for format in ["artifact", "parquet,artifact"] {
        let arguments = ["run", "--month", MONTH, "--source", "demo:?events=5", "--format", format, "--json"];
        let outcome = world.run(&arguments).expect(2);
        assert!(outcome.output().contains("artifact"), "{}", outcome.output());
    }
    assert!(!world.archive().root().is_dir(), "something was written");
}

#[test]
fn archived_month_cannot_gain_an_artifact() {
    let world = World::new(Script::new(events::month(MONTH, 5)));
    run(&world, "parquet").expect(0);
    assert!(run(&world, "parquet,artifact").expect(2).output().contains("artifact"));
}

#[test]
fn rejects_and_artifact_are_kept_together() {
    let bad = Event::at("bad", "2025-03-10T10:00:00.000000Z").with("input_tokens", "many");
    let world = World::new(Script::new([events::month(MONTH, 5), vec![bad]].concat()));
    let arguments =
        ["run", "--month", MONTH, "--rejects", "keep", "--format", "artifact,csv", "--rename", "note=remark"];
    world.run(&arguments).expect(5);
    let manifest = world.archive().month(MONTH);
    let mut formats = files(&manifest).map(|file| file["format"].as_str().unwrap()).collect::<Vec<_>>();
    formats.sort_unstable();
    assert_eq!(formats, ["artifact", "csv", "rejects"]);
    assert_sound(&world);
}
