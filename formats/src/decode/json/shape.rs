//! The shape of an artifact, and what surrounds its records.

use super::{JsonError, JsonShape};
use serde_json::Value;

/// Names of the list of records in an envelope.
const LISTS: [&str; 5] = ["events", "data", "items", "results", "records"];

/// Names that only the description of an error has in an object that stands alone.
const ERRORS: [&str; 2] = ["error", "errors"];

/// How far the end of an object is looked for when a list was found in it. A record in a line may have a list of such a
/// name, but it ends soon, and another one follows.
const PATIENCE: usize = 256 << 10;

/// Reads the first bytes one by one. What it finds depends on them alone, not on how many there are at a time.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Bytes that were read.
    at: usize,
    depth: usize,
    text: Text,
    /// Where the last string begins.
    string: usize,
    /// The last name in the outermost object.
    name: Vec<u8>,
    place: Place,
    /// Where the first list of records begins.
    list: Option<usize>,
    has_error: bool,
    has_line_feed: bool,
    is_closed: bool,
}

/// Whether the next byte belongs to a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Text {
    #[default]
    Outside,
    Inside,
    Escape,
}

/// Where in a member of the outermost object the next token stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Name,
    Value,
    AfterValue,
}

/// What an artifact turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub shape: JsonShape,
    /// Where the records begin.
    pub records: usize,
}

impl Head {
    /// Looks at `bytes`, all of the artifact's so far; `None` means that more are needed, or, at its end, that there is
    /// nothing in them.
    pub(super) fn look(&mut self, bytes: &[u8], is_end: bool) -> Result<Option<Finding>, JsonError> {
        let finding = |shape, records| Ok(Some(Finding { shape, records }));
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
                (Some(list), _) if self.at >= PATIENCE => return finding(JsonShape::Envelope, list + 1),
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

    /// Whether the first object was read to its end.
    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The next byte that is no white space; it is not read.
    fn skip_space(&mut self, bytes: &[u8]) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn step(&mut self, bytes: &[u8], byte: u8) {
        self.has_line_feed |= byte == b'\n';
        match (self.text, byte) {
            (Text::Escape, _) => self.text = Text::Inside,
            (Text::Inside, b'\\') => self.text = Text::Escape,
            (Text::Inside, b'"') => self.end_string(bytes),
            (Text::Inside, _) | (Text::Outside, b' ' | b'\n' | b'\r' | b'\t') => {}
            (Text::Outside, b':') if self.depth == 1 && self.place == Place::Name => self.place = Place::Value,
            (Text::Outside, b',') if self.depth == 1 => self.place = Place::Name,
            (Text::Outside, _) => self.begin_token(byte),
        }
        self.at += 1;
    }

    fn end_string(&mut self, bytes: &[u8]) {
        self.text = Text::Outside;
        if self.depth == 1 && self.place == Place::Name {
            self.name = bytes.get(self.string..self.at).unwrap_or_default().to_vec();
        }
    }

    fn begin_token(&mut self, byte: u8) {
        if self.depth == 1 && self.place == Place::Value {
            self.place = Place::AfterValue;
            let is_one_of = |names: &[&str]| names.iter().any(|name| name.as_bytes() == self.name);
            if byte == b'[' && self.list.is_none() && is_one_of(&LISTS) {
                self.list = Some(self.at);
            }
            self.has_error |= byte != b'n' && is_one_of(&ERRORS);
        }
        match byte {
            b'"' => (self.text, self.string) = (Text::Inside, self.at + 1),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                self.is_closed = self.depth == 0;
            }
            _ => {}
        }
    }
}

/// The most that is read of it. An envelope holds some dates and counts.
pub(super) const MAX_ENVELOPE_BYTES: usize = 1 << 20;

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
pub(super) fn check_envelope(before: &[u8], after: &[u8], found: u64) -> Result<(), JsonError> {
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
