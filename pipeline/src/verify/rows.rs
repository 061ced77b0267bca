//! The rows of a month's files.

use super::Findings;
use crate::{
    contents::{self, ContentsError},
    duplicates::IdIndex,
    report::Code,
};
use archive_connectors::Result;
use archive_formats::{
    FileFormat, Manifest, Schema, Timestamp, Window,
    encode::TimeSpan,
    key,
    manifest::{DataFile, EventCounts},
};
use std::{path::Path, sync::Arc};

/// What the files of one month hold, read one after the other.
#[derive(Debug)]
pub(super) struct MonthRows {
    sequence: u64,
    schema: Option<Arc<Schema>>,
    window: Window,
    events: EventCounts,
    /// Ids of the events of one format; the other formats hold the same events.
    index: IdIndex,
    indexed: Option<FileFormat>,
}

impl MonthRows {
    pub(super) fn new(manifest: &Manifest, folder: &Path) -> Self {
        let formats = manifest.formats();
        Self {
            sequence: manifest.sequence,
            schema: manifest.schema.clone().map(Arc::new),
            window: manifest.month.window(),
            events: manifest.events,
            index: IdIndex::new(folder),
            indexed: formats.into_iter().find(|format| format.holds_events()),
        }
    }

    /// Reads a file whose bytes are the ones that were committed.
    pub(super) fn read(mut self, file: &DataFile, local: &Path) -> Result<(Self, Findings)> {
        let mut findings = Findings::default();
        let Some(schema) = self.schema.clone().filter(|_| file.format.holds_events()) else {
            return Ok((self, findings));
        };
        let (mut span, mut outside) = (TimeSpan::default(), 0_u64);
        let indexed = self.indexed == Some(file.format);
        let mut visit = |batch: &archive_formats::EventBatch| {
            span.extend(batch);
            let times = batch.times().values().iter().map(|time| Timestamp::from_micros(*time));
            outside += times.filter(|time| !self.window.contains(*time)).count() as u64;
            if indexed { self.index.add(batch) } else { Ok(()) }
        };
        let path = file.path.as_str();
        match contents::events(local, file.format, &schema, &mut visit) {
            Ok(rows) if rows != file.rows => {
                findings.damage(Code::RowCount, path, format!("the file holds {rows} rows instead of {}", file.rows));
            }
            Ok(_) if (span.first(), span.last()) != (file.first, file.last) => {
                findings.damage(Code::Balance, path, "the first and last event are not those of the manifest");
            }
            Ok(_) => {}
            Err(ContentsError::Failed(error)) => return Err(error),
            Err(error) => findings.damage(Code::Schema, path, error.to_string()),
        }
        if outside > 0 {
            findings.damage(Code::OutsideMonth, path, format!("{outside} rows lie outside the month"));
        }
        Ok((self, findings))
    }

    /// V023, once every file of the month was read.
    pub(super) fn finish(self, findings: &mut Findings) -> Result<()> {
        let shared = self.index.finish()?.len();
        if shared > self.events.conflicts {
            let message = format!("{shared} events share an id, but only {} should", self.events.conflicts);
            findings.damage(Code::IdTwice, key::manifest(self.sequence), message);
        }
        Ok(())
    }
}
