//! The columns of a CSV artifact, and the times of its rows.

use super::{
    CsvError,
    records::{Record, Records},
    rows::{RowDecoder, unquote},
};
use crate::{
    Schema, Timestamp,
    catalogue::{KeyColumns, text_schema},
    decode::{
        BOM, Decoded, FinerTimes,
        artifact::ArtifactColumn,
        columns::{Columns, Utf8Check, decode_checked},
        parse::calendar::parse_timestamp,
        time_index::{TimeIndex, TimeIndexBuilder},
    },
};
use std::sync::Arc;

/// The columns of an artifact. Chunks can be decoded in parallel.
#[derive(Debug)]
pub struct CsvLayout {
    columns: Columns,
    finer_times: FinerTimes,
}

impl CsvLayout {
    /// Reads the header at the start of the first chunk. Also returns its length in bytes, including a byte-order mark
    /// and the line end.
    pub fn from_header(chunk: &[u8], keys: &KeyColumns) -> Result<(Self, usize), CsvError> {
        let (names, bytes) = read_header(chunk)?;
        if let [name] = &names[..]
            && let Some(separator) = other_separator(name)
        {
            return Err(CsvError::HeaderSeparator(separator));
        }
        // A quoted name may span lines.
        if names.iter().any(|name| name.contains(|letter: char| letter.is_control() && letter != '\n')) {
            return Err(CsvError::HeaderControl);
        }
        Ok((Self::new(text_schema(&names, keys)?)?, bytes))
    }

    fn new(schema: Schema) -> Result<Self, CsvError> {
        if schema.id() == schema.time() {
            return Err(CsvError::OneKey(schema.id().to_owned()));
        }
        Ok(Self { columns: Columns::new(Arc::new(schema)), finer_times: FinerTimes::default() })
    }

    /// The same columns, with this rule for times.
    #[must_use]
    pub fn with_finer_times(self, finer_times: FinerTimes) -> Self {
        Self { finer_times, ..self }
    }

    /// The columns of every batch.
    pub const fn schema(&self) -> &Arc<Schema> {
        self.columns.schema()
    }

    /// Decodes a chunk of whole records, without the header.
    pub fn decode(&self, chunk: &[u8]) -> Decoded {
        decode_checked(|utf8| self.decode_with(chunk, utf8))
    }

    fn decode_with(&self, chunk: &[u8], utf8: Utf8Check) -> Option<Decoded> {
        let builders =
            self.columns.builders(|column, missing| ArtifactColumn::new(&column.kind, missing, self.finer_times));
        let rows = RowDecoder::read(chunk, self.schema(), builders, utf8);
        let RowDecoder { columns, good, rejects, line_feeds, .. } = rows;
        let rows = good as u64 + rejects.len() as u64;
        let batch = self.columns.finish(columns, good).ok()?;
        Some(Decoded { batch, rejects, rows, lines: line_feeds })
    }
}

impl CsvLayout {
    /// Indexes the times of a chunk of whole records; several times faster than [`Self::decode`].
    pub fn index_times(&self, chunk: &[u8]) -> TimeIndex {
        let (times, mut builder) = (TimeReader::new(self), TimeIndexBuilder::default());
        let mut records = times.records(chunk);
        while let Some(record) = records.next_record() {
            builder.count(times.time(&record));
        }
        builder.finish(records.line_feeds())
    }

    /// The time of the row of a [`Reject`](crate::Reject); `None` if it cannot be read, or if the number of fields is
    /// wrong.
    pub fn time_of(&self, row: &[u8]) -> Option<Timestamp> {
        let times = TimeReader::new(self);
        times.records(row).next_record().and_then(|record| times.time(&record))
    }
}

/// Reads the time of each row and nothing else.
struct TimeReader {
    finer_times: FinerTimes,
    index: usize,
    columns: usize,
}

impl TimeReader {
    fn new(layout: &CsvLayout) -> Self {
        let schema = layout.schema();
        Self { finer_times: layout.finer_times, index: schema.time_index(), columns: schema.columns().len() }
    }

    fn records<'a>(&self, bytes: &'a [u8]) -> Records<'a> {
        Records::new(bytes, self.index + 1)
    }

    #[inline]
    fn time(&self, record: &Record<'_>) -> Option<Timestamp> {
        if record.has_stray_quote || record.field_count != self.columns {
            return None;
        }
        let field = record.fields().nth(self.index)?;
        let text = if let [b'"', text @ .., b'"'] = field { text } else { field };
        parse_timestamp(text, self.finer_times).ok().map(Timestamp::from_micros)
    }
}

/// Each column takes memory in every stage of a run: two months of this many, archived at a time, take 240 MiB. Other
/// content may look like a header with millions of names.
pub(super) const MAX_COLUMNS: usize = 600;

/// The fields of the first record, and its length with a byte-order mark and the line end.
fn read_header(chunk: &[u8]) -> Result<(Vec<String>, usize), CsvError> {
    let bom = if chunk.starts_with(&BOM) { BOM.len() } else { 0 };
    let mut records = Records::new(&chunk[bom..], MAX_COLUMNS);
    let names = match records.next_record() {
        None => Vec::new(),
        Some(record) if record.field_count > MAX_COLUMNS => return Err(CsvError::TooManyColumns(record.field_count)),
        Some(record) if record.has_stray_quote => return Err(CsvError::HeaderQuotes),
        Some(record) => record.fields().map(header_name).collect::<Result<_, _>>()?,
    };
    Ok((names, bom + records.position()))
}

/// What separates the columns of other dialects, in a header without commas.
fn other_separator(name: &str) -> Option<&'static str> {
    [('\t', "tabs"), (';', "semicolons"), ('|', "bars")]
        .into_iter()
        .find_map(|(separator, called)| name.contains(separator).then_some(called))
}

fn header_name(field: &[u8]) -> Result<String, CsvError> {
    let mut name = Vec::new();
    match field {
        [b'"', quoted @ ..] => unquote(quoted, &mut name).map_err(|_| CsvError::HeaderQuotes)?,
        plain => name.extend_from_slice(plain),
    }
    String::from_utf8(name).map_err(|_| CsvError::HeaderNotUtf8)
}
