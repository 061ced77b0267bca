//! Archives in directories, and whether two archives overlap.

use super::*;
use futures::{StreamExt, TryStreamExt, stream};
use std::{collections::BTreeMap, fs};

fn open(path: &std::path::Path) -> Sink {
    Sink::open(&Location::parse(path.to_str().unwrap(), &BTreeMap::new()).unwrap()).unwrap()
}

#[tokio::test]
async fn creates_an_archive_in_a_missing_directory() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a/b");
    let sink = open(&root);
    assert!(sink.identity::<Manifest>().await.unwrap().is_none());
    assert!(sink.chain::<Manifest>(ARCHIVE).await.unwrap().entries().is_empty());
    assert!(!root.try_exists().unwrap(), "reading creates nothing");
    let document = ArchiveDocument::new::<Manifest>(ARCHIVE.to_owned(), Timestamp::from_micros(0));
    sink.create::<Manifest>(&document).await.unwrap();
    assert_eq!(fs::read(root.join("archive.json")).unwrap(), document.to_bytes());
    assert_eq!(open(&root).identity::<Manifest>().await.unwrap(), Some(document.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_one_directory_make_one_chain() {
    let folder = &tempfile::tempdir().unwrap();
    let root = &folder.path().join("archive");
    let writers = stream::iter(1..=8).map(|writer| async move {
        let (sink, month) = (open(root), format!("2025-{writer:02}"));
        let file = sink.store(&staged(folder.path(), &month, month.as_bytes()), |_| {}).await.unwrap();
        sink.commit(&mut empty(), &draft(&month), &[file]).await.unwrap();
    });
    writers.buffer_unordered(8).collect::<()>().await;
    let sink = open(root);
    assert_eq!(sink.chain::<Manifest>(ARCHIVE).await.unwrap().entries().len(), 8);
    let objects = sink.list(None).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(objects.len(), 3 * 8, "a file, a manifest and its sums for each: {objects:?}");
}

#[tokio::test]
async fn stores_a_large_file_in_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("archive");
    let staged = staged(folder.path(), "2025-03", &vec![7; usize::try_from(PART + 1).unwrap()]);
    open(&root).store(&staged, |_| {}).await.unwrap();
    assert!(fs::read(root.join(&staged.file.path)).unwrap() == fs::read(&staged.local).unwrap());
}

/// A staged file with the bytes `written`, whose entry is that of `bytes`.
fn staged_by(sink: &Sink, scratch: &std::path::Path, written: &[u8], bytes: &[u8]) -> StagedFile {
    let file = staged(scratch, "2025-03", bytes).file.clone();
    let unknown = key::data_file("events/csv/month=2025-03", 0, &Sha256::from([0; 32]), "csv.gz");
    let local = sink.stage(&unknown, scratch).unwrap().into_temp_path();
    fs::write(&local, written).unwrap();
    StagedFile::new(local, file).unwrap()
}

#[tokio::test]
async fn a_file_that_was_staged_in_a_directory_is_not_copied() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let scratch = tempfile::tempdir().unwrap();
    let (folder, inode) = (tempfile::tempdir().unwrap(), |path: &std::path::Path| fs::metadata(path).unwrap().ino());
    let sink = open(folder.path());
    let staged = staged_by(&sink, scratch.path(), b"events", b"events");
    let (begun, object) = (staged.local.clone(), folder.path().join(&staged.file.path));
    let expected = inode(&begun);
    sink.store(&staged, |_| {}).await.unwrap();
    assert_eq!((inode(&object), fs::read(&object).unwrap()), (expected, b"events".to_vec()));
    assert_eq!(fs::metadata(&object).unwrap().permissions().mode() & 0o777, Location::FILE_MODE);
    assert!(!begun.try_exists().unwrap());
    // A repeated call finds the object, and leaves a file alone that has the first name now.
    fs::write(&begun, b"another").unwrap();
    sink.store(&staged, |_| {}).await.unwrap();
    drop(staged);
    assert!(begun.try_exists().unwrap() && object.try_exists().unwrap());
}

#[tokio::test]
async fn a_staged_file_that_changed_gets_no_name() {
    let (scratch, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sink = open(folder.path());
    for written in [&b"event"[..], b"eventS", b"events and more"] {
        let staged = staged_by(&sink, scratch.path(), written, b"events");
        assert_eq!(sink.store(&staged, |_| {}).await.unwrap_err().kind(), ErrorKind::Local);
        assert!(!folder.path().join(&staged.file.path).try_exists().unwrap());
    }
}

#[tokio::test]
async fn a_staged_file_replaces_an_object_with_other_bytes() {
    let (scratch, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sink = open(folder.path());
    let staged = staged_by(&sink, scratch.path(), b"events", b"events");
    let object = folder.path().join(&staged.file.path);
    fs::write(&object, b"orphan").unwrap();
    sink.store(&staged, |_| {}).await.unwrap();
    assert_eq!(fs::read(&object).unwrap(), b"events");
}

#[tokio::test]
async fn the_begun_files_of_a_killed_run_are_removed_with_the_orphans() {
    let (scratch, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sink = open(folder.path());
    let left = staged_by(&sink, scratch.path(), b"eve", b"events").local.clone();
    fs::write(&left, b"eve").unwrap();
    let file = sink.store(&staged_by(&sink, scratch.path(), b"events", b"events"), |_| {}).await.unwrap();
    let mut chain = empty();
    sink.commit(&mut chain, &draft("2025-03"), &[file]).await.unwrap();
    let removed = sink.remove_orphans(&chain, &"events".parse().unwrap(), "2025-03".parse().unwrap()).await.unwrap();
    assert_eq!(removed, [left.strip_prefix(folder.path().canonicalize().unwrap()).unwrap().to_str().unwrap()]);
    assert!(!left.try_exists().unwrap());
}

#[tokio::test]
async fn removes_partial_files_with_the_orphans() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("archive");
    let sink = open(&root);
    let mut chain = empty();
    let file = sink.store(&staged(folder.path(), "2025-03", b"events"), |_| {}).await.unwrap();
    sink.commit(&mut chain, &draft("2025-03"), &[file]).await.unwrap();
    let gone = ["events/csv/month=2025-03/part-00000-0123456789abcdef.csv.gz#1", "manifests/00000001.json#2"];
    // Another writer may be creating this manifest.
    let stays = "manifests/00000002.json#1";
    for path in gone.iter().chain([&stays]) {
        fs::write(root.join(path), "half").unwrap();
    }
    let removed = sink.remove_orphans(&chain, &"events".parse().unwrap(), "2025-03".parse().unwrap()).await.unwrap();
    assert_eq!(removed, gone);
    assert!(root.join(stays).try_exists().unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_instead_of_the_folder_is_an_error_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    assert_eq!(open(&path).identity::<Manifest>().await.unwrap_err().kind(), ErrorKind::Store);
}

fn overlap(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|url| Sink::open(&Location::parse(url, &BTreeMap::new()).unwrap()).unwrap());
    assert_eq!(one.overlaps(&other), other.overlaps(&one));
    one.overlaps(&other)
}

#[test]
fn detects_overlaps_in_any_spelling() {
    assert!(overlap("./archive", "archive/"));
    assert!(overlap("/srv/a", "file:///srv/./a"));
    assert!(overlap("s3://bucket/a", "s3://bucket/a/"));
    assert!(overlap("s3://bucket", "s3://bucket/a/b"));
}

#[test]
fn siblings_do_not_overlap() {
    assert!(!overlap("/srv/a", "/srv/ab"));
    assert!(!overlap("s3://bucket/a", "s3://bucket/b"));
    assert!(!overlap("s3://bucket/a", "gs://bucket/a"));
    assert!(!overlap("s3://bucket", "s3://other"));
}

#[cfg(unix)]
#[test]
fn overlaps_follows_links() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    assert!(overlap(real.to_str().unwrap(), link.join("deeper").to_str().unwrap()));
}
