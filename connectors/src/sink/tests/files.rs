//! Storing data files.

use super::*;
use crate::testing::{Answer, Fault, Operation};
use futures::TryStreamExt;

#[tokio::test]
async fn a_stored_file_is_not_sent_again() {
    let place = place();
    let staged = place.staged("2025-03", b"events");
    for _ in 0..2 {
        let sent = atomic::AtomicU64::new(0);
        let progress = |bytes| {
            sent.fetch_add(bytes, atomic::Ordering::Relaxed);
        };
        let stored = place.sink.store(&staged, progress).await.unwrap();
        assert_eq!(stored.data_file(), &staged.file);
        assert_eq!(sent.into_inner(), 6, "progress adds up to the size");
    }
    assert_eq!(place.store.calls(Operation::Put, ""), 1);
}

#[tokio::test]
async fn an_orphan_with_other_bytes_is_replaced() {
    for orphan in ["event!", "half"] {
        let place = place();
        let staged = place.staged("2025-03", b"events");
        place.put(&staged.file.path, orphan).await;
        place.sink.store(&staged, |_| {}).await.unwrap();
        assert_eq!(place.get(&staged.file.path).await.unwrap(), "events");
    }
}

#[tokio::test]
async fn a_large_file_goes_in_parts_and_reads_back() {
    let place = place();
    let bytes = (0..=2 * PART).map(|index| u8::try_from(index % 251).unwrap()).collect::<Vec<_>>();
    let staged = place.staged("2025-03", &bytes);
    place.sink.store(&staged, |_| {}).await.unwrap();
    assert_eq!(place.store.calls(Operation::Part, ""), 3);
    let read = place.sink.read(&staged.file.path).try_collect::<Vec<_>>().await.unwrap();
    assert!(read.concat() == bytes);
    let expected = Some((staged.file.bytes, staged.file.sha256));
    assert_eq!(place.sink.digest(&staged.file.path).await.unwrap(), expected);
}

#[tokio::test]
async fn a_failed_upload_in_parts_is_aborted() {
    for operation in [Operation::Part, Operation::Complete] {
        let place = place();
        let size = usize::try_from(PART + 1).unwrap();
        let staged = place.staged("2025-03", &vec![7; size]);
        place.store.plan(operation, "", Fault::Reject(Answer::Unavailable));
        assert_eq!(place.sink.store(&staged, |_| {}).await.unwrap_err().kind(), ErrorKind::Store);
        assert_eq!(place.store.calls(Operation::Abort, ""), 1);
        assert!(place.sink.head(&staged.file.path).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_lost_answer_is_no_failure_of_the_file() {
    let place = place();
    place.store.plan(Operation::Put, "", Fault::FailAfterEffect(Answer::Unavailable));
    place.sink.store(&place.staged("2025-03", b"events"), |_| {}).await.unwrap();
    assert_eq!(place.store.calls(Operation::Put, ""), 1);
}

#[tokio::test]
async fn a_file_that_changed_on_the_disk_is_not_stored() {
    let place = place();
    for changed in [&b"event!"[..], b"events and more", b""] {
        let staged = place.staged("2025-03", b"events");
        std::fs::write(&staged.local, changed).unwrap();
        let error = place.sink.store(&staged, |_| {}).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local);
    }
    assert_eq!(place.store.calls(Operation::Put, ""), 0);
}

#[tokio::test]
async fn a_refused_key_is_told_from_a_failing_store() {
    let place = place();
    place.store.plan(Operation::Put, "", Fault::Reject(Answer::Forbidden));
    let error = place.sink.store(&place.staged("2025-03", b"events"), |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn a_copy_is_checked_against_the_manifest() {
    let (from, to) = (place(), place());
    let staged = from.staged("2025-03", b"events");
    from.sink.store(&staged, |_| {}).await.unwrap();
    assert!(to.sink.copy(&from.sink, &staged.file, |_| {}).await.unwrap());
    assert!(!to.sink.copy(&from.sink, &staged.file, |_| {}).await.unwrap(), "it was sent twice");
    assert_eq!(to.get(&staged.file.path).await.unwrap(), "events");
    let damaged = from.staged("2025-04", b"events of April");
    for lies in [None, Some("something else."), Some("shorter")] {
        if let Some(bytes) = lies {
            from.put(&damaged.file.path, bytes).await;
        }
        let error = to.sink.copy(&from.sink, &damaged.file, |_| {}).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenChain, "{lies:?}");
        assert!(error.to_string().contains(&damaged.file.path), "{error}");
    }
    assert!(to.get(&damaged.file.path).await.is_none());
}

#[tokio::test]
async fn a_path_out_of_the_archive_is_refused() {
    let error = place().sink.head("events/../../secret").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenChain);
}

#[test]
fn everything_can_run_on_any_thread() {
    fn check<T: Send>(_: &T) {}
    let (place, mut chain) = (place(), empty());
    let staged = place.staged("2025-03", b"events");
    let draft = draft("2025-03");
    check(&place.sink.store(&staged, |_| {}));
    check(&place.sink.copy(&place.sink, &staged.file, |_| {}));
    check(&place.sink.chain(ARCHIVE));
    check(&place.sink.complete_sums(&chain));
    check(&place.sink.remove_orphans(&chain, &draft.dataset, draft.month));
    check(&place.sink.commit(&mut chain, &draft, &[]));
}
