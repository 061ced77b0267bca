//! Entries for the fuzz targets (`fuzz/`) to parsers that are private to a connector.
//!
//! Short: the parsers are in `exports_api` and `artifact`.

pub use crate::exports_api::{ReadJob, read_job};

use crate::{Result, artifact::Content};
use archive_formats::Sha256;
use std::path::Path;

/// The content of an artifact, and what was measured on the way.
#[derive(Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The content, unpacked if it was gzip.
    pub content: Vec<u8>,
    /// The digest of the delivered bytes.
    pub delivered_sha256: Sha256,
    /// The digest of the content.
    pub plain_sha256: Sha256,
    /// Whether the artifact is gzip of one member.
    pub is_one_gzip_member: bool,
}

/// Reads the artifact at `path` in blocks of `block` bytes, at least one.
pub fn unpack(path: &Path, block: usize) -> Result<Unpacked> {
    let mut content = Content::open(path)?;
    let (mut plain, mut block) = (Vec::new(), vec![0; block.max(1)]);
    loop {
        match content.read(&mut block)? {
            0 => break,
            count => plain.extend_from_slice(&block[..count]),
        }
    }
    let measured = content.finish();
    Ok(Unpacked {
        content: plain,
        delivered_sha256: measured.delivered_sha256,
        plain_sha256: measured.plain_sha256,
        is_one_gzip_member: measured.is_one_gzip_member,
    })
}
