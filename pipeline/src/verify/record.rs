//! Results of the last verifications, in the state folder, for the page of `report`. They prove nothing; another
//! verification restores them.

use super::{Finding, Level, Severity, VerifyReport, VerifyRequest};
use archive_connectors::{Error, ErrorKind, Result, error::local, sink::Location, spool::Turn};
use archive_formats::{Head, Month, Sha256, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{ErrorKind as IoErrorKind, Read as _},
    path::{Path, PathBuf},
};

/// Format of a record; other versions are ignored.
const FORMAT: &str = "kt-archive-verifications/1";

/// Maximum recorded findings: many unknown files must not make a record unbounded.
const MAX_FINDINGS: usize = 200;

/// Maximum size of a record, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// A finished verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// When it ended.
    pub finished_at: Timestamp,
    /// How thoroughly it verified.
    pub level: Level,
    /// The months whose files were read; `None` for all.
    pub range: Option<(Month, Month)>,
    /// The last manifest at that time.
    pub head: Option<Head>,
    /// Manifests that were read.
    pub manifests: u64,
    /// Data files that were checked.
    pub files: u64,
    /// Events in them.
    pub events: u64,
    /// Their size.
    pub bytes: u64,
    /// Number of findings of damage.
    pub damage: u64,
    /// Number of warnings.
    pub warnings: u64,
    /// The first findings, damage before warnings.
    pub findings: Vec<Finding>,
}

/// The recorded verifications of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifications {
    /// The last one.
    pub last: Option<Verification>,
    /// The last one that read every byte of every month.
    pub whole: Option<Verification>,
}

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

impl Verification {
    /// Creates the record of `report`.
    pub fn new(request: &VerifyRequest, report: &VerifyReport, finished_at: Timestamp) -> Self {
        let VerifyReport { head, manifests, files, events, bytes, .. } = *report;
        let count = |severity| report.findings.iter().filter(|found| found.severity == severity).count() as u64;
        let mut findings = report.findings.clone();
        findings.sort_by_key(|finding| finding.severity);
        findings.truncate(MAX_FINDINGS);
        let (damage, warnings) = (count(Severity::Damage), count(Severity::Warning));
        Self {
            finished_at,
            level: request.level,
            range: request.range,
            head,
            manifests,
            files,
            events,
            bytes,
            damage,
            warnings,
            findings,
        }
    }

    const fn is_whole(&self) -> bool {
        matches!(self.level, Level::Full) && self.range.is_none()
    }
}

impl Record {
    /// The record of the archive with the UUID `archive` at `location`.
    pub fn new(state: &Path, archive: &str, location: &Location) -> Self {
        let folder = location.directory().map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
        let place = folder.map_or_else(
            || location.url().trim_end_matches('/').to_owned(),
            |folder| folder.to_string_lossy().into_owned(),
        );
        let name = format!("{}.json", Sha256::digest(place.as_bytes()).short());
        Self { archive: archive.to_owned(), path: state.join("verifications").join(archive).join(name) }
    }

    /// Reads the record. An unreadable one is empty.
    pub fn read(&self) -> Verifications {
        match self.document() {
            Ok(document) => document.map(|document| document.verifications).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the record of verifications cannot be read");
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
        Ok(Some(document).filter(|known| known.format == FORMAT && known.archive == self.archive))
    }

    /// Adds `verification` to the record. Concurrent additions are serialized, so that neither is lost.
    pub fn add(&self, verification: Verification) -> Result<()> {
        let turn = Turn::wait(self.path.parent().unwrap_or(Path::new(".")))?;
        let known = self.document().ok().flatten().map(|document| document.verifications).unwrap_or_default();
        let whole = if verification.is_whole() { Some(verification.clone()) } else { known.whole };
        let verifications = Verifications { last: Some(verification), whole };
        let document = Document { format: FORMAT.to_owned(), archive: self.archive.clone(), verifications };
        turn.write(&self.path, &document)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Code;
    use super::*;
    use std::collections::BTreeMap;

    const ARCHIVE: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    fn record(state: &Path, place: &str) -> Record {
        Record::new(state, ARCHIVE, &Location::parse(place, &BTreeMap::new()).unwrap())
    }

    fn verification(level: Level, range: Option<(Month, Month)>, findings: Vec<Finding>) -> Verification {
        let report = VerifyReport {
            level: Some(level),
            head: None,
            manifests: 3,
            files: 6,
            events: 120,
            bytes: 9_000,
            findings,
        };
        let request = VerifyRequest { range, level, expect_head: None };
        Verification::new(&request, &report, "2025-04-10T03:00:00Z".parse().unwrap())
    }

    fn finding(severity: Severity) -> Finding {
        Finding { code: Code::Unnamed, severity, path: "events/<x>".to_owned(), message: "unnamed".to_owned() }
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
            record.add(last.clone()).unwrap();
            assert_eq!(record.read(), Verifications { last: Some(last.clone()), whole: Some(whole.clone()) });
        }
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
                    scope.spawn(move || record.add(added[usize::from(number == 3)].clone()).unwrap());
                }
            });
            assert_eq!(record(state.path(), "/archive").read().whole, Some(whole));
        }
    }

    #[test]
    fn counts_all_findings_and_keeps_the_first_damage_first() {
        let mut findings = vec![finding(Severity::Warning); 300];
        findings.push(finding(Severity::Damage));
        let verification = verification(Level::Full, None, findings);
        assert_eq!((verification.damage, verification.warnings, verification.findings.len()), (1, 300, MAX_FINDINGS));
        assert_eq!(verification.findings[0].severity, Severity::Damage);
    }

    #[test]
    fn each_copy_has_its_own_record_for_all_spellings_of_its_folder() {
        let (state, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = copy.path().to_str().unwrap();
        record(state.path(), path).add(verification(Level::Full, None, Vec::new())).unwrap();
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
        record.add(verification(Level::Quick, None, Vec::new())).unwrap();
        assert!(record.read().last.is_some());
    }
}
