//! `SHA256SUMS`: the digests of a commit in the form that `sha256sum -c` of coreutils checks.

use crate::{Manifest, Sha256, key};
use std::fmt::Write as _;

/// The bytes of the `SHA256SUMS` of `manifest`, whose own bytes have the digest `sha256`: a line for each file, and one
/// for the manifest. Made from the manifest alone, so that a later run can add what a crash left out.
pub fn to_bytes(manifest: &Manifest, sha256: &Sha256) -> Vec<u8> {
    let mut lines = String::new();
    let files = manifest.files.iter().map(|file| (&file.sha256, file.path.clone()));
    for (digest, path) in files.chain([(sha256, key::manifest(manifest.sequence))]) {
        writeln!(lines, "{digest}  {path}").unwrap_or_else(|_| unreachable!("a String takes all that is written"));
    }
    lines.into_bytes()
}
