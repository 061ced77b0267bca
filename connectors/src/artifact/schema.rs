//! What the columns of an artifact are, and its rows as events.

use super::{Chunk, Part, Syntax, chunks::first_chunk, on_all_cores};
use crate::{Error, ErrorKind, Result, spool::on_blocking_thread};
use archive_formats::{
    Schema, Timestamp,
    catalogue::{HeaderError, KeyColumns},
    decode::{
        Decoded, Survey,
        csv::{CsvError, CsvLayout},
        json::{JsonError, JsonLayout, JsonNames},
    },
};
use futures::{TryStreamExt as _, pin_mut};
use std::{path::PathBuf, sync::Arc};

/// The columns of an artifact. Decoding changes nothing in it, so that chunks can be decoded at the same time.
#[derive(Debug)]
enum Layout {
    Csv(CsvLayout),
    /// With the names that it was made of.
    Json(Box<(JsonLayout, JsonNames)>),
}

/// An artifact that has rows, or could have.
#[derive(Debug)]
pub(crate) struct Opening {
    layout: Layout,
    /// Bytes before the first row.
    header: usize,
    /// The lines that they take.
    header_lines: u64,
}

impl Opening {
    /// Looks at the artifact at `path` as far as it takes to know its columns; one without any content has none.
    pub(crate) async fn of(path: PathBuf, syntax: Syntax, keys: KeyColumns) -> Result<Option<Self>> {
        match syntax {
            Syntax::Csv => Self::of_first(path, syntax, keys).await,
            Syntax::Json => names(path).await?.map(|names| Self::json(names, &keys)).transpose(),
        }
    }

    /// The same by its first chunk alone. Later ones of JSON may have more columns.
    pub(crate) async fn of_first(path: PathBuf, syntax: Syntax, keys: KeyColumns) -> Result<Option<Self>> {
        let open = move |chunk: Chunk| match syntax {
            Syntax::Csv => Self::csv(&chunk, &keys),
            Syntax::Json => Self::json(JsonNames::of(&chunk.bytes), &keys),
        };
        on_blocking_thread(move || first_chunk(path, syntax)?.map(open).transpose()).await
    }

    /// JSON whose records have these `names`.
    pub(crate) fn json(names: JsonNames, keys: &KeyColumns) -> Result<Self> {
        let layout = JsonLayout::new(&names, keys).map_err(no_names)?;
        Ok(Self { layout: Layout::Json(Box::new((layout, names))), header: 0, header_lines: 0 })
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
            Layout::Json(json) => json.0.schema(),
        }
    }

    /// The names of all members, where the artifact is JSON.
    pub(crate) const fn names(&self) -> Option<&JsonNames> {
        match &self.layout {
            Layout::Csv(_) => None,
            Layout::Json(json) => Some(&json.1),
        }
    }

    /// The events of a chunk. Lines count from the chunk's first one, which may be one of the header.
    pub(crate) fn decode(&self, chunk: &Chunk) -> Decoded {
        let (rows, lines) = self.rows(chunk);
        let mut decoded = match &self.layout {
            Layout::Csv(layout) => layout.decode(rows),
            Layout::Json(json) => json.0.decode(rows),
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
            Layout::Json(json) => json.0.survey(rows),
        };
        survey.lines += lines;
        survey
    }

    /// When the event of a rejected row happened, if its time can be read.
    pub(crate) fn time_of(&self, row: &[u8]) -> Option<Timestamp> {
        match &self.layout {
            Layout::Csv(layout) => layout.time_of(row),
            Layout::Json(json) => json.0.time_of(row),
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

/// The names in all records, if there are any.
async fn names(path: PathBuf) -> Result<Option<JsonNames>> {
    let parts = on_all_cores(path, Syntax::Json, |chunk| Ok(JsonNames::of(&chunk.bytes)));
    pin_mut!(parts);
    let mut all: Option<JsonNames> = None;
    while let Some(part) = parts.try_next().await? {
        match (part, &mut all) {
            (Part::Piece(names), Some(all)) => all.merge(names),
            (Part::Piece(names), none) => *none = Some(names),
            (Part::End(_), _) => {}
        }
    }
    Ok(all)
}

fn no_header(error: CsvError) -> Error {
    let hint = match &error {
        CsvError::Header(error) => hint(error),
        CsvError::OneKey(_) => KEYS,
        _ => "have the header mended at the source",
    };
    Error::new(ErrorKind::Source, "the artifact's header is not one of events").with_source(error).with_hint(hint)
}

fn no_names(error: JsonError) -> Error {
    let hint = match &error {
        JsonError::Header(error) => hint(error),
        _ => KEYS,
    };
    Error::new(ErrorKind::Source, "the artifact's records are not events").with_source(error).with_hint(hint)
}

const KEYS: &str = "name the columns with --id-column and --time-column";

const fn hint(error: &HeaderError) -> &'static str {
    match error {
        HeaderError::NoKey { .. } => KEYS,
        HeaderError::Schema(_) => "have the names mended at the source",
    }
}
