//! What the columns of an artifact are, and its rows as events.

use super::{Chunk, Syntax, chunks::first_chunk};
use crate::{Error, ErrorKind, Result, spool::on_blocking_thread};
use archive_formats::{
    Schema, Timestamp,
    catalogue::{HeaderError, KeyColumns},
    decode::{
        Decoded, Survey,
        csv::{CsvError, CsvLayout},
    },
    schema::SchemaError,
};
use std::{path::PathBuf, sync::Arc};

/// The columns of an artifact. Decoding changes nothing in it, so that chunks can be decoded at the same time.
#[derive(Debug)]
pub(crate) enum Layout {
    Csv(CsvLayout),
}

/// An artifact that has rows, or could have.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) layout: Layout,
    /// Bytes before the first row.
    header: usize,
    /// The lines that they take.
    header_lines: u64,
}

impl Opening {
    /// Looks at the artifact at `path` as far as it takes to know its columns; one without any content has none.
    pub(crate) async fn of(path: PathBuf, syntax: Syntax, keys: KeyColumns) -> Result<Option<Self>> {
        on_blocking_thread(move || match syntax {
            Syntax::Csv => first_chunk(path, syntax)?.map(|chunk| Self::csv(&chunk, &keys)).transpose(),
            Syntax::Json => todo!(),
        })
        .await
    }

    fn csv(chunk: &Chunk, keys: &KeyColumns) -> Result<Self> {
        let (layout, header) = CsvLayout::from_header(&chunk.bytes, keys).map_err(no_header)?;
        let header_lines = chunk.bytes.iter().take(header).map(|byte| u64::from(*byte == b'\n')).sum();
        Ok(Self { layout: Layout::Csv(layout), header, header_lines })
    }

    /// The columns.
    pub(crate) const fn schema(&self) -> &Arc<Schema> {
        match &self.layout {
            Layout::Csv(layout) => layout.schema(),
        }
    }

    /// The events of a chunk. Lines count from the chunk's first one, which may be one of the header.
    pub(crate) fn decode(&self, chunk: &Chunk) -> Decoded {
        let (rows, lines) = self.rows(chunk);
        let mut decoded = match &self.layout {
            Layout::Csv(layout) => layout.decode(rows),
        };
        decoded.rejects.iter_mut().for_each(|reject| reject.line += lines);
        decoded.lines += lines;
        decoded
    }

    /// The times of a chunk, with lines as in [`Self::decode`].
    pub(crate) fn survey(&self, chunk: &Chunk) -> Survey {
        let (rows, lines) = self.rows(chunk);
        let mut survey = match &self.layout {
            Layout::Csv(layout) => layout.survey(rows),
        };
        survey.lines += lines;
        survey
    }

    /// When the event of a rejected row happened, if its time can be read.
    pub(crate) fn time_of(&self, row: &[u8]) -> Option<Timestamp> {
        match &self.layout {
            Layout::Csv(layout) => layout.time_of(row),
        }
    }

    /// The rows of a chunk, and how many lines stand before them.
    fn rows<'a>(&self, chunk: &'a Chunk) -> (&'a [u8], u64) {
        match chunk.bytes.get(self.header..) {
            Some(rows) if chunk.offset == 0 => (rows, self.header_lines),
            _ => (&chunk.bytes, 0),
        }
    }
}

fn no_header(error: CsvError) -> Error {
    let hint = match &error {
        CsvError::Header(HeaderError::NoKey { .. }) | CsvError::OneKey(_) => {
            "name the columns with --id-column and --time-column"
        }
        CsvError::Header(HeaderError::Schema(SchemaError::Month)) => {
            "give the column another name at the source; an option for it (--rename month=…) is not available yet"
        }
        _ => "have the header mended at the source",
    };
    Error::new(ErrorKind::Source, "the artifact's header is not one of events").with_source(error).with_hint(hint)
}
