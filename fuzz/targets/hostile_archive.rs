//! A data file of a writer of the bucket, in an archive whose digests and counts were made to match: `verify` finds
//! damage, or `pull` returns every event that was verified, and an independent reader finds as many.
//!
//! The first byte is the kind of the file, the second its schema, the third and the fourth the window of the pull.

#![no_main]

use archive::{
    config::Config,
    environment::Environment,
    pull::{PullRequest, pull},
    settings::Settings,
    verify::{Severity, Verifier, VerifyReport, VerifyRequest},
};
use archive_connectors::{ErrorKind, Sink, clock::FixedClock, progress::Silent};
use archive_formats::{
    CommitRecord as _,
    Dataset, FileFormat, Ids, Manifest, Month, Schema, Sha256, Timestamp, Window,
    decode::{csv::ArchivedLayout, parquet::ParquetEvents, rejects::RejectsReader},
    encode::slice::SliceFormat,
    key,
    manifest::ArchiveDocument,
};
use archive_fuzz::{allow_caught_panics, gzipped, independent_gunzip, run, schemas, scratch_folder};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const ARCHIVE: &str = "0b2f1c1e-6a4b-4d2a-9a57-000000000001";

fuzz_target!(init: allow_caught_panics(), |data: &[u8]| {
    let Some(([kind, schema, from, length], data)) = data.split_first_chunk() else { return };
    let schemas = schemas();
    let schema = &schemas[usize::from(*schema) % schemas.len()];
    let file = File::new(*kind, schema, data);
    let claims = file.claims(schema);
    let archive = scratch_folder().join("archive");
    write_archive(&archive, schema, &file, &claims);
    let settings = settings(&archive);
    run(async {
        let report = verify(&settings).await;
        let damaged = report.findings.iter().any(|finding| finding.severity == Severity::Damage);
        if damaged || !file.format.holds_events() {
            return;
        }
        let all = times(&pulled(&settings, month().window()).await);
        assert_eq!(all.len() as u64, report.events, "the slice has all events that were verified");
        file.check_independently(report.events);
        let window = window(*from, *length);
        let inside = all.iter().copied().filter(|time| window.contains(*time)).collect::<Vec<_>>();
        assert_eq!(times(&pulled(&settings, window).await), inside, "in {window}");
    });
});

fn month() -> Month {
    "2025-03".parse().expect("a month")
}

/// A part of the month, in hours.
fn window(from: u8, length: u8) -> Window {
    const HOUR: i64 = 3_600_000_000;
    let from = month().window().from().as_micros() + i64::from(from) * 2 * HOUR;
    let to = from + (i64::from(length) + 1) * HOUR;
    Window::new(Timestamp::from_micros(from), Timestamp::from_micros(to.min(month().window().to().as_micros())))
        .expect("a window")
}

struct File {
    format: FileFormat,
    extension: &'static str,
    bytes: Vec<u8>,
}

/// What a manifest claims of a file.
#[derive(Default)]
struct Claims {
    rows: u64,
    conflicts: u64,
    span: Option<(Timestamp, Timestamp)>,
}

impl File {
    fn new(kind: u8, schema: &Schema, data: &[u8]) -> Self {
        let header = schema.columns().iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(",");
        let csv = || [header.as_bytes(), b"\n", data].concat();
        let (format, extension, bytes) = match kind % 8 {
            0 | 1 => (FileFormat::Parquet, "parquet", data.to_vec()),
            2 => (FileFormat::Csv, "csv.gz", gzipped(&csv())),
            // A second member, or other bytes, after the first member.
            3 => (FileFormat::Csv, "csv.gz", two_members(&csv(), gzipped)),
            4 => (FileFormat::Csv, "csv.gz", two_members(&csv(), <[u8]>::to_vec)),
            5 => (FileFormat::Csv, "csv.gz", data.to_vec()),
            6 => (FileFormat::Rejects, "jsonl.gz", gzipped(data)),
            _ => (FileFormat::Artifact, "csv.gz", data.to_vec()),
        };
        Self { format, extension, bytes }
    }

    /// The claims that its reader agrees with, as far as it can be read.
    fn claims(&self, schema: &Arc<Schema>) -> Claims {
        let content = || independent_gunzip(&self.bytes).unwrap_or_default();
        match self.format {
            FileFormat::Parquet => {
                let events = ParquetEvents::open(Bytes::from(self.bytes.clone()), Arc::clone(schema));
                events.map_or_else(|_| Claims::default(), |events| Claims::of_events(events.map_while(Result::ok)))
            }
            FileFormat::Csv => {
                // The first member.
                let text = flate2_first_member(&self.bytes);
                let layout = ArchivedLayout::from_header(&text, schema);
                let batch = layout.and_then(|(layout, header)| layout.decode(&text[header..]));
                Claims::of_events(batch.ok().flatten())
            }
            FileFormat::Rejects => {
                let text = content().concat();
                let rows = RejectsReader::new(text.as_slice()).filter(Result::is_ok).count() as u64;
                Claims { rows, ..Claims::default() }
            }
            FileFormat::Artifact => Claims::default(),
        }
    }

    /// The csv crate finds as many records in all members.
    fn check_independently(&self, events: u64) {
        if self.format != FileFormat::Csv {
            return;
        }
        let text = independent_gunzip(&self.bytes).expect("verified gzip is gzip").concat();
        let records = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_slice()).byte_records().count();
        assert_eq!(records as u64, events, "records in all members");
    }
}

fn flate2_first_member(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let _damaged = std::io::Read::read_to_end(&mut flate2::bufread::GzDecoder::new(bytes), &mut text);
    text
}

/// The text before a line of its middle, and `pack` of the rest after it.
fn two_members(text: &[u8], pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index + 1);
    let ends = ends.collect::<Vec<_>>();
    let (first, second) = text.split_at(ends[ends.len() / 2]);
    [gzipped(first), pack(second)].concat()
}

impl Claims {
    fn of_events(batches: impl IntoIterator<Item = archive_formats::EventBatch>) -> Self {
        let (mut rows, mut span, mut ids) = (0, None, HashMap::<Vec<u8>, u64>::new());
        for batch in batches {
            rows += batch.len() as u64;
            for time in batch.times().values() {
                let time = Timestamp::from_micros(*time);
                let (first, last) = span.unwrap_or((time, time));
                span = Some((time.min(first), time.max(last)));
            }
            let known: Ids<'_> = batch.ids();
            (0..batch.len()).for_each(|row| *ids.entry(known.bytes(row).to_vec()).or_default() += 1);
        }
        let conflicts = ids.values().filter(|count| **count > 1).sum();
        Self { rows, conflicts, span }
    }
}

/// Writes the archive with one month, which has one file.
fn write_archive(root: &Path, schema: &Schema, file: &File, claims: &Claims) {
    let _first = fs::remove_dir_all(root);
    let dataset = Dataset::default();
    let put = |path: &str, bytes: &[u8]| {
        let path: PathBuf = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file in memory");
    };
    let now = month().window().to();
    put(key::ARCHIVE, &ArchiveDocument::new(ARCHIVE.to_owned(), now).to_bytes());
    let sha256 = Sha256::digest(&file.bytes);
    let path = key::data_file(&key::month_folder(&dataset, file.format, month()), 0, &sha256, file.extension);
    put(&path, &file.bytes);
    let (first, last) = claims.span.unzip();
    let (archived, rejected) = match file.format {
        FileFormat::Rejects => (0, claims.rows),
        _ => (claims.rows, 0),
    };
    let manifest = json!({
        "format": "keeptrusts-archive/1",
        "archive": ARCHIVE,
        "sequence": 1,
        "previous": null,
        "kind": "month",
        "dataset": dataset,
        "month": month(),
        "window": {"from": month().window().from(), "to": month().window().to()},
        "committed_at": now,
        "source_clock": null,
        "tool": {"name": "kt-archive", "version": "0"},
        "source": {"type": "demo", "url": "demo:", "detail": null},
        "schema": schema,
        "transforms": [],
        "events": {"read": claims.rows, "archived": archived, "outside_window": 0, "duplicates": 0,
                   "conflicts": claims.conflicts, "rejected": rejected, "source_count": null, "first": first,
                   "last": last},
        "files": [{"path": path, "format": file.format.as_str(), "rows": claims.rows, "bytes": file.bytes.len(),
                   "sha256": sha256, "first": first, "last": last}],
    });
    let manifest = Manifest::from_bytes(&serde_json::to_vec(&manifest).expect("JSON")).expect("a manifest");
    let bytes = manifest.to_bytes();
    put(&key::manifest(1), &bytes);
    put(&key::sums(1), &manifest.sha256sums(&Sha256::digest(&bytes)));
}

fn settings(archive: &Path) -> Settings {
    let config = Config {
        archive: Some(archive.display().to_string()),
        state_dir: Some(scratch_folder().join("state")),
        ..Config::default()
    };
    Settings::new(config, &Environment::default()).expect("settings")
}

async fn verify(settings: &Settings) -> VerifyReport {
    let sink = Sink::open(&settings.archive).expect("a folder");
    let verifier = Verifier { sink, folder: scratch_folder(), progress: Arc::new(Silent) };
    match verifier.verify(ARCHIVE, &VerifyRequest::default()).await {
        Ok(report) => report,
        Err(error) => panic!("a hostile file is damage, not an error of the program: {error:?}"),
    }
}

/// The CSV of a slice.
async fn pulled(settings: &Settings, window: Window) -> Vec<u8> {
    let output = scratch_folder().join("slice.csv");
    let request = PullRequest {
        dataset: Dataset::default(),
        window,
        conditions: Vec::new(),
        columns: None,
        format: SliceFormat::Csv,
        csv_safe: false,
        output: output.clone(),
        force: true,
        allow_gaps: false,
    };
    match pull(settings, &request, &FixedClock(month().window().to()), Arc::new(Silent)).await {
        Ok(_) => fs::read(output).expect("a slice"),
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::Internal, "{error:?}");
            panic!("what was verified can be pulled: {error:?}")
        }
    }
}

/// The times of a slice, whose second column has them.
fn times(csv: &[u8]) -> Vec<Timestamp> {
    let mut reader = csv::Reader::from_reader(csv);
    let times = reader.records().map(|record| {
        let time = record.expect("a record")[1].to_owned();
        let time = if time.ends_with('Z') { time } else { format!("{time}Z") };
        time.replace(' ', "T").parse().expect("a time")
    });
    times.collect()
}
