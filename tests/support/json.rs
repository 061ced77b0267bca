//! Events as JSON artifacts, in the shapes of the platform and as JSON Lines.
//!
//! Short: it only adds a notation to the events of its neighbour.

use super::events::{COLUMNS, Event};
use serde_json::Value;

/// How an artifact holds its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An array.
    Array,
    /// An object with an array under this key.
    Envelope(&'static str),
    /// JSON Lines.
    Lines,
}

/// An artifact with these events.
pub(crate) fn artifact<'a>(shape: Shape, events: impl IntoIterator<Item = &'a Event>) -> Vec<u8> {
    let objects = events.into_iter().map(object).collect::<Vec<_>>();
    let list = || objects.join(",\n  ");
    let text = match shape {
        Shape::Array => format!("[{}]\n", list()),
        Shape::Envelope(name) => {
            let range = r#""time_range": {"from": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}"#;
            format!("{{\"export_id\": \"exp_1\", {range}, \"{name}\": [{}], \"total\": {}}}", list(), objects.len())
        }
        Shape::Lines => objects.join("\n") + "\n",
    };
    text.into_bytes()
}

/// An event as an object: numbers and documents unquoted, empty fields null.
fn object(event: &Event) -> String {
    const PLAIN: [&str; 6] =
        ["policies_evaluated", "metadata", "input_tokens", "output_tokens", "cost_usd", "latency_ms"];
    let member = |(name, value): (&&str, &String)| match value.as_str() {
        "" => format!("\"{name}\": null"),
        plain if PLAIN.contains(name) => format!("\"{name}\": {plain}"),
        text => format!("\"{name}\": {}", Value::from(text)),
    };
    format!("{{{}}}", COLUMNS.iter().zip(&event.0).map(member).collect::<Vec<_>>().join(", "))
}
