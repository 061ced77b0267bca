//! Verifies an archive and prints the findings: `cargo run --example verify_archive [DIRECTORY]`. Without a directory it
//! makes an archive and damages one byte first.

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use archive::{
    config::Config,
    environment::Environment,
    plan::Request,
    run::run,
    settings::Settings,
    verify::{VerifyRequest, verify},
};
use archive_connectors::{clock::SystemClock, progress::Silent};
use archive_formats::{CommitRecord as _, Dataset, Manifest, key};
use std::{error::Error, fs, path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let directory = given.clone().unwrap_or_else(|| scratch.path().join("archive"));
    let config = Config {
        archive: Some(directory.display().to_string()),
        state_dir: Some(scratch.path().join("state")),
        source: Some("demo:?events=1000".to_owned()),
        dataset: Some(vec![Dataset::default()].into()),
        ..Config::default()
    };
    let settings = Settings::new(config, &Environment::default())?;

    if given.is_none() {
        let request = Request::Month("2025-03".parse()?);
        run(&settings, request, Arc::new(SystemClock), Arc::new(Silent), CancellationToken::new()).await?;
        let manifest = Manifest::from_bytes(&fs::read(directory.join(key::manifest(1)))?)?;
        let file = directory.join(&manifest.files.first().ok_or("the month has no file")?.path);
        let mut bytes = fs::read(&file)?;
        bytes.iter_mut().skip(1000).take(1).for_each(|byte| *byte ^= 1);
        fs::write(&file, bytes)?;
    }

    let report = verify(&settings, &VerifyRequest::default(), &SystemClock, Arc::new(Silent)).await?;
    for finding in &report.findings {
        println!("{} {:?} {}: {}", finding.code.as_str(), finding.severity, finding.path, finding.message);
    }
    println!("{} manifests, {} files, {} events", report.manifests, report.files, report.events);
    println!("{}", if report.findings.is_empty() { "unchanged" } else { "not what was committed" });
    Ok(())
}
