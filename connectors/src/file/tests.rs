//! Files that change between two reads. The integration tests cover their contents.

use super::*;
use crate::{Error, ErrorKind, SourceItem, progress::Silent};
use archive_formats::Month;
use futures::TryStreamExt as _;
use std::{fs, io::Write as _, path::Path};

const ROWS: &str = "id,timestamp\na,2025-03-01T00:00:00Z\nb,2025-04-01T00:00:00Z\nc,2025-04-30T00:00:00Z\n";

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn files(path: &Path) -> Files {
    let config = Config { address: "typed".to_owned(), path: path.to_owned(), rules: ArtifactRules::default() };
    Files::new(config, Arc::new(Silent)).unwrap()
}

/// How many events a read of the month yields, and the counts of its report.
async fn read(files: &Files, month: &str) -> Result<(usize, u64, u64)> {
    let window = month.parse::<Month>().unwrap().window();
    let mut items = files.read(&"events".parse().unwrap(), window);
    let mut events = 0;
    while let Some(item) = items.try_next().await? {
        match item {
            SourceItem::Batch(batch) => events += batch.len(),
            SourceItem::UniqueIds => panic!("a file vouches for its ids"),
            SourceItem::Reject(reject) => panic!("{reject}"),
            SourceItem::Report(report) => return Ok((events, report.read, report.outside_window)),
        }
    }
    panic!("no report")
}

/// Reads March, changes the file, and reads April.
async fn error_after(content: Vec<u8>, change: impl FnOnce(&Path)) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.csv");
    fs::write(&path, content).unwrap();
    let files = files(&path);
    assert_eq!(read(&files, "2025-03").await.unwrap(), (1, 3, 2));
    change(&path);
    read(&files, "2025-04").await.unwrap_err()
}

/// Writes another event of the same size, and keeps the modification time: only the bytes differ.
fn forge(path: &Path) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    let position = bytes.windows(2).position(|pair| pair == b"c,").unwrap();
    bytes[position] = b'd';
    fs::write(path, bytes).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

#[tokio::test]
async fn a_file_is_indexed_once_and_read_for_each_month() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.csv");
    fs::write(&path, ROWS).unwrap();
    let files = files(&path);
    for (month, counts) in
        [("2025-04", (2, 3, 1)), ("2025-03", (1, 3, 2)), ("2025-04", (2, 3, 1)), ("2025-05", (0, 3, 3))]
    {
        assert_eq!(read(&files, month).await.unwrap(), counts, "{month}");
    }
    files.on_committed(&"events".parse().unwrap(), "2025-04".parse::<Month>().unwrap().window());
    assert_eq!(fs::read_to_string(path).unwrap(), ROWS);
}

#[tokio::test]
async fn a_file_that_grew_or_vanished_stops_the_read() {
    for change in [
        |path: &Path| fs::write(path, format!("{ROWS}d,2025-04-30T00:00:00Z\n")).unwrap(),
        |path: &Path| {
            fs::remove_file(path).unwrap();
        },
    ] {
        let error = error_after(ROWS.into(), change).await;
        assert_eq!(error.kind(), ErrorKind::TryLater, "{error}");
        assert!(error.to_string().contains("changed while it was read (file: events.csv)"), "{error}");
    }
}

#[tokio::test]
async fn other_bytes_of_the_same_size_and_time_stop_the_read() {
    assert_eq!(error_after(ROWS.into(), forge).await.kind(), ErrorKind::TryLater);
    // The checksum of gzip itself contradicts the bytes.
    let error = error_after(gzip(ROWS), forge).await;
    assert!([ErrorKind::TryLater, ErrorKind::Truncated].contains(&error.kind()), "{error}");
}
