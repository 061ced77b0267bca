use super::*;
use crate::{
    sink::Confirm,
    testing::{Answer, Fault, FaultyStore, Operation},
};
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path as ObjectPath};
use std::collections::BTreeMap;

fn faulty() -> (Arc<InMemory>, FaultyStore, Sink) {
    let inner = Arc::new(InMemory::new());
    let store = FaultyStore::new(Arc::clone(&inner) as Arc<dyn ObjectStore>);
    let sink = Sink::from_store(Arc::new(store.clone()), Confirm::ReadBack, "memory");
    (inner, store, sink)
}

fn failed(probes: &[Probe]) -> Vec<(&'static str, ErrorKind)> {
    let failed = probes.iter().filter_map(|probe| Some((probe.name, probe.found.as_ref().err()?.kind())));
    failed.collect()
}

async fn left(store: &InMemory) -> usize {
    store.list(None).try_collect::<Vec<_>>().await.unwrap().len()
}

#[tokio::test]
async fn a_good_store_passes_and_keeps_nothing() {
    let (inner, _, sink) = faulty();
    let probes = objects::probe(&sink, &objects::name(), None).await;
    let names = probes.iter().map(|probe| probe.name).collect::<Vec<_>>();
    assert_eq!(names, ["write", "put-if-absent", "checksum", "list", "read back", "delete"]);
    assert_eq!((failed(&probes), left(&inner).await), (Vec::new(), 0));
}

#[tokio::test]
async fn a_store_that_overwrites_is_no_place_for_an_archive() {
    let (inner, store, sink) = faulty();
    let path = objects::name();
    let (emptied, object) = (Arc::clone(&inner), ObjectPath::from(path.as_str()));
    // A store that ignores the condition behaves as if nothing had been there.
    store.plan(Operation::Put, "doctor", Fault::Pass);
    store.plan(Operation::Put, "doctor", Fault::race_with(async move { emptied.delete(&object).await.unwrap() }));
    let probes = objects::probe(&sink, &path, None).await;
    assert_eq!(failed(&probes), [("put-if-absent", ErrorKind::Store), ("read back", ErrorKind::Store)]);
    assert_eq!(left(&inner).await, 0);
}

#[tokio::test]
async fn a_write_that_fails_is_told_once_and_cleaned_up() {
    let (inner, store, sink) = faulty();
    store.reject(Operation::Put, "doctor", Answer::Forbidden, 1);
    let probes = objects::probe(&sink, &objects::name(), None).await;
    assert_eq!(failed(&probes), [("write", ErrorKind::Unauthorized)]);
    assert_eq!((probes.len(), left(&inner).await), (1, 0));
}

#[tokio::test]
async fn an_object_that_cannot_be_removed_is_named() {
    let (_, store, sink) = faulty();
    store.reject(Operation::Delete, "doctor", Answer::Forbidden, 1);
    let path = objects::name();
    let probes = objects::probe(&sink, &path, None).await;
    let error = probes.last().unwrap().found.as_ref().unwrap_err();
    assert!(error.to_string().contains(&format!("left behind: {path}")), "{error}");
}

#[tokio::test]
async fn a_folder_is_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    for archive in ["", "not/yet/there"] {
        let location = Location::parse(home.path().join(archive).to_str().unwrap(), &BTreeMap::new()).unwrap();
        let probes = probe(&location).await;
        assert_eq!(failed(&probes), [], "{probes:?}");
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_the_stores_fault() {
    // Not even root writes there.
    let location = Location::parse("/proc/kt-archive", &BTreeMap::new()).unwrap();
    assert_eq!(failed(&probe(&location).await), [("write", ErrorKind::Store)]);
}
