//! What the beginning of an artifact says about its shape.

use super::{JsonError, JsonShape};

/// Names of the list of records in an envelope.
pub(super) const LISTS: [&str; 5] = ["events", "data", "items", "results", "records"];

/// Names that only the description of an error has in an object that stands alone.
pub(super) const ERRORS: [&str; 2] = ["error", "errors"];

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
