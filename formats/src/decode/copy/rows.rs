//! Collected rows, and their fields.

use super::CopyError;
use bytes::Bytes;
use std::ops::Range;

/// Field count of the end marker.
const END: [u8; 2] = (-1_i16).to_be_bytes();

/// Undecoded rows of a binary COPY, in the blocks in which they were received. Decode about 1 MiB at a time: rows in a near
/// cache take two thirds of the time.
#[derive(Debug)]
pub struct CopyRows {
    max_row_bytes: usize,
    blocks: Vec<Bytes>,
    rows: Vec<Row>,
    /// Size of the rows.
    bytes: usize,
    has_ended: bool,
}

/// Where a row is.
#[derive(Clone, Copy, Debug)]
struct Row {
    block: usize,
    start: usize,
    end: usize,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// A row, valid or not.
    Row,
    /// The end marker, after the last row.
    End,
}

impl CopyRows {
    /// No rows yet, and none longer than `max_row_bytes`.
    pub const fn new(max_row_bytes: usize) -> Self {
        Self { max_row_bytes, blocks: Vec::new(), rows: Vec::new(), bytes: 0, has_ended: false }
    }

    /// Appends a copy of the payload of a `CopyData` message, without the [`signature`]. Rows are not validated before they
    /// are decoded.
    pub fn push(&mut self, message: &[u8]) -> Result<Pushed, CopyError> {
        self.push_received(&Bytes::copy_from_slice(message), 0..message.len())
    }

    /// Like [`Self::push`], with the bytes of `block` at `place`, which are not copied.
    ///
    /// # Panics
    /// If the block is shorter.
    #[inline]
    pub fn push_received(&mut self, block: &Bytes, place: Range<usize>) -> Result<Pushed, CopyError> {
        let message = &block[place.clone()];
        if self.has_ended {
            return Err(CopyError::AfterEnd);
        }
        if message == END {
            self.has_ended = true;
            return Ok(Pushed::End);
        }
        if message.len() > self.max_row_bytes {
            return Err(CopyError::RowTooLong(self.max_row_bytes));
        }
        self.bytes += message.len();
        if self.blocks.last().is_none_or(|last| last.as_ptr_range() != block.as_ptr_range()) {
            self.blocks.push(block.clone());
        }
        self.rows.push(Row { block: self.blocks.len() - 1, start: place.start, end: place.end });
        Ok(Pushed::Row)
    }

    /// Whether the end marker was pushed, now or before [`Self::clear`]. Otherwise the COPY may be truncated.
    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Number of rows.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Size of the rows in bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Removes all rows. [`Self::has_ended`] does not change.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.rows.clear();
        self.bytes = 0;
    }

    /// The bytes of a row. Ordinals start at 0.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub(super) fn get(&self, ordinal: usize) -> &[u8] {
        let Row { block, start, end } = self.rows[ordinal];
        &self.blocks[block][start..end]
    }
}

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Flags of this half are critical: a reader that does not know them must stop.
const CRITICAL: u32 = 0xffff_0000;

/// Checks the header at the start of the first message of a binary COPY, and returns its length in bytes.
pub fn signature(bytes: &[u8]) -> Result<usize, CopyError> {
    let rest = bytes.strip_prefix(SIGNATURE).ok_or(CopyError::Signature)?;
    let (flags, rest) = rest.split_first_chunk().ok_or(CopyError::Truncated)?;
    let (extension, rest) = rest.split_first_chunk().ok_or(CopyError::Truncated)?;
    let flags = u32::from_be_bytes(*flags) & CRITICAL;
    if flags != 0 {
        return Err(CopyError::Flags(flags));
    }
    let extension = usize::try_from(i32::from_be_bytes(*extension)).ok();
    let rows = extension.and_then(|length| rest.get(length..)).ok_or(CopyError::Truncated)?;
    Ok(bytes.len() - rows.len())
}

/// Rows decoded together. The positions of their fields fit into the innermost cache.
pub(super) const BLOCK: usize = 64;

/// The bytes of a field; `None` is NULL.
pub(super) type Field<'a> = Option<&'a [u8]>;

/// Fields of up to [`BLOCK`] rows, by column.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// Column-major, with room for a block in each column.
    table: Vec<Field<'a>>,
    rows: usize,
}

impl<'a> Fields<'a> {
    /// An empty table for `columns` columns.
    pub(super) fn new(columns: usize) -> Self {
        Self { table: vec![None; columns * BLOCK], rows: 0 }
    }

    pub(super) const fn clear(&mut self) {
        self.rows = 0;
    }

    /// Appends the fields of a row.
    #[inline]
    pub(super) fn push(&mut self, row: &'a [u8]) -> Result<(), CopyError> {
        let (count, mut rest) = row.split_first_chunk().ok_or(CopyError::Truncated)?;
        let (found, expected) = (i16::from_be_bytes(*count), self.table.len() / BLOCK);
        if usize::try_from(found) != Ok(expected) {
            return Err(CopyError::FieldCount { found, expected });
        }
        for field in self.table.iter_mut().skip(self.rows).step_by(BLOCK) {
            (*field, rest) = split_field(rest).ok_or(CopyError::Truncated)?;
        }
        self.rows += 1;
        if rest.is_empty() { Ok(()) } else { Err(CopyError::Trailing) }
    }

    /// The fields of each column.
    pub(super) fn columns(&self) -> impl Iterator<Item = &[Field<'a>]> {
        self.table.chunks_exact(BLOCK).map(|column| &column[..self.rows])
    }
}

/// The field at the start of `bytes`, after its length, and the rest.
#[inline]
pub(super) fn split_field(bytes: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    match i32::from_be_bytes(*length) {
        -1 => Some((None, rest)),
        length => {
            let (field, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((Some(field), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_message(flags: u32, extension: i32, rest: &[u8]) -> Vec<u8> {
        [SIGNATURE, &flags.to_be_bytes()[..], &extension.to_be_bytes(), rest].concat()
    }

    #[test]
    fn the_length_includes_the_header_extension() {
        assert_eq!(signature(&first_message(0, 0, b"")), Ok(19));
        assert_eq!(signature(&first_message(0, 0, b"\0\x02row")), Ok(19));
        assert_eq!(signature(&first_message(0xffff, 3, b"extrow")), Ok(22));
    }

    #[test]
    fn malformed_headers_are_errors() {
        assert_eq!(signature(b""), Err(CopyError::Signature));
        assert_eq!(signature(b"PGCOPY\n\xff\r\n"), Err(CopyError::Signature));
        assert_eq!(signature(b"PGCOPY\n\xff\n\0\0\0\0\0\0\0\0\0"), Err(CopyError::Signature));
        // Row identifiers, which servers sent before version 12.
        assert_eq!(signature(&first_message(1 << 16, 0, b"")), Err(CopyError::Flags(1 << 16)));
        for length in 11..19 {
            assert_eq!(signature(&first_message(0, 0, b"")[..length]), Err(CopyError::Truncated), "{length}");
        }
        assert_eq!(signature(&first_message(0, 4, b"ext")), Err(CopyError::Truncated));
        assert_eq!(signature(&first_message(0, -1, b"ext")), Err(CopyError::Truncated));
    }
}
