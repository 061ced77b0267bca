//! Values that are never printed, and the files that hold them.

use crate::{Error, ErrorKind, Result};
use std::{
    fmt,
    fs::{File, Metadata},
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

/// Mode bits of group and others.
const OTHERS: u32 = 0o077;

/// The same for a file of root, which a group may read: Kubernetes and systemd provide secrets this way, and libpq accepts
/// such keys.
const OTHERS_THAN_A_GROUP: u32 = 0o037;

/// Whether only its owner may use a file or a folder.
pub fn is_private(metadata: &Metadata) -> bool {
    is_private_mode(metadata.mode(), metadata.uid())
}

const fn is_private_mode(mode: u32, owner: u32) -> bool {
    mode & (if owner == 0 { OTHERS_THAN_A_GROUP } else { OTHERS }) == 0
}

/// The content of a file with a secret, which no other user may read. `what` names the secret in messages, and `hint` tells
/// how to name a file that can be read.
pub fn read_secret_file(path: &Path, what: &str, hint: &str) -> Result<Vec<u8>> {
    let refuse = |message: String| Error::new(ErrorKind::Configuration, message).with_context("path", path.display());
    let unreadable = |error| refuse(format!("could not read {what}")).with_source(error).with_hint(hint);
    let mut file = File::open(path).map_err(unreadable)?;
    if !is_private(&file.metadata().map_err(unreadable)?) {
        return Err(refuse(format!("other users may read {what}")).with_hint(format!("chmod 600 {}", path.display())));
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(unreadable)?;
    Ok(content)
}

/// A secret without `Display` and `Serialize`, whose `Debug` hides the value; `expose` returns it to this crate.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value`.
    pub const fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for the one header or option that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// `text` with every occurrence of the secret replaced: a server may echo a request.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "[secret]") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_root_may_be_read_by_a_group() {
        assert!(is_private_mode(0o600, 1000) && is_private_mode(0o400, 1000) && is_private_mode(0o440, 0));
        for (mode, owner) in [(0o640, 1000), (0o604, 1000), (0o620, 0), (0o644, 0), (0o601, 0)] {
            assert!(!is_private_mode(mode, owner), "{mode:o} of {owner}");
        }
    }

    #[test]
    fn debug_and_redact_hide_the_value() {
        let secret = Secret::new("kt_live_canary".to_owned());
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.redact("bad token kt_live_canary!"), "bad token [secret]!");
    }
}
