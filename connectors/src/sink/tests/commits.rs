//! The commit protocol under every kind of response.

use super::*;
use crate::testing::{Answer, Fault, Operation};
use futures::{StreamExt, stream};

/// Commits March with `fault` at the put of the manifest. Returns the outcome, and the chain
/// read afterwards.
async fn commit_under(fault: Fault) -> (Fixture, Result<Commit>, Chain) {
    let fixture = fixture();
    fixture.store.plan(Operation::Put, "manifests/00000001.json", fault);
    let outcome = archive(&fixture, &mut empty(), "2025-03").await;
    let chain = fixture.sink.chain::<Manifest>(ARCHIVE).await.unwrap();
    (fixture, outcome, chain)
}

#[tokio::test]
async fn every_result_of_a_put_commits_once() {
    for answer in [Answer::AlreadyExists, Answer::Unavailable, Answer::Forbidden] {
        let (_, outcome, chain) = commit_under(Fault::FailAfterEffect(answer)).await;
        assert!(matches!(outcome, Ok(Commit::Done(_))), "{answer:?} after the effect: {outcome:?}");
        assert_eq!(chain.head().unwrap().sha256, outcome.unwrap().entry().sha256);
    }
    for answer in [Answer::AlreadyExists, Answer::Unavailable] {
        let (fixture, outcome, chain) = commit_under(Fault::Reject(answer)).await;
        assert!(matches!(outcome, Ok(Commit::Done(_))), "{answer:?} without effect: {outcome:?}");
        assert_eq!(chain.entries().len(), 1);
        assert_eq!(fixture.store.calls(Operation::Put, "00000001.json"), 2);
    }
}

#[tokio::test]
async fn a_failed_read_does_not_double_a_commit() {
    let fixture = fixture();
    fixture.store.plan(Operation::Put, "00000001.json", Fault::FailAfterEffect(Answer::Unavailable));
    fixture.store.plan(Operation::Get, "00000001.json", Fault::Reject(Answer::Unavailable));
    let outcome = archive(&fixture, &mut empty(), "2025-03").await.unwrap();
    assert!(matches!(outcome, Commit::Done(_)));
    assert_eq!(fixture.sink.chain::<Manifest>(ARCHIVE).await.unwrap().entries().len(), 1);
}

#[tokio::test]
async fn fails_after_repeated_failures_of_the_store() {
    let fixture = fixture();
    fixture.store.reject(Operation::Put, "manifests/", Answer::Unavailable, 100);
    let error = archive(&fixture, &mut empty(), "2025-03").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(fixture.sink.chain::<Manifest>(ARCHIVE).await.unwrap().entries().is_empty());
}

#[tokio::test]
async fn denied_requests_are_not_retried() {
    let (fixture, outcome, _) = commit_under(Fault::Reject(Answer::Forbidden)).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(fixture.store.calls(Operation::Put, "manifests/"), 1);
}

/// Commits March while another writer commits `other` right before the put.
async fn commit_behind(other: &'static str) -> (Commit, Chain) {
    let fixture = fixture();
    let rival =
        Fixture { store: fixture.store.clone(), sink: fixture.sink.clone(), folder: tempfile::tempdir().unwrap() };
    let race = async move {
        archive(&rival, &mut empty(), other).await.unwrap();
    };
    fixture.store.plan(Operation::Put, "00000001.json", Fault::race_with(race));
    let mut chain = empty();
    let outcome = archive(&fixture, &mut chain, "2025-03").await.unwrap();
    assert_eq!(chain.head(), fixture.sink.chain::<Manifest>(ARCHIVE).await.unwrap().head());
    (outcome, chain)
}

#[tokio::test]
async fn the_loser_of_a_race_commits_its_month_after_the_winner() {
    let (outcome, chain) = commit_behind("2025-02").await;
    assert!(matches!(outcome, Commit::Done(_)));
    assert_eq!(chain.head().unwrap().sequence, 2);
}

#[tokio::test]
async fn the_loser_of_a_race_for_one_month_adopts_the_winner() {
    // The drafts differ only in the time of the commit.
    let fixture = fixture();
    let rival = fixture.sink.clone();
    let staged = fixture.staged("2025-03", b"2025-03");
    let file = fixture.sink.store(&staged, |_| {}).await.unwrap();
    let (mut first, theirs) = (draft("2025-03"), file.clone());
    first.committed_at = Timestamp::from_micros(0);
    let race = async move {
        rival.commit(&mut empty(), &first, &[theirs]).await.unwrap();
    };
    fixture.store.plan(Operation::Put, "00000001.json", Fault::race_with(race));
    let outcome = fixture.sink.commit(&mut empty(), &draft("2025-03"), &[file]).await.unwrap();
    assert!(matches!(&outcome, Commit::Already(entry) if entry.manifest.committed_at.as_micros() == 0), "{outcome:?}");
    assert_eq!(fixture.sink.chain::<Manifest>(ARCHIVE).await.unwrap().entries().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_writers_make_one_dense_chain_with_every_month_once() {
    let fixture = &fixture();
    let writers = stream::iter(0..8).map(|writer| async move {
        let mut chain = empty();
        for month in ["2025-01", "2025-02", "2025-03"] {
            let own = format!("20{:02}-12", 10 + writer);
            archive(fixture, &mut chain, &own).await.unwrap();
            let mut draft = draft(month);
            draft.committed_at = Timestamp::from_micros(writer);
            let file = fixture.sink.store(&fixture.staged(month, month.as_bytes()), |_| {}).await.unwrap();
            fixture.sink.commit(&mut chain, &draft, &[file]).await.unwrap();
        }
    });
    writers.buffer_unordered(8).collect::<()>().await;
    let chain = fixture.sink.chain::<Manifest>(ARCHIVE).await.unwrap();
    assert_eq!(chain.entries().len(), 8 + 3);
}

#[tokio::test]
async fn refuses_to_commit_a_missing_file() {
    let fixture = fixture();
    let file = fixture.sink.store(&fixture.staged("2025-03", b"events"), |_| {}).await.unwrap();
    fixture.sink.store.delete(&Path::from(file.file().path.as_str())).await.unwrap();
    let error = fixture.sink.commit(&mut empty(), &draft("2025-03"), &[file]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(fixture.store.calls(Operation::Put, "manifests/"), 0);
}

#[tokio::test]
async fn refuses_to_commit_a_file_of_another_size() {
    let fixture = fixture();
    let file = fixture.sink.store(&fixture.staged("2025-03", b"events"), |_| {}).await.unwrap();
    fixture.put(&file.file().path, "events and more").await;
    let error = fixture.sink.commit(&mut empty(), &draft("2025-03"), &[file]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(fixture.store.calls(Operation::Put, "manifests/"), 0);
}

#[tokio::test]
async fn refuses_counts_that_do_not_add_up() {
    let fixture = fixture();
    let mut draft = draft("2025-03");
    draft.events.read = 2;
    let error = fixture.sink.commit(&mut empty(), &draft, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert_eq!(fixture.store.calls(Operation::Put, ""), 0);
}

#[tokio::test]
async fn refuses_a_changed_column_type_unless_accepted() {
    let fixture = fixture();
    let typed = |month: &str, id: ColumnType| {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind, source_type: None, nullable: false };
        let columns = vec![column("id", id), column("time", ColumnType::TimestampUtc)];
        MonthDraft { schema: Some(Schema::new(columns, "id", "time").unwrap()), ..draft(month) }
    };
    let file = fixture.sink.store(&fixture.staged("2025-03", b"events"), |_| {}).await.unwrap();
    let (mut chain, files) = (empty(), [file]);
    fixture.sink.commit(&mut chain, &typed("2025-03", ColumnType::Text), &files).await.unwrap();
    let mut changed = typed("2025-04", ColumnType::Uuid);
    let error = fixture.sink.commit(&mut chain, &changed, &files).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(error.to_string().contains("uuid") && error.to_string().contains("text"), "{error}");
    assert!(error.hint().contains("--accept-schema-change"), "{error:?}");
    changed.accept_schema_change = true;
    fixture.sink.commit(&mut chain, &changed, &files).await.unwrap();
    assert_eq!(chain.entries().len(), 2);
}

#[tokio::test]
async fn missing_sums_are_added_later() {
    let fixture = fixture();
    fixture.store.reject(Operation::Put, "SHA256SUMS", Answer::Forbidden, 1);
    let mut chain = empty();
    archive(&fixture, &mut chain, "2025-03").await.unwrap();
    assert!(fixture.get(&key::sums(1)).await.is_none());
    fixture.sink.complete_sums(&chain).await.unwrap();
    let entry = &chain.entries()[0];
    let sums = fixture.get(&key::sums(1)).await.unwrap();
    assert_eq!(sums, entry.manifest.sha256sums(&entry.sha256));
    let puts = fixture.store.calls(Operation::Put, "");
    fixture.sink.complete_sums(&chain).await.unwrap();
    assert_eq!(fixture.store.calls(Operation::Put, ""), puts, "existing sums are not written again");
}
