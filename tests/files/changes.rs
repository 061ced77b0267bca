//! A file that changes while it is read is not archived as if it had not.

use super::{Desk, ids, months};
use crate::support::events;
use std::{fs, time::Duration};

#[test]
fn a_file_that_grows_during_a_backfill_stops_it_until_it_rests() {
    let names = ["2025-01", "2025-02", "2025-03", "2025-04", "2025-05", "2025-06"];
    let events = months(&names, 3000);
    let desk = Desk::new(&[("events.csv", events::csv(&events))]);
    let arguments = ["backfill", "--source", "exports/events.csv", "--from", "2025-01", "--to", "2025-06", "--json"];
    let running = desk.host.start(&arguments);
    while desk.archive().sequences().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let path = desk.host.path("exports/events.csv");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"late,2025-06-05T00:00:00Z\n");
    fs::write(&path, bytes).unwrap();
    let outcome = running.wait();
    // A machine that is faster than this test archives all of it first.
    assert!([Some(0), Some(3)].contains(&outcome.code), "{}", outcome.output());
    if outcome.code == Some(3) {
        assert!(outcome.output().contains("changed while it was read"), "{}", outcome.output());
    }
    let archive = desk.archive();
    archive.check();
    for month in archive.months() {
        assert_eq!(archive.ids(&month), ids(&events, &month), "{month}");
    }
}
