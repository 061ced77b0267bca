//! What a chain and the commit protocol need of a manifest, whatever it records.

use crate::{
    Chain, Sha256,
    chain::BrokenChain,
    key,
    manifest::{DataFile, FORMAT, Link, Manifest, document_bytes},
};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::{Debug, Write as _};

/// A manifest of a chain: numbered from 1 without gaps, with the digest of the one before.
pub trait CommitRecord: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// An entry of its list of files.
    type File: FileRecord;

    /// The name and version of the format.
    const FORMAT: &'static str;

    /// The path of the document that identifies the root of the chain.
    const IDENTITY: &'static str;

    /// The members that every manifest has.
    fn header(&self) -> Header<'_>;

    /// The files that it commits.
    fn files(&self) -> &[Self::File];

    /// Fails if it commits again what `chain` has committed.
    fn check_new(&self, chain: &Chain<Self>) -> Result<(), BrokenChain>;

    /// The same without what a chain in memory does not need: all manifests of an archive may be in one. What is left out is
    /// read again from the stored manifest.
    #[must_use]
    fn without_details(self) -> Self {
        self
    }

    /// Its number.
    fn sequence(&self) -> u64 {
        self.header().sequence
    }

    /// The bytes that are stored: JSON with two-space indentation and a line feed at the end.
    fn to_bytes(&self) -> Vec<u8> {
        document_bytes(self)
    }

    /// Parses a stored manifest. Unknown fields are ignored: later versions may add some.
    fn from_bytes(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// The `SHA256SUMS` of this manifest, as `sha256sum -c` of coreutils reads it: a line for each file, and one for the
    /// manifest, whose bytes have the digest `own`. It depends on the manifest alone, so that a later run can add one
    /// that is missing after a crash.
    fn sha256sums(&self, own: &Sha256) -> Vec<u8> {
        let mut lines = String::new();
        let files = self.files().iter().map(|file| (file.object().sha256, file.object().path.to_owned()));
        for (digest, path) in files.chain([(*own, key::manifest(self.sequence()))]) {
            writeln!(lines, "{digest}  {path}").unwrap_or_else(|_| unreachable!("writing to a String cannot fail"));
        }
        lines.into_bytes()
    }
}

/// What places a manifest in a chain.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The format, [`CommitRecord::FORMAT`] unless another program wrote it.
    pub format: &'a str,
    /// The UUID of the root.
    pub archive: &'a str,
    /// The digest of the document that identifies the root, in the first manifest of a chain.
    pub archive_sha256: Option<Sha256>,
    /// The number.
    pub sequence: u64,
    /// The manifest before; `None` in the first.
    pub previous: Option<&'a Link>,
}

/// A file that a manifest commits.
pub trait FileRecord: Clone + Debug + Send + Sync + 'static {
    /// The object that holds it.
    fn object(&self) -> ObjectRecord<'_>;
}

/// The name, size and digest of an object.
#[derive(Clone, Copy, Debug)]
pub struct ObjectRecord<'a> {
    /// The path, relative to the root.
    pub path: &'a str,
    /// The size in bytes.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

impl FileRecord for DataFile {
    fn object(&self) -> ObjectRecord<'_> {
        ObjectRecord { path: &self.path, bytes: self.bytes, sha256: self.sha256 }
    }
}

impl CommitRecord for Manifest {
    type File = DataFile;

    const FORMAT: &'static str = FORMAT;

    const IDENTITY: &'static str = key::ARCHIVE;

    fn header(&self) -> Header<'_> {
        let Self { format, archive, sequence, .. } = self;
        Header {
            format,
            archive,
            archive_sha256: self.archive_sha256,
            sequence: *sequence,
            previous: self.previous.as_ref(),
        }
    }

    fn files(&self) -> &[DataFile] {
        &self.files
    }

    fn check_new(&self, chain: &Chain) -> Result<(), BrokenChain> {
        chain.check_month(self)
    }
}
