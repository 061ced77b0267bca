//! Events -> staged files: encode, roll, hash, and index the ids on the way.

use crate::duplicates::{IdIndex, Repetitions, Suspects};
use archive_connectors::{
    Error, ErrorKind, EventStream, Result, SourceItem, SourceReport, error::local, sink::StagedFile,
};
use archive_formats::{
    EventBatch, FileFormat, Reject, Schema, Timestamp,
    encode::{
        EncodeError, FileEncoder, TimeSpan,
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
use tokio::{sync::mpsc, task::JoinHandle};

/// Batches that wait for an encoder. Two keep it busy while the next is decoded; more would only hold memory.
const WAITING: usize = 2;

/// How many rejected rows are named.
const NAMED_REJECTS: usize = 5;

/// What is to be written, and where.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the files say of themselves.
    pub label: Label,
    /// The formats to write.
    pub formats: BTreeSet<FileFormat>,
    /// Size after which a file ends and the next begins.
    pub part_size: u64,
    /// A local folder that belongs to this month alone.
    pub folder: PathBuf,
}

/// What one pass over a month's events came to.
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
    /// Events that were left out as repetitions.
    pub repetitions: u64,
    /// Rows that could not become events.
    pub rejected: u64,
    /// The first few of them.
    pub rejects: Vec<Reject>,
    /// Events in the files whose id appears more than once.
    pub suspects: Suspects,
    /// The columns; none when there was no event.
    pub schema: Option<Arc<Schema>>,
    /// What the source said at its end.
    pub report: SourceReport,
}

/// Writes the events of `feed` but for `repetitions`. Each format and the index of ids is a thread of its own, fed by a
/// short queue: the slowest of them sets the pace, and nothing piles up.
pub async fn encode(mut feed: EventStream, mut repetitions: Repetitions, target: &Target) -> Result<Encoded> {
    let mut queues = Vec::new();
    let writers = target.formats.iter().map(|format| spawn_writer(&mut queues, *format, target)).collect::<Vec<_>>();
    let index = spawn_index(&mut queues, &target.folder);
    let left_out = repetitions.len();
    let mut tally = Tally::default();
    let mut report = None;
    while let Some(item) = feed.try_next().await? {
        match item {
            SourceItem::Batch(batch) => {
                let batch = repetitions.leave_out(batch)?;
                tally.take(&batch);
                // A closed queue means that its thread failed; its own error is found when it is joined.
                if !batch.is_empty() && !send(&queues, &batch).await {
                    break;
                }
            }
            SourceItem::Reject(reject) => tally.reject(reject),
            SourceItem::Report(end) => report = Some(end),
        }
    }
    drop(queues);
    let mut files = Vec::new();
    for writer in writers {
        files.extend(join(writer).await?);
    }
    let suspects = join(index).await?;
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

    fn reject(&mut self, reject: Reject) {
        self.rejected += 1;
        if self.rejects.len() < NAMED_REJECTS {
            self.rejects.push(reject);
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

fn spawn_writer(
    queues: &mut Vec<mpsc::Sender<EventBatch>>,
    format: FileFormat,
    target: &Target,
) -> JoinHandle<Result<Vec<StagedFile>>> {
    let mut receiver = queue(queues);
    let mut writer = PartWriter { format, target: target.clone(), current: None, files: Vec::new() };
    tokio::task::spawn_blocking(move || {
        while let Some(batch) = receiver.blocking_recv() {
            writer.write(&batch)?;
        }
        writer.finish()
    })
}

/// The files of one format, one after the other.
struct PartWriter {
    format: FileFormat,
    target: Target,
    current: Option<(PathBuf, Box<dyn FileEncoder>)>,
    files: Vec<StagedFile>,
}

impl PartWriter {
    /// In pieces that fit into a part, so that a part is not much larger than it should be.
    fn write(&mut self, batch: &EventBatch) -> Result<()> {
        batch.pieces(self.target.part_size).try_for_each(|piece| self.write_piece(&piece))
    }

    fn write_piece(&mut self, batch: &EventBatch) -> Result<()> {
        let (path, encoder) = match self.current.take() {
            Some(current) => current,
            None => self.open()?,
        };
        let (path, encoder) = self.current.insert((path, encoder));
        encoder.write(batch).map_err(failed(path))?;
        if encoder.bytes_written() >= self.target.part_size { self.close() } else { Ok(()) }
    }

    fn finish(mut self) -> Result<Vec<StagedFile>> {
        self.close()?;
        Ok(self.files)
    }

    fn open(&self) -> Result<(PathBuf, Box<dyn FileEncoder>)> {
        let path = self.target.folder.join(format!("part-{:05}.{}", self.files.len(), self.format.extension()));
        let file = BufWriter::new(File::create(&path).map_err(local("create a staged file", &path))?);
        let encoder: Box<dyn FileEncoder> = match self.format {
            FileFormat::Csv => Box::new(CsvEncoder::new(file)),
            FileFormat::Parquet => {
                Box::new(ParquetEncoder::new(file, self.target.label.clone(), self.target.part_size))
            }
            FileFormat::Artifact | FileFormat::Rejects => {
                return Err(Error::new(ErrorKind::Internal, format!("events are not encoded as {}", self.format)));
            }
        };
        Ok((path, encoder))
    }

    fn close(&mut self) -> Result<()> {
        let Some((local, encoder)) = self.current.take() else { return Ok(()) };
        let whole = encoder.finish().map_err(failed(&local))?;
        let Label { dataset, month, .. } = &self.target.label;
        let folder = key::month_folder(dataset, self.format, *month);
        let path = key::data_file(&folder, self.files.len(), &whole.sha256, self.format.extension());
        let file = DataFile {
            path,
            format: self.format,
            rows: whole.rows,
            bytes: whole.bytes,
            sha256: whole.sha256,
            first: whole.first,
            last: whole.last,
        };
        self.files.push(StagedFile { local, file });
        Ok(())
    }
}

fn failed(path: &Path) -> impl FnOnce(EncodeError) -> Error {
    let path = path.to_owned();
    move |error| match error {
        EncodeError::Io(error) => local("write a staged file", &path)(error),
        error => Error::new(ErrorKind::Internal, "could not encode events").with_source(error),
    }
}
