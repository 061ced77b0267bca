//! Verifies the rows of a month's files.

use super::{Code, Findings};
use crate::{duplicates::IdIndex, reader::ReadError};
use archive_connectors::{Result, error::local};
use archive_formats::{
    EventBatch, FileFormat, Manifest, Schema, TimeSpan, Timestamp, Window, key,
    manifest::{DataFile, EventCounts},
};
use futures::{Stream, TryStreamExt as _};
use std::{
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
};

/// What the rows of a month's files are compared with.
#[derive(Debug)]
pub(super) struct MonthRows {
    sequence: u64,
    schema: Option<Arc<Schema>>,
    window: Window,
    events: EventCounts,
    folder: PathBuf,
}

/// The events of the files of one format, read one file at a time.
#[derive(Debug)]
pub(super) struct FormatRows<'a> {
    month: &'a MonthRows,
    format: FileFormat,
    index: IdIndex,
    /// Events of readable files.
    read: u64,
}

impl MonthRows {
    pub(super) fn new(manifest: &Manifest, folder: &Path) -> Self {
        Self {
            sequence: manifest.sequence,
            schema: manifest.schema.clone().map(Arc::new),
            window: manifest.month.window(),
            events: manifest.events,
            folder: folder.to_owned(),
        }
    }

    /// The columns of the events; `None` without events.
    pub(super) const fn schema(&self) -> Option<&Arc<Schema>> {
        self.schema.as_ref()
    }

    /// Begins a format of events, once.
    pub(super) fn format(&self, format: FileFormat) -> Result<FormatRows<'_>> {
        let folder = self.folder.join(format.as_str());
        std::fs::create_dir(&folder).map_err(local("make a folder for the index of ids", &folder))?;
        Ok(FormatRows { month: self, format, index: IdIndex::new(&folder), read: 0 })
    }
}

impl FormatRows<'_> {
    /// V021 and V022: verifies the events of a file. Returns their number.
    pub(super) async fn read(
        &mut self,
        file: &DataFile,
        batches: impl Stream<Item = std::result::Result<EventBatch, ReadError>>,
        findings: &mut Findings,
    ) -> Result<std::result::Result<u64, ReadError>> {
        let (mut times, mut outside, mut rows) = (TimeSpan::default(), 0_u64, 0_u64);
        let mut batches = pin!(batches);
        let end = loop {
            let batch = match batches.try_next().await {
                Ok(Some(batch)) => batch,
                Ok(None) => break Ok(rows),
                Err(error) => break Err(error),
            };
            times.extend(&batch);
            let in_window = |time: &&i64| self.month.window.contains(Timestamp::from_micros(**time));
            outside += batch.times().values().iter().filter(|time| !in_window(time)).count() as u64;
            rows += batch.len() as u64;
            self.index.add(&batch)?;
        };
        self.read += rows;
        let same_times = (times.first(), times.last()) == (file.first, file.last);
        if end.as_ref().is_ok_and(|rows| *rows == file.rows) && !same_times {
            findings.damage(Code::Balance, &*file.path, "the first and last event are not those of the manifest");
        }
        if outside > 0 {
            findings.damage(Code::OutsideMonth, &*file.path, format!("{outside} rows lie outside the month"));
        }
        Ok(end)
    }

    /// V023, after every file of the format was read. Fewer shared ids than the manifest counts are V021, unless a
    /// damaged file was skipped.
    pub(super) fn finish(self, findings: &mut Findings) -> Result<()> {
        let Self { month, format, index, read } = self;
        let EventCounts { archived, conflicts, .. } = month.events;
        let shared = index.finish()?.len();
        let message = format!("{shared} events of the {format} files share an id, but {conflicts} should");
        if shared > conflicts {
            findings.damage(Code::IdTwice, key::manifest(month.sequence), message);
        } else if shared < conflicts && read == archived {
            findings.damage(Code::Balance, key::manifest(month.sequence), message);
        }
        Ok(())
    }
}
