//! The seven defects by which the monthly script of the platform's guide loses events.

use crate::support::{
    events::{self, Event},
    http::Reply,
    script::{Cut, Endpoint, Filter, IdShape, Script},
    together,
    world::World,
};
use serde_json::json;
use std::time::Duration;

fn months(names: &[&str]) -> Vec<Event> {
    names.iter().flat_map(|month| events::month(month, 30)).collect()
}

#[track_caller]
fn assert_last_month(now: &str, zone: &str, expected: &str) {
    let before = events::month_after(expected, -1);
    let after = events::month_after(expected, 1);
    let world = World::at(now, zone, Script::new(months(&[&before, expected, &after])));
    world.run(&["run", "--json"]).expect(0);
    assert_eq!(world.archive().months(), [expected], "at {now} in {zone}");
    assert_eq!(world.archive().ids(expected).len(), 30);
    world.archive().check();
}

#[test]
fn defect_1_last_month_on_30_march_is_february() {
    assert_last_month("2025-03-30T03:00:00Z", "UTC", "2025-02");
}

#[test]
fn defect_1_last_month_on_31_may_is_april() {
    assert_last_month("2025-05-31T03:00:00Z", "UTC", "2025-04");
}

#[test]
fn defect_2_host_behind_utc_archives_the_same_month() {
    // In New York it is the evening of 28 February.
    assert_last_month("2025-03-01T02:30:00Z", "America/New_York", "2025-02");
}

#[test]
fn defect_2_host_ahead_of_utc_archives_the_same_month() {
    // On Kiritimati it is the morning of 1 March.
    assert_last_month("2025-02-28T20:00:00Z", "Pacific/Kiritimati", "2025-01");
}

#[test]
fn defect_2_window_is_the_utc_month_in_every_zone() {
    let events = events::edges("2025-01").to_vec();
    let mut world = World::new(Script::new(events));
    world.host.set("TZ", "America/New_York");
    world.archive_month("2025-01").expect(0);
    let window = world.archive().month("2025-01")["window"].clone();
    assert_eq!(window, json!({"from": "2025-01-01T00:00:00.000000Z", "to": "2025-02-01T00:00:00.000000Z"}));
    assert_eq!(world.archive().ids("2025-01"), ["edge_2025-01_first", "edge_2025-01_last"]);
    let asked = world.platform.windows();
    let start = events::start_of("2025-01");
    assert!(asked.iter().any(|(from, _)| *from <= start), "{asked:?}");
    assert!(asked.iter().any(|(_, to)| *to >= events::start_of("2025-02")), "{asked:?}");
}

#[test]
fn defect_3_endless_job_is_abandoned_at_its_deadline() {
    let world = World::new(Script::new(months(&["2025-03"])).statuses(&["queued", "processing"]));
    let outcome = world.run(&["run", "--month", "2025-03", "--job-timeout", "3s", "--json"]).expect(75);
    assert_eq!(outcome.json()["exit"], 75);
    world.assert_nothing_committed();
    // The next run reuses the job once it is done.
    world.platform.behave(|script| script.statuses(&["completed"]));
    world.archive_month("2025-03").expect(0);
    assert_eq!(world.platform.jobs(), 1);
    assert_eq!(world.archive().ids("2025-03").len(), 30);
}

#[test]
fn defect_3_polling_ends_on_an_unauthorised_response() {
    let unauthorised = Reply::json(401, &json!({"error": "token revoked"}));
    let world = World::new(Script::new(months(&["2025-03"])).always(Endpoint::Status, unauthorised));
    world.archive_month("2025-03").expect(9);
    world.assert_nothing_committed();
}

#[test]
fn defect_3_cancelled_or_failed_job_fails_the_run() {
    together(["cancelled", "failed", "ERROR", "timed-out"], |word| {
        let world = World::new(Script::new(months(&["2025-03"])).statuses(&[word]));
        world.archive_month("2025-03").expect(6);
        world.assert_nothing_committed();
    });
}

#[test]
fn defect_4_error_body_is_never_archived() {
    let bodies = [
        r#"{"error": {"message": "internal error"}}"#,
        "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
        "<?xml version=\"1.0\"?><Error><Code>ExpiredToken</Code></Error>",
        "upstream connect error\n",
        "",
    ];
    together(bodies, |body| {
        let world = World::new(Script::from_bytes(body));
        let code = world.archive_month("2025-03").code;
        assert!([Some(5), Some(6)].contains(&code), "{body:?} ended with {code:?}");
        world.assert_nothing_committed();
    });
}

#[test]
fn defect_4_body_of_an_error_status_is_never_archived() {
    together([400, 402, 404, 500], |status| {
        let refused = Reply::new(status, events::csv(&months(&["2025-03"])));
        let world = World::new(Script::new(months(&["2025-03"])).always(Endpoint::Download, refused));
        let outcome = world.run(&["run", "--month", "2025-03", "--job-timeout", "4s", "--json"]);
        assert!([Some(6), Some(75)].contains(&outcome.code), "{status}: {}", outcome.output());
        world.assert_nothing_committed();
    });
}

#[test]
fn defect_5_null_job_id_is_never_polled() {
    let world = World::new(Script::new(months(&["2025-03"])).id(IdShape::Null));
    world.archive_month("2025-03").expect(6);
    assert_eq!(world.platform.requests(Endpoint::Status).len(), 0);
    world.assert_nothing_committed();
}

#[test]
fn defect_6_boundary_events_are_archived_exactly_once() {
    together([Filter::HalfOpen, Filter::Closed], |filter| {
        let events = events::edges("2025-03").to_vec();
        let world = World::new(Script::new(events).filter(filter));
        world.run(&["backfill", "--from", "2025-02", "--to", "2025-04", "--json"]).expect(0);
        let archive = world.archive();
        assert_eq!(archive.ids("2025-02"), ["edge_2025-03_before"]);
        assert_eq!(archive.ids("2025-03"), ["edge_2025-03_first", "edge_2025-03_last"]);
        assert_eq!(archive.ids("2025-04"), ["edge_2025-03_after"]);
        assert_eq!(archive.month("2025-03")["events"]["last"], "2025-03-31T23:59:59.999999Z");
        archive.check();
    });
}

#[test]
fn defect_7_kill_during_a_download_leaves_no_data_file() {
    let slow = Cut::Slow(400, Duration::from_millis(100));
    let world = World::new(Script::new(months(&["2025-03"])).cuts(&[slow]));
    let running = world.start_month("2025-03");
    world.platform.wait_for(Endpoint::Download, 1);
    std::thread::sleep(Duration::from_millis(300));
    running.kill();
    world.assert_nothing_committed();
    assert_eq!(world.archive().data_snapshot().len(), 0, "a data file was stored before its month was complete");
    world.archive_month("2025-03").expect(0);
    world.archive().check();
    assert_eq!(world.archive().ids("2025-03").len(), 30);
}
