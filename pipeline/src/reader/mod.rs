//! Reads data files.
//!
//! [`EventReader`] reads a local file; a run uses it to check every staged file before it is stored. [`Reader`] reads
//! committed files, each only after its bytes, or those of the row groups to read, matched the digests in its manifest.

mod csv;

use archive_connectors::{Error, ErrorKind, Sink, error::local};
use archive_formats::{
    EventBatch, FileFormat, ParquetRanges, Schema, Sha256, Window,
    decode::{
        parquet::{self, ParquetEvents, PositionedFile},
        rejects::RejectsReader,
    },
    digest::{ByteRange, Hasher, RangeHasher},
    gzip::GzipReader,
    manifest::DataFile,
};
use csv::CsvEvents;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use std::{
    collections::HashSet,
    fs::File,
    io::{BufReader, Read},
    ops::Range,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::Arc,
};
use tokio::{
    sync::mpsc,
    task::{JoinError, spawn_blocking, yield_now},
};

/// Bytes hashed or decoded per step.
const BLOCK: usize = 1024 * 1024;

/// Decoded batches buffered for the consumer of a stream.
const WAITING: usize = 2;

/// The reason why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The object is missing (`None`) or has another size.
    #[error("it is missing, or has another size")]
    Size(Option<u64>),
    /// The object has another digest.
    #[error("it has the SHA-256 {0}")]
    Digest(Sha256),
    /// A row group or the footer has another digest than the manifest names.
    #[error("its bytes {} to {} have the SHA-256 {found} instead of {}", .range.offset, .range.end(), .range.sha256)]
    RangeDigest {
        /// The range.
        range: ByteRange,
        /// Its digest.
        found: Sha256,
    },
    /// The columns differ from the manifest's.
    #[error("it has other columns than its manifest names")]
    Schema,
    /// The file cannot be decoded.
    #[error("it cannot be decoded: {0}")]
    Damaged(String),
    /// The store or the local disk failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl ReadError {
    /// Converts to the error of a command that requires `file`.
    pub(crate) fn into_error(self, sink: &Sink, file: &DataFile) -> Error {
        match self {
            Self::Failed(error) => error,
            Self::Size(_) => damaged(sink, file, "is missing, or has another size"),
            Self::Digest(_) | Self::RangeDigest { .. } => damaged(sink, file, "is not what was committed"),
            error => damaged(sink, file, "differs from its manifest").with_source(error),
        }
    }
}

/// The error for a damaged committed file.
pub(crate) fn damaged(sink: &Sink, file: &DataFile, what: &str) -> Error {
    Error::new(ErrorKind::BrokenChain, format!("a file of the archive {what}"))
        .with_context("path", &file.path)
        .with_context("archive", sink.url())
        .with_hint("run `kt-archive verify` to see all that is damaged")
}

/// The part of a file's events to decode. More events and columns may be returned where skipping them is not cheaper.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    /// Time range of the events.
    pub(crate) window: Window,
    /// Names of the columns to decode.
    pub(crate) columns: HashSet<String>,
}

/// Reads committed files of an archive.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    sink: Sink,
    /// Private folder for fetched files, which are unnamed and vanish with the process.
    folder: PathBuf,
}

impl Reader {
    /// Creates a reader that fetches files to `folder`, which must exist.
    pub(crate) const fn new(sink: Sink, folder: PathBuf) -> Self {
        Self { sink, folder }
    }

    /// The store.
    pub(crate) const fn sink(&self) -> &Sink {
        &self.sink
    }

    /// Streams the events of a Parquet or CSV file, with the types of `schema`; other formats yield none. Decodes the
    /// pages selected by `scan`, or all. Fetches the part that `scan` needs, see [`DataFile::part`], or the whole file,
    /// and checks its digests before the first batch is returned: without `scan` that of each row group too.
    pub(crate) fn events<'a>(
        &'a self,
        file: &'a DataFile,
        schema: &Arc<Schema>,
        scan: Option<Scan>,
    ) -> impl Stream<Item = Result<EventBatch, ReadError>> + Send + 'a {
        let schema = Arc::clone(schema);
        let decoding = async move {
            let part = scan.as_ref().and_then(|scan| file.part(scan.window));
            let fetched = match (part, &scan, &file.ranges) {
                (Some(part), ..) => self.fetch_ranges(file, part.ranges().collect()).await?,
                (None, None, Some(ranges)) => {
                    self.fetch_ranges(file, [whole(file)].into_iter().chain(ranges.ranges()).collect()).await?
                }
                _ => self.fetch(file).await?,
            };
            Ok::<_, ReadError>(decode(fetched, file, schema, scan))
        };
        stream::once(decoding).try_flatten()
    }

    /// Counts the rows of a rejects file by reading every row. An artifact is unpacked completely, but the manifest's
    /// count is returned: its rows depend on its decoder.
    pub(crate) async fn rows(&self, file: &DataFile) -> Result<u64, ReadError> {
        let fetched = self.fetch(file).await?;
        let (format, rows) = (file.format, file.rows);
        let reading = spawn_blocking(move || match format {
            FileFormat::Rejects => rejects(fetched),
            _ => unpacked(fetched).map(|_| rows),
        });
        reading.await.map_err(stopped)?
    }

    /// Copies a file to the local disk, and checks its digest.
    pub(crate) async fn fetch(&self, file: &DataFile) -> Result<File, ReadError> {
        self.fetch_ranges(file, vec![whole(file)]).await
    }

    /// Copies ranges of a file, in order, to their places in a local file, and checks their digests. Other bytes are
    /// zero there, and take no space.
    async fn fetch_ranges(&self, file: &DataFile, ranges: Vec<ByteRange>) -> Result<File, ReadError> {
        // The object may have changed since it was listed.
        let size = || self.sink.head(&file.path);
        let is_whole = |bytes| if bytes == Some(file.bytes) { Ok(()) } else { Err(ReadError::Size(bytes)) };
        is_whole(size().await?)?;
        let target = tempfile::tempfile_in(&self.folder).map_err(local("create a file", &self.folder))?;
        match self.copy(file, target, ranges).await {
            Ok((target, None)) => Ok(target),
            Ok((_, Some((range, found)))) if range == whole(file) => Err(ReadError::Digest(found)),
            Ok((_, Some((range, found)))) => Err(ReadError::RangeDigest { range, found }),
            Err(error) => {
                is_whole(size().await?)?;
                Err(error.into())
            }
        }
    }

    /// Returns the local file, and a range whose digest is another one.
    async fn copy(
        &self,
        file: &DataFile,
        mut target: File,
        ranges: Vec<ByteRange>,
    ) -> Result<(File, Option<(ByteRange, Sha256)>), Error> {
        let mut blocks = self.sink.read_ranges(&file.path, spans(&ranges));
        let mut hasher = RangeHasher::new(ranges);
        while let Some((offset, block)) = blocks.try_next().await? {
            let copying = spawn_blocking(move || {
                hasher.update(offset, &block);
                target.write_all_at(&block, offset).map(|()| (hasher, target))
            });
            let copied = copying
                .await
                .map_err(|error| Error::new(ErrorKind::Internal, "copying a file stopped").with_source(error))?;
            (hasher, target) = copied.map_err(local("write a fetched file", &self.folder))?;
        }
        Ok((target, hasher.finish()))
    }
}

/// All bytes of a file.
const fn whole(file: &DataFile) -> ByteRange {
    ByteRange { offset: 0, bytes: file.bytes, sha256: file.sha256 }
}

/// The union of ranges whose starts ascend, each as long as it can be.
fn spans(ranges: &[ByteRange]) -> Vec<Range<u64>> {
    let mut spans: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match spans.last_mut() {
            Some(span) if range.offset <= span.end => span.end = span.end.max(range.end()),
            _ => spans.push(range.offset..range.end()),
        }
    }
    spans
}

/// Decodes a checked file on a separate thread. A decoder that stops early ends the stream with an error.
fn decode(
    fetched: File,
    file: &DataFile,
    schema: Arc<Schema>,
    scan: Option<Scan>,
) -> impl Stream<Item = Result<EventBatch, ReadError>> + Send {
    let (sender, receiver) = mpsc::channel(WAITING);
    let (format, ranges) = (file.format, file.ranges.clone());
    let decoding = spawn_blocking(move || {
        for batch in EventReader::new(fetched, format, ranges.as_ref(), &schema, scan.as_ref())? {
            // The consumer is gone.
            if sender.blocking_send(batch?).is_err() {
                break;
            }
        }
        Ok(())
    });
    let batches = stream::unfold(receiver, |mut batches| async {
        let batch = batches.recv().await?;
        // Consumers work on this task: a signal is noticed between two batches.
        yield_now().await;
        Some((batch, batches))
    });
    let end = stream::once(async { decoding.await.map_err(stopped).flatten() });
    batches.map(Ok).chain(end.filter_map(|end| async { end.err().map(Err) }))
}

fn stopped(error: JoinError) -> ReadError {
    Error::new(ErrorKind::Internal, "reading a file stopped").with_source(error).into()
}

/// Iterator over the event batches of a local file. Blocking.
pub(crate) struct EventReader(Decoder);

enum Decoder {
    Parquet(Box<ParquetEvents>),
    Csv(Box<CsvEvents>),
    /// Artifacts and rejects have no events.
    Empty,
}

impl EventReader {
    /// Reads `file` from its beginning, with the types of `schema`; see [`Reader::events`]. A Parquet file must have
    /// the row groups of `ranges`, if there are any.
    pub(crate) fn new(
        file: File,
        format: FileFormat,
        ranges: Option<&ParquetRanges>,
        schema: &Arc<Schema>,
        scan: Option<&Scan>,
    ) -> Result<Self, ReadError> {
        let positioned = |file| PositionedFile::new(file).map_err(undecodable);
        let events = match (format, scan) {
            (FileFormat::Parquet, None) => ParquetEvents::open(positioned(file)?, Arc::clone(schema))?,
            (FileFormat::Parquet, Some(Scan { window, columns })) => {
                ParquetEvents::open_within(positioned(file)?, schema, *window, |name| columns.contains(name))?
            }
            (FileFormat::Csv, _) => return Ok(Self(Decoder::Csv(Box::new(CsvEvents::new(file, schema)?)))),
            (FileFormat::Artifact | FileFormat::Rejects, _) => return Ok(Self(Decoder::Empty)),
        };
        let events = match ranges {
            Some(ranges) => events.with_ranges(ranges)?,
            None => events,
        };
        Ok(Self(Decoder::Parquet(Box::new(events))))
    }
}

impl Iterator for EventReader {
    type Item = Result<EventBatch, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Decoder::Parquet(events) => events.next().map(|batch| batch.map_err(ReadError::from)),
            Decoder::Csv(events) => events.next_batch().transpose(),
            Decoder::Empty => None,
        }
    }
}

/// Unpacks a gzip file completely, and returns the digest of the content.
pub(crate) fn unpacked(file: File) -> Result<Sha256, ReadError> {
    let mut content = GzipReader::open(BufReader::with_capacity(BLOCK, file)).map_err(undecodable)?;
    let mut hasher = Hasher::default();
    let mut block = vec![0; BLOCK];
    loop {
        match content.read(&mut block).map_err(undecodable)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&block[..count]),
        }
    }
}

/// Counts the rows of a rejects file by reading every row.
pub(crate) fn rejects(file: File) -> Result<u64, ReadError> {
    let content = GzipReader::open(BufReader::with_capacity(BLOCK, file)).map_err(undecodable)?;
    let text = BufReader::with_capacity(BLOCK, content);
    RejectsReader::new(text).map(|row| row.map(|_| 1).map_err(undecodable)).sum()
}

/// The error of a decoder: damage, unless the system refused a call, such as for want of descriptors. The Parquet library
/// keeps the text of such an error alone.
fn undecodable(error: impl std::error::Error) -> ReadError {
    let first: &dyn std::error::Error = &error;
    let mut texts = std::iter::successors(Some(first), |error| error.source()).map(ToString::to_string);
    match texts.find(|text| text.contains("(os error ")) {
        None => ReadError::Damaged(error.to_string()),
        Some(cause) => {
            let failed = Error::new(ErrorKind::Local, "could not read a file").with_context("cause", cause);
            ReadError::Failed(
                failed.with_hint("see the cause: the limit of open files (`ulimit -n`), or a disk that fails"),
            )
        }
    }
}

impl From<parquet::ReadError> for ReadError {
    fn from(error: parquet::ReadError) -> Self {
        match error {
            parquet::ReadError::Schema(_) => Self::Schema,
            error => undecodable(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_fetched_together() {
        let range = |offset, bytes| ByteRange { offset, bytes, sha256: Sha256::digest(b"") };
        assert_eq!(spans(&[range(4, 10), range(14, 6), range(30, 5)]), [4..20, 30..35]);
        assert_eq!(spans(&[range(0, 35), range(4, 10), range(14, 21), range(40, 1)]), [0..35, 40..41]);
        assert!(spans(&[]).is_empty());
    }

    #[test]
    fn a_refused_call_is_no_damage() {
        let refused = undecodable(std::io::Error::from_raw_os_error(24));
        assert!(matches!(refused, ReadError::Failed(error) if error.hint().contains("ulimit -n")));
        assert!(matches!(undecodable(std::io::Error::other("bad bytes")), ReadError::Damaged(_)));
    }
}
