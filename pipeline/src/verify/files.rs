//! Verifies the objects that manifests name, and finds unnamed ones.

use super::{Code, Findings, Level, Listing, Verifier, chain::Commits, rows::MonthRows};
use crate::archive::ArchiveRecord as _;
use crate::reader::{ReadError, Reader};
use archive_connectors::{Result, error::local, progress::Step};
use archive_formats::{
    FileFormat, FileRecord as _, Manifest, Month, ObjectRecord,
    key::{self, ObjectName},
    manifest::DataFile,
};
use futures::future::try_join_all;
use std::collections::{BTreeMap, HashSet};

impl Verifier {
    /// Verifies the files of one manifest.
    pub(super) async fn month(
        &self,
        manifest: &Manifest,
        level: Level,
        listing: &Listing,
        findings: &mut Findings,
    ) -> Result<()> {
        let folder = tempfile::Builder::new().prefix("verify-").tempdir_in(&self.folder);
        let folder = folder.map_err(local("make a folder for fetched files", &self.folder))?;
        let subject = manifest.subject();
        let reader = Reader::new(self.sink.clone(), folder.path().to_owned());
        let rows = MonthRows::new(manifest, folder.path());
        let mut formats = BTreeMap::<FileFormat, Vec<&DataFile>>::new();
        for file in &manifest.files {
            if check_size(file.object(), listing.get(&file.path).copied(), findings) {
                formats.entry(file.format).or_default().push(file);
            }
        }
        if level == Level::Full {
            self.progress.step(&subject, Step::Check, Some(manifest.bytes()));
            let advance = |file: &DataFile| self.progress.advance(&subject, file.bytes);
            // Side by side: the files of a format are read one after the other, to bound memory.
            let reading = formats.iter().map(|(format, files)| read_format(&reader, *format, files, &rows, advance));
            for found in try_join_all(reading).await? {
                findings.0.extend(found.0);
            }
        }
        self.progress.finish(&subject);
        Ok(())
    }
}

/// Reads the files of one format, whose listed sizes are correct.
async fn read_format(
    reader: &Reader,
    format: FileFormat,
    files: &[&DataFile],
    month: &MonthRows,
    advance: impl Fn(&DataFile),
) -> Result<Findings> {
    let mut findings = Findings::default();
    let has_events = matches!(format, FileFormat::Parquet | FileFormat::Csv);
    let mut events = match month.schema().filter(|_| has_events) {
        Some(schema) => Some((month.format(format)?, schema)),
        None => None,
    };
    for &file in files {
        // A file with other bytes is not decoded: its rows were never committed.
        let found = match &mut events {
            Some((rows, schema)) => rows.read(file, reader.events(file, schema, None), &mut findings).await?,
            // Event files without a schema are a finding of the manifest.
            None if has_events => reader.fetch(file).await.map(|_| file.rows),
            None => reader.rows(file).await,
        };
        check(found, file, &mut findings)?;
        advance(file);
    }
    if let Some((rows, _)) = events {
        rows.finish(&mut findings)?;
    }
    Ok(findings)
}

/// V010, V011, V012, V020 and V024: whether a file contains the expected rows.
fn check(read: std::result::Result<u64, ReadError>, file: &DataFile, findings: &mut Findings) -> Result<()> {
    let path = file.path.as_str();
    match read {
        Ok(rows) if rows != file.rows => {
            findings.damage(Code::RowCount, path, format!("the file holds {rows} rows instead of {}", file.rows));
        }
        Ok(_) => {}
        Err(ReadError::Failed(error)) => return Err(error),
        Err(ReadError::Size(bytes)) => drop(check_size(file.object(), bytes, findings)),
        Err(ReadError::Digest(found)) => {
            let message = format!("the object has the SHA-256 {found} instead of {}", file.sha256);
            findings.damage(Code::Digest, path, message);
        }
        Err(error @ ReadError::RangeDigest { .. }) => findings.damage(Code::Digest, path, error.to_string()),
        Err(error @ (ReadError::Schema | ReadError::Damaged(_))) => {
            findings.damage(Code::Schema, path, error.to_string());
        }
    }
    Ok(())
}

/// V010 and V011: whether an object exists and has the size of `file`.
pub(crate) fn check_size(file: ObjectRecord<'_>, bytes: Option<u64>, findings: &mut Findings) -> bool {
    match bytes {
        None => findings.damage(Code::Missing, file.path, "the object is missing"),
        Some(bytes) if bytes != file.bytes => {
            let message = format!("the object has {bytes} bytes instead of {}", file.bytes);
            findings.damage(Code::Size, file.path, message);
        }
        Some(_) => return true,
    }
    false
}

/// V015: objects that no manifest names. In the folder of a committed month, a reader would mistake them for events.
pub(super) fn unnamed(listing: &Listing, commits: &Commits, range: Option<(Month, Month)>, findings: &mut Findings) {
    let manifests = || commits.values().map(|commit| &commit.manifest);
    let named = manifests().flat_map(|manifest| &manifest.files).map(|file| file.path.as_str()).collect::<HashSet<_>>();
    let committed = manifests().map(|manifest| (&manifest.dataset, manifest.month)).collect::<HashSet<_>>();
    if !listing.keys().any(|path| matches!(ObjectName::parse(path), ObjectName::Manifest(_) | ObjectName::Sums(_)))
        && let Some(path) = listing.keys().find(|path| matches!(ObjectName::parse(path), ObjectName::Data { .. }))
    {
        let message = format!(
            "no manifest is there, but files of months are, such as {path}: run again if the first run \
             did not finish, otherwise restore the manifests from a replica"
        );
        findings.damage(Code::SequenceHole, key::manifest(1), message);
    }
    for path in listing.keys().filter(|path| !named.contains(path.as_str())) {
        match ObjectName::parse(path) {
            ObjectName::Archive | ObjectName::Manifest(_) | ObjectName::Sums(_) => {}
            ObjectName::Data { month, .. } if range.is_some_and(|(first, last)| !(first..=last).contains(&month)) => {}
            ObjectName::Data { dataset, month } if committed.contains(&(&dataset, month)) => {
                findings.damage(Code::Unnamed, path, "no manifest names this file, but its month is committed");
            }
            ObjectName::Data { .. } | ObjectName::Other => {
                findings.warning(Code::Unnamed, path, "no manifest names this file");
            }
        }
    }
}
