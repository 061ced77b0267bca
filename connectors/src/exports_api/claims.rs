//! An artifact, compared with what its job claims of it.

use super::{content::Content, sniff, wire::Claims};
use crate::{
    Error, ErrorKind, Result,
    spool::{ClosedSpool, on_blocking_thread},
};
use archive_formats::Sha256;

/// How an artifact is packed, and which claims can be compared only with what is inside.
#[derive(Debug)]
pub(super) struct Packing {
    pub(super) gzip: bool,
    pub(super) inside: Claims,
}

/// Compares the artifact with what the job claims, and refuses what cannot be CSV; a contradiction is of `kind`. A size
/// or digest of something that is gzip may be meant before or after packing.
pub(super) async fn check(closed: ClosedSpool, claims: &Claims, kind: ErrorKind) -> Result<(ClosedSpool, Packing)> {
    let path = closed.path().to_owned();
    let gzip = on_blocking_thread(move || {
        const START: usize = 512;
        let mut content = Content::open(&path)?;
        let mut start = vec![0; START];
        let count = content.read(&mut start)?;
        sniff::refuse_other_than_csv(&start[..count])?;
        Ok(content.is_gzip())
    })
    .await?;
    let bytes = claims.bytes.filter(|bytes| *bytes != closed.bytes);
    let sha256 = claims.sha256.filter(|sha256| *sha256 != closed.sha256);
    let inside = Claims { rows: None, bytes, sha256 };
    if gzip || inside == Claims::default() {
        return Ok((closed, Packing { gzip, inside }));
    }
    Err(disagree(kind, closed.bytes, closed.sha256, claims))
}

/// The error for an artifact that is not what its job says it is.
pub(super) fn disagree(kind: ErrorKind, bytes: u64, sha256: Sha256, claims: &Claims) -> Error {
    let error = Error::new(kind, "the artifact is not the one that the export job describes");
    let error = match claims.bytes {
        Some(claimed) if claimed != bytes => error.with_context("bytes", bytes).with_context("expected bytes", claimed),
        _ => error,
    };
    match claims.sha256 {
        Some(claimed) if claimed != sha256 => {
            error.with_context("sha256", sha256).with_context("expected sha256", claimed)
        }
        _ => error,
    }
}
