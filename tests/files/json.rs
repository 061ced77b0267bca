//! JSON files in each shape.

use super::{FileWorld, ids, months};
use crate::support::{
    archive::sha256,
    foreign,
    json::{Shape, artifact},
    platform::gzip,
    together,
};

const MONTHS: [&str; 2] = ["2025-03", "2025-04"];
const SHAPES: [Shape; 3] = [Shape::Array, Shape::Envelope("events"), Shape::Lines];

#[test]
fn every_json_shape_is_backfilled_plain_and_gzipped() {
    // Several chunks, each with both months.
    let mut events = months(&MONTHS, 9000);
    events.sort_by_key(|event| sha256(event.id().as_bytes()));
    together(SHAPES, |shape| {
        let bytes = artifact(shape, &events);
        assert!(bytes.len() > 5 << 20);
        for (name, bytes) in [("events.json.gz", gzip(&bytes)), ("events.jsonl", bytes)] {
            let world = FileWorld::new(&[(name, bytes)]);
            world.backfill(name, "2025-03", "2025-04").expect(0);
            let archive = world.archive();
            archive.check();
            for month in MONTHS {
                assert_eq!(archive.ids(month), ids(&events, month), "{month}");
            }
            let kind = if shape == Shape::Lines { "jsonlines" } else { "json" };
            assert_eq!(archive.month(MONTHS[0])["source"]["detail"]["files"][0]["kind"], kind);
        }
    });
}

#[test]
fn byte_order_mark_and_blank_lines_are_skipped() {
    let events = months(&MONTHS, 10);
    for shape in SHAPES {
        let bytes = [b"\xef\xbb\xbf \n".as_slice(), &artifact(shape, &events), b"\n\n"].concat();
        let world = FileWorld::new(&[("events.ndjson", bytes)]);
        world.backfill("events.ndjson", "2025-03", "2025-04").expect(0);
        assert_eq!(world.archive().ids("2025-04"), ids(&events, "2025-04"));
    }
}

#[test]
fn columns_of_a_month_come_from_all_its_json_files() {
    let line = |text: &str| format!("{text}\n").into_bytes();
    let world = FileWorld::new(&[
        ("1.jsonl", line(r#"{"id": "a", "timestamp": "2025-03-01T10:00:00Z", "model": "m", "new": {"x": 1}}"#)),
        ("2.json", line(r#"[{"timestamp": "2025-03-02T10:00:00Z", "id": "b", "cost_usd": 0.5}]"#)),
        ("3.json", line(r#"[{"timestamp": "2025-04-02T10:00:00Z", "id": "c", "verdict": "allow"}]"#)),
    ]);
    world.backfill("*", "2025-03", "2025-04").expect(0);
    world.archive().check();
    let rows = world.archive().rows("2025-03");
    assert_eq!((rows[0]["model"].as_str(), rows[0]["cost_usd"].as_str()), ("m", ""));
    assert_eq!((rows[1]["model"].as_str(), rows[1]["cost_usd"].as_str()), ("", "0.5"));
    assert_eq!(rows[0]["extra"], r#"{"new": {"x": 1}}"#);
    assert!(!world.archive().rows("2025-04")[0].contains_key("model"));
}

#[test]
fn independent_verifier_reads_types_from_json() {
    let line =
        r#"{"id": "a", "timestamp": "2025-03-01T10:00:00Z", "degraded_mode": true, "metadata": {"a": [1.0]}, "x": 1}"#;
    let world = FileWorld::new(&[("events.jsonl", line.into())]);
    world.run("events.jsonl", "2025-03").expect(0);
    let verified = foreign::verify(&world.archive());
    assert_eq!((&verified["findings"], &verified["files"]), (&serde_json::json!([]), &2.into()));
}

#[test]
fn month_in_csv_and_json_is_refused_alone() {
    let csv = "id,timestamp\na,2025-02-01T10:00:00Z\nb,2025-03-01T10:00:00Z\n";
    let json =
        r#"[{"id": "c", "timestamp": "2025-03-01T10:00:00Z"}, {"id": "d", "timestamp": "2025-04-01T10:00:00Z"}]"#;
    let world = FileWorld::new(&[("1.csv", csv.into()), ("2.json", json.into())]);
    let outcome = world.backfill("*", "2025-02", "2025-04").expect(3);
    assert!(outcome.output().contains("1.csv, 2.json"), "{}", outcome.output());
    assert_eq!(world.archive().months(), ["2025-02", "2025-04"]);
}

#[test]
fn json_reject_fails_its_month_or_all_months_of_its_file() {
    let lines = r#"{"id": "a", "timestamp": "2025-03-01T10:00:00Z"}
{"id": "b", "timestamp": "2025-04-01T10:00:00Z", "latency_ms": "fast"}
{"id": "c", "timestamp": "2025-05-01T10:00:00Z"}
"#;
    let world = FileWorld::new(&[("events.jsonl", lines.as_bytes().to_vec())]);
    let outcome = world.backfill("events.jsonl", "2025-03", "2025-05").expect(3);
    assert!(outcome.output().contains("line 2, column latency_ms"), "{}", outcome.output());
    assert_eq!(world.archive().months(), ["2025-03", "2025-05"]);
    let world = FileWorld::new(&[("events.jsonl", [lines.as_bytes(), b"{\"id\": 1,\n"].concat())]);
    let outcome = world.backfill("events.jsonl", "2025-03", "2025-05").expect(5);
    assert!(outcome.output().contains("line 4"), "{}", outcome.output());
}

#[test]
fn times_are_truncated_and_members_ignored_on_request_and_on_record() {
    let json = r#"{"source": "eu-1", "events": [
        {"id": "a", "timestamp": "2025-03-31T23:59:59.9999999Z", "input_tokens": 1e3, "output_tokens": 2.0}]}"#;
    let world = FileWorld::new(&[("events.json", json.into())]);
    let refused = world.run("events.json", "2025-03").expect(5).json();
    assert!(refused["error"]["hint"].as_str().unwrap().contains("--harmless-members"), "{refused}");
    let vouched = ["--source", "exports/events.json", "--harmless-members", "Source", "--json"];
    let run = |more: &[&str]| world.host.run(&[&["run", "--month", "2025-03"], vouched.as_slice(), more].concat());
    let refused = run(&[]).expect(5).json();
    assert!(refused["error"]["hint"].as_str().unwrap().contains("--truncate-times us"), "{refused}");
    run(&["--truncate-times", "us"]).expect(0);
    let archive = world.archive();
    archive.check();
    let manifest = archive.month("2025-03");
    assert_eq!(manifest["transforms"], serde_json::json!([{"name": "truncate-times", "unit": "us"}]));
    assert_eq!(manifest["source"]["detail"]["harmless_members"], serde_json::json!(["source"]));
    let row = &archive.rows("2025-03")[0];
    assert_eq!((&*row["timestamp"], &*row["input_tokens"]), ("2025-03-31T23:59:59.999999Z", "1000"));
    assert_eq!(&*row["output_tokens"], "2");
    world.run("events.json", "2025-03").expect(0);
    let refused = run(&["--truncate-times", "ms"]).expect(2);
    assert!(refused.output().contains("us"), "{}", refused.output());
    let demo = ["run", "--month", "2025-03", "--source", "demo:", "--truncate-times", "us"];
    world.host.run(&demo).expect(2);
}

#[test]
fn time_column_is_chosen_from_the_whole_file() {
    // The first chunk has only the less preferred name.
    let early = "{\"id\": \"a\", \"created_at\": \"2025-03-01T10:00:00Z\"}\n".repeat(60_000);
    let late = r#"{"id": "b", "created_at": "2025-05-02T10:00:00Z", "timestamp": "2025-04-02T10:00:00Z"}"#;
    let world = FileWorld::new(&[("events.jsonl", format!("{early}{late}").into_bytes())]);
    let outcome = world.run("events.jsonl", "2025-04").expect(5);
    assert!(outcome.output().contains("60000 of 60001 rows"), "{}", outcome.output());
    let keys = ["--time-column", "created_at", "--source", "exports/events.jsonl"];
    world.host.run(&[&["run", "--month", "2025-05"], keys.as_slice()].concat()).expect(0);
}
