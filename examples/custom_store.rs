//! Keeps an archive in a store of one's own, whatever implements `object_store`'s trait, and proves that it is there:
//! `cargo run --example custom_store`.

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use archive::{
    month::Archiver,
    verify::{Verifier, VerifyRequest},
};
use archive_connectors::{Clock as _, Sink, clock::SystemClock, demo::Demo, progress::Silent, sink::Confirm};
use archive_formats::{Chain, Dataset, Month, manifest::ArchiveDocument};
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use std::{error::Error, sync::Arc};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    // Memory checks no digests, so that every object is read back. A store that checks the SHA-256 of each request
    // does without: `Confirm::Checksum`.
    let sink = Sink::from_store(Arc::new(InMemory::new()), Confirm::ReadBack, "memory:");
    let document = ArchiveDocument::new(uuid::Uuid::new_v4().to_string(), SystemClock.now());
    let document = sink.create(&document).await?;

    let archiver = Archiver::new(
        sink.clone(),
        Arc::new(Demo::new(1_000, 7)),
        Chain::new(document.archive.clone()),
        Arc::new(SystemClock),
        scratch.path().to_owned(),
    );
    for month in Month::range("2025-01".parse()?, "2025-03".parse()?) {
        let ready = archiver.prepare(&Dataset::default(), month).await?;
        archiver.commit(ready).await?;
    }
    let mut objects = sink.list(None).try_collect::<Vec<_>>().await?;
    objects.sort_by(|left, right| left.path.cmp(&right.path));
    for object in objects {
        println!("{:>8} {}", object.bytes, object.path);
    }

    let verifier = Verifier { sink, folder: scratch.path().to_owned(), progress: Arc::new(Silent) };
    let report = verifier.verify(&document.archive, &VerifyRequest::default()).await?;
    println!("verified {} files, {} events: {} findings", report.files, report.events, report.findings.len());
    Ok(())
}
