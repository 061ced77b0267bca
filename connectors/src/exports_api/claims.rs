//! An artifact, compared with what its job claims of it.

use super::{config::ArtifactFormat, wire::Claims};
use crate::{
    Error, ErrorKind, Result,
    artifact::{Content, sniff},
    spool::{ClosedSpool, on_blocking_thread},
};
use archive_formats::Sha256;

/// How an artifact is packed, and which claims can be compared only with what is inside.
#[derive(Debug)]
pub(super) struct Packing {
    pub(super) gzip: bool,
    pub(super) inside: Claims,
}

/// Compares the artifact with what the job claims, and refuses what cannot be of the `format` that was asked for; a
/// contradiction is of `kind`. A size or digest of something that is gzip may be meant before or after packing.
pub(super) async fn check(
    closed: ClosedSpool,
    claims: &Claims,
    format: ArtifactFormat,
    kind: ErrorKind,
) -> Result<(ClosedSpool, Packing)> {
    let path = closed.path().to_owned();
    let gzip = on_blocking_thread(move || {
        const START: usize = 512;
        let mut content = Content::open(&path)?;
        let mut start = vec![0; START];
        let count = content.read(&mut start)?;
        sniff(&start[..count], format.syntax()).map_err(|found| refused(found, format))?;
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

fn refused(found: &str, format: ArtifactFormat) -> Error {
    let wanted = format.syntax();
    Error::new(ErrorKind::Source, format!("the artifact is {found} where {wanted} was asked for"))
        .with_hint("check the source's address, and whether the token may export this dataset")
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
