//! Replicas that know more than the archive: it lost its end, or all of itself, and must not go on as if nothing had
//! happened. What it lost could then no longer be put back.

use super::{is_empty, standing};
use archive_connectors::{Result, Sink, sink::Location};
use archive_formats::Chain;
use futures::future::try_join_all;

/// Refuses an archive whose end, or all of which, lies in one of its replicas alone. `chain` is that of the archive, empty
/// where there is none; nothing is written. A replica that cannot be asked, or is none of ours, is told of when it is
/// brought up.
pub async fn check(archive: &Sink, chain: &Chain, replicas: &[Location]) -> Result<()> {
    try_join_all(replicas.iter().map(|location| check_one(archive, chain, location))).await.map(drop)
}

async fn check_one(archive: &Sink, chain: &Chain, location: &Location) -> Result<()> {
    let Ok(replica) = Sink::open(location) else { return Ok(()) };
    let Ok(Some(document)) = replica.identity().await else { return Ok(()) };
    if chain.archive().is_empty() {
        return is_empty(&replica).await;
    }
    let Ok((last, _)) = standing::numbers(&replica).await else { return Ok(()) };
    if document.archive != chain.archive() || last < chain.next_sequence() {
        return Ok(());
    }
    // Another host may have committed a month and copied it, since the chain was read.
    let chain = archive.chain(chain.archive()).await?;
    if last < chain.next_sequence() { Ok(()) } else { Err(standing::longer(&replica, archive, &chain)) }
}
