//! Rows of a binary COPY, as PostgreSQL sends them, into events.
//!
//! The server sends each row in a message of its own. [`CopyRows`] gathers messages; a [`CopyLayout`] decodes them
//! straight into columns, each gathering on its own, so that several can be decoded in parallel. Rows that cannot be
//! events become [`Reject`](crate::Reject)s, with their bytes unchanged. What a server never sends is a [`CopyError`]:
//! then nothing that it sent can be trusted.

mod column;
mod layout;
mod rows;
mod value;

#[cfg(test)]
mod tests;

pub use layout::CopyLayout;
pub use rows::{CopyRows, Pushed, signature};

use super::fault::Fault;
use crate::ColumnType;

/// Columns that no rows of a COPY can be read into.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CopyLayoutError {
    /// One column cannot say both what an event is called and when it happened.
    #[error("column {0:?} cannot be both the id and the time")]
    OneKey(String),
    /// A type that no values are read into: a list of lists, or a decimal with more digits after the point than in all.
    #[error("column {name:?} cannot be read from a COPY as {kind}")]
    UnreadableType {
        /// The column.
        name: String,
        /// Its type.
        kind: ColumnType,
    },
    /// A key column of a type that cannot be one.
    #[error("column {name:?} cannot be a key column, being {kind}")]
    KeyType {
        /// The column.
        name: String,
        /// Its type.
        kind: ColumnType,
    },
}

/// What came is not what PostgreSQL's documentation promises of a binary COPY.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CopyError {
    /// The first message begins with something else.
    #[error("the COPY does not begin with the signature of its binary format")]
    Signature,
    /// A flag that a reader must not pass over.
    #[error("the COPY has flags that are not known: {0:#010x}")]
    Flags(u32),
    /// Another number of values than there are columns.
    #[error("a row has {found} fields instead of {expected}")]
    FieldCount {
        /// As many as the row says it has.
        found: i16,
        /// As many as there are columns.
        expected: usize,
    },
    /// A row ends inside a field.
    #[error("a row ends too early")]
    Truncated,
    /// A row goes on after its last field.
    #[error("a row is longer than its fields")]
    Trailing,
    /// Nothing comes any more, and the last row was not announced.
    #[error("the rows break off before their end")]
    CutOff,
    /// Something comes after the last row.
    #[error("there are rows after the end of the COPY")]
    AfterEnd,
    /// An array of several dimensions, which no declaration tells from one of a single dimension. The column cannot be a
    /// list.
    #[error("column {column:?} has arrays of several dimensions")]
    Nested {
        /// The column.
        column: String,
    },
    /// A value that its type does not have.
    #[error("column {column:?} has {what}")]
    Value {
        /// The column.
        column: String,
        /// What it has.
        what: &'static str,
    },
}

/// Why a value cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// Its row cannot be an event.
    Rejected(Fault),
    /// The column is of another type than was thought.
    Nested,
    /// No server sends this.
    Broken(&'static str),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Rejected(fault)
    }
}
