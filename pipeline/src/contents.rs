//! What a data file on the local disk holds, read as a stranger would: from its bytes alone.
//!
//! A run reads every staged file this way before it is stored, and `verify` reads every archived one.

use archive_connectors::{Error, error::local};
use archive_formats::{
    EventBatch, FileFormat, Schema, Sha256, Window,
    decode::{
        csv::{ArchivedLayout, CsvError, CsvSplitter},
        parquet::{ParquetEvents, ReadError},
        rejects::RejectsReader,
    },
    digest::Hasher,
};
use flate2::{bufread::MultiGzDecoder, read::GzDecoder};
use std::{
    collections::HashSet,
    fs::File,
    io::{BufReader, Read},
    path::Path,
    sync::Arc,
};

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

/// Digest of what the gzip file at `path` unpacks to, all of which is unpacked.
pub fn unpacked(path: &Path) -> Result<Sha256, ContentsError> {
    let mut content = MultiGzDecoder::new(open(path)?);
    let mut hasher = Hasher::default();
    let mut block = vec![0; BLOCK];
    loop {
        match content.read(&mut block).map_err(damaged)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&block[..count]),
        }
    }
}

/// How many rows a `rejects` file holds, every one of which is read.
pub fn rejects(path: &Path) -> Result<u64, ContentsError> {
    let rows = RejectsReader::new(BufReader::with_capacity(BLOCK, MultiGzDecoder::new(open(path)?)));
    rows.map(|row| row.map(|_| 1).map_err(damaged)).sum()
}

fn open(path: &Path) -> Result<BufReader<File>, Error> {
    Ok(BufReader::new(File::open(path).map_err(local("open a file", path))?))
}

fn damaged(error: impl std::fmt::Display) -> ContentsError {
    ContentsError::Damaged(error.to_string())
}

/// Shows every event of an event file to `visit`, and returns how many there were. Every page is decoded.
pub fn events(
    path: &Path,
    format: FileFormat,
    schema: &Arc<Schema>,
    visit: &mut dyn FnMut(&EventBatch) -> Result<(), Error>,
) -> Result<u64, ContentsError> {
    match format {
        FileFormat::Parquet => parquet(ParquetEvents::open(open(path)?.into_inner(), Arc::clone(schema))?, visit),
        FileFormat::Csv => csv(GzDecoder::new(open(path)?), schema, visit),
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
    match format {
        FileFormat::Parquet => {
            let wanted = |name: &str| part.columns.contains(name);
            parquet(ParquetEvents::open_within(open(path)?.into_inner(), schema, part.window, wanted)?, visit)
        }
        FileFormat::Csv => csv(GzDecoder::new(open(path)?), schema, visit),
        FileFormat::Artifact | FileFormat::Rejects => Ok(0),
    }
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
    schema: &Arc<Schema>,
    visit: &mut dyn FnMut(&EventBatch) -> Result<(), Error>,
) -> Result<u64, ContentsError> {
    let mut splitter = CsvSplitter::new(BLOCK);
    let mut reader = CsvEvents { schema, layout: None, rows: 0, visit };
    let mut block = vec![0; BLOCK];
    loop {
        let count = text.read(&mut block).map_err(damaged)?;
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

struct CsvEvents<'a> {
    schema: &'a Arc<Schema>,
    layout: Option<ArchivedLayout>,
    rows: u64,
    visit: &'a mut dyn FnMut(&EventBatch) -> Result<(), Error>,
}

impl CsvEvents<'_> {
    fn chunk(&mut self, chunk: &[u8]) -> Result<(), ContentsError> {
        let (layout, header) = match self.layout.take() {
            Some(layout) => (layout, 0),
            None => ArchivedLayout::from_header(chunk, self.schema)?,
        };
        if let Some(batch) = self.layout.insert(layout).decode(&chunk[header..])? {
            (self.visit)(&batch)?;
            self.rows += batch.len() as u64;
        }
        Ok(())
    }
}

impl From<CsvError> for ContentsError {
    fn from(error: CsvError) -> Self {
        match error {
            CsvError::Header(_) | CsvError::Schema(_) | CsvError::OtherColumns => Self::Schema,
            error => damaged(error),
        }
    }
}

impl From<ReadError> for ContentsError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Schema(_) => Self::Schema,
            ReadError::Parquet(error) => damaged(error),
            ReadError::Page(error) => damaged(error),
            ReadError::Nonsense => damaged(error),
        }
    }
}
