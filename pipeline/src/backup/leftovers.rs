//! Removes the parts of backups that were never committed: of processes that were killed.

use super::{Backups, database::FOLDER};
use archive_connectors::Result;
use archive_formats::Timestamp;
use futures::TryStreamExt as _;
use std::{collections::HashSet, time::Duration};

/// How old an unfinished backup is at least. One that another host still works on loses its parts, and is not committed.
const AGE: Duration = Duration::from_secs(3 * 86_400);

/// Removes objects in the folders of databases that no manifest names, if the folder's time is long ago. A store that refuses
/// is logged: they cost only space.
pub(super) async fn remove(backups: &Backups, now: Timestamp) {
    if let Err(error) = try_remove(backups, now).await {
        tracing::warn!(%error, "could not remove the leftovers of interrupted backups");
    }
}

async fn try_remove(backups: &Backups, now: Timestamp) -> Result<()> {
    let sink = backups.sink();
    let files = backups.chain().entries().iter().flat_map(|entry| &entry.manifest.files);
    let named = files.map(|file| file.path.as_str()).collect::<HashSet<_>>();
    let is_old = |path: &str| begun_at(path).is_some_and(|begun| begun.plus(AGE) <= now);
    let mut objects = sink.list(Some(FOLDER));
    while let Some(object) = objects.try_next().await? {
        if !named.contains(object.path.as_str()) && is_old(&object.path) {
            tracing::info!(path = object.path, "removing a part of an interrupted backup");
            sink.remove(&object.path).await?;
        }
    }
    sink.remove_partial_files(FOLDER, is_old)
}

/// When the backup in whose folder an object is began: `database/2026-11-29T020000Z/…`.
fn begun_at(path: &str) -> Option<Timestamp> {
    let folder = path.strip_prefix(FOLDER)?.strip_prefix('/')?.split('/').next()?;
    let (day, time) = folder.split_once('T')?;
    let digits = time.strip_suffix('Z').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    format!("{day}T{}:{}:{}Z", &digits[..2], &digits[2..4], &digits[4..]).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_folder_is_read_back() {
        let begun = |path| begun_at(path).map(Timestamp::to_seconds_string);
        assert_eq!(begun("database/2026-11-29T020001Z/part-00000-a.dump").as_deref(), Some("2026-11-29T02:00:01Z"));
        for path in
            ["database/other/part", "database/2026-11-29T02Z/x", "configuration/2026-11-29T020001Z/x", "database"]
        {
            assert_eq!(begun(path), None, "{path}");
        }
    }
}
