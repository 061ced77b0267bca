//! Keeps an archive in any implementation of `object_store::ObjectStore`, and verifies it:
//! `cargo run --example custom_store`.

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use archive::{
    ArchiveRoot,
    month::MonthPipeline,
    verify::{Verifier, VerifyRequest},
};
use archive_connectors::{Clock as _, Sink, clock::SystemClock, demo::Demo, progress::Silent, sink::Confirm};
use archive_formats::{Dataset, Month};
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use std::{error::Error, sync::Arc};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    // `InMemory` checks no digests, so every object is read back. For a store that checks the SHA-256 of each request,
    // use `Confirm::Checksum`.
    let sink = Sink::from_store(Arc::new(InMemory::new()), Confirm::ReadBack, "memory:");
    let root = ArchiveRoot::create(sink.clone(), &ArchiveRoot::new_identity(SystemClock.now())).await?;
    let id = root.id().to_owned();

    let (archive, source) = (root.read_chain().await?, Arc::new(Demo::new(1_000, 7)));
    let pipeline = MonthPipeline::new(archive, source, Arc::new(SystemClock), scratch.path().to_owned());
    for month in Month::range("2025-01".parse()?, "2025-03".parse()?) {
        let ready = pipeline.prepare(&Dataset::default(), month).await?;
        pipeline.commit(ready).await?;
    }
    let mut objects = sink.list(None).try_collect::<Vec<_>>().await?;
    objects.sort_by(|left, right| left.path.cmp(&right.path));
    for object in objects {
        println!("{:>8} {}", object.bytes, object.path);
    }

    let verifier = Verifier { sink, folder: scratch.path().to_owned(), progress: Arc::new(Silent) };
    let report = verifier.verify(&id, &VerifyRequest::default()).await?;
    println!("verified {} files, {} events: {} findings", report.files, report.events, report.findings.len());
    Ok(())
}
