//! Events into files.

mod calendar;
pub mod column_encoding;
pub mod copy;
pub mod csv;
mod number;
pub mod parquet;
pub mod slice;
mod text;
mod text_file;
mod values;

pub(crate) use number::write_float;
pub use text::Texts;
pub use text_file::{GzipWriter, RejectsEncoder};

use crate::{EventBatch, Sha256, Timestamp};
use ::parquet::errors::ParquetError;
use arrow_schema::ArrowError;

/// A finished file, as its manifest will describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedFile {
    /// Events or rejected rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// When its earliest event happened; `None` in a file without events.
    pub first: Option<Timestamp>,
    /// When its latest event happened.
    pub last: Option<Timestamp>,
}

/// Writes what one month has of `T` into one file: events, or rows that are none. Equal input makes equal bytes, so that
/// a run that is repeated finds the files it has stored before.
pub trait FileEncoder<T = EventBatch>: Send {
    /// Appends `item`. All batches of a file have the same schema. After an error the file is useless.
    fn write(&mut self, item: &T) -> Result<(), EncodeError>;

    /// Bytes that the file would have at least, if it were finished now.
    fn bytes_written(&self) -> u64;

    /// Writes what is still held back and flushes the sink.
    fn finish(self: Box<Self>) -> Result<EncodedFile, EncodeError>;
}

/// The earliest and the latest time of some events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeSpan {
    ends: Option<(i64, i64)>,
}

impl TimeSpan {
    /// Adds the events of `batch`.
    pub fn extend(&mut self, batch: &EventBatch) {
        self.ends = batch.times().values().iter().fold(self.ends, |ends, &time| {
            let (first, last) = ends.unwrap_or((time, time));
            Some((first.min(time), last.max(time)))
        });
    }

    /// When the earliest event happened, or `None` when there is none.
    pub fn first(self) -> Option<Timestamp> {
        self.ends.map(|(first, _)| Timestamp::from_micros(first))
    }

    /// When the latest event happened, or `None` when there is none.
    pub fn last(self) -> Option<Timestamp> {
        self.ends.map(|(_, last)| Timestamp::from_micros(last))
    }
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The sink failed.
    #[error("could not write the file")]
    Io(#[from] std::io::Error),
    /// The Parquet writer refused.
    #[error("could not encode events as Parquet")]
    Parquet(#[source] ParquetError),
    /// Arrow refused.
    #[error("could not convert events")]
    Arrow(#[from] ArrowError),
    /// A batch has other columns than the file, which means a bug.
    #[error("the batch has other columns than the file")]
    OtherSchema,
    /// A file needs at least one event.
    #[error("there is no event to write")]
    Empty,
    /// Used after an error.
    #[error("the file is broken by an earlier error")]
    Broken,
}

impl From<ParquetError> for EncodeError {
    /// A full disk is an I/O error, whichever crate wrote to it.
    fn from(error: ParquetError) -> Self {
        let ParquetError::External(cause) = error else { return Self::Parquet(error) };
        match cause.downcast::<std::io::Error>() {
            Ok(cause) => Self::Io(*cause),
            Err(cause) => Self::Parquet(ParquetError::External(cause)),
        }
    }
}
