//! Archives a month of demo events into a directory, and prints the manifest that commits it:
//! `cargo run --example archive_demo [DIRECTORY]`.

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use archive::{config::Config, environment::Environment, plan::Request, run::run, settings::Settings};
use archive_connectors::{clock::SystemClock, progress::Silent};
use archive_formats::{Dataset, key};
use std::{error::Error, path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let directory = std::env::args_os().nth(1).map_or_else(|| scratch.path().join("archive"), PathBuf::from);

    // Names and defaults are those of the command line.
    let config = Config {
        source: Some("demo:?events=1000&seed=7".to_owned()),
        archive: Some(directory.display().to_string()),
        dataset: Some(vec![Dataset::default()].into()),
        state_dir: Some(scratch.path().join("state")),
        ..Config::default()
    };
    // A service passes its own environment, which holds tokens and keys.
    let settings = Settings::new(config, &Environment::default())?;
    let request = Request::Month("2025-03".parse()?);
    let report = run(&settings, request, Arc::new(SystemClock), Arc::new(Silent), CancellationToken::new()).await?;

    for month in &report.months {
        println!("{} {}: {:?}, {} files, {} bytes", month.dataset, month.month, month.state, month.files, month.bytes);
        if let Some(failure) = &month.error {
            return Err(failure.message.clone().into());
        }
    }
    let Some(head) = report.head else { return Err("nothing was committed".into()) };
    println!("head {}:{}", head.sequence, head.sha256);
    println!("{}", std::fs::read_to_string(directory.join(key::manifest(head.sequence)))?);
    Ok(())
}
