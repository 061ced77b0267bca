//! Where replicas stand, at the price of a listing and one manifest.

use super::standing;
use crate::report::{Failure, ReplicaState, ReplicaStatus};
use archive_connectors::{Error, ErrorKind, Result, Sink, sink::Location};
use archive_formats::{Chain, Sha256, key};
use futures::{StreamExt as _, stream};

/// Replicas that are asked at once.
const ASKED: usize = 8;

/// Compares the last manifest of each replica with the archive's `chain`: whoever holds a manifest of a chain can hold
/// no other manifests before it. Nothing is written, and a replica that cannot be asked stops nobody.
pub async fn glance(chain: &Chain, replicas: &[Location]) -> Vec<ReplicaStatus> {
    let asked = replicas.iter().map(|location| async move {
        let url = location.url().to_owned();
        match behind(chain, location).await {
            Ok(0) => ReplicaStatus { url, state: ReplicaState::Current, behind: Some(0), error: None },
            Ok(behind) => ReplicaStatus { url, state: ReplicaState::Behind, behind: Some(behind), error: None },
            Err(error) => {
                ReplicaStatus { url, state: ReplicaState::Failed, behind: None, error: Some(Failure::from(&error)) }
            }
        }
    });
    stream::iter(asked).buffered(ASKED).collect().await
}

/// How many manifests of `chain` the replica lacks.
async fn behind(chain: &Chain, location: &Location) -> Result<u64> {
    let replica = Sink::open(location)?;
    let (last, _) = standing::numbers(&replica).await?;
    let entries = chain.entries();
    let missing = (entries.len() as u64).checked_sub(last);
    let Some(held) = last.checked_sub(1) else { return Ok(entries.len() as u64) };
    let ours = usize::try_from(held).ok().and_then(|index| entries.get(index));
    let bytes = replica.document(&key::manifest(last)).await?;
    match (missing, ours, bytes) {
        (Some(missing), Some(ours), Some(bytes)) if Sha256::of(&bytes) == ours.sha256 => Ok(missing),
        _ => Err(Error::new(ErrorKind::BrokenChain, format!("manifest {last} of the replica is not the archive's"))
            .with_context("replica", replica.url())
            .with_hint("`kt-archive replicate` says what is wrong with it")),
    }
}
