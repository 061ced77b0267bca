//! Where the fields of some rows are.

use super::CopyError;

/// How many rows are decoded together. Their fields' places fit into the innermost cache.
pub(super) const BLOCK: usize = 64;

/// A field's bytes; `None` is NULL.
pub(super) type Field<'a> = Option<&'a [u8]>;

/// The fields of up to [`BLOCK`] rows, by column.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// One column after the other, each with room for a block.
    table: Vec<Field<'a>>,
    rows: usize,
}

impl<'a> Fields<'a> {
    /// No fields of so many columns.
    pub(super) fn new(columns: usize) -> Self {
        Self { table: vec![None; columns * BLOCK], rows: 0 }
    }

    pub(super) const fn clear(&mut self) {
        self.rows = 0;
    }

    /// Finds the fields of one more row.
    #[inline]
    pub(super) fn push(&mut self, row: &'a [u8]) -> Result<(), CopyError> {
        let (count, mut rest) = row.split_first_chunk().ok_or(CopyError::Truncated)?;
        let (found, expected) = (i16::from_be_bytes(*count), self.table.len() / BLOCK);
        if usize::try_from(found) != Ok(expected) {
            return Err(CopyError::FieldCount { found, expected });
        }
        for field in self.table.iter_mut().skip(self.rows).step_by(BLOCK) {
            (*field, rest) = split(rest).ok_or(CopyError::Truncated)?;
        }
        self.rows += 1;
        if rest.is_empty() { Ok(()) } else { Err(CopyError::Trailing) }
    }

    /// The fields of each column.
    pub(super) fn columns(&self) -> impl Iterator<Item = &[Field<'a>]> {
        self.table.chunks_exact(BLOCK).map(|column| &column[..self.rows])
    }
}

/// The field that `bytes` begin with, after its length, and what comes after it.
#[inline]
pub(super) fn split(bytes: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    match i32::from_be_bytes(*length) {
        -1 => Some((None, rest)),
        length => {
            let (field, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((Some(field), rest))
        }
    }
}
