//! The columns of an artifact, from its header.

use super::{
    CsvError,
    records::{Record, Records},
    rows::{Rows, unquote},
};
use crate::{
    Schema, Timestamp,
    catalogue::{KeyColumns, text_schema},
    decode::{
        BOM, Decoded,
        columns::{Columns, Utf8, checked},
        columns_by_type::ColumnBuilder,
        parse::calendar::parse_timestamp,
        survey::{Survey, Surveyor},
    },
};
use std::sync::Arc;

/// The columns of an artifact. Decoding changes nothing in it, so that chunks can be decoded in parallel.
#[derive(Debug)]
pub struct CsvLayout {
    columns: Columns,
}

impl CsvLayout {
    /// Reads the header at the start of the first chunk. Also returns how many bytes it took, a byte-order mark and the
    /// line end included; the rows begin after them.
    pub fn from_header(chunk: &[u8], keys: &KeyColumns) -> Result<(Self, usize), CsvError> {
        let (names, bytes) = read_header(chunk)?;
        Ok((Self::new(text_schema(&names, keys)?)?, bytes))
    }

    fn new(schema: Schema) -> Result<Self, CsvError> {
        if schema.id() == schema.time() {
            return Err(CsvError::OneKey(schema.id().to_owned()));
        }
        Ok(Self { columns: Columns::new(Arc::new(schema)) })
    }

    /// The columns of every batch.
    pub const fn schema(&self) -> &Arc<Schema> {
        self.columns.schema()
    }

    /// Decodes a chunk of whole records, without the header.
    pub fn decode(&self, chunk: &[u8]) -> Decoded {
        checked(|utf8| self.decode_with(chunk, utf8))
    }

    fn decode_with(&self, chunk: &[u8], utf8: Utf8) -> Option<Decoded> {
        let builders = self.columns.builders(|column, missing| ColumnBuilder::new(&column.kind, missing));
        let rows = Rows::read(chunk, self.schema(), builders, utf8);
        let Rows { columns, good, rejects, line_feeds, .. } = rows;
        let rows = good as u64 + rejects.len() as u64;
        let batch = self.columns.finish(columns, good).ok()?;
        Some(Decoded { batch, rejects, rows, lines: line_feeds })
    }
}

impl CsvLayout {
    /// What the times in a chunk of whole records are; several times as fast as [`Self::decode`].
    pub fn survey(&self, chunk: &[u8]) -> Survey {
        let (times, mut surveyor) = (Times::of(self), Surveyor::default());
        let mut records = times.records(chunk);
        while let Some(record) = records.next_record() {
            surveyor.count(times.time(&record));
        }
        surveyor.finish(records.line_feeds())
    }

    /// The time of the row of a [`Reject`](crate::Reject), if it is not that which is wrong. Where the fields of a row
    /// cannot be told apart, none of them is its time for certain.
    pub fn time_of(&self, row: &[u8]) -> Option<Timestamp> {
        let times = Times::of(self);
        times.records(row).next_record().and_then(|record| times.time(&record))
    }
}

/// Where in a row its time is.
struct Times {
    index: usize,
    columns: usize,
}

impl Times {
    fn of(layout: &CsvLayout) -> Self {
        let schema = layout.schema();
        Self { index: schema.time_index(), columns: schema.columns().len() }
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
        parse_timestamp(text).ok().map(Timestamp::from_micros)
    }
}

/// Ten times what a PostgreSQL table can have. A page of something else can look like a header of millions of names.
const MAX_COLUMNS: usize = 16_000;

/// The fields of the first record, and how many bytes came before the second one.
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

fn header_name(field: &[u8]) -> Result<String, CsvError> {
    let mut name = Vec::new();
    match field {
        [b'"', quoted @ ..] => unquote(quoted, &mut name).map_err(|_| CsvError::HeaderQuotes)?,
        plain => name.extend_from_slice(plain),
    }
    String::from_utf8(name).map_err(|_| CsvError::HeaderNotUtf8)
}
