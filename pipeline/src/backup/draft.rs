//! What the commit of a backup records.

use archive_connectors::{Error, ErrorKind, Result, sink::Draft};
use archive_formats::{
    BackupManifest, Chain, Entry, Sha256, Timestamp,
    backup_manifest::{BackupContent, BackupFile, FORMAT},
    manifest::{Link, Tool},
};
use std::collections::BTreeMap;

/// A backup that is to be committed.
#[derive(Clone, Debug)]
pub(super) struct BackupDraft {
    pub(super) identity: Sha256,
    pub(super) content: BackupContent,
    pub(super) taken_at: Timestamp,
    pub(super) committed_at: Timestamp,
    pub(super) seconds: BTreeMap<String, f64>,
    /// The manifest that this one must follow, if it was planned on it.
    pub(super) follows: Option<Link>,
}

impl Draft for BackupDraft {
    type Record = BackupManifest;

    fn identity(&self) -> Option<Sha256> {
        Some(self.identity)
    }

    /// A backup makes no other one needless; whether a content is new is decided before.
    fn committed<'a>(&self, _: &'a Chain<BackupManifest>) -> Option<&'a Entry<BackupManifest>> {
        None
    }

    fn manifest(&self, chain: &Chain<BackupManifest>, files: Vec<BackupFile>) -> Result<BackupManifest> {
        let draft = self.clone();
        if self.follows.is_some() && self.follows != chain.link() {
            return Err(Error::new(ErrorKind::TryLater, "another process committed a backup meanwhile")
                .with_hint("run the same command again: it plans anew"));
        }
        Ok(BackupManifest {
            format: FORMAT.to_owned(),
            archive: chain.archive().to_owned(),
            sequence: chain.next_sequence(),
            previous: chain.link(),
            content: draft.content,
            taken_at: draft.taken_at,
            committed_at: draft.committed_at,
            tool: Tool::current(),
            seconds: draft.seconds,
            files,
            archive_sha256: Some(draft.identity).filter(|_| chain.head().is_none()),
        })
    }
}
