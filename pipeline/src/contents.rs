//! What a data file on the local disk holds, read as a stranger would: from its bytes alone.
//!
//! A run reads every staged file this way before it is stored, and `verify` reads every archived one.

use archive_connectors::{Error, error::local};
use archive_formats::{
    EventBatch, FileFormat, Schema, Sha256,
    catalogue::KeyColumns,
    decode::{
        csv::{CsvError, CsvLayout, CsvSplitter},
        parquet::{ParquetEvents, ReadError},
    },
    digest::Hasher,
};
use flate2::read::GzDecoder;
use std::{fs::File, io::Read, path::Path, sync::Arc};

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
        FileFormat::Parquet => parquet(file, schema, visit),
        FileFormat::Csv => csv(GzDecoder::new(std::io::BufReader::new(file)), schema, visit),
        FileFormat::Artifact | FileFormat::Rejects => Ok(0),
    }
}

fn parquet(
    file: File,
    schema: &Arc<Schema>,
    visit: &mut dyn FnMut(&EventBatch) -> Result<(), Error>,
) -> Result<u64, ContentsError> {
    let mut rows = 0;
    for batch in ParquetEvents::open(file, Arc::clone(schema))? {
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

struct CsvEvents<'a> {
    schema: &'a Schema,
    layout: Option<CsvLayout>,
    rows: u64,
    visit: &'a mut dyn FnMut(&EventBatch) -> Result<(), Error>,
}

impl CsvEvents<'_> {
    fn chunk(&mut self, chunk: &[u8]) -> Result<(), ContentsError> {
        let (layout, header) = match self.layout.take() {
            Some(layout) => (layout, 0),
            None => self.header(chunk)?,
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

    fn header(&self, chunk: &[u8]) -> Result<(CsvLayout, usize), ContentsError> {
        let keys = KeyColumns { id: Some(self.schema.id.clone()), time: Some(self.schema.time.clone()) };
        let (layout, bytes) = CsvLayout::from_header(chunk, &keys)?;
        let names = |schema: &Schema| schema.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        if names(layout.schema()) == names(self.schema) { Ok((layout, bytes)) } else { Err(ContentsError::Schema) }
    }
}

impl From<CsvError> for ContentsError {
    fn from(error: CsvError) -> Self {
        match error {
            CsvError::Header(_) => Self::Schema,
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
