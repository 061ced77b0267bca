//! Counts of files that were read before, in the state folder. Losing them costs time, never data: files are named by
//! their digests, so that what was counted once stays true.

use super::counts::{DayCounts, Days, Verdict};
use crate::state::private_folder;
use archive_connectors::{Result, error::local};
use archive_formats::{Sha256, manifest::DataFile};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

const FORMAT: &str = "kt-archive-days/1";

/// No entry is larger, by far.
const MOST_BYTES: u64 = 1 << 20;

/// Counts by the digest of the file that they were counted from.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// The second line of an entry; the first one has its digest.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    format: String,
    file: Sha256,
    column: Option<String>,
    counts: Vec<(Verdict, Days)>,
}

impl Cache {
    pub(super) fn new(state: &Path) -> Self {
        Self { folder: state.join("activity") }
    }

    fn path(&self, file: &DataFile) -> PathBuf {
        self.folder.join(format!("{}.json", file.sha256))
    }

    /// The counts of `file` by `column`, if they are known. An entry that is not as it was written is none.
    pub(super) fn get(&self, file: &DataFile, column: Option<&str>) -> Option<DayCounts> {
        let mut text = String::new();
        fs::File::open(self.path(file)).ok()?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        let (digest, document) = text.split_once('\n')?;
        if digest != Sha256::of(document.as_bytes()).to_string() {
            return None;
        }
        let document = serde_json::from_str::<Document>(document).ok()?;
        let same = document.format == FORMAT && document.file == file.sha256 && document.column.as_deref() == column;
        let counts = document.counts.into_iter().collect::<DayCounts>();
        (same && counts.events() == file.rows).then_some(counts)
    }

    /// Keeps the counts of `file`.
    pub(super) fn put(&self, file: &DataFile, column: Option<&str>, counts: &DayCounts) -> Result<()> {
        let counts = counts.iter().map(|(verdict, days)| (verdict.clone(), *days)).collect();
        let (format, column) = (FORMAT.to_owned(), column.map(str::to_owned));
        let document = Document { format, file: file.sha256, column, counts };
        let path = self.path(file);
        let failed = || local("keep what was counted", &path);
        let document = serde_json::to_string(&document).map_err(|error| failed()(error.into()))?;
        let mut entry = NamedTempFile::new_in(private_folder(self.folder.clone())?).map_err(failed())?;
        write!(entry, "{}\n{document}", Sha256::of(document.as_bytes())).map_err(failed())?;
        entry.persist(&path).map(drop).map_err(|error| failed()(error.error))
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
            sha256: Sha256::of(content),
            first: None,
            last: None,
        }
    }

    fn counts() -> DayCounts {
        let mut counts = DayCounts::default();
        counts.add(&Verdict::of(Some("<allowed>")), 0, 3);
        counts.add(&Verdict::Blank, 30, 2);
        counts
    }

    #[test]
    fn what_was_counted_is_known_for_that_file_and_column_alone() {
        let state = tempfile::tempdir().unwrap();
        let cache = Cache::new(state.path());
        assert_eq!(cache.get(&file(b"1"), Some("decision")), None);
        cache.put(&file(b"1"), Some("decision"), &counts()).unwrap();
        assert_eq!(cache.get(&file(b"1"), Some("decision")), Some(counts()));
        assert_eq!(cache.get(&file(b"1"), None), None);
        assert_eq!(cache.get(&file(b"2"), Some("decision")), None);
        assert_eq!(cache.get(&DataFile { rows: 6, ..file(b"1") }, Some("decision")), None);
    }

    #[test]
    fn no_damaged_entry_is_believed() {
        let state = tempfile::tempdir().unwrap();
        let cache = Cache::new(state.path());
        cache.put(&file(b"1"), None, &counts()).unwrap();
        let path = cache.path(&file(b"1"));
        let whole = fs::read(&path).unwrap();
        for index in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[index] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert_eq!(cache.get(&file(b"1"), None), None, "byte {index}");
            fs::write(&path, &whole[..index]).unwrap();
            assert_eq!(cache.get(&file(b"1"), None), None, "cut at {index}");
        }
        cache.put(&file(b"1"), None, &counts()).unwrap();
        assert_eq!(cache.get(&file(b"1"), None), Some(counts()));
    }
}
