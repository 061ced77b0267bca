//! The key of pseudonyms, in a file that its user alone may touch.

use super::invalid;
use archive_connectors::{Error, Result};
use std::{fs::File, io::Read as _, os::unix::fs::MetadataExt as _, path::Path};

/// Shorter keys are easier to guess than the digest is to break.
const ENOUGH: usize = 32;

/// What of a mode concerns others than the owner.
const OTHERS: u32 = 0o077;
/// The same for a file of root, which a group may read: so Kubernetes and systemd hand secrets to a program, and so
/// libpq takes keys.
const OTHERS_THAN_A_GROUP: u32 = 0o037;

/// The content of the file at `path`, without a line end at its end.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let refuse = |error: Error| error.with_context("path", path.display());
    let unreadable = |error: std::io::Error| {
        refuse(invalid("could not read the key of the pseudonyms"))
            .with_source(error)
            .with_hint("--pseudonym-key-file names a file that holds the key, such as `openssl rand -hex 32` makes")
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(refuse(invalid("what should hold the key of the pseudonyms is no file"))
            .with_hint("make one with `(umask 077 && openssl rand -hex 32 > FILE)`"));
    }
    if is_open(metadata.mode(), metadata.uid()) {
        return Err(refuse(invalid("others than its owner may use the key of the pseudonyms"))
            .with_hint(format!("chmod 600 {}", path.display())));
    }
    let mut key = Vec::new();
    file.read_to_end(&mut key).map_err(unreadable)?;
    if key.ends_with(b"\n") {
        key.pop();
        if key.ends_with(b"\r") {
            key.pop();
        }
    }
    if key.is_empty() {
        return Err(refuse(invalid("the key of the pseudonyms is empty")));
    }
    if key.len() < ENOUGH {
        tracing::warn!(path = %path.display(), "the key of the pseudonyms is shorter than {ENOUGH} bytes: it can be guessed");
    }
    Ok(key)
}

const fn is_open(mode: u32, owner: u32) -> bool {
    mode & (if owner == 0 { OTHERS_THAN_A_GROUP } else { OTHERS }) != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_connectors::ErrorKind;
    use std::os::unix::fs::PermissionsExt as _;

    fn outcome(content: &[u8], mode: u32) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        read(&path)
    }

    #[test]
    fn one_line_end_is_no_part_of_the_key() {
        for (content, key) in
            [("k", "k"), ("k\n", "k"), ("k\r\n", "k"), ("k\n\n", "k\n"), ("k\r", "k\r"), (" k \n", " k ")]
        {
            assert_eq!(outcome(content.as_bytes(), 0o600).unwrap(), key.as_bytes(), "{content:?}");
        }
        assert_eq!(outcome(b"\xff\0", 0o400).unwrap(), b"\xff\0");
    }

    #[test]
    fn a_key_that_others_may_touch_is_refused() {
        assert!(is_open(0o640, 1000) && !is_open(0o600, 1000) && !is_open(0o440, 0));
        for mode in [0o604, 0o620, 0o602, 0o610, 0o644] {
            let error = outcome(b"canary", mode).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.hint().unwrap().starts_with("chmod 600 /"), "{error:?}");
            assert!(!format!("{error:?}").contains("canary"));
        }
    }

    #[test]
    fn no_key_is_refused() {
        for content in ["", "\n", "\r\n"] {
            assert_eq!(outcome(content.as_bytes(), 0o600).unwrap_err().kind(), ErrorKind::Configuration);
        }
        assert_eq!(read(Path::new("/no/such/file")).unwrap_err().kind(), ErrorKind::Configuration);
    }
}
