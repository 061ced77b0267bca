use super::*;
use crate::exports_api::status::Phase;
use serde_json::json;

const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn id(answer: &Value) -> Option<String> {
    JobView::read(answer).id.map(String::from)
}

#[test]
fn the_body_of_a_create_call_is_the_documented_one() {
    let window = "2025-03".parse::<archive_formats::Month>().unwrap().window();
    let dataset = "audit-log".parse().unwrap();
    let body = serde_json::to_value(CreateRequest::new(&dataset, ArtifactFormat::Csv, window)).unwrap();
    let filters = json!({"from": "2025-03-01T00:00:00Z", "to": "2025-04-01T00:00:00Z"});
    assert_eq!(body, json!({"type": "audit-log", "format": "csv", "filters": filters}));
}

#[test]
fn finds_ids_under_every_name_and_in_every_wrapper() {
    for name in ["id", "job_id", "export_id", "jobId"] {
        assert_eq!(id(&json!({ name: "exp_1" })).as_deref(), Some("exp_1"));
        assert_eq!(id(&json!({ name: 17 })).as_deref(), Some("17"));
        for wrapper in ["data", "job", "export"] {
            assert_eq!(id(&json!({ wrapper: { name: "exp-2" } })).as_deref(), Some("exp-2"), "{wrapper}.{name}");
        }
    }
}

#[test]
fn refuses_ids_that_would_be_other_paths() {
    for bad in [
        json!("null"),
        json!(""),
        json!(" "),
        Value::Null,
        json!("a/b"),
        json!("a\nb"),
        json!(".."),
        json!(true),
        json!({}),
    ] {
        assert_eq!(id(&json!({ "id": bad })), None, "{bad}");
    }
    assert_eq!(id(&json!("exp_1")), None);
    assert_eq!(id(&json!({"id": null, "job_id": "exp_3"})).as_deref(), Some("exp_3"));
}

#[test]
fn the_status_of_an_envelope_is_not_the_status_of_its_job() {
    let view = JobView::read(&json!({"status": "success", "data": {"id": "exp_1", "status": "queued"}}));
    assert_eq!(view.status.phase, Phase::Waiting);
    let view = JobView::read(&json!({"state": "DONE", "data": {"id": "exp_1"}}));
    assert_eq!(view.status.phase, Phase::Done);
    let view = JobView::read(&json!({"status": "success", "data": {"status": "processing"}}));
    assert_eq!(view.status.phase, Phase::Waiting);
}

#[test]
fn a_job_that_is_wrapped_without_its_id_has_a_status_all_the_same() {
    for wrapper in ["data", "job", "export"] {
        let view = JobView::read(&json!({ wrapper: {"state": "done", "row_count": 7} }));
        assert_eq!((view.status.phase, view.claims.rows), (Phase::Done, Some(7)), "{wrapper}");
    }
}

#[test]
fn names_are_known_in_both_styles() {
    let amounts = json!({"id": 1, "rowCount": 3, "sizeBytes": 40, "artifactSha256": DIGEST, "downloadUrl": "/x"});
    let view = JobView::read(&amounts);
    assert_eq!(view.claims, Claims { rows: Some(3), bytes: Some(40), sha256: Some(DIGEST.parse().unwrap()) });
    assert_eq!(view.target.as_deref(), Some("/x"));
}

#[test]
fn finds_amounts_beside_the_status_and_in_nested_objects() {
    let claims = Claims { rows: Some(3), bytes: Some(40), sha256: Some(DIGEST.parse().unwrap()) };
    let flat = json!({"id": 1, "event_count": 3, "size_bytes": 40, "checksum": format!("sha256:{DIGEST}")});
    assert_eq!(JobView::read(&flat).claims, claims);
    let amounts = json!({"rows": "3", "bytes": 40, "sha256": DIGEST.to_uppercase()});
    for nested in ["artifact", "result"] {
        assert_eq!(JobView::read(&json!({"id": 1, nested: amounts})).claims, claims, "{nested}");
        assert_eq!(JobView::read(&json!({"data": {"id": 1, nested: amounts}})).claims, claims, "data.{nested}");
    }
}

#[test]
fn what_is_no_amount_is_no_claim() {
    let odd = json!({"id": 1, "rows": [1, 2], "size": "1.2 MB", "checksum": "d41d8cd98f00b204e9800998ecf8427e"});
    assert_eq!(JobView::read(&odd).claims, Claims::default());
    let later = json!({"id": 1, "rows": [1, 2], "total": 2});
    assert_eq!(JobView::read(&later).claims.rows, Some(2));
}

#[test]
fn finds_the_address_of_the_artifact() {
    for name in ["download_url", "artifact_url", "url"] {
        let view = JobView::read(&json!({"id": 1, "artifact": { name: "/a" }}));
        assert_eq!(view.target.as_deref(), Some("/a"), "{name}");
    }
    assert_eq!(JobView::read(&json!({"id": 1, "download_url": ""})).target, None);
}

#[test]
fn finds_why_a_job_failed() {
    let reason = |answer| JobView::read(&answer).reason;
    assert_eq!(reason(json!({"id": 1, "error": "disk full"})).as_deref(), Some("disk full"));
    assert_eq!(reason(json!({"data": {"id": 1, "error": {"message": "disk full"}}})).as_deref(), Some("disk full"));
    assert_eq!(reason(json!({"id": 1, "error": null, "message": ""})), None);
}

#[test]
fn answers_that_are_no_objects_say_nothing() {
    for answer in [json!(null), json!([]), json!(3), json!("completed")] {
        let view = JobView::read(&answer);
        assert!(view.id.is_none() && view.target.is_none() && view.claims == Claims::default());
    }
}
