//! Replicas that know more than the archive: it lost its end, or all of itself, and must not go on as if nothing had
//! happened. What it lost could then no longer be put back.

use super::{is_empty, standing};
use crate::archive::Archive;
use archive_connectors::{Result, Sink, sink::Location};
use futures::future::try_join_all;

/// Refuses an archive that is behind one of its replicas, and a new archive (`None`) beside a replica that holds one.
/// Nothing is written. A replica that cannot be read, or belongs to another archive, is reported when it is brought up.
pub async fn check(archive: Option<&Archive>, replicas: &[Location]) -> Result<()> {
    try_join_all(replicas.iter().map(|location| check_one(archive, location))).await.map(drop)
}

async fn check_one(archive: Option<&Archive>, location: &Location) -> Result<()> {
    let Ok(replica) = Sink::open(location) else { return Ok(()) };
    let Ok(Some(document)) = replica.identity().await else { return Ok(()) };
    let Some(archive) = archive else { return is_empty(&replica).await };
    let Ok((last, _)) = standing::numbers(&replica).await else { return Ok(()) };
    if document.archive != archive.id() || last < archive.chain().next_sequence() {
        return Ok(());
    }
    // Another host may have committed a month and copied it, since the chain was read.
    let chain = archive.sink().chain(archive.id()).await?;
    if last < chain.next_sequence() { Ok(()) } else { Err(standing::longer(&replica, archive.sink(), &chain)) }
}
