//! What a data file on the local disk holds, read as a stranger would: from its bytes alone.
//!
//! A run reads every staged file this way before it is stored, and `verify` reads every archived one.

use archive_connectors::{Error, ErrorKind, error::local};
use archive_formats::{
    EventBatch, FileFormat, Schema, Sha256, Window,
    catalogue::KeyColumns,
    decode::{
        csv::{CsvError, CsvLayout, CsvSplitter},
        parquet::{ParquetEvents, ReadError},
    },
    digest::Hasher,
};
use flate2::read::GzDecoder;
use std::{collections::HashSet, fs::File, io::Read, path::Path, sync::Arc};

/// Bytes that are hashed or decoded at once.
const BLOCK: usize = 1024 * 1024;

/// Why a file does not hold what it should.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// Its columns are not those of the manifest.
    #[error("it has other columns than its manifest names")]
    Schema,
    /// It cannot be decoded.
    #[error("it cannot be decoded: {0}")]
    Damaged(String),
    /// The local disk, or whoever looked at the events, failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Size and digest of the file at `path`.
pub fn digest(path: &Path) -> Result<(u64, Sha256), Error> {
    let mut file = File::open(path).map_err(local("open a file", path))?;
    let mut hasher = Hasher::default();
    let mut block = vec![0; BLOCK];
    let mut bytes = 0;
    loop {
        match file.read(&mut block).map_err(local("read a file", path))? {
            0 => return Ok((bytes, hasher.finish())),
            count => {
                hasher.update(&block[..count]);
                bytes += count as u64;
            }
        }
    }
}

/// Shows every event of an event file to `visit`, and returns how many there were. Every page is decoded.
pub fn events(
    path: &Path,
    format: FileFormat,
    schema: &Arc<Schema>,
    visit: &mut dyn FnMut(&EventBatch) -> Result<(), Error>,
) -> Result<u64, ContentsError> {
    let file = File::open(path).map_err(local("open a file", path))?;
    match format {
        FileFormat::Parquet => parquet(ParquetEvents::open(file, Arc::clone(schema))?, visit),
        FileFormat::Csv => csv(unzipped(file), &|chunk| artifact_header(chunk, schema), visit),
        FileFormat::Artifact | FileFormat::Rejects => Ok(0),
    }
}

/// A part of the events of a file.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// When they happened.
    pub window: Window,
    /// Names of the columns that are wanted.
    pub columns: &'a HashSet<&'a str>,
}

/// Shows every event of `part` to `visit`, with the types of `schema`. Other events and other columns may come too, where
/// it is not cheaper to leave them out.
pub fn part_of_events(
    path: &Path,
    format: FileFormat,
    schema: &Arc<Schema>,
    part: Part<'_>,
    visit: &mut dyn FnMut(&EventBatch) -> Result<(), Error>,
) -> Result<u64, ContentsError> {
    let file = File::open(path).map_err(local("open a file", path))?;
    match format {
        FileFormat::Parquet => {
            let wanted = |name: &str| part.columns.contains(name);
            parquet(ParquetEvents::open_within(file, schema, part.window, wanted)?, visit)
        }
        FileFormat::Csv => csv(unzipped(file), &|chunk| Ok(CsvLayout::of_archived(chunk, schema)?), visit),
        FileFormat::Artifact | FileFormat::Rejects => Ok(0),
    }
}

fn unzipped(file: File) -> impl Read {
    GzDecoder::new(std::io::BufReader::new(file))
}

fn parquet(
    events: ParquetEvents,
    visit: &mut dyn FnMut(&EventBatch) -> Result<(), Error>,
) -> Result<u64, ContentsError> {
    let mut rows = 0;
    for batch in events {
        let batch = batch?;
        visit(&batch)?;
        rows += batch.len() as u64;
    }
    Ok(rows)
}

fn csv(
    mut text: impl Read,
    header: &ReadHeader<'_>,
    visit: &mut dyn FnMut(&EventBatch) -> Result<(), Error>,
) -> Result<u64, ContentsError> {
    let mut splitter = CsvSplitter::new(BLOCK);
    let mut reader = CsvEvents { header, layout: None, rows: 0, visit };
    let mut block = vec![0; BLOCK];
    loop {
        let count = text.read(&mut block).map_err(|error| ContentsError::Damaged(error.to_string()))?;
        if count == 0 {
            break;
        }
        splitter.push(&block[..count])?;
        while let Some(chunk) = splitter.next_chunk() {
            reader.chunk(&chunk)?;
        }
    }
    if let Some(chunk) = splitter.finish()? {
        reader.chunk(&chunk)?;
    }
    Ok(reader.rows)
}

/// Makes a layout of the header at the start of a chunk, and says how long the header is.
type ReadHeader<'a> = dyn Fn(&[u8]) -> Result<(CsvLayout, usize), ContentsError> + 'a;

struct CsvEvents<'a> {
    header: &'a ReadHeader<'a>,
    layout: Option<CsvLayout>,
    rows: u64,
    visit: &'a mut dyn FnMut(&EventBatch) -> Result<(), Error>,
}

impl CsvEvents<'_> {
    fn chunk(&mut self, chunk: &[u8]) -> Result<(), ContentsError> {
        let (layout, header) = match self.layout.take() {
            Some(layout) => (layout, 0),
            None => (self.header)(chunk)?,
        };
        let decoded = self.layout.insert(layout).decode(&chunk[header..]);
        if let Some(reject) = decoded.rejects.first() {
            return Err(ContentsError::Damaged(reject.reason.clone()));
        }
        if let Some(batch) = &decoded.batch {
            (self.visit)(batch)?;
        }
        self.rows += decoded.rows;
        Ok(())
    }
}

fn artifact_header(chunk: &[u8], schema: &Schema) -> Result<(CsvLayout, usize), ContentsError> {
    let keys = KeyColumns { id: Some(schema.id.clone()), time: Some(schema.time.clone()) };
    let (layout, bytes) = CsvLayout::from_header(chunk, &keys)?;
    let names = |schema: &Schema| schema.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    if names(layout.schema()) == names(schema) { Ok((layout, bytes)) } else { Err(ContentsError::Schema) }
}

impl From<CsvError> for ContentsError {
    fn from(error: CsvError) -> Self {
        match error {
            CsvError::Header(_) | CsvError::OtherColumns => Self::Schema,
            CsvError::UnreadableType { .. } => Self::Failed(
                Error::new(ErrorKind::Incomplete, error.to_string())
                    .with_hint("archive the month as parquet into another place"),
            ),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<ReadError> for ContentsError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Schema(_) => Self::Schema,
            ReadError::Parquet(error) => Self::Damaged(error.to_string()),
            ReadError::Page(error) => Self::Damaged(error.to_string()),
            ReadError::Nonsense => Self::Damaged(error.to_string()),
        }
    }
}
