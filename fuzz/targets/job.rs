//! Responses of the exports API about a job.

#![no_main]

use archive_connectors::fuzzing::read_job;
use archive_formats::printable::is_hidden;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let Ok(response) = serde_json::from_slice::<Value>(data) else { return };
    let job = read_job(&response);
    if let Some(id) = &job.id {
        let is_segment = !id.contains('/') && !matches!(id.as_str(), "" | "." | ".." | "null");
        assert!(is_segment && id.len() <= 200 && !id.chars().any(is_hidden), "{id:?}");
        // An envelope around a job changes nothing.
        const ENVELOPES: [&str; 3] = ["data", "job", "export"];
        let is_bare = |name: &str| !ENVELOPES.contains(&name.to_lowercase().replace(['_', '-', ' '], "").as_str());
        if response.as_object().is_some_and(|members| members.keys().all(|name| is_bare(name))) {
            for name in ENVELOPES {
                assert_eq!(read_job(&json!({ name: response })), job, "in {name}");
            }
        }
    }
    let word = &job.status.1;
    assert!(word.chars().count() <= 40 && !word.chars().any(is_hidden), "{word:?}");
    let (rows, bytes, _) = job.claims;
    for claim in [rows, bytes].into_iter().flatten() {
        assert!(has_number(&response, claim), "{claim} is not in the response");
    }
    // Whether events are left out does not depend on where it is written.
    for other in [json!([response]), json!({"meta": [{"job": response}]})] {
        assert_eq!(read_job(&other).left_out, job.left_out);
    }
    for word in ["truncated", "has_more", "hasMore", "is-partial"] {
        let cut = json!({"id": 1, "job": response, "meta": { word: true }});
        assert!(read_job(&cut).left_out.is_some(), "{word}");
    }
});

/// Whether a number or a text of the document has this value.
fn has_number(value: &Value, number: u64) -> bool {
    let is_same = |text: &str| {
        let close = |found: f64| (found - number as f64).abs() <= found.abs() * f64::EPSILON;
        text.trim().parse::<u64>() == Ok(number) || text.trim().parse::<f64>().is_ok_and(close)
    };
    match value {
        Value::Number(found) => is_same(&found.to_string()),
        Value::String(text) => is_same(text),
        Value::Array(values) => values.iter().any(|value| has_number(value, number)),
        Value::Object(members) => members.values().any(|value| has_number(value, number)),
        Value::Null | Value::Bool(_) => false,
    }
}
