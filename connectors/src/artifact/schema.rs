//! The columns of an artifact, and its chunks as events.

use super::{
    chunks::{Chunk, Chunks, first_chunk},
    content::Syntax,
    rules::ArtifactRules,
    window_filter::WindowFilter,
};
use crate::{Error, ErrorKind, Result, spool::on_blocking_thread};
use archive_formats::{
    EventBatch, Reject, Schema, Timestamp,
    catalogue::HeaderError,
    decode::{
        Decoded, TimeIndex,
        csv::{CsvError, CsvLayout},
        json::{Harmless, JsonError, JsonLayout, JsonNames},
    },
};
use std::{path::PathBuf, sync::Arc};

/// The columns of an artifact. Immutable, so that chunks can be decoded in parallel.
#[derive(Debug)]
pub(crate) struct ArtifactSchema {
    decoder: Decoder,
    /// Bytes before the first row.
    header: usize,
    /// Their line feeds.
    header_lines: u64,
}

#[derive(Debug)]
enum Decoder {
    Csv(CsvLayout),
    /// With the names that the layout was made of.
    Json(Box<(JsonLayout, JsonNames)>),
}

/// The rows of a chunk, decoded.
#[derive(Debug)]
pub(crate) struct DecodedChunk {
    /// The events of the window; `None` if there are none.
    pub(crate) events: Option<EventBatch>,
    /// How many events are outside the window.
    pub(crate) outside: u64,
    /// Rows that cannot become events, with lines as in [`ArtifactSchema::decode`].
    pub(crate) rejects: Vec<Reject>,
    /// All rows, rejects included.
    pub(crate) rows: u64,
    /// Lines of the artifact that the chunk has.
    pub(crate) lines: u64,
    /// The chunk's bytes of progress.
    pub(crate) progress: u64,
}

impl ArtifactSchema {
    /// Reads as much of the artifact at `path` as its columns need: CSV's header, or all of JSON. `None` if it is JSON
    /// without records.
    pub(crate) async fn read(path: PathBuf, syntax: Syntax, rules: ArtifactRules) -> Result<Option<Self>> {
        match syntax {
            Syntax::Csv => Self::read_first_chunk(path, syntax, rules).await,
            Syntax::Json => {
                names(path, &rules.harmless).await?.map(|names| Self::from_names(names, &rules)).transpose()
            }
        }
    }

    /// The columns of the first chunk of the artifact at `path`. Later chunks of JSON may have more.
    pub(crate) async fn read_first_chunk(path: PathBuf, syntax: Syntax, rules: ArtifactRules) -> Result<Option<Self>> {
        let harmless = rules.harmless.clone();
        let schema = move |chunk: Chunk| match syntax {
            Syntax::Csv => Self::from_header(&chunk, &rules),
            Syntax::Json => Self::from_names(JsonNames::from_chunk(&chunk.bytes), &rules),
        };
        on_blocking_thread(move || first_chunk(path, syntax, &harmless)?.map(schema).transpose()).await
    }

    /// The columns of JSON records with members of these `names`.
    pub(crate) fn from_names(names: JsonNames, rules: &ArtifactRules) -> Result<Self> {
        let layout = JsonLayout::new(&names, &rules.keys).map_err(unusable_names)?;
        let layout = layout.with_finer_times(rules.finer_times);
        Ok(Self { decoder: Decoder::Json(Box::new((layout, names))), header: 0, header_lines: 0 })
    }

    fn from_header(chunk: &Chunk, rules: &ArtifactRules) -> Result<Self> {
        let (layout, header) = CsvLayout::from_header(&chunk.bytes, &rules.keys).map_err(unusable_header)?;
        let layout = layout.with_finer_times(rules.finer_times);
        let header_lines = chunk.bytes.iter().take(header).map(|byte| u64::from(*byte == b'\n')).sum();
        Ok(Self { decoder: Decoder::Csv(layout), header, header_lines })
    }

    pub(crate) const fn schema(&self) -> &Arc<Schema> {
        match &self.decoder {
            Decoder::Csv(layout) => layout.schema(),
            Decoder::Json(json) => json.0.schema(),
        }
    }

    /// The names of all members, if the artifact is JSON.
    pub(crate) const fn names(&self) -> Option<&JsonNames> {
        match &self.decoder {
            Decoder::Csv(_) => None,
            Decoder::Json(json) => Some(&json.1),
        }
    }

    /// Decodes a chunk. Lines count from the first one of the chunk, which may be one of the header.
    fn decode(&self, chunk: &Chunk) -> Decoded {
        let (rows, lines) = self.rows(chunk);
        let mut decoded = match &self.decoder {
            Decoder::Csv(layout) => layout.decode(rows),
            Decoder::Json(json) => json.0.decode(rows),
        };
        decoded.rejects.iter_mut().for_each(|reject| reject.line += lines);
        decoded.lines += lines;
        decoded
    }

    /// Decodes a chunk as [`Self::decode`] does, and selects the events of a window.
    pub(crate) fn decode_window(&self, chunk: &Chunk, filter: WindowFilter) -> Result<DecodedChunk> {
        let Decoded { batch, rejects, rows, lines } = self.decode(chunk);
        let (events, outside) = filter.apply(batch)?;
        Ok(DecodedChunk { events, outside, rejects, rows, lines, progress: chunk.progress })
    }

    /// The times of a chunk, with lines as in [`Self::decode`], and the names of its members, if the artifact is JSON.
    pub(crate) fn index(&self, chunk: &Chunk) -> (TimeIndex, Option<JsonNames>) {
        let (rows, lines) = self.rows(chunk);
        let (mut times, names) = match &self.decoder {
            Decoder::Csv(layout) => (layout.index_times(rows), None),
            Decoder::Json(json) => {
                let (times, names) = json.0.index(rows);
                (times, Some(names))
            }
        };
        times.lines += lines;
        (times, names)
    }

    /// The time of a rejected row, if it can be read.
    pub(crate) fn time_of(&self, row: &[u8]) -> Option<Timestamp> {
        match &self.decoder {
            Decoder::Csv(layout) => layout.time_of(row),
            Decoder::Json(json) => json.0.time_of(row),
        }
    }

    /// The rows of a chunk, and the line feeds before them.
    fn rows<'a>(&self, chunk: &'a Chunk) -> (&'a [u8], u64) {
        match chunk.bytes.get(self.header..) {
            Some(rows) if chunk.offset == 0 => (rows, self.header_lines),
            _ => (&chunk.bytes, 0),
        }
    }
}

/// The names of the members of all records; `None` if there are none.
async fn names(path: PathBuf, harmless: &Harmless) -> Result<Option<JsonNames>> {
    let mut chunks = Chunks::map(path, Syntax::Json, harmless, |chunk| Ok(JsonNames::from_chunk(&chunk.bytes)));
    let mut all = chunks.next().await?;
    while let Some(names) = chunks.next().await? {
        all.get_or_insert_default().merge(names);
    }
    Ok(all)
}

fn unusable_header(error: CsvError) -> Error {
    let hint = match &error {
        CsvError::Header(error) => hint(error),
        CsvError::OneKey(_) => KEYS,
        CsvError::HeaderControl => "end lines with LF or CRLF: `tr '\\r' '\\n'` converts a file",
        CsvError::HeaderSeparator(_) => "export it with commas",
        CsvError::TooManyColumns(_) => "look for a first line that is no header; or export fewer columns",
        _ => "correct the header at the source",
    };
    Error::new(ErrorKind::Source, "the artifact's header is not one of events").with_source(error).with_hint(hint)
}

fn unusable_names(error: JsonError) -> Error {
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
        HeaderError::Schema(_) => "correct the names at the source",
    }
}
