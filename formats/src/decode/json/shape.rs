//! Detects the shape of an artifact, and checks the envelope around its records.

use super::{JsonError, JsonShape};
use serde_json::Value;

/// Names of the array of records in an envelope.
const LISTS: [&str; 5] = ["events", "data", "items", "results", "records"];

/// Names of error descriptions. A single object with one of them is not an event.
const ERRORS: [&str; 2] = ["error", "errors"];

/// Bytes after which an unclosed object with an array of records is an envelope. A record of JSON Lines may have such an
/// array too, but ends earlier.
const MIN_ENVELOPE_BYTES: usize = 256 << 10;

/// Detects the shape of an artifact from its first bytes. The result does not depend on the size of blocks.
#[derive(Debug, Default)]
pub(super) struct ShapeDetector {
    /// Number of bytes read.
    at: usize,
    depth: usize,
    string_state: StringState,
    /// Start of the last string.
    string: usize,
    /// Last name in the outermost object.
    name: Vec<u8>,
    member: MemberState,
    /// Start of the first array of records.
    list: Option<usize>,
    has_error: bool,
    has_line_feed: bool,
    is_closed: bool,
}

/// Whether the next byte is part of a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum StringState {
    #[default]
    Outside,
    Inside,
    Escape,
}

/// Position of the next token in a member of the outermost object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum MemberState {
    #[default]
    Name,
    Value,
    AfterValue,
}

/// A detected shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Detected {
    pub shape: JsonShape,
    /// Start of the records.
    pub records: usize,
}

impl ShapeDetector {
    /// Continues the detection in `bytes`, all bytes so far. `None` if more are needed, or, at the end, if there are no
    /// records.
    pub(super) fn detect(&mut self, bytes: &[u8], is_end: bool) -> Result<Option<Detected>, JsonError> {
        let finding = |shape, records| Ok(Some(Detected { shape, records }));
        if self.depth == 0 && !self.is_closed {
            match self.skip_space(bytes) {
                None => return Ok(None),
                Some(b'[') => return finding(JsonShape::Array, self.at + 1),
                Some(b'{') => {}
                Some(_) => return Err(JsonError::NotJson),
            }
        }
        while !self.is_closed {
            match (self.list, bytes.get(self.at)) {
                (Some(list), _) if self.at >= MIN_ENVELOPE_BYTES => return finding(JsonShape::Envelope, list + 1),
                (_, None) if is_end => return Err(JsonError::Truncated),
                (_, None) => return Ok(None),
                (_, Some(byte)) => self.step(bytes, *byte),
            }
        }
        let has_line_feed = self.has_line_feed;
        match (self.skip_space(bytes), self.list) {
            (None, _) if !is_end => Ok(None),
            (Some(b'{'), _) if !has_line_feed => finding(JsonShape::Lines, 0),
            (_, Some(list)) => finding(JsonShape::Envelope, list + 1),
            (None, None) if self.has_error || has_line_feed => Err(JsonError::NoRecords),
            (Some(_), None) if has_line_feed => Err(JsonError::SeveralLines),
            (_, None) => finding(JsonShape::Lines, 0),
        }
    }

    /// Whether the first object is closed.
    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Skips white space and returns the next byte, unread.
    fn skip_space(&mut self, bytes: &[u8]) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn step(&mut self, bytes: &[u8], byte: u8) {
        self.has_line_feed |= byte == b'\n';
        match (self.string_state, byte) {
            (StringState::Escape, _) => self.string_state = StringState::Inside,
            (StringState::Inside, b'\\') => self.string_state = StringState::Escape,
            (StringState::Inside, b'"') => self.end_string(bytes),
            (StringState::Inside, _) | (StringState::Outside, b' ' | b'\n' | b'\r' | b'\t') => {}
            (StringState::Outside, b':') if self.depth == 1 && self.member == MemberState::Name => {
                self.member = MemberState::Value;
            }
            (StringState::Outside, b',') if self.depth == 1 => self.member = MemberState::Name,
            (StringState::Outside, _) => self.begin_token(byte),
        }
        self.at += 1;
    }

    fn end_string(&mut self, bytes: &[u8]) {
        self.string_state = StringState::Outside;
        if self.depth == 1 && self.member == MemberState::Name {
            self.name = bytes.get(self.string..self.at).unwrap_or_default().to_vec();
        }
    }

    fn begin_token(&mut self, byte: u8) {
        if self.depth == 1 && self.member == MemberState::Value {
            self.member = MemberState::AfterValue;
            let is_one_of = |names: &[&str]| names.iter().any(|name| name.as_bytes() == self.name);
            if byte == b'[' && self.list.is_none() && is_one_of(&LISTS) {
                self.list = Some(self.at);
            }
            self.has_error |= byte != b'n' && is_one_of(&ERRORS);
        }
        match byte {
            b'"' => (self.string_state, self.string) = (StringState::Inside, self.at + 1),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                self.is_closed = self.depth == 0;
            }
            _ => {}
        }
    }
}

/// Maximum length of the JSON around the records. Envelopes have some dates and counts.
pub(super) const MAX_ENVELOPE_BYTES: usize = 1 << 20;

/// Names of links to the next page.
const CURSORS: [&str; 4] = ["next_cursor", "cursor", "next", "next_page_token"];

/// Names of counts of records, of this page or of all.
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

/// Checks the envelope, given as the bytes before and after its array of `found` records.
pub(super) fn check_envelope(before: &[u8], after: &[u8], found: u64) -> Result<(), JsonError> {
    let document = [before, after].concat();
    let document = serde_json::from_slice::<Value>(&document)
        .map_err(|error| if error.is_eof() { JsonError::Truncated } else { JsonError::Malformed })?;
    let Value::Object(members) = &document else { return Ok(()) };
    if let Some(name) = next_page(&document) {
        return Err(JsonError::OnePage(name.to_owned()));
    }
    if let Some((name, _)) = members.iter().find(|(name, value)| ERRORS.contains(&name.as_str()) && !is_no_error(value))
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

/// The name of a member, at any depth of objects, that links to a next page. Empty cursors do not count.
fn next_page(value: &Value) -> Option<&str> {
    value.as_object()?.iter().find_map(|(name, value)| {
        let is_cursor = CURSORS.contains(&name.as_str()) && !matches!(value, Value::Null | Value::Bool(false));
        let has_next = is_cursor && value.as_str() != Some("") || name == "has_more" && *value == Value::Bool(true);
        if has_next { Some(name.as_str()) } else { next_page(value) }
    })
}

/// Whether the value of an error member reports no error.
fn is_no_error(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    }
}
