//! Encodes events in memory on one core: `cargo bench --profile dist --bench encode`.
//!
//! Short: an encoder needs no more setup.

mod support;

use archive_formats::{
    Dataset, EventBatch,
    encode::{
        EncodedFile, FileEncoder,
        csv::CsvEncoder,
        parquet::{Label, ParquetEncoder},
    },
};
use criterion::{Criterion, Throughput};
use std::{error::Error, io::sink};
use support::events;

const EVENTS: u64 = 50_000;
/// Large enough for one file.
const PART: u64 = 256 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let batches = events(EVENTS)?;
    let label = Label { archive: String::new(), dataset: Dataset::default(), month: "2025-03".parse()? };
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(20);
    group.bench_function("parquet", |bencher| {
        bencher.iter(|| encode(Box::new(ParquetEncoder::new(sink(), label.clone(), PART)), &batches));
    });
    group.bench_function("csv", |bencher| {
        bencher.iter(|| encode(Box::new(CsvEncoder::new(sink(), u64::MAX)), &batches));
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}

fn encode(mut encoder: Box<dyn FileEncoder>, batches: &[EventBatch]) -> EncodedFile {
    let written = batches.iter().try_for_each(|batch| encoder.write(batch));
    match written.and_then(|()| encoder.finish()) {
        Ok(file) => file,
        Err(error) => unreachable!("demo events can be encoded: {error}"),
    }
}
