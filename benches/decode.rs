//! Artifacts in memory into events, on one core: `cargo bench --profile dist --bench decode`.

mod support;

use archive_formats::{
    EventBatch,
    catalogue::KeyColumns,
    decode::csv::{CsvLayout, CsvSplitter},
    encode::{FileEncoder as _, csv::CsvEncoder},
};
use criterion::{Criterion, Throughput};
use flate2::read::GzDecoder;
use std::{error::Error, hint::black_box, io::Read as _};
use support::events;

/// As much of an artifact as a run decodes at once, and as much as it reads at once.
const CHUNK: usize = 2 << 20;
const BLOCK: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    from_csv(&mut criterion, &csv(&events(20_000)?)?)?;
    criterion.final_summary();
    Ok(())
}

fn from_csv(criterion: &mut Criterion, artifact: &[u8]) -> Result<(), Box<dyn Error>> {
    let (layout, header) = CsvLayout::from_header(artifact, &KeyColumns::default())?;
    let rows = &artifact[header..];
    let mut group = criterion.benchmark_group("csv");
    group.throughput(Throughput::Bytes(rows.len() as u64));
    group.bench_function("split", |bencher| bencher.iter(|| split(black_box(rows))));
    group.bench_function("decode", |bencher| bencher.iter(|| layout.decode(black_box(rows))));
    group.finish();
    Ok(())
}

/// Cuts an artifact into chunks, and counts them.
fn split(artifact: &[u8]) -> usize {
    let mut splitter = CsvSplitter::new(CHUNK);
    let mut chunks = 0;
    for block in artifact.chunks(BLOCK) {
        let pushed = splitter.push(block);
        assert!(pushed.is_ok(), "the bench's own artifact cannot be cut");
        chunks += std::iter::from_fn(|| splitter.next_chunk()).count();
    }
    chunks + usize::from(splitter.finish().is_ok_and(|rest| rest.is_some()))
}

/// The events as a CSV artifact.
fn csv(batches: &[EventBatch]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut packed = Vec::new();
    let mut encoder = Box::new(CsvEncoder::new(&mut packed));
    batches.iter().try_for_each(|batch| encoder.write(batch))?;
    encoder.finish()?;
    let mut text = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut text)?;
    Ok(text)
}
