//! Removing what a crashed or beaten run left behind.

use super::{
    Sink,
    directory::{Directory, written_name},
};
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    Chain, Dataset, FileFormat, Month,
    key::{self, ObjectName},
};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use std::collections::BTreeSet;

impl Sink {
    /// Removes the objects in the folders of a committed month that no manifest names, and in a directory the files
    /// that interrupted writes left; returns their paths.
    ///
    /// A month that `chain` does not commit is refused: its files may be those of a run that is about to. Where the
    /// store refuses to delete, as a bucket with Object Lock or a policy may, that is logged once and no error: orphans
    /// cost space, never truth.
    pub async fn remove_orphans(&self, chain: &Chain, dataset: &Dataset, month: Month) -> Result<Vec<String>> {
        if chain.month(dataset, month).is_none() {
            let error = Error::new(ErrorKind::Internal, "orphans are removed of committed months only");
            return Err(error.with_context("dataset", dataset).with_context("month", month));
        }
        let orphans = self.orphans(chain, dataset, month).await?;
        let mut removed = Vec::new();
        for path in orphans {
            if let Err(error) = self.store.delete(&self.location(&path)?).await {
                let error = self.failed("remove an orphan", &path, &error);
                tracing::warn!(%error, "some files that no manifest names stay in the archive");
                return Ok(removed);
            }
            removed.push(path);
        }
        removed.extend(self.remove_leftovers(chain, dataset, month).await?);
        Ok(removed)
    }

    /// Removes what interrupted writes left in the folders of a month that is committed here, if the place is a
    /// directory; returns their paths.
    pub async fn remove_leftovers(&self, chain: &Chain, dataset: &Dataset, month: Month) -> Result<Vec<String>> {
        match &self.directory {
            Some(directory) => remove_leftovers(directory.clone(), leftover_folders(dataset, month), chain).await,
            None => Ok(Vec::new()),
        }
    }

    async fn orphans(&self, chain: &Chain, dataset: &Dataset, month: Month) -> Result<Vec<String>> {
        let files = chain.entries().iter().flat_map(|entry| &entry.manifest.files);
        let named = files.map(|file| file.path.as_str()).collect::<BTreeSet<_>>();
        let mut orphans = Vec::new();
        for format in FileFormat::ALL {
            let mut objects = self.list(Some(&key::month_folder(dataset, format, month)));
            while let Some(object) = objects.try_next().await? {
                if !named.contains(object.path.as_str()) {
                    orphans.push(object.path);
                }
            }
        }
        Ok(orphans)
    }
}

fn leftover_folders(dataset: &Dataset, month: Month) -> Vec<String> {
    let folders = FileFormat::ALL.map(|format| key::month_folder(dataset, format, month));
    folders.into_iter().chain([key::MANIFESTS.to_owned(), String::new()]).collect()
}

/// Removes what interrupted writes left in `folders`. Of documents only those of numbers that are taken: nobody can be
/// about to create them.
async fn remove_leftovers(directory: Directory, folders: Vec<String>, chain: &Chain) -> Result<Vec<String>> {
    let next = chain.next_sequence();
    let work = move || folders.iter().flat_map(|folder| remove_from(&directory, folder, next)).collect();
    let removed = tokio::task::spawn_blocking(work).await;
    removed.map_err(|error| Error::new(ErrorKind::Internal, "removing leftovers was cut short").with_source(error))
}

fn remove_from(directory: &Directory, folder: &str, next: u64) -> Vec<String> {
    let names = directory.leftovers(folder).unwrap_or_else(|error| {
        tracing::warn!(folder, %error, "could not look for leftovers of interrupted writes");
        Vec::new()
    });
    let paths = names.into_iter().map(|name| if folder.is_empty() { name } else { format!("{folder}/{name}") });
    let settled = paths.filter(|path| written_name(path).is_some_and(|written| is_settled(written, next)));
    let removed = settled.filter(|path| {
        let removed = std::fs::remove_file(directory.file(path));
        if let Err(error) = &removed {
            tracing::warn!(path, %error, "could not remove the leftover of an interrupted write");
        }
        removed.is_ok()
    });
    removed.collect()
}

fn is_settled(path: &str, next: u64) -> bool {
    match ObjectName::parse(path) {
        // There are manifests, so that the archive got its name before.
        ObjectName::Data { .. } | ObjectName::Archive => true,
        ObjectName::Manifest(sequence) | ObjectName::Sums(sequence) => sequence < next,
        ObjectName::Other => false,
    }
}
