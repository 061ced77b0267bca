//! Verifies backups: the chain, the names and sizes of all objects, and their bytes.

use super::Backups;
use crate::config::Level;
use archive_connectors::Result;
use archive_formats::{BackupManifest, CommitRecord as _, backup_manifest::BackupFile, key};
use futures::TryStreamExt as _;
use std::collections::{BTreeMap, BTreeSet};

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupVerification {
    /// Manifests that were read.
    pub manifests: u64,
    /// Files that were checked.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Objects that are not what was committed, with what is wrong.
    pub damage: Vec<(String, String)>,
    /// Objects that no manifest names: of a backup that was interrupted.
    pub unnamed: Vec<String>,
}

/// Verifies `backups`, whose chain was read and is whole. [`Level::Full`] hashes every byte.
pub async fn verify_backups(backups: &Backups, level: Level) -> Result<BackupVerification> {
    let mut found = BackupVerification::default();
    let mut listed = BTreeMap::new();
    let mut objects = backups.sink().list(None);
    while let Some(object) = objects.try_next().await? {
        listed.insert(object.path, object.bytes);
    }
    let mut named = BTreeSet::from([BackupManifest::IDENTITY.to_owned()]);
    for entry in backups.chain().entries() {
        found.manifests += 1;
        let sequence = entry.manifest.sequence;
        named.extend([key::manifest(sequence), key::sums(sequence)]);
        let sums = backups.sink().document(&key::sums(sequence)).await?;
        if sums.is_none_or(|sums| sums != entry.manifest.sha256sums(&entry.sha256)) {
            found.damage.push((key::sums(sequence), "it is not what its manifest makes it".to_owned()));
        }
        for file in &entry.manifest.files {
            found.files += 1;
            found.bytes += file.bytes;
            if let Some(damage) = damage(backups, file, listed.get(&file.path).copied(), level).await? {
                found.damage.push((file.path.clone(), damage));
            }
            named.insert(file.path.clone());
        }
    }
    found.unnamed = listed.into_keys().filter(|path| !named.contains(path)).collect();
    Ok(found)
}

/// What is wrong with a file, of which an object of `size` bytes is listed.
async fn damage(backups: &Backups, file: &BackupFile, size: Option<u64>, level: Level) -> Result<Option<String>> {
    match size {
        None => return Ok(Some("it is missing".to_owned())),
        Some(size) if size != file.bytes => {
            return Ok(Some(format!("it has {size} bytes instead of {}", file.bytes)));
        }
        Some(_) if level == Level::Quick => return Ok(None),
        Some(_) => {}
    }
    Ok(match backups.sink().digest(&file.path).await? {
        Some((_, sha256)) if sha256 == file.sha256 => None,
        Some((_, sha256)) => Some(format!("it has the SHA-256 {sha256}")),
        None => Some("it is missing".to_owned()),
    })
}
