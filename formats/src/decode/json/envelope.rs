//! What stands around the records.

use super::{
    JsonError,
    head::{ERRORS, LISTS},
};
use serde_json::Value;

/// The most that is read of it. An envelope holds some dates and counts.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// Names under which an envelope says where the next page is.
const CURSORS: [&str; 4] = ["next_cursor", "cursor", "next", "next_page_token"];

/// Names under which an envelope says how many records there are, on this page or on all.
const COUNTS: [&str; 10] = [
    "row_count",
    "rows",
    "event_count",
    "events_count",
    "record_count",
    "records_count",
    "total_rows",
    "total_events",
    "total",
    "count",
];

/// Checks the document that is left when its list of `found` records is empty.
pub(super) fn check(before: &[u8], after: &[u8], found: u64) -> Result<(), JsonError> {
    let document = [before, after].concat();
    let document = serde_json::from_slice::<Value>(&document)
        .map_err(|error| if error.is_eof() { JsonError::Truncated } else { JsonError::Malformed })?;
    let Value::Object(members) = &document else { return Ok(()) };
    if let Some(name) = promise(&document) {
        return Err(JsonError::OnePage(name.to_owned()));
    }
    if let Some((name, _)) = members.iter().find(|(name, value)| ERRORS.contains(&name.as_str()) && !is_nothing(value))
    {
        return Err(JsonError::Failure(name.clone()));
    }
    let counts = members.iter().filter(|(name, _)| COUNTS.contains(&name.as_str()));
    let mut counts = counts.filter_map(|(name, value)| Some((name, value.as_u64()?)));
    if let Some((name, claimed)) = counts.find(|(_, claimed)| *claimed > found) {
        return Err(JsonError::TooFew { name: name.clone(), claimed, found });
    }
    let mut lists = members.iter().filter(|(name, value)| value.is_array() && LISTS.contains(&name.as_str()));
    let first = lists.next().map(|(name, _)| name.clone()).unwrap_or_default();
    match lists.find(|(_, value)| value.as_array().is_some_and(|elements| !elements.is_empty())) {
        Some((second, _)) => Err(JsonError::SeveralLists(first, second.clone())),
        None => Ok(()),
    }
}

/// The name of the member, at whatever depth of objects, that says that there is more. An empty cursor leads nowhere.
fn promise(value: &Value) -> Option<&str> {
    value.as_object()?.iter().find_map(|(name, value)| {
        let is_cursor = CURSORS.contains(&name.as_str()) && !matches!(value, Value::Null | Value::Bool(false));
        let leads_on = is_cursor && value.as_str() != Some("") || name == "has_more" && *value == Value::Bool(true);
        if leads_on { Some(name.as_str()) } else { promise(value) }
    })
}

/// Whether nothing went wrong.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    }
}
