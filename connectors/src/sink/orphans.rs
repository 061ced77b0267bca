//! Removes files that no manifest names: of crashed runs, and of runs that lost a race.

use super::{Sink, directory::Directory, disk::written_name};
use crate::{Error, ErrorKind, Result, error::local};
use archive_formats::{
    Chain, Dataset, FileFormat, Month,
    key::{self, ObjectName},
};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use std::{collections::BTreeSet, path::Path, sync::Arc};

impl Sink {
    /// Removes the data files in the folders of a committed month that no manifest names, and in a directory the partial
    /// files of interrupted writes. Returns their paths. Keeps every file whose name no run makes.
    ///
    /// Refuses a month that `chain` does not commit: its files may belong to a run that is about to commit. If the
    /// store refuses to delete, for example because of Object Lock, logs that once and succeeds: orphans cost only
    /// space.
    pub async fn remove_orphans(&self, chain: &Chain, dataset: &Dataset, month: Month) -> Result<Vec<String>> {
        if chain.month(dataset, month).is_none() {
            let error = Error::new(ErrorKind::Internal, "orphans are removed only from committed months");
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
        removed.extend(self.remove_leftovers(chain.next_sequence(), dataset, month).await?);
        Ok(removed)
    }

    /// Removes the partial files of interrupted writes in the folders of a committed month, if the archive is a
    /// directory. `next` is the number after the last manifest. Returns their paths.
    pub async fn remove_leftovers(&self, next: u64, dataset: &Dataset, month: Month) -> Result<Vec<String>> {
        match &self.directory {
            Some(directory) => remove_leftovers(Arc::clone(directory), leftover_folders(dataset, month), next).await,
            None => Ok(Vec::new()),
        }
    }

    /// Removes an object, and in a directory its folder if that is empty then. An object that is absent is removed already.
    pub async fn remove(&self, path: &str) -> Result<()> {
        match self.store.delete(&self.location(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(self.failed("remove an object", path, &error)),
        }
        if let Some(folder) = self.directory.as_ref().and_then(|it| it.file(path).parent().map(Path::to_owned)) {
            // Fails unless it is empty.
            drop(std::fs::remove_dir(folder));
        }
        Ok(())
    }

    /// Removes the partial files of interrupted writes in the folders of `folder`, if the archive is a directory: those for
    /// objects whose paths `is_left` accepts.
    pub fn remove_partial_files(&self, folder: &str, is_left: impl Fn(&str) -> bool) -> Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let above = directory.file(folder);
        let folders = match std::fs::read_dir(&above) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(local("read the folder", &above))?,
        };
        for entry in folders {
            let name = entry.map_err(local("read the folder", &above))?.file_name();
            let below = format!("{folder}/{}", name.to_string_lossy());
            for left in directory.leftovers(&below).unwrap_or_default() {
                let path = format!("{below}/{left}");
                if is_left(&path) {
                    let file = directory.file(&path);
                    std::fs::remove_file(&file).map_err(local("remove the leftover", &file))?;
                }
            }
            // Fails unless it is empty.
            drop(std::fs::remove_dir(directory.file(&below)));
        }
        Ok(())
    }

    async fn orphans(&self, chain: &Chain, dataset: &Dataset, month: Month) -> Result<Vec<String>> {
        let files = chain.entries().iter().flat_map(|entry| &entry.manifest.files);
        let named = files.map(|file| file.path.as_str()).collect::<BTreeSet<_>>();
        let mut orphans = Vec::new();
        for format in FileFormat::ALL {
            let mut objects = self.list(Some(&key::month_folder(dataset, format, month)));
            while let Some(object) = objects.try_next().await? {
                if key::is_data_file(&object.path) && !named.contains(object.path.as_str()) {
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

/// Removes the partial files of interrupted writes in `folders`. Keeps those of documents that another writer may be
/// creating: the ones with the number `next` and above.
async fn remove_leftovers(directory: Arc<Directory>, folders: Vec<String>, next: u64) -> Result<Vec<String>> {
    let work = move || folders.iter().flat_map(|folder| remove_from(&directory, folder, next)).collect();
    let removed = tokio::task::spawn_blocking(work).await;
    removed.map_err(|error| Error::new(ErrorKind::Internal, "removing leftovers was interrupted").with_source(error))
}

fn remove_from(directory: &Directory, folder: &str, next: u64) -> Vec<String> {
    let names = directory.leftovers(folder).unwrap_or_else(|error| {
        tracing::warn!(folder, %error, "could not look for leftovers of interrupted writes");
        Vec::new()
    });
    let paths = names.into_iter().map(|name| if folder.is_empty() { name } else { format!("{folder}/{name}") });
    let finished = paths.filter(|path| written_name(path).is_some_and(|written| is_finished(written, next)));
    let removed = finished.filter(|path| {
        let removed = std::fs::remove_file(directory.file(path));
        if let Err(error) = &removed {
            tracing::warn!(path, %error, "could not remove the leftover of an interrupted write");
        }
        removed.is_ok()
    });
    removed.collect()
}

fn is_finished(path: &str, next: u64) -> bool {
    match ObjectName::parse(path) {
        // Manifests exist, so archive.json was created before.
        ObjectName::Archive => true,
        ObjectName::Data { .. } => key::is_data_file(path),
        ObjectName::Manifest(sequence) | ObjectName::Sums(sequence) => sequence < next,
        ObjectName::Other => false,
    }
}
