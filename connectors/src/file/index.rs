//! What is in a file, found in one pass over it: the months of its rows, and where they lie.

use super::paths::Named;
use crate::{
    Error, ErrorKind, Result,
    artifact::{Chunk, Content, Ending, Opening, Part, Syntax, on_all_cores, sniff},
    progress::Meter,
    spool::on_blocking_thread,
};
use archive_formats::{
    ArtifactKind, Sha256, Timestamp, Window,
    catalogue::KeyColumns,
    decode::{Survey, json::JsonNames},
};
use futures::{TryStreamExt as _, pin_mut};
use std::{path::PathBuf, sync::Arc};

/// A file that was looked through.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) named: Named,
    pub(super) kind: ArtifactKind,
    pub(super) gzip: bool,
    pub(super) sha256: Sha256,
    /// All its rows.
    pub(super) survey: Survey,
    /// Its columns; an empty file has none.
    pub(super) opening: Option<Arc<Opening>>,
    pub(super) chunks: Vec<Place>,
}

/// Where some rows lie, and when they happened. There is one for some megabytes of a file.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// In the unpacked content.
    pub(super) offset: u64,
    pub(super) length: usize,
    /// What comes before these bytes to make a chunk of them.
    pub(super) mark: Option<u8>,
    /// Of the chunk, to see whether it is the same when it is read again.
    pub(super) checksum: u32,
    /// Number of the first line.
    pub(super) line: u64,
    pub(super) rows: u64,
    /// Whether there are rows whose time cannot be read.
    timeless: bool,
    /// Times of the earliest and the latest of the others.
    times: Option<(Timestamp, Timestamp)>,
}

impl Indexed {
    /// Whether events of `window` may be missing when this file is left aside. Of a file without any time that can be
    /// read nobody knows.
    pub(super) fn may_reach(&self, window: Window) -> bool {
        self.survey.may_reach(window) || self.survey.months.is_empty()
    }

    /// The chunks that take part in a read of `window`: those that may hold events of it, and if the file may, those
    /// with rows that may be events of it.
    pub(super) fn places(&self, window: Window) -> impl Iterator<Item = &Place> {
        let reached = self.may_reach(window);
        self.chunks.iter().filter(move |place| {
            let inside = place.times.is_some_and(|(first, last)| first < window.to() && window.from() <= last);
            inside || (place.timeless && reached)
        })
    }
}

/// Looks through the file.
pub(super) async fn index(named: &Named, keys: &KeyColumns, meter: &Meter) -> Result<Indexed> {
    check(named.clone()).await?;
    let mut opening = first(named, keys).await?.map(Arc::new);
    let mut sight = Sight::of(named, opening.clone(), meter).await?;
    if let (Some(names), Some(guess)) = (sight.names.take(), &mut opening) {
        let whole = Arc::new(Opening::json(names, keys)?);
        let earlier = std::mem::replace(guess, Arc::clone(&whole));
        if earlier.schema().time != whole.schema().time {
            sight = Sight::of(named, Some(whole), meter).await?;
        }
    }
    let Sight { survey, chunks, ending, .. } = sight;
    let Ending { kind, gzip, measured } = ending;
    Ok(Indexed { named: named.clone(), kind, gzip, sha256: measured.delivered_sha256, survey, opening, chunks })
}

/// The columns as far as the beginning of the file shows them. Nearly always it shows which one the time is, and then
/// one look at the whole file is enough.
async fn first(named: &Named, keys: &KeyColumns) -> Result<Option<Opening>> {
    let (path, syntax) = (named.path.clone(), named.syntax);
    match Opening::of_first(path.clone(), syntax, keys.clone()).await {
        Err(_) if syntax == Syntax::Json => Opening::of(path, syntax, keys.clone()).await,
        first => first,
    }
}

/// What is seen on the way through a file.
struct Sight {
    survey: Survey,
    chunks: Vec<Place>,
    names: Option<JsonNames>,
    ending: Ending,
}

impl Sight {
    async fn of(named: &Named, opening: Option<Arc<Opening>>, meter: &Meter) -> Result<Self> {
        let looks = on_all_cores(named.path.clone(), named.syntax, move |chunk| Ok(look(opening.as_deref(), &chunk)));
        pin_mut!(looks);
        let (mut survey, mut chunks, mut line) = (Survey::default(), Vec::new(), 1);
        let mut met: Option<JsonNames> = None;
        while let Some(part) = looks.try_next().await? {
            let Look { place, survey: found, names: more, delivered } = match part {
                Part::Piece(look) => look,
                Part::End(ending) => return Ok(Self { survey, chunks, names: met, ending }),
            };
            meter.advance(delivered);
            chunks.push(Place { line, ..place });
            line += found.lines;
            survey.merge(&found);
            match (&mut met, more) {
                (Some(met), Some(more)) => met.merge(more),
                (met, more) => *met = met.take().or(more),
            }
        }
        Err(Error::new(ErrorKind::Internal, "the look at a file stopped before its end"))
    }
}

/// What one look at a chunk finds.
struct Look {
    place: Place,
    survey: Survey,
    /// The names that occur, where the file is JSON.
    names: Option<JsonNames>,
    delivered: u64,
}

fn look(opening: Option<&Opening>, chunk: &Chunk) -> Look {
    let survey = opening.map(|opening| opening.survey(chunk)).unwrap_or_default();
    let place = Place {
        offset: chunk.offset,
        length: chunk.bytes.len() - usize::from(chunk.mark.is_some()),
        mark: chunk.mark,
        checksum: checksum(&chunk.bytes),
        line: 0,
        rows: survey.rows,
        timeless: survey.timeless > 0,
        times: survey.first().zip(survey.last()),
    };
    let names = opening.and_then(Opening::names).map(|_| JsonNames::of(&chunk.bytes));
    Look { place, survey, names, delivered: chunk.delivered }
}

/// Quick, and enough to notice a writer; the digest of the whole file is what manifests have.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// Refuses a file whose first bytes are not what its name says.
async fn check(named: Named) -> Result<()> {
    const START: usize = 512;
    let start = move |path: PathBuf| {
        let (mut content, mut start) = (Content::open(&path)?, vec![0; START]);
        let count = content.read(&mut start)?;
        start.truncate(count);
        Ok(start)
    };
    let path = named.path.clone();
    let start = on_blocking_thread(move || start(path)).await?;
    if start.is_empty() {
        tracing::warn!(file = %named.name, "the file is empty");
    }
    sniff(&start, named.syntax).map_err(|found| {
        let wanted = named.syntax;
        Error::new(ErrorKind::Source, format!("the file is {found}, and not {wanted} as its name says"))
            .with_hint("a failed export leaves such files: export it again, or move it out of the way")
    })
}
