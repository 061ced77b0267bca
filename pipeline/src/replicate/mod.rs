//! Replicas: copies of the archive, the same tree byte for byte.
//!
//! A replica is brought up in the order of the commits: a month's files, each checked against its digest on the way,
//! then its manifest, then its `SHA256SUMS`. So a replica is a whole, if older, archive at every moment, and after any
//! interruption the next run continues. Nothing is locked: documents are created where nothing is, and files are named
//! after their digests, so that several hosts may bring up one replica at once.
//!
//! Nothing is written before it is known that the replica is one of this archive and holds the beginning of its chain.

mod compare;
mod copy;
pub(crate) mod report;

use crate::{Archive, observer::Observer, report::Failure, settings::Settings};
use archive_connectors::{Error, ErrorKind, Result, Sink, sink::Location};
use archive_formats::{Chain, Sha256, key};
use compare::Standing;
use futures::{StreamExt as _, future::try_join_all, stream};
pub use report::{ReplicaReport, ReplicaState, ReplicaStatus, ReplicateReport};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How replicas are brought up to an archive.
#[derive(Debug)]
pub struct Replicator<'a> {
    /// The archive. Its chain is refreshed before each replica.
    pub archive: &'a mut Archive,
    /// Whether every object of a replica is compared, and replaced where it is damaged.
    pub repair: bool,
    /// Receives progress.
    pub observer: Arc<dyn Observer>,
    /// Asks the work to end. What is under way is dropped: no half object counts.
    pub stop: CancellationToken,
}

/// What was written to a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    /// Manifests that are new to it.
    copied: u64,
    /// Objects of the manifests that it had before.
    mended: u64,
}

/// Brings every replica of `settings` up to the archive. An error is one of the archive or of the settings, before any
/// replica was touched; the failure of a replica is in its report.
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
    let mut archive = Archive::open(&settings.archive).await?;
    let mut replicator = Replicator { archive: &mut archive, repair, observer, stop };
    Ok(ReplicateReport { replicas: replicator.bring_up(&settings.replicas).await })
}

/// Refuses what a run would refuse of `replica`, one of `replicas` of the archive at `location`, before it writes there.
/// Nothing is written. Returns the number of the last manifest that the replica has a trace of.
pub async fn compare(location: &Location, replica: &Sink, replicas: &[Sink]) -> Result<u64> {
    let sink = Sink::open(location)?;
    has_its_own_place(&sink, replica, replicas)?;
    let Some((mut archive, identity)) = Archive::find(location).await?.zip(sink.document(key::ARCHIVE).await?) else {
        return is_empty(replica).await.map(|()| 0);
    };
    let standing = Standing::of(replica, &mut archive, &identity).await?;
    standing.is_sound(replica).map(|()| standing.last)
}

/// Refuses what can be no replica of an archive that is yet to be made.
async fn is_empty(replica: &Sink) -> Result<()> {
    if replica.identity().await?.is_none() {
        return Ok(());
    }
    let error =
        Error::new(ErrorKind::Configuration, "the replica's place holds an archive, and that of --archive none yet");
    let error = error.with_context("replica", replica.url());
    Err(error.with_hint(
        "check --archive and --replica; an archive that was lost comes back by `kt-archive replicate` with the replica as \
         --archive",
    ))
}

impl Replicator<'_> {
    /// Brings replicas up, one after another; none stops the next.
    pub async fn bring_up(&mut self, replicas: &[Location]) -> Vec<ReplicaReport> {
        let opened = replicas.iter().map(Sink::open).collect::<Vec<_>>();
        let sinks = opened.iter().flatten().cloned().collect::<Vec<_>>();
        let mut reports = Vec::new();
        for (location, opened) in replicas.iter().zip(opened) {
            let placed =
                opened.and_then(|replica| has_its_own_place(self.archive.sink(), &replica, &sinks).map(|()| replica));
            let report = match placed {
                Ok(replica) => Box::pin(self.bring_up_one(&replica)).await,
                Err(error) => self.report(location.url(), Some(error), Tally::default()),
            };
            self.observer.replica_finished(&report);
            reports.push(report);
        }
        reports
    }

    /// Brings one replica up, wherever it is.
    pub async fn bring_up_one(&mut self, replica: &Sink) -> ReplicaReport {
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
        ReplicaReport { url: url.to_owned(), state, error: error.map(Failure::from), copied: tally.copied, mended }
    }
}

/// Refuses a replica that shares its place with the archive or with another one of `sinks`, in which it is itself.
fn has_its_own_place(archive: &Sink, replica: &Sink, sinks: &[Sink]) -> Result<()> {
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

/// Replicas that are read at once.
const ASKED: usize = 8;

/// Compares the last manifest of each replica with the archive's `chain`: a manifest
/// fixes all manifests before it. Nothing is written, and a replica that cannot be read stops nothing.
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
    let (last, _) = compare::numbers(&replica).await?;
    let entries = chain.entries();
    let missing = (entries.len() as u64).checked_sub(last);
    let Some(held) = last.checked_sub(1) else { return Ok(entries.len() as u64) };
    let ours = usize::try_from(held).ok().and_then(|index| entries.get(index));
    let bytes = replica.document(&key::manifest(last)).await?;
    match (missing, ours, bytes) {
        (Some(missing), Some(ours), Some(bytes)) if Sha256::digest(&bytes) == ours.sha256 => Ok(missing),
        _ => Err(Error::new(ErrorKind::BrokenChain, format!("manifest {last} of the replica is not the archive's"))
            .with_context("replica", replica.url())
            .with_hint("run `kt-archive replicate` for the details")),
    }
}

/// Refuses an archive that is behind one of its replicas, and a new archive (`None`) beside a replica that holds one.
/// Nothing is written. A replica that cannot be read, or belongs to another archive, is reported when it is brought up.
pub async fn check_not_behind(archive: Option<&Archive>, replicas: &[Location]) -> Result<()> {
    try_join_all(replicas.iter().map(|location| check_one(archive, location))).await.map(drop)
}

async fn check_one(archive: Option<&Archive>, location: &Location) -> Result<()> {
    let Ok(replica) = Sink::open(location) else { return Ok(()) };
    let Ok(Some(document)) = replica.identity().await else { return Ok(()) };
    let Some(archive) = archive else { return is_empty(&replica).await };
    let Ok((last, _)) = compare::numbers(&replica).await else { return Ok(()) };
    if document.archive != archive.id() || last < archive.chain().next_sequence() {
        return Ok(());
    }
    // Another host may have committed a month and copied it, since the chain was read.
    let chain = archive.sink().chain(archive.id()).await?;
    if last < chain.next_sequence() { Ok(()) } else { Err(compare::longer(&replica, archive.sink(), &chain)) }
}
