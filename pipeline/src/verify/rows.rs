//! The rows of a month's files.

use super::Findings;
use crate::{
    contents::{self, ContentsError},
    duplicates::IdIndex,
    report::Code,
};
use archive_connectors::{Result, error::local};
use archive_formats::{
    FileFormat, Manifest, Schema, Timestamp, Window,
    encode::TimeSpan,
    key,
    manifest::{DataFile, EventCounts},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What the files of one month hold, read one after the other.
#[derive(Debug)]
pub(super) struct MonthRows {
    sequence: u64,
    schema: Option<Arc<Schema>>,
    window: Window,
    events: EventCounts,
    folder: PathBuf,
    formats: BTreeMap<FileFormat, FormatRows>,
}

/// The events of one format.
#[derive(Debug)]
struct FormatRows {
    index: IdIndex,
    /// Events of files that could be read.
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
            formats: BTreeMap::new(),
        }
    }

    /// Reads a file whose bytes are the ones that were committed.
    pub(super) fn read(mut self, file: &DataFile, local: &Path) -> Result<(Self, Findings)> {
        let mut findings = Findings::default();
        match (file.format, self.schema.clone()) {
            // How many rows an artifact has depends on who reads it.
            (FileFormat::Artifact, _) => {
                let rows = contents::unpacked(local).map(|_| file.rows);
                check_rows(rows, file, &mut findings)?;
            }
            (FileFormat::Rejects, _) => check_rows(contents::rejects(local), file, &mut findings)?,
            (FileFormat::Parquet | FileFormat::Csv, Some(schema)) => {
                self.events(file, local, &schema, &mut findings)?;
            }
            // Event files without a schema are a finding of the manifest.
            (FileFormat::Parquet | FileFormat::Csv, None) => {}
        }
        Ok((self, findings))
    }

    fn events(&mut self, file: &DataFile, local: &Path, schema: &Arc<Schema>, findings: &mut Findings) -> Result<()> {
        let (mut span, mut outside) = (TimeSpan::default(), 0_u64);
        let mut format = self.format(file.format)?;
        let mut visit = |batch: &archive_formats::EventBatch| {
            span.extend(batch);
            let times = batch.times().values().iter().map(|time| Timestamp::from_micros(*time));
            outside += times.filter(|time| !self.window.contains(*time)).count() as u64;
            format.read += batch.len() as u64;
            format.index.add(batch)
        };
        let path = file.path.as_str();
        let rows = contents::events(local, file.format, schema, &mut visit);
        let same_span = (span.first(), span.last()) == (file.first, file.last);
        if rows.as_ref().is_ok_and(|rows| *rows == file.rows) && !same_span {
            findings.damage(Code::Balance, path, "the first and last event are not those of the manifest");
        }
        check_rows(rows, file, findings)?;
        if outside > 0 {
            findings.damage(Code::OutsideMonth, path, format!("{outside} rows lie outside the month"));
        }
        self.formats.insert(file.format, format);
        Ok(())
    }

    /// What was read of a format, to be put back with more.
    fn format(&mut self, format: FileFormat) -> Result<FormatRows> {
        if let Some(known) = self.formats.remove(&format) {
            return Ok(known);
        }
        let folder = self.folder.join(format.as_str());
        std::fs::create_dir(&folder).map_err(local("make a folder for the index of ids", &folder))?;
        Ok(FormatRows { index: IdIndex::new(&folder), read: 0 })
    }

    /// V023, once every file of the month was read. Fewer shared ids than the manifest says are V021, unless a damaged
    /// file was left out.
    pub(super) fn finish(self, findings: &mut Findings) -> Result<()> {
        let EventCounts { archived, conflicts, .. } = self.events;
        for (format, FormatRows { index, read }) in self.formats {
            let shared = index.finish()?.len();
            let message = format!("{shared} events of the {format} files share an id, but {conflicts} should");
            if shared > conflicts {
                findings.damage(Code::IdTwice, key::manifest(self.sequence), message);
            } else if shared < conflicts && read == archived {
                findings.damage(Code::Balance, key::manifest(self.sequence), message);
            }
        }
        Ok(())
    }
}

/// V020 and V024: whether what was read of a file are the rows that it should hold.
fn check_rows(read: std::result::Result<u64, ContentsError>, file: &DataFile, findings: &mut Findings) -> Result<()> {
    let path = file.path.as_str();
    match read {
        Ok(rows) if rows != file.rows => {
            findings.damage(Code::RowCount, path, format!("the file holds {rows} rows instead of {}", file.rows));
        }
        Ok(_) => {}
        Err(ContentsError::Failed(error)) => return Err(error),
        Err(error) => findings.damage(Code::Schema, path, error.to_string()),
    }
    Ok(())
}
