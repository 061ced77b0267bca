//! Downloads of artifacts: redirects, truncation, resumption, compression, expiry.

use super::{MONTH, archived, assert_archived, march};
use crate::support::{
    events,
    http::Reply,
    platform::{Platform, SIGNATURE, gzip},
    script::{Cut, Endpoint, Packing, Script},
    together,
    world::World,
};
use std::time::Duration;

/// An offset in the middle of a row.
const MIDDLE: usize = 4321;

#[test]
fn redirect_to_a_store_is_followed_without_the_token() {
    let world = archived(Script::new(march()).redirect());
    let requests = world.platform.requests(Endpoint::Storage);
    assert!(!requests.is_empty());
    assert!(requests.iter().all(|request| request.header("authorization").is_none()));
    let detail = world.archive().month(MONTH)["source"].to_string();
    assert!(!detail.contains(SIGNATURE) && !detail.contains("X-Amz"), "{detail}");
}

#[test]
fn expired_presigned_url_is_requested_again() {
    let expired = Reply::new(403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>");
    let world = archived(Script::new(march()).redirect().answer(Endpoint::Storage, 1, &expired));
    assert_eq!(world.platform.requests(Endpoint::Download).len(), 2);
    assert_eq!(world.platform.jobs(), 1);
}

#[test]
fn endless_redirects_are_refused() {
    let world = World::new(Script::new(march()));
    let again = Reply::new(302, "").header("Location", "/v1/exports/exp_0001/artifact");
    world.platform.behave(|script| script.always(Endpoint::Download, again));
    world.archive_month(MONTH).expect(6);
    assert!(world.platform.requests(Endpoint::Download).len() <= 20);
    world.assert_nothing_committed();
}

#[test]
fn redirect_to_another_host_does_not_get_the_token() {
    let elsewhere = Platform::start(Script::new(march()));
    let redirect = Reply::new(307, "").header("Location", format!("{}/v1/exports/exp_0001/artifact", elsewhere.url()));
    let world = World::new(Script::new(march()).always(Endpoint::Download, redirect));
    let outcome = world.archive_month(MONTH);
    assert_ne!(outcome.code, Some(0));
    let asked = elsewhere.requests(Endpoint::Download);
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn truncated_body_is_downloaded_again() {
    together([Cut::Short(0), Cut::Short(MIDDLE), Cut::EndlessChunk(MIDDLE)], |cut| {
        let world = archived(Script::new(march()).cuts(&[cut]));
        assert_eq!(world.platform.jobs(), 1);
    });
}

#[test]
fn always_truncated_body_is_never_archived() {
    // A cut at the end of a row leaves a well-formed artifact.
    let rows = events::csv(&march()[..20]).len();
    together([Cut::Short(MIDDLE), Cut::Short(rows), Cut::EndlessChunk(rows)], |cut| {
        let world = World::new(Script::new(march()).always_cut(cut));
        let outcome = world.run(&["run", "--month", MONTH, "--job-timeout", "5s", "--json"]);
        assert!([Some(6), Some(75)].contains(&outcome.code), "{cut:?}: {}", outcome.output());
        world.assert_nothing_committed();
    });
}

#[test]
fn broken_download_resumes_at_its_offset() {
    let world = archived(Script::new(march()).ranges("\"v1\"").cuts(&[Cut::Short(MIDDLE)]));
    let requests = world.platform.requests(Endpoint::Download);
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].range_start(), Some(MIDDLE));
    assert_eq!(requests[1].header("if-range"), Some("\"v1\""));
}

#[test]
fn download_resumes_after_several_breaks() {
    let cuts = [Cut::Short(1000), Cut::Short(500), Cut::Short(1)];
    archived(Script::new(march()).ranges("\"v1\"").cuts(&cuts));
}

#[test]
fn weak_etag_does_not_resume() {
    let world = archived(Script::new(march()).ranges("W/\"v1\"").cuts(&[Cut::Short(MIDDLE)]));
    assert_eq!(world.platform.requests(Endpoint::Download)[1].header("range"), None);
}

#[test]
fn changed_artifact_is_downloaded_from_the_start() {
    let world = World::new(Script::new(march()).ranges("\"v1\"").cuts(&[Cut::Short(MIDDLE)]));
    world.platform.behave(|script| script.pause(Endpoint::Download, Duration::from_millis(300)));
    let running = world.start_month(MONTH);
    world.platform.wait_for(Endpoint::Download, 2);
    // The second request has the old ETag; the response comes from the new artifact.
    world.platform.behave(|script| script.ranges("\"v2\""));
    running.wait().expect(0);
    assert_archived(&world);
}

#[test]
fn gzipped_artifacts_are_decompressed() {
    for packing in [Packing::Encoded, Packing::GzipFile] {
        archived(Script::new(march()).packing(packing));
    }
}

#[test]
fn truncated_gzip_is_never_archived() {
    let whole = gzip(&events::csv(&march()));
    together([whole.len() - 1, whole.len() - 8, whole.len() / 2], |keep| {
        let world = World::new(Script::from_bytes(&whole[..keep]));
        world.run(&["run", "--month", MONTH, "--job-timeout", "5s", "--json"]).expect(6);
        world.assert_nothing_committed();
    });
}

#[test]
fn gzip_bomb_is_refused() {
    let mut artifact = events::header();
    artifact.resize(200 << 20, b' ');
    let world = World::new(Script::from_bytes(gzip(&artifact)));
    let outcome = world.run(&["run", "--month", MONTH, "--job-timeout", "5s", "--json"]);
    assert!([Some(5), Some(6)].contains(&outcome.code), "{}", outcome.output());
    world.assert_nothing_committed();
}

#[test]
fn expired_artifact_gets_one_new_job() {
    let world = archived(Script::new(march()).expired_jobs(1));
    assert_eq!(world.platform.jobs(), 2);
}

#[test]
fn always_expired_artifact_fails_after_one_new_job() {
    let world = World::new(Script::new(march()).expired_jobs(99));
    world.archive_month(MONTH).expect(6);
    assert_eq!(world.platform.jobs(), 2);
    world.assert_nothing_committed();
}
