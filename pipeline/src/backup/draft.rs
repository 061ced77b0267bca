//! What the commit of a backup records.

use archive_connectors::{Result, sink::Draft};
use archive_formats::{
    BackupManifest, Chain, Entry, Sha256, Timestamp,
    backup_manifest::{BackupContent, BackupFile, FORMAT},
    manifest::Tool,
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
}

impl Draft for BackupDraft {
    type Record = BackupManifest;

    fn identity(&self) -> Option<Sha256> {
        Some(self.identity)
    }

    /// Two backups never have equal bytes, so that none makes another needless.
    fn committed<'a>(&self, _: &'a Chain<BackupManifest>) -> Option<&'a Entry<BackupManifest>> {
        None
    }

    fn manifest(&self, chain: &Chain<BackupManifest>, files: Vec<BackupFile>) -> Result<BackupManifest> {
        let draft = self.clone();
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
