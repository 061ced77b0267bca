//! Errors of single rows.

/// Why a row cannot become an event. Messages contain no value of the row.
///
/// Rejects of artifacts and of a COPY carry the message into `rejects` files: rewording one changes their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RowErrorKind {
    #[error("malformed quotes")]
    Quotes,
    #[error("{found} fields instead of {expected}")]
    FieldCount { found: usize, expected: usize },
    #[error("not valid UTF-8")]
    Utf8,
    #[error("no id")]
    NoId,
    #[error("no time")]
    NoTime,
    #[error("not a time in RFC 3339")]
    Time,
    #[error("a time without a zone")]
    Zone,
    #[error("more precise than microseconds")]
    Precision,
    #[error("outside the years 1 to 9999")]
    Year,
    #[error("not an integer in plain digits")]
    Integer,
    #[error("not a whole number")]
    WholeNumber,
    #[error("an integer of more than 64 bits")]
    IntegerRange,
    #[error("an integer beyond its type")]
    Range,
    #[error("not a number")]
    Number,
    #[error("more than {0} decimals")]
    Decimals(u8),
    #[error("more than {0} integer digits")]
    IntegerDigits(u8),
    #[error("neither true nor false")]
    Bool,
    #[error("not valid JSON")]
    Json,
    #[error("not a JSON object")]
    NoObject,
    #[error("nested more than {0} levels deep")]
    Depth(usize),
    #[error("a name that the record has twice")]
    Duplicate,
    #[error("an escape that stands for no character")]
    Surrogate,
    #[error("an object or a list instead of a text")]
    Nested,
    #[error("a name that the first reading of the artifact did not meet")]
    Unseen,
    #[error("no value, where the column must have one")]
    NoValue,
    #[error("not a number, in a column of numbers")]
    NotANumber,
    #[error("infinite")]
    Infinite,
    #[error("too far from 1970")]
    TooFar,
    #[error("24:00:00, which no other day has")]
    EndOfDay,
    #[error("more text than a chunk can hold")]
    ChunkTooLarge,
    #[error("not {0} in the spelling of archives")]
    Spelling(&'static str),
    #[error("quoted without need")]
    NeedlessQuotes,
    #[error("not quoted, though it must be")]
    MissingQuotes,
    #[error("rows that do not end with one line feed each")]
    LineEnds,
}

/// The error of a row, and the column at fault if there is one.
pub(super) struct RowError {
    pub(super) column: Option<usize>,
    pub(super) kind: RowErrorKind,
}

impl From<RowErrorKind> for RowError {
    fn from(kind: RowErrorKind) -> Self {
        Self { column: None, kind }
    }
}
