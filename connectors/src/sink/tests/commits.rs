//! The commit protocol under every kind of answer.

use super::*;
use crate::testing::{Answer, Fault, Operation};
use futures::{StreamExt, stream};

/// Commits March while `fault` waits for the put of the manifest, and returns the outcome and the chain that is read
/// afterwards.
async fn commit_under(fault: Fault) -> (Place, Result<Commit>, Chain) {
    let place = place();
    place.store.plan(Operation::Put, "manifests/00000001.json", fault);
    let outcome = archive(&place, &mut empty(), "2025-03").await;
    let chain = place.sink.chain(ARCHIVE).await.unwrap();
    (place, outcome, chain)
}

#[tokio::test]
async fn whatever_the_store_answers_a_commit_happens_once() {
    for answer in [Answer::AlreadyExists, Answer::Unavailable, Answer::Forbidden] {
        let (_, outcome, chain) = commit_under(Fault::FailAfterEffect(answer)).await;
        assert!(matches!(outcome, Ok(Commit::Done(_))), "{answer:?} after the effect: {outcome:?}");
        assert_eq!(chain.head().unwrap().sha256, outcome.unwrap().entry().sha256);
    }
    for answer in [Answer::AlreadyExists, Answer::Unavailable] {
        let (place, outcome, chain) = commit_under(Fault::Reject(answer)).await;
        assert!(matches!(outcome, Ok(Commit::Done(_))), "{answer:?} without effect: {outcome:?}");
        assert_eq!(chain.entries().len(), 1);
        assert_eq!(place.store.calls(Operation::Put, "00000001.json"), 2);
    }
}

#[tokio::test]
async fn an_unreadable_store_does_not_double_a_commit() {
    let place = place();
    place.store.plan(Operation::Put, "00000001.json", Fault::FailAfterEffect(Answer::Unavailable));
    place.store.plan(Operation::Get, "00000001.json", Fault::Reject(Answer::Unavailable));
    let outcome = archive(&place, &mut empty(), "2025-03").await.unwrap();
    assert!(matches!(outcome, Commit::Done(_)));
    assert_eq!(place.sink.chain(ARCHIVE).await.unwrap().entries().len(), 1);
}

#[tokio::test]
async fn a_store_that_keeps_failing_is_given_up() {
    let place = place();
    place.store.reject(Operation::Put, "manifests/", Answer::Unavailable, 100);
    let error = archive(&place, &mut empty(), "2025-03").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(place.sink.chain(ARCHIVE).await.unwrap().entries().is_empty());
}

#[tokio::test]
async fn a_refused_key_is_not_tried_again() {
    let (place, outcome, _) = commit_under(Fault::Reject(Answer::Forbidden)).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(place.store.calls(Operation::Put, "manifests/"), 1);
}

/// Commits March while another writer commits `other` right before the put.
async fn commit_behind(other: &'static str) -> (Commit, Chain) {
    let place = place();
    let rival = Place { store: place.store.clone(), sink: place.sink.clone(), folder: tempfile::tempdir().unwrap() };
    let race = async move {
        archive(&rival, &mut empty(), other).await.unwrap();
    };
    place.store.plan(Operation::Put, "00000001.json", Fault::race_with(race));
    let mut chain = empty();
    let outcome = archive(&place, &mut chain, "2025-03").await.unwrap();
    assert_eq!(chain.head(), place.sink.chain(ARCHIVE).await.unwrap().head());
    (outcome, chain)
}

#[tokio::test]
async fn the_loser_of_a_race_commits_another_month_behind_the_winner() {
    let (outcome, chain) = commit_behind("2025-02").await;
    assert!(matches!(outcome, Commit::Done(_)));
    assert_eq!(chain.head().unwrap().sequence, 2);
}

#[tokio::test]
async fn the_loser_of_a_race_for_one_month_adopts_the_winner() {
    // The rival's draft is the same to the byte but for the time of its commit.
    let place = place();
    let rival = place.sink.clone();
    let staged = place.staged("2025-03", b"2025-03");
    let file = place.sink.store(&staged, |_| {}).await.unwrap();
    let (mut first, theirs) = (draft("2025-03"), file.clone());
    first.committed_at = Timestamp::from_micros(0);
    let race = async move {
        rival.commit(&mut empty(), &first, &[theirs]).await.unwrap();
    };
    place.store.plan(Operation::Put, "00000001.json", Fault::race_with(race));
    let outcome = place.sink.commit(&mut empty(), &draft("2025-03"), &[file]).await.unwrap();
    assert!(matches!(&outcome, Commit::Already(entry) if entry.manifest.committed_at.as_micros() == 0), "{outcome:?}");
    assert_eq!(place.sink.chain(ARCHIVE).await.unwrap().entries().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_writers_make_one_dense_chain_with_every_month_once() {
    let place = &place();
    let writers = stream::iter(0..8).map(|writer| async move {
        let mut chain = empty();
        for month in ["2025-01", "2025-02", "2025-03"] {
            let own = format!("20{:02}-12", 10 + writer);
            archive(place, &mut chain, &own).await.unwrap();
            let mut draft = draft(month);
            draft.committed_at = Timestamp::from_micros(writer);
            let file = place.sink.store(&place.staged(month, month.as_bytes()), |_| {}).await.unwrap();
            place.sink.commit(&mut chain, &draft, &[file]).await.unwrap();
        }
    });
    writers.buffer_unordered(8).collect::<()>().await;
    let chain = place.sink.chain(ARCHIVE).await.unwrap();
    assert_eq!(chain.entries().len(), 8 + 3);
}

#[tokio::test]
async fn a_file_that_vanished_is_not_committed() {
    let place = place();
    let file = place.sink.store(&place.staged("2025-03", b"events"), |_| {}).await.unwrap();
    place.sink.store.delete(&Path::from(file.data_file().path.as_str())).await.unwrap();
    let error = place.sink.commit(&mut empty(), &draft("2025-03"), &[file]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(place.store.calls(Operation::Put, "manifests/"), 0);
}

#[tokio::test]
async fn counts_that_do_not_add_up_are_not_committed() {
    let place = place();
    let mut draft = draft("2025-03");
    draft.events.read = 2;
    let error = place.sink.commit(&mut empty(), &draft, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert_eq!(place.store.calls(Operation::Put, ""), 0);
}

#[tokio::test]
async fn a_column_of_another_type_is_committed_only_when_it_is_accepted() {
    let place = place();
    let typed = |month: &str, id: ColumnType| {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind, source_type: None, nullable: false };
        let columns = vec![column("id", id), column("time", ColumnType::TimestampUtc)];
        Draft { schema: Some(Schema::new(columns, "id", "time").unwrap()), ..draft(month) }
    };
    let file = place.sink.store(&place.staged("2025-03", b"events"), |_| {}).await.unwrap();
    let (mut chain, files) = (empty(), [file]);
    place.sink.commit(&mut chain, &typed("2025-03", ColumnType::Text), &files).await.unwrap();
    let mut changed = typed("2025-04", ColumnType::Uuid);
    let error = place.sink.commit(&mut chain, &changed, &files).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(error.to_string().contains("uuid") && error.to_string().contains("text"), "{error}");
    assert!(error.hint().unwrap().contains("--accept-schema-change"), "{error:?}");
    changed.accept_schema_change = true;
    place.sink.commit(&mut chain, &changed, &files).await.unwrap();
    assert_eq!(chain.entries().len(), 2);
}

#[tokio::test]
async fn missing_sums_are_no_failure_and_added_later() {
    let place = place();
    place.store.reject(Operation::Put, "SHA256SUMS", Answer::Forbidden, 1);
    let mut chain = empty();
    archive(&place, &mut chain, "2025-03").await.unwrap();
    assert!(place.get(&key::sums(1)).await.is_none());
    place.sink.complete_sums(&chain).await.unwrap();
    let entry = &chain.entries()[0];
    let sums = place.get(&key::sums(1)).await.unwrap();
    assert_eq!(sums, entry.manifest.sha256sums(&entry.sha256));
    let puts = place.store.calls(Operation::Put, "");
    place.sink.complete_sums(&chain).await.unwrap();
    assert_eq!(place.store.calls(Operation::Put, ""), puts, "what is there is left alone");
}
