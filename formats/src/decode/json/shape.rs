//! Detects the shape of an artifact.

use super::{
    JsonError, JsonShape,
    envelope::{ERRORS, LISTS},
    spelling::folded,
};

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
            let name = folded(&String::from_utf8_lossy(&self.name));
            if byte == b'[' && self.list.is_none() && LISTS.contains(&&*name) {
                self.list = Some(self.at);
            }
            self.has_error |= byte != b'n' && ERRORS.contains(&&*name);
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
