//! Encoders: events to files.

mod calendar;
mod column_encoding;
pub mod copy;
pub mod csv;
mod number;
pub mod parquet;
mod row_groups;
pub mod slice;
mod text;
mod text_file;
mod values;

pub(crate) use number::write_float;
pub use text::Texts;
pub use text_file::RejectsEncoder;

use crate::{EventBatch, ParquetRanges, Sha256, Timestamp};
use ::parquet::errors::ParquetError;
use arrow_schema::ArrowError;

/// Maximum length of a record of an archive in bytes, without its line end. The encoder refuses longer ones.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// A finished file, as in its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedFile {
    /// The number of events or rejected rows.
    pub rows: u64,
    /// The size in bytes.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// The time of its earliest event; `None` in a file without events.
    pub first: Option<Timestamp>,
    /// The time of its latest event.
    pub last: Option<Timestamp>,
    /// The ranges of a Parquet file.
    pub ranges: Option<ParquetRanges>,
}

/// Writes events or rejected rows of a month to one file. Equal input makes equal bytes, so that a repeated run finds the
/// files that it stored before.
pub trait FileEncoder<T = EventBatch>: Send {
    /// Appends `item`. All batches of a file have the same schema. The encoder cannot be used after an error.
    fn write(&mut self, item: &T) -> Result<(), EncodeError>;

    /// A lower bound of the size of the file, were it finished now, in bytes.
    fn bytes_written(&self) -> u64;

    /// Writes buffered items and flushes the sink.
    fn finish(self: Box<Self>) -> Result<EncodedFile, EncodeError>;
}

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The sink failed.
    #[error("could not write the file")]
    Io(#[from] std::io::Error),
    /// The Parquet writer failed.
    #[error("could not encode events as Parquet")]
    Parquet(#[source] ParquetError),
    /// Arrow failed.
    #[error("could not convert events")]
    Arrow(#[from] ArrowError),
    /// A batch has other columns than the file: a bug.
    #[error("the batch has other columns than the file")]
    OtherSchema,
    /// A record of CSV would be longer than readers of an archive accept.
    #[error("event {} of the file is longer than {} MiB as a record of CSV", .event + 1, MAX_RECORD_BYTES >> 20)]
    RecordTooLong {
        /// The ordinal of the event in the file, from 0.
        event: u64,
    },
    /// The file has no event.
    #[error("there is no event to write")]
    Empty,
    /// The Parquet library wrote row groups in another way than expected: a bug.
    #[error("the row groups of the file are not known")]
    Ranges,
    /// The encoder was used after an error.
    #[error("the file is broken by an earlier error")]
    Broken,
}

impl From<ParquetError> for EncodeError {
    /// Unwraps I/O errors, such as a full disk.
    fn from(error: ParquetError) -> Self {
        let ParquetError::External(cause) = error else { return Self::Parquet(error) };
        match cause.downcast::<std::io::Error>() {
            Ok(cause) => Self::Io(*cause),
            Err(cause) => Self::Parquet(ParquetError::External(cause)),
        }
    }
}
