//! The index of a file, made in one pass over it: the months of its rows, and the chunks that they are in.

use super::paths::FoundFile;
use crate::{
    Error, ErrorKind, Result,
    artifact::{ArtifactRules, ArtifactSchema, Chunk, Chunks, Content, Summary, Syntax, sniff},
    progress::{Meter, Step},
    spool::on_blocking_thread,
};
use archive_formats::{
    ArtifactKind, Sha256, Timestamp, Window,
    decode::{TimeIndex, json::JsonNames},
};
use std::{path::PathBuf, sync::Arc};
use tokio::sync::OnceCell;

/// Files, each indexed once.
#[derive(Debug)]
pub(super) struct FileSet {
    files: Vec<(FoundFile, OnceCell<Arc<IndexedFile>>)>,
    rules: ArtifactRules,
}

impl FileSet {
    pub(super) fn new(found: Vec<FoundFile>, rules: ArtifactRules) -> Self {
        Self { files: found.into_iter().map(|file| (file, OnceCell::new())).collect(), rules }
    }

    pub(super) const fn rules(&self) -> &ArtifactRules {
        &self.rules
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// All files, in order. The first call scans them.
    pub(super) async fn index(&self, meter: &Meter) -> Result<Vec<Arc<IndexedFile>>> {
        if self.files.iter().any(|(_, indexed)| !indexed.initialized()) {
            meter.step(Step::Index, Some(self.files.iter().map(|(found, _)| found.stamp.bytes).sum()));
        }
        let mut all = Vec::new();
        for (found, indexed) in &self.files {
            let indexed = indexed.get_or_try_init(|| async {
                found.check_unchanged()?;
                let indexed = index(found, &self.rules, meter).await;
                let indexed = indexed.map_err(|error| error.with_context("file", &found.name))?;
                found.check_unchanged()?;
                Ok(Arc::new(indexed))
            });
            all.push(Arc::clone(indexed.await?));
        }
        Ok(all)
    }
}

/// A file, with the times of its chunks.
#[derive(Debug)]
pub(super) struct IndexedFile {
    pub(super) found: FoundFile,
    pub(super) kind: ArtifactKind,
    pub(super) gzip: bool,
    pub(super) sha256: Sha256,
    /// The times of all rows.
    pub(super) times: TimeIndex,
    /// `None` for JSON without records.
    pub(super) schema: Option<Arc<ArtifactSchema>>,
    pub(super) chunks: Vec<IndexedChunk>,
}

/// Position, times and checksum of a chunk: some megabytes of a file.
#[derive(Clone, Debug)]
pub(super) struct IndexedChunk {
    /// In the unpacked content.
    pub(super) offset: u64,
    /// In bytes of the unpacked content.
    pub(super) length: usize,
    /// The byte before those of the content, as in [`Chunk`].
    pub(super) mark: Option<u8>,
    /// CRC-32 of the chunk, compared when it is read again.
    pub(super) checksum: u32,
    /// Number of the first line.
    pub(super) line: u64,
    pub(super) rows: u64,
    /// Whether there are rows without a readable time.
    timeless: bool,
    /// Earliest and latest time.
    times: Option<(Timestamp, Timestamp)>,
}

impl IndexedFile {
    /// Whether the file may hold events of `window`. One without any readable time may.
    pub(super) fn may_reach(&self, window: Window) -> bool {
        self.times.may_reach(window) || self.times.months.is_empty()
    }

    /// The chunks that may hold events of `window`. Those with rows without a readable time do if the file does.
    pub(super) fn chunks_of(&self, window: Window) -> impl Iterator<Item = &IndexedChunk> {
        let reached = self.may_reach(window);
        self.chunks.iter().filter(move |chunk| {
            let inside = chunk.times.is_some_and(|(first, last)| first < window.to() && window.from() <= last);
            inside || (chunk.timeless && reached)
        })
    }
}

async fn index(found: &FoundFile, rules: &ArtifactRules, meter: &Meter) -> Result<IndexedFile> {
    check_syntax(found.clone()).await?;
    let mut schema = first_schema(found, rules).await?.map(Arc::new);
    let mut scan = FileScan::run(found, schema.clone(), rules, meter).await?;
    if let (Some(names), Some(first)) = (scan.names.take(), &mut schema) {
        let whole = Arc::new(ArtifactSchema::from_names(names, rules)?);
        let first = std::mem::replace(first, Arc::clone(&whole));
        if first.schema().time() != whole.schema().time() {
            scan = FileScan::run(found, Some(whole), rules, meter).await?;
        }
    }
    let FileScan { times, chunks, summary, .. } = scan;
    if times.rows == 0 {
        tracing::warn!(file = %found.name, "the file has no rows");
    }
    let Summary { kind, gzip, measured } = summary;
    Ok(IndexedFile { found: found.clone(), kind, gzip, sha256: measured.delivered_sha256, times, schema, chunks })
}

/// The columns of the first chunk if it has the time, which it nearly always does: then one scan is enough.
async fn first_schema(found: &FoundFile, rules: &ArtifactRules) -> Result<Option<ArtifactSchema>> {
    let (path, syntax) = (found.path.clone(), found.syntax);
    match ArtifactSchema::read_first_chunk(path.clone(), syntax, rules.clone()).await {
        Err(_) if syntax == Syntax::Json => ArtifactSchema::read(path, syntax, rules.clone()).await,
        first => first,
    }
}

/// The result of one pass over a file.
struct FileScan {
    times: TimeIndex,
    chunks: Vec<IndexedChunk>,
    /// The names of all members, if the file is JSON.
    names: Option<JsonNames>,
    summary: Summary,
}

impl FileScan {
    async fn run(
        found: &FoundFile,
        schema: Option<Arc<ArtifactSchema>>,
        rules: &ArtifactRules,
        meter: &Meter,
    ) -> Result<Self> {
        let work = move |chunk| Ok(scan_chunk(schema.as_deref(), &chunk));
        let mut scans = Chunks::map(found.path.clone(), found.syntax, &rules.harmless, work);
        let (mut times, mut chunks, mut line) = (TimeIndex::default(), Vec::new(), 1);
        let mut all_names: Option<JsonNames> = None;
        while let Some(ChunkScan { chunk, times: more, names, progress }) = scans.next().await? {
            meter.advance(progress);
            chunks.push(IndexedChunk { line, ..chunk });
            line += more.lines;
            times.merge(&more);
            if let Some(names) = names {
                all_names.get_or_insert_default().merge(names);
            }
        }
        Ok(Self { times, chunks, names: all_names, summary: scans.summary()? })
    }
}

struct ChunkScan {
    chunk: IndexedChunk,
    times: TimeIndex,
    /// The names of members, if the file is JSON.
    names: Option<JsonNames>,
    progress: u64,
}

fn scan_chunk(schema: Option<&ArtifactSchema>, chunk: &Chunk) -> ChunkScan {
    let (times, names) = schema.map(|schema| schema.index(chunk)).unwrap_or_default();
    let indexed = IndexedChunk {
        offset: chunk.offset,
        length: chunk.length(),
        mark: chunk.mark,
        checksum: checksum(&chunk.bytes),
        line: 0,
        rows: times.rows,
        timeless: times.without_time > 0,
        times: times.first().zip(times.last()),
    };
    ChunkScan { chunk: indexed, times, names, progress: chunk.progress }
}

/// CRC-32: quick, and enough to notice a writer. Manifests have the digest of the whole file.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// Refuses a file whose first bytes contradict its name.
async fn check_syntax(found: FoundFile) -> Result<()> {
    const START: usize = 512;
    let start = move |path: PathBuf| {
        let (mut content, mut start) = (Content::open(&path)?, vec![0; START]);
        let count = content.read(&mut start)?;
        start.truncate(count);
        Ok(start)
    };
    let path = found.path.clone();
    let start = on_blocking_thread(move || start(path)).await?;
    sniff(&start, found.syntax).map_err(|content| {
        let wanted = found.syntax;
        Error::new(ErrorKind::Source, format!("the file is {content}, and not {wanted} as its name says"))
            .with_hint("a failed export can leave such a file: export it again, or move it to another folder")
    })
}
