//! Packages: Debian, container, and the release workflow.

mod container;
mod debian;
mod release;

use std::path::{Path, PathBuf};

/// Path of a file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
