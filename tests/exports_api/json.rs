//! JSON artifacts in each shape.

use super::{MONTH, assert_archived, march};
use crate::support::{
    cli::Outcome,
    events,
    json::Shape,
    platform::gzip,
    script::{Endpoint, Packing, Script},
    together,
    world::World,
};
use serde_json::{Value, json};

const SHAPES: [Shape; 4] = [Shape::Array, Shape::Envelope("events"), Shape::Envelope("data"), Shape::Lines];

fn run(world: &World) -> Outcome {
    world.run(&["run", "--month", MONTH, "--api-format", "json", "--json"])
}

#[test]
fn every_json_shape_yields_the_same_events() {
    together(SHAPES, |shape| {
        let world = World::new(Script::new(march()).shape(shape).details(|_, rows| json!({"row_count": rows})));
        run(&world).expect(0);
        assert_archived(&world);
        let asked = world.platform.requests(Endpoint::Create);
        let body = serde_json::from_slice::<Value>(&asked[0].body).unwrap();
        assert_eq!(body["format"], "json");
        assert_eq!(world.archive().month(MONTH)["events"]["source_count"], march().len());
    });
}

#[test]
fn json_values_are_archived_exactly() {
    let world = World::new(Script::new(events::difficult(MONTH)).shape(Shape::Lines));
    run(&world).expect(0);
    world.archive().check();
    let rows = world.archive().rows(MONTH);
    for event in events::difficult(MONTH) {
        let row = rows.iter().find(|row| row["id"] == event.id()).unwrap();
        for column in ["cost_usd", "input_tokens", "metadata", "user_id"] {
            let index = events::COLUMNS.iter().position(|name| *name == column).unwrap();
            // Costs have 18 decimal places and are written without trailing zeros.
            let expected = event.0[index].trim_end_matches('0');
            assert_eq!(row[column].trim_end_matches('0'), expected, "{column} of {}", event.id());
        }
    }
}

#[test]
fn large_artifacts_are_decoded_in_chunks() {
    let events = events::month(MONTH, 12_000);
    together([Shape::Array, Shape::Lines], |shape| {
        let world = World::new(Script::new(events.clone()).shape(shape).packing(Packing::GzipFile));
        run(&world).expect(0);
        world.archive().check();
        assert_eq!(world.archive().ids(MONTH).len(), events.len());
    });
}

#[test]
fn row_count_mismatch_is_refused() {
    let world = World::new(Script::new(march()).details(|_, rows| json!({"row_count": rows + 1})));
    run(&world).expect(5);
    world.assert_nothing_committed();
}

#[test]
fn rejected_records_are_reported_by_line_and_column() {
    let good = r#"{"id": "a", "timestamp": "2025-03-01T10:00:00Z"}"#;
    let bad = r#"{"id": "b", "timestamp": "yesterday"}"#;
    let artifact = format!("[{good},\n\n {bad}]");
    let world = World::new(Script::from_bytes(artifact));
    let outcome = run(&world).expect(5);
    assert!(outcome.output().contains("line 2, column timestamp"), "{}", outcome.output());
    world.assert_nothing_committed();
}

#[test]
fn other_documents_are_never_archived() {
    let whole = crate::support::json::artifact(Shape::Array, &march());
    let bodies = [
        events::csv(&march()),
        b"<html>502</html>".to_vec(),
        br#"{"error": {"message": "expired"}}"#.to_vec(),
        br#"{"events": [], "next_cursor": "abc"}"#.to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        Vec::new(),
        whole[..whole.len() - 3].to_vec(),
        gzip(&whole[..whole.len() / 2]),
    ];
    together(bodies, |body| {
        let world = World::new(Script::from_bytes(body));
        let outcome = run(&world);
        assert!([Some(5), Some(6)].contains(&outcome.code), "{}", outcome.output());
        world.assert_nothing_committed();
    });
}
