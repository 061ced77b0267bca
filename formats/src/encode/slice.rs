//! Rows of any columns into one file, for people who asked for a part of an archive.

mod csv;
mod jsonl;
mod parquet;

#[cfg(test)]
mod tests;

use super::EncodeError;
use crate::{Column, Sha256};
use arrow_array::RecordBatch;
use serde::{Serialize, Serializer};
use std::{fmt, io::Write};

/// How a slice is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceFormat {
    /// Records of RFC 4180 below a header, with the fields of the archive's own CSV files.
    Csv,
    /// Parquet, with the types of the archive.
    Parquet,
    /// A JSON object per line.
    Jsonl,
}

impl SliceFormat {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl",
        }
    }
}

impl fmt::Display for SliceFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for SliceFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a slice looks like.
#[derive(Clone, Copy, Debug)]
pub struct SliceStyle {
    /// The format.
    pub format: SliceFormat,
    /// Whether text is gzipped. Parquet has its own compression.
    pub gzip: bool,
    /// Whether texts of CSV that a spreadsheet would evaluate get a leading `'`.
    pub csv_safe: bool,
}

/// A finished slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodedSlice {
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

/// Writes rows into one file.
pub trait SliceEncoder: fmt::Debug + Send {
    /// Appends rows, which have the columns that the file was begun with. After an error the file is useless.
    fn write(&mut self, rows: &RecordBatch) -> Result<(), EncodeError>;

    /// Writes what is still held back and flushes the sink. A file without rows is a valid one.
    fn finish(self: Box<Self>) -> Result<EncodedSlice, EncodeError>;
}

/// Begins a file of these columns, of which there is at least one.
pub fn encoder<W: Write + Send + fmt::Debug + 'static>(
    style: SliceStyle,
    columns: Vec<Column>,
    sink: W,
) -> Result<Box<dyn SliceEncoder>, EncodeError> {
    Ok(match style.format {
        SliceFormat::Csv => Box::new(csv::CsvSlice::new(sink, columns, style)?),
        SliceFormat::Jsonl => Box::new(jsonl::JsonlSlice::new(sink, columns, style.gzip)?),
        SliceFormat::Parquet => Box::new(parquet::ParquetSlice::new(sink, &columns)?),
    })
}
