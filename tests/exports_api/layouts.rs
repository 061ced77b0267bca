//! Endpoint layouts, job ids and status words.

use super::{MONTH, archived, assert_archived, march};
use crate::support::{
    archive::sha256,
    events,
    http::Reply,
    script::{Endpoint, IdShape, Layout, Script},
    together,
    world::World,
};
use serde_json::{Value, json};

fn targets(world: &World, endpoint: Endpoint) -> Vec<String> {
    world.platform.requests(endpoint).into_iter().map(|request| request.target).collect()
}

#[test]
fn default_layout_is_exports() {
    let world = archived(Script::new(march()));
    assert_eq!(targets(&world, Endpoint::Create), ["/v1/exports"]);
    assert_eq!(targets(&world, Endpoint::Status), ["/v1/exports/exp_0001"]);
    assert_eq!(targets(&world, Endpoint::Download), ["/v1/exports/exp_0001/artifact"]);
    let create = &world.platform.requests(Endpoint::Create)[0];
    let body = serde_json::from_slice::<Value>(&create.body).unwrap();
    assert_eq!((&body["type"], &body["format"]), (&json!("events"), &json!("csv")));
    let source = world.archive().month(MONTH)["source"].clone();
    assert_eq!(source["type"], "exports-api");
    assert_eq!(source["url"].as_str().unwrap().trim_end_matches('/'), world.platform.url());
    assert_eq!(source["detail"]["layout"], "exports");
    assert_eq!(source["detail"]["jobs"][0]["id"], "exp_0001");
}

#[test]
fn exports_jobs_layout_is_used_when_set() {
    let mut world = World::new(Script::new(march()).layouts(&[Layout::Jobs]));
    world.host.set("KT_ARCHIVE_API_LAYOUT", "exports-jobs");
    world.archive_month(MONTH).expect(0);
    assert_archived(&world);
    assert_eq!(targets(&world, Endpoint::Create), ["/v1/exports/jobs"]);
    assert_eq!(targets(&world, Endpoint::Status), ["/v1/exports/jobs/exp_0001"]);
    assert_eq!(targets(&world, Endpoint::Download), ["/v1/exports/jobs/exp_0001/download"]);
}

#[test]
fn auto_detects_the_layout() {
    for layout in [Layout::Exports, Layout::Jobs] {
        let mut world = World::new(Script::new(march()).layouts(&[layout]));
        world.host.set("KT_ARCHIVE_API_LAYOUT", "auto");
        world.archive_month(MONTH).expect(0);
        assert_archived(&world);
    }
}

#[test]
fn auto_switches_on_405() {
    let refused = Reply::json(405, &json!({"error": "method not allowed"}));
    let script = Script::new(march()).layouts(&[Layout::Jobs]).answer(Endpoint::Create, 1, &refused);
    let mut world = World::new(script);
    world.host.set("KT_ARCHIVE_API_LAYOUT", "auto");
    world.archive_month(MONTH).expect(0);
    assert_archived(&world);
}

#[test]
fn auto_does_not_switch_on_403() {
    let refused = Reply::json(403, &json!({"error": "exports:create is missing"}));
    let script = Script::new(march()).layouts(&[Layout::Jobs]).always(Endpoint::Create, refused);
    let mut world = World::new(script);
    world.host.set("KT_ARCHIVE_API_LAYOUT", "auto");
    world.archive_month(MONTH).expect(9);
    assert!(targets(&world, Endpoint::Create).iter().all(|target| target == "/v1/exports"));
}

#[test]
fn missing_layout_names_the_option() {
    let world = World::new(Script::new(march()).layouts(&[Layout::Jobs]));
    let outcome = world.archive_month(MONTH).expect(6);
    assert!(outcome.output().contains("--api-layout"), "{}", outcome.output());
    world.assert_nothing_committed();
}

#[test]
fn job_ids_are_found_in_every_known_shape() {
    let shapes = [
        IdShape::Text("id"),
        IdShape::Text("job_id"),
        IdShape::Text("export_id"),
        IdShape::Text("jobId"),
        IdShape::Nested("data"),
        IdShape::Nested("job"),
        IdShape::Nested("export"),
        IdShape::Number,
    ];
    together(shapes, |shape| drop(archived(Script::new(march()).id(shape))));
}

#[test]
fn job_id_with_path_segments_is_refused() {
    let evil = Reply::json(201, &json!({"id": "../../v1/events", "status": "queued"}));
    let world = World::new(Script::new(march()).answer(Endpoint::Create, 1, &evil));
    world.archive_month(MONTH).expect(6);
    assert_eq!(targets(&world, Endpoint::Status), [] as [&str; 0]);
    world.assert_nothing_committed();
}

#[test]
fn every_known_word_for_done_is_accepted() {
    let words = ["completed", "Complete", "SUCCEEDED", "success", "done", "finished", "ready", "available"];
    together(words, |word| drop(archived(Script::new(march()).statuses(&[word]))));
}

#[test]
fn status_may_be_called_state() {
    archived(Script::new(march()).status_key("state"));
}

#[test]
fn manifest_records_size_and_digest_of_the_artifact() {
    let world = archived(Script::new(march()));
    let job = world.archive().month(MONTH)["source"]["detail"]["jobs"][0].clone();
    let delivered = events::csv(&march());
    assert_eq!(job["artifact_bytes"], delivered.len());
    assert_eq!(job["artifact_sha256"], sha256(&delivered));
}
