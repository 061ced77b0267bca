//! The objects that manifests name, and those that none does.

use super::{Findings, Listing, Verifier, chain::Commits, rows::MonthRows};
use crate::{
    fetch::fetch,
    report::{Code, Level},
};
use archive_connectors::{
    Error, ErrorKind, Result,
    error::local,
    progress::{Coverage, Step},
};
use archive_formats::{Manifest, Month, key::ObjectName, manifest::DataFile};
use std::{collections::HashSet, path::Path};

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
        let coverage = Coverage { dataset: manifest.dataset.clone(), month: manifest.month };
        let mut rows = MonthRows::new(manifest, folder.path());
        if level == Level::Full {
            self.progress.step(&coverage, Step::Check, Some(manifest.bytes()));
        }
        for file in &manifest.files {
            if is_there(file, listing.get(&file.path).copied(), findings) && level == Level::Full {
                rows = self.file(file, rows, folder.path(), findings).await?;
                self.progress.advance(&coverage, file.bytes);
            }
        }
        self.progress.finish(&coverage);
        if level == Level::Full { rows.finish(findings) } else { Ok(()) }
    }

    /// Hashes a file on its way to the local disk, then reads its rows. A file with other bytes is not read: whatever
    /// its rows say would be said about something that was never committed.
    async fn file(
        &self,
        file: &DataFile,
        rows: MonthRows,
        folder: &Path,
        findings: &mut Findings,
    ) -> Result<MonthRows> {
        let local_path = folder.join("file");
        let found = match fetch(&self.sink, &file.path, &local_path).await {
            Ok(found) => found,
            // Perhaps somebody changed it since it was listed.
            Err(error) => {
                let changed = !is_there(file, self.sink.head(&file.path).await?, findings);
                return if changed { Ok(rows) } else { Err(error) };
            }
        };
        if found != file.sha256 {
            let message = format!("the object has the SHA-256 {found} instead of {}", file.sha256);
            findings.damage(Code::Digest, file.path.clone(), message);
            return Ok(rows);
        }
        let file = file.clone();
        let reading = tokio::task::spawn_blocking(move || rows.read(&file, &local_path));
        let stopped = |error| Error::new(ErrorKind::Internal, "reading a file stopped").with_source(error);
        let (rows, found) = reading.await.map_err(stopped)??;
        findings.0.extend(found.0);
        Ok(rows)
    }
}

/// V010 and V011: whether an object that has `bytes`, if it exists, may be `file`.
fn is_there(file: &DataFile, bytes: Option<u64>, findings: &mut Findings) -> bool {
    match bytes {
        None => findings.damage(Code::Missing, file.path.clone(), "the object is missing"),
        Some(bytes) if bytes != file.bytes => {
            let message = format!("the object has {bytes} bytes instead of {}", file.bytes);
            findings.damage(Code::Size, file.path.clone(), message);
        }
        Some(_) => return true,
    }
    false
}

/// V015: objects that no manifest names. In the folder of a committed month a reader would take them for events.
pub(super) fn unnamed(listing: &Listing, commits: &Commits, range: Option<(Month, Month)>, findings: &mut Findings) {
    let manifests = || commits.values().map(|commit| &commit.manifest);
    let named = manifests().flat_map(|manifest| &manifest.files).map(|file| file.path.as_str()).collect::<HashSet<_>>();
    let committed = manifests().map(|manifest| (&manifest.dataset, manifest.month)).collect::<HashSet<_>>();
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
