//! When text is checked to be UTF-8.

/// When text is checked to be UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Utf8 {
    /// When the column is finished. A failure does not tell the row.
    ByColumn,
    /// Before a row is taken.
    ByRow,
}

/// What `decode` makes of a chunk; it returns nothing when a column has text that is not UTF-8.
///
/// Text is nearly always UTF-8, and checking it by the column is much cheaper than by the value. When the check fails,
/// the chunk is read again and every row looked at.
pub(super) fn checked<T>(decode: impl Fn(Utf8) -> Option<T>) -> T {
    decode(Utf8::ByColumn)
        .or_else(|| decode(Utf8::ByRow))
        .unwrap_or_else(|| unreachable!("rows that were checked to be UTF-8 make columns that are UTF-8"))
}
