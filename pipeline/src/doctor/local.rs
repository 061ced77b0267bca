//! Checks of the host: the state folder and its free space.

use super::Check;
use crate::settings::Settings;
use archive_connectors::{Error, ErrorKind, Result, error::local, secret::is_private};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Below this, an artifact and the files made from it may not fit.
const MIN_SPACE: u64 = 1 << 30;

pub(super) fn checks(settings: &Settings) -> Vec<Check> {
    let key = settings.transforms.load().map(|transforms| {
        let pseudonyms = transforms.pseudonyms.as_ref();
        pseudonyms.map(|pseudonyms| format!("its id is {}", pseudonyms.key.id()))
    });
    let key = key.transpose().map(|key| Check::new("pseudonym key", key));
    std::iter::once(state_folder(&settings.state_dir)).chain(key).collect()
}

fn state_folder(folder: &Path) -> Check {
    let found = nearest(folder).and_then(|nearest| {
        // Removed on drop.
        tempfile::tempdir_in(&nearest).map_err(local("write into the folder for the state", &nearest))?;
        Ok(nearest)
    });
    match found {
        Ok(nearest) if nearest == folder => {
            let is_open = fs::metadata(folder).is_ok_and(|folder| !is_private(&folder));
            let hint = is_open.then(|| format!("others may look into it: chmod 700 {}", folder.display()));
            Check::new("state folder", Ok(format!("{} can be written", folder.display()))).with_hint(hint)
        }
        Ok(_) => Check::new("state folder", Ok(format!("{} can be made", folder.display()))),
        Err(error) => Check::failed("state folder", &error),
    }
}

/// Checks the free space for spool and staging.
pub(super) fn disk(folder: &Path) -> Check {
    let found = nearest(folder).and_then(|nearest| {
        let space =
            rustix::fs::statvfs(&nearest).map_err(|error| local("ask for the free space", &nearest)(error.into()));
        let space = space?;
        judge(space.f_bavail.saturating_mul(space.f_frsize), folder)
    });
    Check::new("disk space", found)
}

fn judge(free: u64, folder: &Path) -> Result<String> {
    let tenths = free / (MIN_SPACE / 10);
    let text = format!("{}.{} GiB free for spool and staging", tenths / 10, tenths % 10);
    if free >= MIN_SPACE {
        return Ok(text);
    }
    let error = Error::new(ErrorKind::Local, format!("only {text}")).with_context("path", folder.display());
    Err(error.with_hint("free some space, or choose another --state-dir: a month takes about twice its artifact"))
}

/// The folder, or its nearest existing ancestor.
fn nearest(folder: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(folder).map_err(local("find the folder for the state", folder))?;
    for ancestor in absolute.ancestors() {
        match fs::metadata(ancestor) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Ok(_) => return Ok(ancestor.to_owned()),
            Err(error) => return Err(local("look for the folder for the state", folder)(error)),
        }
    }
    Ok(absolute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn state_folder_is_checked_at_its_nearest_existing_ancestor() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(state_folder(home.path()).hint, None);
        let check = state_folder(&home.path().join("a/b"));
        assert!(check.ok && check.message.ends_with("can be made"), "{check:?}");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(state_folder(home.path()).hint.unwrap().contains("chmod 700"));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn detects_an_impossible_state_folder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for folder in [file.path().join("state"), file.path().to_owned(), "/proc/kt-archive".into()] {
            assert!(!state_folder(&folder).ok, "{}", folder.display());
        }
    }

    #[test]
    fn too_little_space_fails_with_the_free_bytes() {
        assert_eq!(judge(MIN_SPACE * 3 / 2, Path::new("/x")).unwrap(), "1.5 GiB free for spool and staging");
        let error = judge(MIN_SPACE - 1, Path::new("/x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local);
        assert!(error.to_string().starts_with("only 1.0 GiB") || error.to_string().starts_with("only 0.9 GiB"));
    }
}
