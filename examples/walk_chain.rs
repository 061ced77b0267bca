//! Checks the chain of manifests and the digests of all files with `archive-formats` alone:
//! `cargo run --example walk_chain [DIRECTORY]`. Without a directory it makes an archive first.

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use archive::{ArchiveRoot, month::MonthPipeline};
use archive_connectors::{Clock as _, Sink, clock::SystemClock, demo::Demo, sink::Location};
use archive_formats::{
    Chain, CommitRecord as _, Dataset, Entry, Manifest, Month, Sha256, digest::DigestWriter, key,
    manifest::ArchiveDocument,
};
use std::{collections::BTreeMap, error::Error, fs, io, path::Path, path::PathBuf, sync::Arc};

fn walk(root: &Path) -> Result<Chain, Box<dyn Error>> {
    let identity: ArchiveDocument = serde_json::from_slice(&fs::read(root.join(key::ARCHIVE))?)?;
    let mut chain = Chain::new(identity.archive);
    loop {
        let path = root.join(key::manifest(chain.next_sequence()));
        if !path.try_exists()? {
            return Ok(chain);
        }
        let bytes = fs::read(path)?;
        // The digest is that of the stored bytes. `push` checks the link to the previous manifest.
        let entry = Entry { sha256: Sha256::digest(&bytes), manifest: Manifest::from_bytes(&bytes)? };
        entry.manifest.check_balance()?;
        for file in &entry.manifest.files {
            let mut digest = DigestWriter::new(io::sink());
            io::copy(&mut fs::File::open(root.join(&file.path))?, &mut digest)?;
            let (_, bytes, sha256) = digest.finish();
            if (bytes, sha256) != (file.bytes, file.sha256) {
                return Err(format!("{} is not what was committed", file.path).into());
            }
        }
        println!("{:08} {} {}", entry.manifest.sequence, entry.manifest.month, entry.manifest.events.archived);
        chain.push(entry)?;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let chain = walk(&if let Some(root) = given { root } else { demo(scratch.path()).await? })?;
    let head = chain.head().ok_or("nothing is committed here")?;
    println!("head {}:{}", head.sequence, head.sha256);
    Ok(())
}

async fn demo(scratch: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let root = scratch.join("archive");
    let sink = Sink::open(&Location::parse(&root.display().to_string(), &BTreeMap::new())?)?;
    let archive = ArchiveRoot::create(sink, &ArchiveRoot::new_identity(SystemClock.now())).await?;
    let (archive, source) = (archive.read_chain().await?, Arc::new(Demo::new(100, 7)));
    let pipeline = MonthPipeline::new(archive, source, Arc::new(SystemClock), scratch.to_owned());
    for month in Month::range("2025-01".parse()?, "2025-03".parse()?) {
        pipeline.commit(pipeline.prepare(&Dataset::default(), month).await?).await?;
    }
    Ok(root)
}
