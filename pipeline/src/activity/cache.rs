//! Cached counts of files, in the state folder. Losing them costs time, never data. Entries never expire, since their key
//! is the digest of a file that was read, and the place where it was: a copy elsewhere is read by itself.

use super::counts::{DayCounts, Days, Verdict};
use archive_connectors::{Error, ErrorKind, Result, spool::write_durably};
use archive_formats::{Sha256, manifest::DataFile};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

/// Version of the counting rules. Entries of other versions are ignored.
const FORMAT: &str = "kt-archive-days/2";

/// Maximum bytes read of an entry, far above the size of any.
const MAX_BYTES: u64 = 1 << 20;

/// Counts by the digest of the counted file.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// An entry with its digest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    sha256: Sha256,
    entry: Entry,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    format: String,
    file: Sha256,
    column: Option<String>,
    counts: Vec<(Verdict, Days)>,
}

impl Entry {
    fn digest(&self) -> Result<Sha256> {
        let bytes = serde_json::to_vec(self)
            .map_err(|error| Error::new(ErrorKind::Internal, "the counts have no form").with_source(error))?;
        Ok(Sha256::digest(&bytes))
    }
}

impl Cache {
    /// The counts of the files at `place`.
    pub(super) fn new(state: &Path, place: &str) -> Self {
        Self { folder: state.join("activity").join(place) }
    }

    fn path(&self, file: &DataFile) -> PathBuf {
        self.folder.join(format!("{}.json", file.sha256))
    }

    /// The cached counts of `file` by `column`. A damaged entry is ignored.
    pub(super) fn get(&self, file: &DataFile, column: Option<&str>) -> Option<DayCounts> {
        let mut bytes = Vec::new();
        fs::File::open(self.path(file)).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        let Document { sha256, entry } = serde_json::from_slice(&bytes).ok()?;
        let same = entry.format == FORMAT && entry.file == file.sha256 && entry.column.as_deref() == column;
        if !same || entry.digest().ok()? != sha256 {
            return None;
        }
        let counts = entry.counts.into_iter().collect::<DayCounts>();
        (counts.events() == file.rows).then_some(counts)
    }

    /// Stores the counts of `file`.
    pub(super) fn put(&self, file: &DataFile, column: Option<&str>, counts: &DayCounts) -> Result<()> {
        let counts = counts.iter().map(|(verdict, days)| (verdict.clone(), *days)).collect();
        let (format, column) = (FORMAT.to_owned(), column.map(str::to_owned));
        let entry = Entry { format, file: file.sha256, column, counts };
        write_durably(&self.path(file), &Document { sha256: entry.digest()?, entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::FileFormat;

    fn file(content: &[u8]) -> DataFile {
        DataFile {
            path: "events/parquet/month=2025-03/part".to_owned(),
            format: FileFormat::Parquet,
            rows: 5,
            bytes: 1,
            sha256: Sha256::digest(content),
            first: None,
            last: None,
            ranges: None,
        }
    }

    fn counts() -> DayCounts {
        let mut counts = DayCounts::default();
        counts.add(&Verdict::from_value(Some("<allowed>")), 0, 3);
        counts.add(&Verdict::Blank, 30, 2);
        counts
    }

    #[test]
    fn counts_are_found_by_file_and_column() {
        let state = tempfile::tempdir().unwrap();
        let cache = Cache::new(state.path(), "place");
        assert_eq!(cache.get(&file(b"1"), Some("decision")), None);
        cache.put(&file(b"1"), Some("decision"), &counts()).unwrap();
        assert_eq!(cache.get(&file(b"1"), Some("decision")), Some(counts()));
        assert_eq!(cache.get(&file(b"1"), None), None);
        assert_eq!(cache.get(&file(b"2"), Some("decision")), None);
        assert_eq!(Cache::new(state.path(), "other").get(&file(b"1"), Some("decision")), None);
        assert_eq!(cache.get(&DataFile { rows: 6, ..file(b"1") }, Some("decision")), None);
    }

    #[test]
    fn entries_of_other_formats_are_ignored() {
        let state = tempfile::tempdir().unwrap();
        let cache = Cache::new(state.path(), "place");
        let kept = |format: &str| {
            let counts = counts().iter().map(|(verdict, days)| (verdict.clone(), *days)).collect();
            let entry = Entry { format: format.to_owned(), file: file(b"1").sha256, column: None, counts };
            let document = Document { sha256: entry.digest().unwrap(), entry };
            write_durably(&cache.path(&file(b"1")), &document).unwrap();
            cache.get(&file(b"1"), None)
        };
        assert_eq!([kept(FORMAT), kept("kt-archive-days/1")], [Some(counts()), None]);
    }

    #[test]
    fn damaged_entries_are_ignored() {
        let state = tempfile::tempdir().unwrap();
        let cache = Cache::new(state.path(), "place");
        cache.put(&file(b"1"), None, &counts()).unwrap();
        let path = cache.path(&file(b"1"));
        let whole = fs::read(&path).unwrap();
        for index in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[index] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert_eq!(cache.get(&file(b"1"), None), None, "byte {index}");
        }
        // The last byte ends the line.
        for index in 0..whole.len() - 1 {
            fs::write(&path, &whole[..index]).unwrap();
            assert_eq!(cache.get(&file(b"1"), None), None, "cut at {index}");
        }
        cache.put(&file(b"1"), None, &counts()).unwrap();
        assert_eq!(cache.get(&file(b"1"), None), Some(counts()));
    }
}
