//! Encodes events to staged files: splits into parts, hashes, and indexes the ids.

use crate::duplicates::{IdIndex, Repetitions, Suspects};
use archive_connectors::{Error, ErrorKind, EventStream, Result, Sink, SourceItem, SourceReport, sink::StagedFile};
use archive_formats::{
    EventBatch, FileFormat, Reject, Schema, Sha256, TimeSpan, Timestamp,
    encode::MAX_RECORD_BYTES,
    encode::{
        EncodeError, EncodedFile, FileEncoder, RejectsEncoder,
        csv::CsvEncoder,
        parquet::{Label, ParquetEncoder},
    },
    key,
    manifest::DataFile,
};
use futures::TryStreamExt;
use std::{
    collections::BTreeSet,
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::{NamedTempFile, TempPath};
use tokio::{sync::mpsc, task::JoinHandle};

/// Batches queued per encoder. Two keep it busy while the next is decoded; more would only cost memory.
const WAITING: usize = 2;

/// Maximum rejected rows named in messages.
const NAMED_REJECTS: usize = 5;

/// The output of an encoding.
#[derive(Clone, Debug)]
pub struct Target {
    /// Metadata of the files.
    pub label: Label,
    /// The formats to write. Artifacts are not encoded.
    pub formats: BTreeSet<FileFormat>,
    /// Whether to write rejected rows too.
    pub keep_rejects: bool,
    /// Size in bytes at which a file ends and the next begins.
    pub part_size: u64,
    /// Whether Parquet files have only encodings that Spark 4.0 reads.
    pub plain_encodings: bool,
    /// The store, which knows where its files are staged.
    pub sink: Sink,
    /// A local folder used only by this month.
    pub folder: PathBuf,
}

/// The result of one pass over a month's events.
#[derive(Debug)]
pub struct Encoded {
    /// The files, on the local disk.
    pub files: Vec<StagedFile>,
    /// Events in the files of each format.
    pub archived: u64,
    /// Time of the earliest event.
    pub first: Option<Timestamp>,
    /// Time of the latest event.
    pub last: Option<Timestamp>,
    /// Events dropped as repetitions.
    pub repetitions: u64,
    /// Rows that could not become events.
    pub rejected: u64,
    /// The first few of them.
    pub rejects: Vec<Reject>,
    /// Archived events whose id appears more than once.
    pub suspects: Suspects,
    /// The columns; `None` without events.
    pub schema: Option<Arc<Schema>>,
    /// The report at the end of the source's stream.
    pub report: SourceReport,
}

/// Writes the events of `feed` except `repetitions`. Each format, the rejects and the id index have a thread each, fed
/// by a short queue: the slowest thread limits the rate, and memory stays bounded. Ids that the source keeps unique need
/// no index.
pub async fn encode(mut feed: EventStream, mut repetitions: Repetitions, target: &Target) -> Result<Encoded> {
    let mut queues = Vec::new();
    let mut writers =
        target.formats.iter().filter_map(|format| event_writer(*format, &mut queues, target)).collect::<Vec<_>>();
    let (rejects, rejects_writer) = rejects_writer(target).unzip();
    writers.extend(rejects_writer);
    let (mut index, mut unique_ids) = (None, false);
    let left_out = repetitions.len();
    let mut tally = Tally::default();
    let mut report = None;
    while let Some(item) = feed.try_next().await? {
        match item {
            SourceItem::UniqueIds => unique_ids = true,
            SourceItem::Batch(batch) => {
                if index.is_none() && !unique_ids {
                    index = Some(spawn_index(&mut queues, &target.folder));
                }
                let batch = repetitions.leave_out(batch)?;
                tally.take(&batch);
                // A closed queue means that its thread failed; joining it returns the error.
                if !batch.is_empty() && !send(&queues, &batch).await {
                    break;
                }
            }
            SourceItem::Reject(reject) => {
                tally.reject(&reject);
                if let Some(queue) = &rejects
                    && queue.send(reject).await.is_err()
                {
                    break;
                }
            }
            SourceItem::Report(end) => report = Some(end),
        }
    }
    drop((queues, rejects));
    let mut files = Vec::new();
    for writer in writers {
        files.extend(join(writer).await?);
    }
    let suspects = match index {
        Some(index) => join(index).await?,
        None => Suspects::default(),
    };
    let report = report.ok_or_else(|| Error::new(ErrorKind::Internal, "the events ended without a report"))?;
    let Tally { archived, span, rejected, rejects, schema } = tally;
    let (first, last) = (span.first(), span.last());
    Ok(Encoded { files, archived, first, last, repetitions: left_out, rejected, rejects, suspects, schema, report })
}

#[derive(Default)]
struct Tally {
    archived: u64,
    span: TimeSpan,
    rejected: u64,
    rejects: Vec<Reject>,
    schema: Option<Arc<Schema>>,
}

impl Tally {
    fn take(&mut self, batch: &EventBatch) {
        self.archived += batch.len() as u64;
        self.span.extend(batch);
        self.schema.get_or_insert_with(|| Arc::clone(batch.schema()));
    }

    fn reject(&mut self, reject: &Reject) {
        self.rejected += 1;
        if self.rejects.len() < NAMED_REJECTS {
            self.rejects.push(reject.clone());
        }
    }
}

async fn send(queues: &[mpsc::Sender<EventBatch>], batch: &EventBatch) -> bool {
    for queue in queues {
        if queue.send(batch.clone()).await.is_err() {
            return false;
        }
    }
    true
}

async fn join<T>(task: JoinHandle<Result<T>>) -> Result<T> {
    task.await.map_err(|error| Error::new(ErrorKind::Internal, "an encoder stopped").with_source(error))?
}

type Writer = JoinHandle<Result<Vec<StagedFile>>>;

fn event_writer(format: FileFormat, queues: &mut Vec<mpsc::Sender<EventBatch>>, target: &Target) -> Option<Writer> {
    let parts = match format {
        FileFormat::Parquet => Parts::parquet(target),
        FileFormat::Csv => Parts::csv(target),
        FileFormat::Artifact | FileFormat::Rejects => return None,
    };
    Some(spawn_writer(queue(queues), parts, Parts::write_pieces))
}

fn rejects_writer(target: &Target) -> Option<(mpsc::Sender<Reject>, Writer)> {
    target.keep_rejects.then(|| {
        let (sender, receiver) = mpsc::channel(WAITING);
        (sender, spawn_writer(receiver, Parts::rejects(target), Parts::write))
    })
}

fn queue(queues: &mut Vec<mpsc::Sender<EventBatch>>) -> mpsc::Receiver<EventBatch> {
    let (sender, receiver) = mpsc::channel(WAITING);
    queues.push(sender);
    receiver
}

fn spawn_index(queues: &mut Vec<mpsc::Sender<EventBatch>>, folder: &Path) -> JoinHandle<Result<Suspects>> {
    let mut receiver = queue(queues);
    let mut index = IdIndex::new(folder);
    tokio::task::spawn_blocking(move || {
        while let Some(batch) = receiver.blocking_recv() {
            index.add(&batch)?;
        }
        index.finish()
    })
}

/// Spawns a thread that writes the files of one format.
fn spawn_writer<T: Send + 'static>(
    mut receiver: mpsc::Receiver<T>,
    mut parts: Parts<T>,
    write: fn(&mut Parts<T>, &T) -> Result<()>,
) -> Writer {
    tokio::task::spawn_blocking(move || {
        while let Some(item) = receiver.blocking_recv() {
            write(&mut parts, &item)?;
        }
        parts.finish()
    })
}

/// Creates the encoder of a file.
type Begin<T> = fn(BufWriter<File>, &Target) -> Box<dyn FileEncoder<T>>;

/// The files of one format, split at the part size.
pub(super) struct Parts<T> {
    format: FileFormat,
    target: Target,
    begin: Begin<T>,
    current: Option<(TempPath, Box<dyn FileEncoder<T>>)>,
    files: Vec<StagedFile>,
}

impl Parts<EventBatch> {
    /// Creates a writer of Parquet files.
    pub(super) fn parquet(target: &Target) -> Self {
        Self::new(FileFormat::Parquet, target, |file, target| {
            let encoder = ParquetEncoder::new(file, target.label.clone(), target.part_size);
            Box::new(if target.plain_encodings { encoder.with_plain_floats() } else { encoder })
        })
    }

    /// Creates a writer of CSV files.
    pub(super) fn csv(target: &Target) -> Self {
        Self::new(FileFormat::Csv, target, |file, target| Box::new(CsvEncoder::new(file, target.part_size)))
    }

    /// Writes a batch in pieces, so that a part does not exceed its size by much.
    pub(super) fn write_pieces(&mut self, batch: &EventBatch) -> Result<()> {
        batch.pieces(self.target.part_size).try_for_each(|piece| self.write(&piece))
    }
}

impl Parts<Reject> {
    /// Creates a writer of rejected rows.
    pub(super) fn rejects(target: &Target) -> Self {
        Self::new(FileFormat::Rejects, target, |file, target| Box::new(RejectsEncoder::new(file, target.part_size)))
    }
}

impl<T> Parts<T> {
    fn new(format: FileFormat, target: &Target, begin: Begin<T>) -> Self {
        Self { format, target: target.clone(), begin, current: None, files: Vec::new() }
    }

    /// Appends `item` to the current file.
    pub(super) fn write(&mut self, item: &T) -> Result<()> {
        let (path, encoder) = match self.current.take() {
            Some(current) => current,
            None => self.open()?,
        };
        let (path, encoder) = self.current.insert((path, encoder));
        let before = self.files.iter().map(|staged| staged.file.rows).sum();
        encoder.write(item).map_err(failed(&self.target.sink, path, before))?;
        if encoder.bytes_written() >= self.target.part_size { self.close() } else { Ok(()) }
    }

    /// Closes the last file.
    pub(super) fn finish(mut self) -> Result<Vec<StagedFile>> {
        self.close()?;
        Ok(self.files)
    }

    fn open(&self) -> Result<(TempPath, Box<dyn FileEncoder<T>>)> {
        let extension = self.format.extension().unwrap_or_default();
        let (file, path) = self.target.stage(self.format, extension, self.files.len())?.into_parts();
        Ok((path, (self.begin)(BufWriter::new(file), &self.target)))
    }

    fn close(&mut self) -> Result<()> {
        let Some((local, encoder)) = self.current.take() else { return Ok(()) };
        let whole = encoder.finish().map_err(failed(&self.target.sink, &local, 0))?;
        let extension = self.format.extension().unwrap_or_default();
        let file = self.target.data_file(self.format, extension, self.files.len(), whole);
        self.files.push(StagedFile::new(local, file)?);
        Ok(())
    }
}

impl Target {
    /// A local file for file number `part` of a format, with a name ending in `extension`.
    pub(super) fn stage(&self, format: FileFormat, extension: &str, part: usize) -> Result<NamedTempFile> {
        let folder = key::month_folder(&self.label.dataset, format, self.label.month);
        let unknown = Sha256::from([0; 32]);
        self.sink.stage(&key::data_file(&folder, part, &unknown, extension), &self.folder)
    }

    /// The manifest entry of file number `part` of a format, with names ending in `extension`.
    pub(super) fn data_file(&self, format: FileFormat, extension: &str, part: usize, whole: EncodedFile) -> DataFile {
        let EncodedFile { rows, bytes, sha256, first, last, ranges } = whole;
        let folder = key::month_folder(&self.label.dataset, format, self.label.month);
        let path = key::data_file(&folder, part, &sha256, extension);
        DataFile { path, format, rows, bytes, sha256, first, last, ranges }
    }
}

/// The error of an encoder, whose file follows `before` events of the month.
fn failed(sink: &Sink, path: &Path, before: u64) -> impl FnOnce(EncodeError) -> Error {
    move |error| match error {
        EncodeError::RecordTooLong { event } => {
            let message = format!("an event is longer than {} MiB as a record of CSV", MAX_RECORD_BYTES >> 20);
            Error::new(ErrorKind::Incomplete, message)
                .with_context("event of the month, counted from 1", before + event + 1)
                .with_hint("nothing was stored; leave the column out with --drop, or archive without csv")
        }
        EncodeError::Io(error) => sink.staging_error("write a staged file", path, error),
        error => Error::new(ErrorKind::Internal, "could not encode events").with_source(error),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use archive_connectors::sink::Location;
    use archive_formats::catalogue::{KeyColumns, text_schema};
    use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
    use std::collections::BTreeMap;

    pub(in crate::stage) fn directory_sink(folder: &Path) -> Sink {
        let location = Location::parse(folder.to_str().unwrap(), &BTreeMap::new()).unwrap();
        Sink::open(&location).unwrap()
    }

    #[test]
    fn a_record_that_is_too_long_is_refused_with_its_number_in_the_month() {
        let schema = Arc::new(text_schema(&["id", "timestamp", "a", "b"], &KeyColumns::default()).unwrap());
        let half = |bytes: usize| -> ArrayRef { Arc::new(StringArray::from(vec!["x".repeat(bytes)])) };
        let event = |bytes: usize| {
            let times = TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC");
            let columns = vec![half(1), Arc::new(times) as ArrayRef, half(bytes), half(bytes)];
            EventBatch::try_new(Arc::clone(&schema), RecordBatch::try_new(schema.to_arrow(), columns).unwrap()).unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let label =
            Label { archive: "a".to_owned(), dataset: "events".parse().unwrap(), month: "2025-03".parse().unwrap() };
        let target = Target {
            label,
            formats: BTreeSet::from([FileFormat::Csv]),
            keep_rejects: false,
            part_size: 1,
            plain_encodings: false,
            sink: directory_sink(folder.path()),
            folder: folder.path().to_owned(),
        };
        let mut parts = Parts::csv(&target);
        (0..3).for_each(|_| parts.write(&event(1)).unwrap());
        let error = parts.write(&event(MAX_RECORD_BYTES / 2)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete);
        assert!(format!("{error:?}").contains('4'), "{error:?}");
        assert!(!error.hint().is_empty());
    }
}
