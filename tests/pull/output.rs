//! Where a slice goes, and what is left when it does not get there.

use super::{archived, ordinary, slices};
use crate::support::cli::{Host, Running};
use std::{fs, path::Path, thread, time::Duration};

const PULL: [&str; 9] =
    ["pull", "--from", "2025-03", "--to", "2025-04", "--format", "csv", "--output", "out/slice.csv.gz"];

#[test]
fn what_is_there_is_replaced_only_by_force() {
    let world = archived(ordinary());
    fs::create_dir(world.host.path("out")).unwrap();
    for taken in ["out/slice.csv.gz", "out/slice.csv.gz.manifest.json"] {
        fs::write(world.host.path(taken), "theirs").unwrap();
        let refused = world.run(&PULL).expect(2);
        assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
        assert_eq!(fs::read(world.host.path(taken)).unwrap(), b"theirs");
        assert_eq!(names(&world.host.path("out")).len(), 1);
        fs::remove_file(world.host.path(taken)).unwrap();
    }
    fs::write(world.host.path("out/slice.csv.gz"), "theirs").unwrap();
    world.run(&[&PULL[..], &["--force"]].concat()).expect(0);
    assert_eq!(names(&world.host.path("out")), ["slice.csv.gz", "slice.csv.gz.manifest.json"]);
    assert!(fs::read(world.host.path("out/slice.csv.gz")).unwrap().starts_with(&[0x1f, 0x8b]));
    assert_eq!(slices(&world.host), [] as [String; 0]);
}

#[test]
fn people_are_told_where_it_is() {
    let world = archived(ordinary());
    let outcome = world.run(&[&PULL[..8], &["slice.csv", "--match", "model=gpt-4o"]].concat()).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 2, "{}", outcome.stdout);
    assert!(outcome.stdout.starts_with("20 events of 60 events in the range, "), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("slice.csv.manifest.json"), "{}", outcome.stdout);
}

/// A host with a month that takes a while to be pulled.
fn large() -> Host {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=200000&seed=7");
    host.run(&["run", "--month", "2025-03", "--quiet"]).expect(0);
    fs::create_dir(host.path("out")).unwrap();
    host
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names = names.collect::<Vec<_>>();
    names.sort();
    names
}

/// A pull that has begun to write.
fn begun(host: &Host) -> Running {
    let mut running = host.start(&PULL);
    while names(&host.path("out")).is_empty() {
        assert!(running.is_running(), "the pull ended before it began");
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(50));
    running
}

#[test]
fn a_signal_leaves_nothing_behind() {
    let host = large();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let running = begun(&host);
        running.signal(signal);
        running.wait().expect(code);
        assert_eq!(names(&host.path("out")), [] as [String; 0]);
        assert_eq!(names(&host.state_dir().join("pull")), [] as [String; 0]);
    }
}

#[test]
fn a_kill_leaves_no_slice_and_the_same_command_makes_one() {
    let host = large();
    begun(&host).kill();
    assert!(names(&host.path("out")).iter().all(|name| name.starts_with(".kt-archive-pull-")));
    host.run(&PULL).expect(0);
    assert!(names(&host.path("out")).contains(&"slice.csv.gz".to_owned()));
}
