//! Downloads of artifacts: redirects, truncation, resumption, compression, expiry.

use super::{MONTH, archived, assert_archived, march};
use crate::support::{
    archive::sha256,
    events,
    http::{Body, Reply},
    json::Shape,
    platform::{Platform, SIGNATURE, gzip},
    script::{Cut, Endpoint, Packing, Script},
    together,
    world::World,
};
use serde_json::json;
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
fn the_end_of_a_connection_is_not_the_end_of_an_artifact() {
    let csv = events::csv(&march());
    let middle = events::csv(&march()[..20]).len();
    let row = "id,timestamp,note\r\na,2025-03-05T10:00:00Z,note 500 of the row\r\n";
    let cases = [
        (Script::new(march()), "HTTP/1.0", middle),
        (Script::new(march()), "HTTP/1.1", middle),
        (Script::new(march()), "HTTP/1.1", csv.len()),
        // Inside the last field.
        (Script::from_bytes(row), "HTTP/1.1", row.len() - 19),
        // The number of rows is that of the job.
        (Script::from_bytes(row).details(|_, _| json!({"row_count": 1})), "HTTP/1.1", row.len() - 19),
    ];
    together(cases, |(script, version, keep)| {
        let world = World::new(script.always_cut(Cut::UntilClose(version, keep)));
        let outcome = world.archive_month(MONTH).expect(6).json();
        let hint = outcome["error"]["hint"].as_str().unwrap();
        assert!(hint.contains("Content-Length"), "{version} {keep}: {hint}");
        world.assert_nothing_committed();
    });
}

#[test]
fn an_artifact_until_the_end_of_its_connection_is_whole_if_something_vouches_for_it() {
    let script = || Script::new(march());
    let scripts = [
        (script().details(|_, rows| json!({"total-events": rows})), "csv"),
        (script().details(|bytes, _| json!({"meta": {"sizeBytes": bytes.len()}})), "csv"),
        (script().details(|bytes, _| json!({"sha256": sha256(bytes)})), "csv"),
        (script().packing(Packing::GzipFile), "csv"),
        (script().shape(Shape::Array), "json"),
        (script().shape(Shape::Envelope("events")), "json"),
    ];
    together(scripts, |(script, format)| {
        let run = |script: Script, keep| {
            let world = World::new(script.always_cut(Cut::UntilClose("HTTP/1.1", keep)));
            let run = ["run", "--month", MONTH, "--api-format", format, "--job-timeout", "5s", "--json"];
            (world.run(&run), world)
        };
        let (outcome, world) = run(script.clone(), usize::MAX);
        outcome.expect(0);
        assert_archived(&world);
        let (outcome, world) = run(script, 400);
        assert!([Some(5), Some(6)].contains(&outcome.code), "{}", outcome.output());
        world.assert_nothing_committed();
    });
}

#[test]
fn lines_and_members_of_gzip_do_not_vouch_for_their_end() {
    let members = events::csv(&march()).chunks(700).flat_map(gzip).collect::<Vec<_>>();
    let scripts = [(Script::from_bytes(members), "csv"), (Script::new(march()).shape(Shape::Lines), "json")];
    together(scripts, |(script, format)| {
        let world = World::new(script.always_cut(Cut::UntilClose("HTTP/1.1", usize::MAX)));
        world.run(&["run", "--month", MONTH, "--api-format", format, "--json"]).expect(6);
        world.assert_nothing_committed();
    });
}

#[test]
fn a_part_of_another_artifact_is_never_joined() {
    let whole = events::csv(&march());
    let other = String::from_utf8(whole.clone()).unwrap().replace("allow", "ALLOW").into_bytes();
    let part = |etag: &str, range: String| {
        let reply = Reply::new(206, &other[MIDDLE..]).header("Content-Range", range);
        if etag.is_empty() { reply } else { reply.header("ETag", etag) }
    };
    let range = |total: &str| format!("bytes {MIDDLE}-{}/{total}", whole.len() - 1);
    let same = whole.len().to_string();
    together(
        [
            part("\"v2\"", range(&same)),
            part("", range(&same)),
            part("W/\"v1\"", range(&same)),
            part("\"v1\"", range("*")),
            part("\"v1\"", range(&(whole.len() + 1).to_string())),
        ],
        |part| {
            let begun = Body::Short { bytes: whole[..MIDDLE].to_vec(), claimed: whole.len() };
            let begun = Reply::new(200, "").header("ETag", "\"v1\"").with_body(begun);
            let script =
                Script::new(march()).answer(Endpoint::Download, 1, &begun).answer(Endpoint::Download, 1, &part);
            let world = archived(script);
            let requests = world.platform.requests(Endpoint::Download);
            assert_eq!((requests.len(), requests[2].header("range")), (3, None), "{part:?}");
        },
    );
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
