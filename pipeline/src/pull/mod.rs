//! Cuts a slice out of an archive for a reviewer, with a proof of its origin.
//!
//! Reads only files named in manifests, one at a time, each after its digest was checked, or of a Parquet file the row
//! groups of the range, after theirs. Any inconsistency aborts the pull without a slice.

pub(crate) mod columns;
mod filter;
pub(crate) mod months;
mod output;
mod report;
mod slicer;

pub use report::PullReport;

use crate::{Archive, config::Condition, provenance::EventSource, reader::Reader, settings::Settings, state::Scratch};
use archive_connectors::{Clock, Progress, Result, error::local};
use archive_formats::{
    Chain, Dataset, Window,
    encode::slice::{EncodedSlice, SliceFormat, SliceStyle},
    manifest::Tool,
    slice_manifest::{self, SliceColumn, SliceCounts, SliceManifest, SliceOrigin, SliceOutput},
};
use columns::SliceColumns;
use filter::Filter;
use months::Months;
use output::Output;
use slicer::{Slicer, Writing};
use std::{fs::File, path::PathBuf, sync::Arc};

/// The parameters of a pull.
#[derive(Clone, Debug)]
pub struct PullRequest {
    /// The dataset.
    pub dataset: Dataset,
    /// Time range of the events.
    pub window: Window,
    /// Accepted values: the events have one of them in each named column.
    pub conditions: Vec<Condition>,
    /// The columns of the slice; by default all.
    pub columns: Option<Vec<String>>,
    /// The format of the slice.
    pub format: SliceFormat,
    /// Whether to escape texts that a spreadsheet would evaluate. Only for CSV.
    pub csv_safe: bool,
    /// Path of the slice. Its manifest is written beside it.
    pub output: PathBuf,
    /// Whether to replace existing files.
    pub force: bool,
    /// Whether months may be missing.
    pub allow_gaps: bool,
}

/// Cuts a slice out of the archive of `settings`.
pub async fn pull(
    settings: &Settings,
    request: &PullRequest,
    clock: &dyn Clock,
    progress: Arc<dyn Progress>,
) -> Result<PullReport> {
    let output = Output::new(&request.output, request.force)?;
    let output = output.outside_of(settings.archive.directory())?;
    let archive = Archive::open(&settings.archive).await?;
    archive.expect_datasets(std::slice::from_ref(&request.dataset))?;
    let chain = archive.chain();
    let months = Months::from_chain(chain, &request.dataset, request.window)?;
    if !request.allow_gaps {
        months.whole(&request.dataset)?;
    }
    let filter = Filter::new(request.window, &request.conditions);
    let schemas = months.schemas(chain, &request.dataset)?;
    let columns = SliceColumns::new(schemas, request.columns.as_deref(), filter.names())?;

    let fetched = Scratch::new(&settings.state_dir, "pull")?;
    let (draft, file) = output.begin()?;
    let mut writing = Writing::begin(file, request.style(), &columns, output.slice())?;
    let reader = Reader::new(archive.sink().clone(), fetched.path().to_owned());
    let slicer = Slicer { reader, progress, filter, columns };
    let origins = slicer.cut(&months.entries, &mut writing).await?;
    let (encoded, counts) = writing.finish().await?;

    let cut = Cut { request, chain, months: &months, slicer: &slicer, origins, encoded, counts };
    draft.publish(&cut.manifest(&output, clock).to_bytes())?;
    Ok(PullReport {
        rows: encoded.rows,
        bytes: encoded.bytes,
        output: Some(output.slice().display().to_string()),
        manifest: Some(output.manifest().display().to_string()),
        dataset: request.dataset.clone(),
        in_window: counts.in_window,
        sources: months.sources().into_iter().map(EventSource::from).collect(),
        gaps: months.gaps,
    })
}

/// Cuts a slice for a program that passes it on, such as to its standard output. Returns it as a file without a name,
/// which exists once the slice is complete; no manifest is written.
pub async fn pull_unnamed(
    settings: &Settings,
    request: &PullRequest,
    clock: &dyn Clock,
    progress: Arc<dyn Progress>,
) -> Result<(PullReport, File)> {
    let folder = Scratch::new(&settings.state_dir, "pull")?;
    let path = folder.path().join("slice");
    let named = PullRequest { output: path.clone(), ..request.clone() };
    let report = pull(settings, &named, clock, progress).await?;
    let slice = File::open(&path).map_err(local("read the slice", &path))?;
    Ok((PullReport { output: None, manifest: None, ..report }, slice))
}

impl PullRequest {
    fn style(&self) -> SliceStyle {
        SliceStyle { format: self.format, gzip: self.is_gzipped(), csv_safe: self.csv_safe }
    }

    /// Returns whether the output's name ends in `.gz`.
    pub fn is_gzipped(&self) -> bool {
        self.output.extension().is_some_and(|extension| extension == "gz")
    }
}

/// A finished slice, with everything that its manifest records.
struct Cut<'a> {
    request: &'a PullRequest,
    chain: &'a Chain,
    months: &'a Months<'a>,
    slicer: &'a Slicer,
    origins: Vec<SliceOrigin>,
    encoded: EncodedSlice,
    counts: SliceCounts,
}

impl Cut<'_> {
    fn manifest(self, output: &Output, clock: &dyn Clock) -> SliceManifest {
        let Self { request, chain, months, slicer, origins, encoded, counts } = self;
        let columns = slicer.columns.columns().iter();
        let columns = columns.map(|column| SliceColumn { name: column.name.clone(), kind: column.kind.clone() });
        let EncodedSlice { rows, bytes, sha256 } = encoded;
        let name = output.slice().file_name().unwrap_or_default().to_string_lossy().into_owned();
        SliceManifest {
            format: slice_manifest::FORMAT.to_owned(),
            archive: chain.archive().to_owned(),
            dataset: request.dataset.clone(),
            window: request.window,
            conditions: slicer.filter.to_json(),
            columns: request.columns.clone(),
            csv_safe: request.csv_safe,
            output: SliceOutput { name, format: request.format, columns: columns.collect(), rows, bytes, sha256 },
            events: counts,
            gaps: months.gaps.clone(),
            sources: months.sources(),
            manifests: origins,
            head: chain.head(),
            created_at: clock.now(),
            tool: Tool::current(),
        }
    }
}
