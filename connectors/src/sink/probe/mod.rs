//! Whether a store does what an archive rests on. Nothing is left behind, and where that cannot be had, nothing is
//! written.

mod bucket;
mod objects;
mod signed;

#[cfg(test)]
mod tests;

use super::{Location, Sink, bucket::Bucket, directory::Directory, url::Place};
use crate::{Error, ErrorKind, Probe, Result};
use std::{path::Path, sync::Arc};

/// Tries the place that `location` names with an object that has a name of its own, and removes it again.
pub async fn probe(location: &Location) -> Vec<Probe> {
    let sink = match Sink::open(location) {
        Ok(sink) => sink,
        Err(error) => return vec![Probe::failed("open", error)],
    };
    match location.place() {
        Place::Directory(path) => directory(&sink, path).await,
        Place::Bucket { bucket: Bucket::S3(bucket), prefix } => bucket::probe(&sink, bucket, prefix).await,
        Place::Bucket { bucket: Bucket::Gcs(_) | Bucket::Azure(_), .. } => {
            bucket::cautious(&sink, &objects::name(), "not asked for in this cloud".to_owned()).await.into()
        }
    }
}

/// Tries a folder of its own in the archive's, or in the deepest folder above it that is there: a folder that a probe made
/// and removed again might be missed by a run that begins just then.
async fn directory(sink: &Sink, path: &Path) -> Vec<Probe> {
    let (folder, trial) = match trial(sink, path) {
        Ok(trial) => trial,
        Err(error) => return vec![Probe::failed("write", error)],
    };
    let mut probes = objects::probe(&trial, &objects::name(), None).await;
    if let Err(error) = folder.close() {
        let error = Error::new(ErrorKind::Store, "could not remove the folder of the probe").with_source(error);
        probes.push(Probe::failed("delete", error.with_context("archive", sink.url())));
    }
    probes
}

fn trial(sink: &Sink, path: &Path) -> Result<(tempfile::TempDir, Sink)> {
    let anchor = Directory::open(path)?.anchor().to_owned();
    let folder = tempfile::Builder::new().prefix(".kt-archive-doctor-").tempdir_in(&anchor).map_err(|error| {
        let error = Error::new(ErrorKind::Store, "could not write where the archive is to be").with_source(error);
        error
            .with_context("path", anchor.display())
            .with_hint("check the owner and the mode of the folder, or choose another")
    })?;
    let directory = Directory::open(folder.path())?;
    let store = Arc::new(directory.clone());
    Ok((folder, Sink { store, directory: Some(directory), ..sink.clone() }))
}
