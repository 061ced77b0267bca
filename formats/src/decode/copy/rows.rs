//! Rows as they came.

use super::CopyError;

/// The number of fields that says that there are no more rows.
const END: [u8; 2] = (-1_i16).to_be_bytes();

/// Rows of a binary COPY, not yet decoded. Emptied, it can be used again and keeps its memory. Some 1 MiB is enough at
/// once: rows that still lie in a near cache are decoded in two thirds of the time.
#[derive(Debug, Default)]
pub struct CopyRows {
    bytes: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
    has_ended: bool,
}

/// What a message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// A row, whatever is wrong with it.
    Row,
    /// The last message: the server has sent every row.
    End,
}

impl CopyRows {
    /// Takes the payload of a `CopyData` message, without the [`signature`](super::signature). Rows are looked at only
    /// when they are decoded.
    #[inline]
    pub fn push(&mut self, message: &[u8]) -> Result<Pushed, CopyError> {
        if self.has_ended {
            return Err(CopyError::AfterEnd);
        }
        if message == END {
            self.has_ended = true;
            return Ok(Pushed::End);
        }
        self.bytes.extend_from_slice(message);
        self.ends.push(self.bytes.len());
        Ok(Pushed::Row)
    }

    /// Whether the last row was among those that were pushed, now or earlier. If not, what comes may be cut off.
    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// How many rows.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many bytes they were on the wire.
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the rows, but not whether they were the last ones.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// The bytes of the row with this ordinal; the first one's is 0.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    pub(super) fn get(&self, ordinal: usize) -> &[u8] {
        let start = ordinal.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[ordinal]]
    }

    /// How many bytes there are up to the end of this row.
    pub(super) fn end(&self, ordinal: usize) -> usize {
        self.ends[ordinal]
    }
}
