//! Replicas: byte-for-byte copies of the archive.
//!
//! A replica is updated in commit order: a month's files, each checked against its digest while it is copied, then its
//! manifest, then its `SHA256SUMS`. So a replica is a complete, possibly older archive at every moment, and the next
//! run continues after an interruption. Nothing is locked: documents are created with put-if-absent and file names
//! contain digests, so several hosts may update one replica concurrently.
//!
//! Nothing is written before the replica is known to belong to this archive and to hold a prefix of its chain.

mod compare;
mod copy;
pub(crate) mod report;

use crate::{
    archive::{Archive, ArchiveRecord},
    observer::Observer,
    provenance,
    report::Failure,
    settings::Settings,
    verify::{KnownDamage, Record},
};
use archive_connectors::{Error, ErrorKind, Result, Sink, sink::Location};
use archive_formats::{Chain, Manifest, Sha256, key};
use compare::ReplicaChain;
use futures::{StreamExt as _, future::try_join_all, stream};
pub use report::{ReplicaReport, ReplicaState, ReplicaStatus, ReplicateReport};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Brings replicas up to date with an archive.
#[derive(Debug)]
pub struct Replicator<'a, M: ArchiveRecord = Manifest> {
    /// The archive. Its chain is refreshed before each replica.
    pub archive: &'a mut Archive<M>,
    /// Whether to compare every object of a replica, and replace damaged ones.
    pub repair: bool,
    /// Receives progress.
    pub observer: Arc<dyn Observer>,
    /// Requests a stop. Work in progress is dropped: uploads are atomic.
    pub stop: CancellationToken,
}

/// Counts of objects written to a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    /// Manifests that were new to it.
    copied: u64,
    /// Repaired objects of manifests that it had before.
    mended: u64,
}

/// Brings every replica of `settings` up to date. Errors concern the archive or the settings, before any replica is
/// written; failures of a replica are in its report.
pub async fn replicate(
    settings: &Settings,
    repair: bool,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Result<ReplicateReport> {
    if settings.replicas.is_empty() {
        let error = Error::new(ErrorKind::Configuration, "no replica was named");
        return Err(error.with_hint("name one with --replica, or set KT_ARCHIVE_REPLICA"));
    }
    check_options(&settings.replicas)?;
    let mut archive = Archive::open(&settings.archive).await?;
    let mut replicator = Replicator { archive: &mut archive, repair, observer, stop: stop.clone() };
    let replicas = replicator.update(&settings.replicas).await;
    let known = stop.run_until_cancelled(KnownDamage::of(&archive, settings)).await;
    let sources = provenance::event_sources(archive.chain().entries().iter());
    Ok(ReplicateReport { sources, replicas, known_damage: known.and_then(|known| known.failure()) })
}

/// Checks `replica`, one of `replicas` of the archive at `location`, as a run does before it writes there. Writes
/// nothing. Returns the highest sequence number found in the replica.
pub async fn compare(location: &Location, replica: &Sink, replicas: &[Sink]) -> Result<u64> {
    let sink = Sink::open(location)?;
    check_own_location(&sink, replica, replicas)?;
    let Some((mut archive, identity)) = Archive::find(location).await?.zip(sink.document(key::ARCHIVE).await?) else {
        return is_empty::<Manifest>(replica).await.map(|()| 0);
    };
    let replica_chain = ReplicaChain::compare(replica, &mut archive, &identity).await?;
    replica_chain.check_undamaged::<Manifest>(replica).map(|()| replica_chain.last)
}

/// Rejects a location that is not empty, as the replica of an archive that does not exist yet.
async fn is_empty<M: ArchiveRecord>(replica: &Sink) -> Result<()> {
    if replica.identity::<M>().await?.is_none() {
        return Ok(());
    }
    let message = format!("the replica's place holds an archive, and that of {} none yet", M::OPTION);
    let error = Error::new(ErrorKind::Configuration, message).with_context("replica", replica.url());
    let option = M::OPTION;
    Err(error.with_hint(format!(
        "check {option} and --replica; an archive that was lost comes back with the replica as {option}, and the lost place as \
         --replica",
    )))
}

impl<M: ArchiveRecord> Replicator<'_, M> {
    /// Brings replicas up to date, one after another; a failure does not stop the next.
    pub async fn update(&mut self, replicas: &[Location]) -> Vec<ReplicaReport> {
        let opened = replicas.iter().map(Sink::open).collect::<Vec<_>>();
        let sinks = opened.iter().flatten().cloned().collect::<Vec<_>>();
        let mut reports = Vec::new();
        for (location, opened) in replicas.iter().zip(opened) {
            let placed =
                opened.and_then(|replica| check_own_location(self.archive.sink(), &replica, &sinks).map(|()| replica));
            let report = match placed {
                Ok(replica) => Box::pin(self.update_one(&replica)).await,
                Err(error) => self.report(location.url(), Some(error), Tally::default()),
            };
            self.observer.replica_finished(&report);
            reports.push(report);
        }
        reports
    }

    /// Brings one replica up to date.
    pub async fn update_one(&mut self, replica: &Sink) -> ReplicaReport {
        let (stop, mut tally) = (self.stop.clone(), Tally::default());
        let done = tokio::select! {
            biased;
            () = stop.cancelled() => Err(Error::new(ErrorKind::Interrupted, "stopped before the replica was brought up")
                .with_hint("run the same command again: it goes on where this one stopped")),
            done = self.copy_to(replica, &mut tally) => done,
        };
        self.report(replica.url(), done.err(), tally)
    }

    fn report(&self, url: &str, error: Option<Error>, tally: Tally) -> ReplicaReport {
        let state = match error.as_ref().map(Error::kind) {
            None => ReplicaState::Current,
            Some(ErrorKind::Interrupted) => ReplicaState::Behind,
            Some(_) => ReplicaState::Failed,
        };
        let mended = self.repair.then_some(tally.mended);
        ReplicaReport {
            url: url.to_owned(),
            state,
            error: error.map(Failure::from),
            copied: tally.copied,
            unit: M::UNIT,
            mended,
        }
    }
}

/// Rejects a replica that shares its location with the archive or with another one of `sinks`, which include it.
fn check_own_location(archive: &Sink, replica: &Sink, sinks: &[Sink]) -> Result<()> {
    let message = if archive.overlaps(replica) {
        "a replica and the archive have the same location, or one is inside the other"
    } else if sinks.iter().filter(|sink| sink.overlaps(replica)).count() > 1 {
        "two replicas have the same location, or one is inside the other"
    } else {
        return Ok(());
    };
    let error = Error::new(ErrorKind::Configuration, message).with_context("archive", archive.url());
    Err(error.with_hint("give every copy a place of its own"))
}

/// Concurrent reads of replicas.
const CONCURRENT_READS: usize = 8;

/// Compares the last manifest of each replica with the archive's `chain`: a manifest fixes all before it. Writes
/// nothing; an unreadable replica is reported, not an error.
pub async fn replica_statuses(archive: &Archive, settings: &Settings) -> Vec<ReplicaStatus> {
    let asked = settings.replicas.iter().map(|location| async move {
        let url = location.url().to_owned();
        let known = Record::new(&settings.state_dir, archive.id(), location).read();
        if known.is_damaged() {
            let error = Error::new(ErrorKind::BrokenChain, "the last verifications found damage in the replica")
                .with_hint("`kt-archive replicate --repair`, then `kt-archive verify` with the replica as --archive");
            return ReplicaStatus { url, state: ReplicaState::Failed, behind: None, error: Some(Failure::from(error)) };
        }
        match behind(archive.chain(), location).await {
            Ok(0) => ReplicaStatus { url, state: ReplicaState::Current, behind: Some(0), error: None },
            Ok(behind) => ReplicaStatus { url, state: ReplicaState::Behind, behind: Some(behind), error: None },
            Err(error) => {
                ReplicaStatus { url, state: ReplicaState::Failed, behind: None, error: Some(Failure::from(&error)) }
            }
        }
    });
    stream::iter(asked).buffered(CONCURRENT_READS).collect().await
}

/// How many manifests of `chain` the replica lacks.
async fn behind(chain: &Chain, location: &Location) -> Result<u64> {
    let replica = Sink::open(location)?;
    let (last, _) = compare::numbers(&replica).await?;
    let all = chain.entries().len() as u64;
    if last == 0 {
        return Ok(all);
    }
    let bytes = replica.document(&key::manifest(last)).await?;
    match (chain.entry(last), bytes) {
        (Some(ours), Some(bytes)) if Sha256::digest(&bytes) == ours.sha256 => Ok(all - last),
        _ => Err(Error::new(ErrorKind::BrokenChain, format!("manifest {last} of the replica is not the archive's"))
            .with_context("replica", replica.url())
            .with_hint("run `kt-archive replicate` for the details")),
    }
}

/// Refuses replicas in buckets whose options cannot be used. Contacts no store.
pub fn check_options(replicas: &[Location]) -> Result<()> {
    let mut buckets = replicas.iter().filter(|replica| replica.directory().is_none());
    buckets.try_for_each(|replica| Sink::open(replica).map(drop))
}

/// Fails if the archive is behind one of its replicas, or if a new archive (`None`) has a replica that contains one.
/// Writes nothing. Replicas that are unreadable or belong to another archive are reported later, when they are updated.
pub(crate) async fn check_not_behind<M: ArchiveRecord>(
    archive: Option<&Archive<M>>,
    replicas: &[Location],
) -> Result<()> {
    try_join_all(replicas.iter().map(|location| check_one(archive, location))).await.map(drop)
}

async fn check_one<M: ArchiveRecord>(archive: Option<&Archive<M>>, location: &Location) -> Result<()> {
    let Ok(replica) = Sink::open(location) else { return Ok(()) };
    let Ok(Some(identity)) = replica.identity::<M>().await else { return Ok(()) };
    let Some(archive) = archive else { return is_empty::<M>(&replica).await };
    let Ok((last, _)) = compare::numbers(&replica).await else { return Ok(()) };
    if identity.document.archive != archive.id() || last < archive.chain().next_sequence() {
        return Ok(());
    }
    // Another host may have committed and copied a month since the chain was read.
    let chain = archive.sink().chain::<M>(archive.id()).await?;
    if last < chain.next_sequence() { Ok(()) } else { Err(compare::longer(&replica, archive.sink(), &chain)) }
}
