//! The record of verifications in the state folder. It proves nothing; another verification restores it.

use super::{Finding, Severity, Verification, Verifications};
use crate::state;
use archive_connectors::{Error, ErrorKind, Result, error::local, sink::Location, spool::Turn};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{ErrorKind as IoErrorKind, Read as _},
    path::{Path, PathBuf},
};

/// Format of a record.
const FORMAT: &str = "kt-archive-verifications/2";

/// The format before damage stood: what its last verifications found is taken over.
const FORMAT_1: &str = "kt-archive-verifications/1";

/// Maximum size of a record, in bytes.
const MAX_BYTES: u64 = 16 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    format: String,
    archive: String,
    #[serde(flatten)]
    verifications: Verifications,
}

/// The record of one copy of an archive: verifying an archive proves nothing about its replicas.
#[derive(Clone, Debug)]
pub struct Record {
    archive: String,
    path: PathBuf,
}

impl Record {
    /// The record of the archive with the UUID `archive` at `location`.
    pub fn new(folder: &Path, archive: &str, location: &Location) -> Self {
        let name = format!("{}.json", state::place(location));
        Self { archive: archive.to_owned(), path: folder.join("verifications").join(archive).join(name) }
    }

    /// Reads the record. An unreadable one is empty.
    pub fn read(&self) -> Verifications {
        match self.document() {
            Ok(document) => document.map(|document| document.verifications).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(
                    path = %self.path.display(), %error,
                    "the record of verifications cannot be read: damage that was found before is not known; verify again"
                );
                Verifications::default()
            }
        }
    }

    fn document(&self) -> Result<Option<Document>> {
        let failed = || local("read the record of verifications", &self.path);
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed())?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed())?;
        let document = serde_json::from_slice::<Document>(&bytes)
            .map_err(|error| Error::new(ErrorKind::Local, "it is damaged").with_source(error))?;
        Ok(Some(document.updated()).filter(|known| known.format == FORMAT && known.archive == self.archive))
    }

    /// Adds a verification that found `damage`, all of it, and returns what is on record then. Concurrent additions are
    /// serialized, so that none is lost. A record that cannot be written is a warning: a read-only state folder does not
    /// prevent verification.
    pub fn add(&self, verification: Verification, damage: &[Finding]) -> Verifications {
        let written = Turn::wait(self.path.parent().unwrap_or(Path::new("."))).and_then(|turn| {
            let verifications = self.read().with(verification.clone(), damage);
            let (format, archive) = (FORMAT.to_owned(), self.archive.clone());
            let document = Document { format, archive, verifications };
            turn.write(&self.path, &document).map(|()| document.verifications)
        });
        written.unwrap_or_else(|error| {
            tracing::warn!(%error, "what was found is not on record for later commands");
            self.read().with(verification, damage)
        })
    }
}

impl Document {
    /// The document in the present format.
    fn updated(self) -> Self {
        if self.format != FORMAT_1 {
            return self;
        }
        let Verifications { last, whole, .. } = self.verifications;
        let older = [&whole, &last].into_iter().flatten().cloned();
        let recorded = older.fold(Verifications::default(), |known, verification| {
            let damage = verification.findings.iter().filter(|finding| finding.severity == Severity::Damage);
            let damage = damage.cloned().collect::<Vec<_>>();
            known.with(verification, &damage)
        });
        let head = last.as_ref().and_then(|last| last.head);
        Self { format: FORMAT.to_owned(), verifications: Verifications { last, whole, head, ..recorded }, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Code, Level,
            recorded::testing::{finding, verification},
        },
        *,
    };
    use std::{collections::BTreeMap, fs};

    const ARCHIVE: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    fn record(state: &Path, place: &str) -> Record {
        Record::new(state, ARCHIVE, &Location::parse(place, &BTreeMap::new()).unwrap())
    }

    #[test]
    fn quick_or_partial_verification_keeps_the_last_whole_one() {
        let state = tempfile::tempdir().unwrap();
        let record = record(state.path(), "/archive");
        assert_eq!(record.read(), Verifications::default());
        let march = "2025-03".parse().unwrap();
        let [whole, quick, month] = [
            verification(Level::Full, None, Vec::new()),
            verification(Level::Quick, None, vec![finding(Severity::Warning)]),
            verification(Level::Full, Some((march, march)), Vec::new()),
        ];
        for last in [&whole, &quick, &month] {
            let added = record.add(last.clone(), &[]);
            let expected =
                Verifications { last: Some(last.clone()), whole: Some(whole.clone()), ..Verifications::default() };
            assert_eq!((&added, record.read()), (&expected, expected.clone()));
        }
    }

    #[test]
    fn damage_in_records_of_the_format_before_is_kept() {
        let state = tempfile::tempdir().unwrap();
        let record = record(state.path(), "/archive");
        let damaged = Finding { code: Code::Digest, ..finding(Severity::Damage) };
        let old = serde_json::json!({
            "format": FORMAT_1, "archive": ARCHIVE,
            "last": verification(Level::Quick, None, Vec::new()),
            "whole": verification(Level::Full, None, vec![damaged]),
        });
        fs::create_dir_all(record.path.parent().unwrap()).unwrap();
        fs::write(&record.path, old.to_string()).unwrap();
        let known = record.read();
        assert_eq!(known.recorded.len(), 1);
        assert_eq!(known.last.unwrap().level, Level::Quick);
    }

    #[test]
    fn concurrent_verifications_keep_the_whole_one() {
        for _ in 0..20 {
            let state = tempfile::tempdir().unwrap();
            let whole = verification(Level::Full, None, Vec::new());
            std::thread::scope(|scope| {
                for number in 0..8 {
                    let quick = verification(Level::Quick, None, vec![finding(Severity::Warning); 100]);
                    let (record, added) = (record(state.path(), "/archive"), [quick, whole.clone()]);
                    scope.spawn(move || record.add(added[usize::from(number == 3)].clone(), &[]));
                }
            });
            assert_eq!(record(state.path(), "/archive").read().whole, Some(whole));
        }
    }

    #[test]
    fn each_copy_has_its_own_record_for_all_spellings_of_its_folder() {
        let (state, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = copy.path().to_str().unwrap();
        record(state.path(), path).add(verification(Level::Full, None, Vec::new()), &[]);
        assert!(
            record(state.path(), &format!("{path}/../{}/", copy.path().file_name().unwrap().to_str().unwrap()))
                .read()
                .last
                .is_some()
        );
        assert!(record(state.path(), &format!("file://{path}")).read().last.is_some());
        assert_eq!(record(state.path(), "/elsewhere").read(), Verifications::default());
    }

    #[test]
    fn unreadable_record_is_empty_and_replaced() {
        let state = tempfile::tempdir().unwrap();
        let record = record(state.path(), "/archive");
        fs::create_dir_all(record.path.parent().unwrap()).unwrap();
        for damaged in ["", "{", "{\"format\": \"other\", \"archive\": \"x\", \"last\": null, \"whole\": null}", "[]"] {
            fs::write(&record.path, damaged).unwrap();
            assert_eq!(record.read(), Verifications::default(), "{damaged}");
        }
        record.add(verification(Level::Quick, None, Vec::new()), &[]);
        assert!(record.read().last.is_some());
    }
}
