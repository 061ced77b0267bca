//! Measures a whole run from demo events to a committed month in a directory, including hashing and reading back:
//! `cargo bench --profile dist --bench end_to_end`. Generating the events is included.

use archive::{
    config::{Config, EventFormat},
    environment::Environment,
    plan::Request,
    run::run,
    settings::Settings,
    units::List,
};
use archive_connectors::{clock::SystemClock, progress::Silent};
use archive_formats::{Dataset, FileFormat};
use criterion::{BatchSize, Criterion, Throughput};
use std::{error::Error, sync::Arc};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const EVENTS: u64 = 100_000;
const FORMATS: [FileFormat; 2] = [FileFormat::Parquet, FileFormat::Csv];

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let request = Request::Month("2025-03".parse()?);
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("end_to_end");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    for (name, formats) in [("parquet", &FORMATS[..1]), ("parquet and csv", &FORMATS)] {
        group.bench_function(name, |bencher| {
            let setup = || setup(formats).unwrap_or_else(|error| unreachable!("setup of the bench: {error}"));
            let archive = |(_folder, settings): &mut (TempDir, Settings)| {
                let (clock, observer) = (Arc::new(SystemClock), Arc::new(Silent));
                let report = runtime.block_on(run(settings, request, clock, observer, CancellationToken::new()));
                assert!(report.is_ok_and(|report| report.months.iter().all(|month| month.error.is_none())));
            };
            bencher.iter_batched_ref(setup, archive, BatchSize::PerIteration);
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// A new folder, and the settings of a run into it.
fn setup(formats: &[FileFormat]) -> Result<(TempDir, Settings), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let config = Config {
        source: Some(format!("demo:?events={EVENTS}")),
        archive: Some(folder.path().join("archive").display().to_string()),
        dataset: Some(vec![Dataset::default()].into()),
        format: Some(List(formats.iter().copied().map(EventFormat::Archived).collect())),
        state_dir: Some(folder.path().join("state")),
        ..Config::default()
    };
    Ok((folder, Settings::new(config, &Environment::default())?))
}
