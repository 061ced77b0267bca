//! Storing data files.

use super::*;
use crate::testing::{Answer, Fault, Operation};
use futures::TryStreamExt;

#[tokio::test]
async fn does_not_send_a_stored_file_again() {
    let fixture = fixture();
    let staged = fixture.staged("2025-03", b"events");
    for _ in 0..2 {
        let sent = atomic::AtomicU64::new(0);
        let progress = |bytes| {
            sent.fetch_add(bytes, atomic::Ordering::Relaxed);
        };
        let stored = fixture.sink.store(&staged, progress).await.unwrap();
        assert_eq!(stored.file(), &staged.file);
        assert_eq!(sent.into_inner(), 6, "progress adds up to the size");
    }
    assert_eq!(fixture.store.calls(Operation::Put, ""), 1);
}

#[tokio::test]
async fn replaces_an_orphan_with_other_bytes() {
    for orphan in ["event!", "half"] {
        let fixture = fixture();
        let staged = fixture.staged("2025-03", b"events");
        fixture.put(&staged.file.path, orphan).await;
        fixture.sink.store(&staged, |_| {}).await.unwrap();
        assert_eq!(fixture.get(&staged.file.path).await.unwrap(), "events");
    }
}

#[tokio::test]
async fn stores_and_reads_a_large_file_in_parts() {
    let fixture = fixture();
    let bytes = (0..=2 * PART).map(|index| u8::try_from(index % 251).unwrap()).collect::<Vec<_>>();
    let staged = fixture.staged("2025-03", &bytes);
    fixture.sink.store(&staged, |_| {}).await.unwrap();
    assert_eq!(fixture.store.calls(Operation::Part, ""), 3);
    let read = fixture.sink.read(&staged.file.path).try_collect::<Vec<_>>().await.unwrap();
    assert!(read.concat() == bytes);
    let expected = Some((staged.file.bytes, staged.file.sha256));
    assert_eq!(fixture.sink.digest(&staged.file.path).await.unwrap(), expected);
}

#[tokio::test]
async fn aborts_a_failed_multipart_upload() {
    for operation in [Operation::Part, Operation::Complete] {
        let fixture = fixture();
        let size = usize::try_from(PART + 1).unwrap();
        let staged = fixture.staged("2025-03", &vec![7; size]);
        fixture.store.plan(operation, "", Fault::Reject(Answer::Unavailable));
        assert_eq!(fixture.sink.store(&staged, |_| {}).await.unwrap_err().kind(), ErrorKind::Store);
        assert_eq!(fixture.store.calls(Operation::Abort, ""), 1);
        assert!(fixture.sink.head(&staged.file.path).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_lost_response_does_not_fail_the_file() {
    let fixture = fixture();
    fixture.store.plan(Operation::Put, "", Fault::FailAfterEffect(Answer::Unavailable));
    fixture.sink.store(&fixture.staged("2025-03", b"events"), |_| {}).await.unwrap();
    assert_eq!(fixture.store.calls(Operation::Put, ""), 1);
}

#[tokio::test]
async fn a_store_that_keeps_other_bytes_confirms_no_file() {
    for (confirm, kept) in [(Confirm::Checksum, "half"), (Confirm::ReadBack, "half"), (Confirm::ReadBack, "event!")] {
        let fixture = fixture();
        let sink = Sink { confirm, ..fixture.sink.clone() };
        let staged = fixture.staged("2025-03", b"events");
        let (store, path) = (fixture.sink.store.clone(), Path::from(staged.file.path.as_str()));
        let change = async move {
            store.put(&path, kept.into()).await.unwrap();
        };
        fixture.store.plan(Operation::Head, "", Fault::Pass);
        fixture.store.plan(Operation::Head, "", Fault::race_with(change));
        let error = sink.store(&staged, |_| {}).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store, "{confirm:?}, {kept}");
    }
}

#[tokio::test]
async fn a_checksum_of_the_store_confirms_a_file() {
    let fixture = fixture();
    let sink = Sink { confirm: Confirm::Checksum, ..fixture.sink.clone() };
    sink.store(&fixture.staged("2025-03", b"events"), |_| {}).await.unwrap();
    assert_eq!(fixture.store.calls(Operation::Get, ""), 0, "nothing is read back");
}

#[tokio::test]
async fn a_missing_or_changed_file_is_found_without_reading_it() {
    let fixture = fixture();
    let stored = fixture.sink.store(&fixture.staged("2025-03", b"events"), |_| {}).await.unwrap();
    let files = [stored.file().clone()];
    fixture.sink.check_files(&files).await.unwrap();
    fixture.put(&files[0].path, "events and more").await;
    assert_eq!(fixture.sink.check_files(&files).await.unwrap_err().kind(), ErrorKind::BrokenChain);
    fixture.sink.store.delete(&Path::from(files[0].path.as_str())).await.unwrap();
    assert_eq!(fixture.sink.check_files(&files).await.unwrap_err().kind(), ErrorKind::BrokenChain);
}

#[tokio::test]
async fn refuses_a_staged_file_that_changed() {
    let fixture = fixture();
    for changed in [&b"event!"[..], b"events and more", b""] {
        let staged = fixture.staged("2025-03", b"events");
        std::fs::write(&staged.local, changed).unwrap();
        let error = fixture.sink.store(&staged, |_| {}).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local);
    }
    assert_eq!(fixture.store.calls(Operation::Put, ""), 0);
}

#[tokio::test]
async fn denied_requests_are_unauthorized() {
    let fixture = fixture();
    fixture.store.plan(Operation::Put, "", Fault::Reject(Answer::Forbidden));
    let error = fixture.sink.store(&fixture.staged("2025-03", b"events"), |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn checks_a_copy_against_the_manifest() {
    let (from, to) = (fixture(), fixture());
    let staged = from.staged("2025-03", b"events");
    from.sink.store(&staged, |_| {}).await.unwrap();
    assert!(to.sink.copy(&from.sink, &staged.file, |_| {}).await.unwrap());
    assert!(!to.sink.copy(&from.sink, &staged.file, |_| {}).await.unwrap(), "sent twice");
    assert_eq!(to.get(&staged.file.path).await.unwrap(), "events");
    let damaged = from.staged("2025-04", b"events of April");
    for content in [None, Some("something else."), Some("shorter")] {
        if let Some(bytes) = content {
            from.put(&damaged.file.path, bytes).await;
        }
        let error = to.sink.copy(&from.sink, &damaged.file, |_| {}).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenChain, "{content:?}");
        assert!(error.to_string().contains(&damaged.file.path), "{error}");
    }
    assert!(to.get(&damaged.file.path).await.is_none());
}

#[tokio::test]
async fn refuses_paths_outside_the_archive() {
    let error = fixture().sink.head("events/../../secret").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenChain);
}

#[test]
fn futures_are_send() {
    fn check<T: Send>(_: &T) {}
    let (fixture, mut chain) = (fixture(), empty());
    let staged = fixture.staged("2025-03", b"events");
    let draft = draft("2025-03");
    check(&fixture.sink.store(&staged, |_| {}));
    check(&fixture.sink.copy(&fixture.sink, &staged.file, |_| {}));
    check(&fixture.sink.chain::<Manifest>(ARCHIVE));
    check(&fixture.sink.complete_sums(&chain));
    check(&fixture.sink.remove_orphans(&chain, &draft.dataset, draft.month));
    check(&fixture.sink.commit(&mut chain, &draft, &[]));
}
