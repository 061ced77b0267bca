//! Replicas in buckets, in stores that answer falsely, and in stores that stop after each write.

use super::{Copies, states};
use crate::support::{archive::sha256, s3::BucketPrefix};
use archive::{
    Archive,
    replicate::{ReplicaReport, ReplicaState, Replicator},
};
use archive_connectors::{
    Sink,
    progress::Silent,
    sink::{Confirm, Location},
    testing::{Answer, Fault, FaultyStore, Operation},
};
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path};
use std::{collections::BTreeMap, net::TcpListener, sync::Arc};
use tokio_util::sync::CancellationToken;

fn store() -> FaultyStore {
    FaultyStore::new(Arc::new(InMemory::new()))
}

/// Updates the replica in `store` from the archive of `copies`.
async fn bring_up(copies: &Copies, store: &FaultyStore, repair: bool) -> ReplicaReport {
    let location = Location::parse(&copies.archive.root().display().to_string(), &BTreeMap::new()).unwrap();
    let mut archive = Archive::open(&location).await.unwrap();
    let (observer, stop) = (Arc::new(Silent), CancellationToken::new());
    let replica = Sink::from_store(Arc::new(store.clone()), Confirm::ReadBack, "memory");
    Replicator { archive: &mut archive, repair, observer, stop }.update_one(&replica).await
}

/// Every object and its digest.
async fn snapshot(store: &FaultyStore) -> BTreeMap<String, String> {
    let mut snapshot = BTreeMap::new();
    for object in store.list(None).try_collect::<Vec<_>>().await.unwrap() {
        let bytes = store.get(&object.location).await.unwrap().bytes().await.unwrap();
        snapshot.insert(object.location.to_string(), sha256(&bytes));
    }
    snapshot
}

#[tokio::test]
async fn stop_after_any_write_is_completed_by_the_next_call() {
    let copies = Copies::new();
    let mut writes = 0;
    loop {
        let store = store();
        store.crash_after(writes);
        let stopped = bring_up(&copies, &store, false).await;
        if !store.recover() {
            break;
        }
        assert!(writes > 12 || stopped.state == ReplicaState::Failed, "current after {writes} writes");
        let again = bring_up(&copies, &store, false).await;
        assert_eq!(again.state, ReplicaState::Current, "{again:?}");
        assert_eq!(snapshot(&store).await, copies.archive.snapshot(), "a stop after {writes} writes");
        writes += 1;
    }
    assert_eq!(writes, 14, "archive.json, and for three months two files, a manifest and its sums");
}

#[tokio::test]
async fn stored_bytes_decide_despite_false_responses() {
    let copies = Copies::new();
    for answer in [Answer::AlreadyExists, Answer::Unavailable, Answer::Forbidden] {
        let store = store();
        for part in ["archive.json", "00000001.json", "00000002.SHA256SUMS"] {
            store.plan(Operation::Put, part, Fault::FailAfterEffect(answer));
        }
        let report = bring_up(&copies, &store, false).await;
        assert_eq!((report.state, report.copied), (ReplicaState::Current, 3), "{answer:?}: {report:?}");
        let damaged = Path::from("manifests/00000002.json");
        store.put(&damaged, "{}".into()).await.unwrap();
        store.plan(Operation::Put, damaged.as_ref(), Fault::FailAfterEffect(answer));
        let report = bring_up(&copies, &store, true).await;
        assert_eq!((report.state, report.mended), (ReplicaState::Current, Some(1)), "{answer:?}: {report:?}");
        assert_eq!(snapshot(&store).await, copies.archive.snapshot());
    }
}

#[tokio::test]
async fn repair_refused_by_the_store_fails() {
    let (copies, store) = (Copies::new(), store());
    bring_up(&copies, &store, false).await;
    let damaged = Path::from("manifests/00000002.json");
    store.put(&damaged, "{}".into()).await.unwrap();
    store.reject(Operation::Put, damaged.as_ref(), Answer::Forbidden, 1);
    let report = bring_up(&copies, &store, true).await;
    assert_eq!((report.state, report.mended), (ReplicaState::Failed, Some(0)), "{report:?}");
}

#[tokio::test]
async fn manifest_of_a_concurrent_writer_is_not_overwritten() {
    let (copies, store) = (Copies::new(), store());
    let (theirs, path) = (store.clone(), Path::from("manifests/00000003.json"));
    let intrusion =
        async move { drop(theirs.put(&Path::from("manifests/00000003.json"), "theirs".into()).await.unwrap()) };
    // Right before our manifest is created, after the files of its month were stored.
    store.plan(Operation::Put, "csv/month=2025-03", Fault::race_with(intrusion));
    let report = bring_up(&copies, &store, false).await;
    assert_eq!((report.state, report.copied), (ReplicaState::Failed, 2), "{report:?}");
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "theirs");
}

fn assert_is_a_replica(copies: &mut Copies, place: &BucketPrefix) {
    BucketPrefix::admit(&mut copies.host);
    let outcome = copies.backfill("2025-04", "2025-04", &["--replica", &place.url()]).expect(0);
    assert_eq!(states(&outcome), ["current"]);
    assert_eq!(place.download(copies.host.path("download")).snapshot(), copies.archive.snapshot());
    copies.host.run(&["verify", "--json", "--archive", &place.url()]).expect(0);
    // And back into a folder.
    let folder = copies.replica.root().display().to_string();
    copies.host.run(&["replicate", "--json", "--archive", &place.url(), "--replica", &folder]).expect(0);
    copies.assert_same();
}

#[test]
fn bucket_is_a_replica_of_a_folder() {
    assert_is_a_replica(&mut Copies::new(), &BucketPrefix::plain("replica"));
}

#[test]
fn bucket_with_object_lock_is_a_replica_and_is_repaired() {
    let (mut copies, place) = (Copies::new(), BucketPrefix::locked("replica"));
    assert_is_a_replica(&mut copies, &place);
    let damaged = [copies.archive.file("2025-02", "csv"), "manifests/00000002.json".to_owned()];
    for object in &damaged {
        place.put(object, "damaged");
    }
    copies.replicate_to(&place.url(), &[]).expect(4);
    let outcome = copies.replicate_to(&place.url(), &["--repair"]).expect(0);
    assert_eq!(outcome.json()["replicas"][0]["mended"], damaged.len());
    assert_eq!(place.download(copies.host.path("mended")).snapshot(), copies.archive.snapshot());
}

#[test]
fn unreachable_bucket_exits_with_3_and_is_updated_later() {
    let (mut copies, place) = (Copies::new(), BucketPrefix::plain("down"));
    BucketPrefix::admit(&mut copies.host);
    // No server listens on this port any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    copies.host.set("AWS_ENDPOINT", format!("http://127.0.0.1:{port}"));
    let outcome = copies.backfill("2025-04", "2025-04", &["--replica", &place.url()]).expect(3);
    assert_eq!(states(&outcome), ["failed"]);
    BucketPrefix::admit(&mut copies.host);
    copies.backfill("2025-04", "2025-04", &["--replica", &place.url()]).expect(0);
    assert_eq!(place.download(copies.host.path("download")).snapshot(), copies.archive.snapshot());
}
