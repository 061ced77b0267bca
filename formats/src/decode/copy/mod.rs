//! Decodes rows of PostgreSQL's binary COPY format.
//!
//! The server sends each row in a message of its own. [`CopyRows`] collects messages; a [`CopyLayout`] decodes each
//! collection into columns, independently of the others. Rows that cannot become events are
//! [`Reject`](crate::Reject)s with unchanged bytes. Violations of the protocol are a [`CopyError`], which invalidates the
//! whole COPY.

mod column;
mod layout;
mod rows;
mod value;

#[cfg(test)]
mod tests;

pub use layout::CopyLayout;
pub use rows::{CopyRows, Pushed, signature};

use super::row_error::RowErrorKind;
use crate::ColumnType;

/// Why a schema cannot be the layout of a COPY.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CopyLayoutError {
    /// The same column is configured as id and as time.
    #[error("column {0:?} cannot be both the id and the time")]
    OneKey(String),
    /// A type that cannot be decoded: a list of lists, or a decimal with a scale above its precision.
    #[error("column {name:?} cannot be read from a COPY as {kind}")]
    UnreadableType {
        /// The column.
        name: String,
        /// Its type.
        kind: ColumnType,
    },
    /// A key column has a type that keys cannot have.
    #[error("column {name:?} cannot be a key column, being {kind}")]
    KeyType {
        /// The column.
        name: String,
        /// Its type.
        kind: ColumnType,
    },
}

/// A violation of the binary COPY format, as documented by PostgreSQL.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CopyError {
    /// The first message has no signature.
    #[error("the COPY does not begin with the signature of its binary format")]
    Signature,
    /// The header has critical flags, which a reader must not ignore.
    #[error("the COPY has unknown flags: {0:#010x}")]
    Flags(u32),
    /// The number of fields of a row differs from the number of columns.
    #[error("a row has {found} fields instead of {expected}")]
    FieldCount {
        /// Field count of the row.
        found: i16,
        /// Number of columns.
        expected: usize,
    },
    /// A row ends inside a field.
    #[error("a row ends too early")]
    Truncated,
    /// A row continues after its last field.
    #[error("a row is longer than its fields")]
    Trailing,
    /// A row is longer than this number of bytes.
    #[error("a row is longer than {} MiB", .0 >> 20)]
    RowTooLong(usize),
    /// The stream ended without the end marker.
    #[error("the COPY ends without its end marker")]
    CutOff,
    /// A message follows the end marker.
    #[error("there are rows after the end of the COPY")]
    AfterEnd,
    /// An array of several dimensions. Declarations do not fix the number of dimensions, so the column cannot be a list.
    #[error("column {column:?} has arrays of several dimensions")]
    Nested {
        /// The column.
        column: String,
    },
    /// A value that is invalid for its type.
    #[error("column {column:?} has {what}")]
    Value {
        /// The column.
        column: String,
        /// Description of the value.
        what: &'static str,
    },
}

/// The error of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValueError {
    /// The row cannot become an event.
    Rejected(RowErrorKind),
    /// An array of several dimensions.
    Nested,
    /// A value that violates the protocol.
    Broken(&'static str),
}

impl From<RowErrorKind> for ValueError {
    fn from(kind: RowErrorKind) -> Self {
        Self::Rejected(kind)
    }
}
