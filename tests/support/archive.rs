//! Inspects an archive with JSON, gzip, CSV and coreutils, without the program's own code.

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::Command,
};

/// An archive in a folder.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    root: PathBuf,
}

/// A row of a CSV file: column to value.
pub(crate) type Row = BTreeMap<String, String>;

impl Archive {
    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Path of an object.
    pub(crate) fn path(&self, object: &str) -> PathBuf {
        self.root.join(object)
    }

    /// Paths of all objects relative to the root, without locks.
    pub(crate) fn objects(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        collect(&self.root, &self.root, &mut found);
        found.retain(|path| Path::new(path).extension().is_none_or(|extension| extension != "lock"));
        found
    }

    /// Every object and its digest.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, String> {
        let digest = |object: String| (object.clone(), sha256(&fs::read(self.path(&object)).unwrap()));
        self.objects().into_iter().map(digest).collect()
    }

    /// Every data file and its digest, which a rerun must reproduce.
    pub(crate) fn data_snapshot(&self) -> BTreeMap<String, String> {
        let mut snapshot = self.snapshot();
        snapshot.retain(|path, _| path.contains("/month="));
        snapshot
    }

    /// The numbers of the manifests.
    pub(crate) fn sequences(&self) -> Vec<u64> {
        let objects = self.objects();
        let names = objects.iter().filter_map(|path| path.strip_prefix("manifests/")?.strip_suffix(".json"));
        names.map(|number| number.parse().unwrap()).collect()
    }

    pub(crate) fn manifest(&self, sequence: u64) -> Value {
        serde_json::from_slice(&fs::read(self.path(&manifest_path(sequence))).unwrap()).unwrap()
    }

    pub(crate) fn manifests(&self) -> Vec<Value> {
        self.sequences().into_iter().map(|sequence| self.manifest(sequence)).collect()
    }

    /// The only manifest that commits a month.
    #[track_caller]
    pub(crate) fn month(&self, month: &str) -> Value {
        let manifests = self.manifests().into_iter();
        let mut found = manifests.filter(|manifest| manifest["month"] == month).collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "{month} is committed {} times", found.len());
        found.remove(0)
    }

    /// Committed months, sorted: concurrent months are committed in any order.
    pub(crate) fn months(&self) -> Vec<String> {
        let month = |manifest: Value| manifest["month"].as_str().unwrap().to_owned();
        let mut months = self.manifests().into_iter().map(month).collect::<Vec<_>>();
        months.sort();
        months
    }

    /// Path of the file of a month in a format.
    #[track_caller]
    pub(crate) fn file(&self, month: &str, format: &str) -> String {
        let manifest = self.month(month);
        let mut files = files(&manifest).filter(|file| file["format"] == format);
        files.next().expect("a file of the format")["path"].as_str().unwrap().to_owned()
    }

    /// The events of a month, read from its CSV files.
    pub(crate) fn rows(&self, month: &str) -> Vec<Row> {
        let manifest = self.month(month);
        let files = files(&manifest).filter(|file| file["format"] == "csv");
        files.flat_map(|file| csv_rows(&self.unzipped(file["path"].as_str().unwrap()))).collect()
    }

    /// Ids of the events of a month, sorted, repetitions included.
    pub(crate) fn ids(&self, month: &str) -> Vec<String> {
        let mut ids = self.rows(month).into_iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
        ids.sort();
        ids
    }

    /// The rejected rows of a month.
    pub(crate) fn rejects(&self, month: &str) -> Vec<Value> {
        let manifest = self.month(month);
        let files = files(&manifest).filter(|file| file["format"] == "rejects");
        let text = files.flat_map(|file| self.unzipped(file["path"].as_str().unwrap())).collect::<Vec<_>>();
        String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The content of a gzipped object.
    pub(crate) fn unzipped(&self, object: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        MultiGzDecoder::new(&fs::read(self.path(object)).unwrap()[..]).read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Whether `sha256sum` accepts every `SHA256SUMS`.
    pub(crate) fn sums_agree(&self) -> bool {
        let mut sums = self.objects().into_iter().filter(|path| path.ends_with(".SHA256SUMS"));
        sums.all(|path| {
            let mut command = Command::new("sha256sum");
            command.args(["--check", "--strict", "--quiet", &path]).current_dir(&self.root);
            command.output().unwrap().status.success()
        })
    }

    /// Asserts the invariants of every archive: a dense chain, files that match their manifests, consistent counts, and
    /// no other objects.
    #[track_caller]
    pub(crate) fn check(&self) {
        let sequences = self.sequences();
        assert!(sequences.iter().copied().eq(1..=sequences.len() as u64), "the chain has gaps: {sequences:?}");
        let mut expected = BTreeSet::from(["archive.json".to_owned()]);
        let mut previous = Value::Null;
        for sequence in sequences {
            let manifest = self.manifest(sequence);
            assert_eq!(manifest["sequence"], sequence);
            assert_eq!(manifest["previous"], previous, "manifest {sequence} does not link to the one before");
            check_counts(&manifest);
            for file in files(&manifest) {
                self.check_file(file);
                expected.insert(file["path"].as_str().unwrap().to_owned());
            }
            let path = manifest_path(sequence);
            previous =
                serde_json::json!({"sequence": sequence, "sha256": sha256(&fs::read(self.path(&path)).unwrap())});
            expected.extend([path, sums_path(sequence)]);
        }
        assert_eq!(self.objects(), expected, "the archive's objects are not those that its manifests name");
        assert!(self.sums_agree(), "sha256sum finds a difference");
    }

    #[track_caller]
    fn check_file(&self, file: &Value) {
        let path = file["path"].as_str().unwrap();
        let bytes = fs::read(self.path(path)).unwrap();
        let digest = sha256(&bytes);
        assert_eq!(file["bytes"], bytes.len(), "size of {path}");
        assert_eq!(file["sha256"], digest.as_str(), "digest of {path}");
        assert!(path.contains(&digest[..16]), "{path} is not named after its digest {digest}");
        let rows = match file["format"].as_str().unwrap() {
            "csv" => csv_rows(&self.unzipped(path)).len(),
            "parquet" => parquet_rows(&bytes),
            "rejects" => self.unzipped(path).split_inclusive(|byte| *byte == b'\n').count(),
            _ => return,
        };
        assert_eq!(file["rows"], rows, "rows of {path}");
    }
}

/// The files that a manifest names.
pub(crate) fn files(manifest: &Value) -> impl Iterator<Item = &Value> {
    manifest["files"].as_array().unwrap().iter()
}

pub(crate) fn manifest_path(sequence: u64) -> String {
    format!("manifests/{sequence:08}.json")
}

pub(crate) fn sums_path(sequence: u64) -> String {
    format!("manifests/{sequence:08}.SHA256SUMS")
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(bytes) {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

#[track_caller]
fn check_counts(manifest: &Value) {
    let count = |name: &str| manifest["events"][name].as_u64().unwrap();
    let accounted = count("archived") + count("outside_window") + count("duplicates") + count("rejected");
    assert_eq!(count("read"), accounted, "{}", manifest["events"]);
    for format in ["parquet", "csv"] {
        let mut rows = files(manifest).filter(|file| file["format"] == format).peekable();
        if rows.peek().is_some() {
            let rows = rows.map(|file| file["rows"].as_u64().unwrap()).sum::<u64>();
            assert_eq!(rows, count("archived"), "rows of the {format} files");
        }
    }
    let rejects = files(manifest).filter(|file| file["format"] == "rejects");
    assert_eq!(rejects.map(|file| file["rows"].as_u64().unwrap()).sum::<u64>(), count("rejected"));
}

fn csv_rows(bytes: &[u8]) -> Vec<Row> {
    csv::Reader::from_reader(bytes).deserialize().map(Result::unwrap).collect()
}

fn parquet_rows(bytes: &[u8]) -> usize {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes)).unwrap();
    usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap()
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    // A missing folder has no objects.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}
