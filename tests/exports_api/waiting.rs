//! Slow jobs, retries, deadlines, and clock skew.

use super::{MONTH, archived, march};
use crate::support::{
    http::Reply,
    now,
    script::{Cut, Endpoint, Script, ServerClock},
    together,
    world::World,
};
use chrono::{DateTime, TimeDelta};
use serde_json::json;
use std::time::{Duration, Instant};

fn busy(status: u16) -> Reply {
    Reply::json(status, &json!({"error": "busy"}))
}

#[test]
fn pending_job_is_polled_until_done() {
    let world = archived(Script::new(march()).statuses(&["queued", "in-progress", "completed"]));
    assert_eq!(world.platform.requests(Endpoint::Status).len(), 3);
}

#[test]
fn unknown_status_is_polled_until_the_deadline_and_reported() {
    let world = World::new(Script::new(march()).statuses(&["marinating"]));
    let outcome = world.run(&["run", "--month", MONTH, "--job-timeout", "3s", "--json"]).expect(75);
    assert!(outcome.output().contains("marinating"), "{}", outcome.output());
    world.assert_nothing_committed();
}

#[test]
fn transient_errors_are_retried() {
    let endpoints = [Endpoint::Status, Endpoint::Download];
    let cases =
        endpoints.into_iter().flat_map(|endpoint| [408, 429, 500, 502, 503, 504].map(|status| (endpoint, status)));
    together(cases, |(endpoint, status)| drop(archived(Script::new(march()).answer(endpoint, 1, &busy(status)))));
}

#[test]
fn retry_after_in_seconds_is_honoured() {
    together([Endpoint::Create, Endpoint::Status, Endpoint::Download], |endpoint| {
        let asks = busy(429).header("Retry-After", 3);
        let world = World::new(Script::new(march()).answer(endpoint, 1, &asks));
        let start = Instant::now();
        world.archive_month(MONTH).expect(0);
        assert!(start.elapsed() >= Duration::from_secs(3), "{endpoint:?} was retried after {:?}", start.elapsed());
        super::assert_archived(&world);
    });
}

#[test]
fn retry_after_as_a_date_is_honoured() {
    let date = http_date_in(TimeDelta::seconds(5));
    let world = World::new(Script::new(march()).answer(Endpoint::Status, 1, &busy(503).header("Retry-After", date)));
    let start = Instant::now();
    world.archive_month(MONTH).expect(0);
    assert!(start.elapsed() >= Duration::from_secs(3), "retried after {:?}", start.elapsed());
}

fn http_date_in(delta: TimeDelta) -> String {
    (now() + delta).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[test]
fn retry_after_does_not_extend_the_deadline() {
    let asks = busy(429).header("Retry-After", 31_536_000);
    let world = World::new(Script::new(march()).always(Endpoint::Status, asks));
    let start = Instant::now();
    let outcome = world.run(&["run", "--month", MONTH, "--job-timeout", "4s", "--json"]);
    outcome.expect(75);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    world.assert_nothing_committed();
}

#[test]
fn delayed_download_ends_at_the_deadline() {
    let asks = busy(429).header("Retry-After", 31_536_000);
    let world = World::new(Script::new(march()).always(Endpoint::Download, asks));
    let start = Instant::now();
    world.run(&["run", "--month", MONTH, "--job-timeout", "4s", "--json"]).expect(75);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    world.platform.behave(|_| Script::new(march()));
    world.archive_month(MONTH).expect(0);
    assert_eq!(world.platform.jobs(), 1);
}

#[test]
fn endless_response_ends_at_the_deadline() {
    let drip = Cut::Slow(1, Duration::from_millis(200));
    let world = World::new(Script::new(march()).always_cut(drip));
    let start = Instant::now();
    let outcome = world.run(&["run", "--month", MONTH, "--job-timeout", "3s", "--json"]).expect(75);
    assert!(outcome.output().contains("not downloaded in time"), "{}", outcome.output());
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
    world.assert_nothing_committed();
}

#[test]
fn clock_skew_of_minutes_postpones_the_run() {
    for minutes in [-10, 10] {
        let world = World::new(Script::new(march()).clock(ServerClock::Moved(TimeDelta::minutes(minutes))));
        let outcome = world.archive_month(MONTH).expect(75);
        assert!(outcome.output().contains("clock"), "{}", outcome.output());
        world.assert_nothing_committed();
    }
}

#[test]
fn small_clock_skew_is_recorded() {
    let world = archived(Script::new(march()).clock(ServerClock::Moved(TimeDelta::minutes(3))));
    let manifest = world.archive().month(MONTH);
    let time = |name: &str| DateTime::parse_from_rfc3339(manifest[name].as_str().unwrap()).unwrap();
    let apart = time("source_clock") - time("committed_at");
    assert!((TimeDelta::minutes(2)..TimeDelta::minutes(4)).contains(&apart), "{apart}");
}

#[test]
fn missing_date_header_is_accepted() {
    let world = archived(Script::new(march()).clock(ServerClock::Silent));
    assert_eq!(world.archive().month(MONTH)["source_clock"], serde_json::Value::Null);
}
