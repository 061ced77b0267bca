//! Identity, and chains that are whole or broken.

use super::*;
use crate::testing::{Answer, Fault, Operation};

#[tokio::test]
async fn a_place_without_an_archive_has_no_identity() {
    assert!(place().sink.identity().await.unwrap().is_none());
}

#[tokio::test]
async fn the_loser_of_the_race_for_an_archive_adopts_it() {
    let place = place();
    let [ours, theirs] =
        [ARCHIVE, OTHER].map(|archive| ArchiveDocument::new(archive.to_owned(), Timestamp::from_micros(0)));
    let (rival, document) = (place.sink.clone(), theirs.clone());
    let race = async move {
        rival.create(&document).await.unwrap();
    };
    place.store.plan(Operation::Put, "archive.json", Fault::race_with(race));
    assert_eq!(place.sink.create(&ours).await.unwrap(), theirs);
    assert_eq!(place.sink.identity().await.unwrap(), Some(theirs));
}

#[tokio::test]
async fn an_archive_whose_answer_was_lost_is_ours() {
    let place = place();
    place.store.plan(Operation::Put, "archive.json", Fault::FailAfterEffect(Answer::AlreadyExists));
    let document = ArchiveDocument::new(ARCHIVE.to_owned(), Timestamp::from_micros(0));
    assert_eq!(place.sink.create(&document).await.unwrap(), document);
}

#[tokio::test]
async fn another_format_is_not_read() {
    for document in ["{", "{}", r#"{"format": "keeptrusts-archive/2"}"#, r#"{"format": "keeptrusts-archive/1"}"#] {
        let place = place();
        place.put("archive.json", document).await;
        assert_eq!(place.sink.identity().await.unwrap_err().kind(), ErrorKind::BrokenChain, "{document}");
    }
}

/// Folders of the host are named after an archive: a run empties the one for its staged files.
#[tokio::test]
async fn an_identity_is_a_uuid_and_never_a_path() {
    let document =
        r#"{"format": "keeptrusts-archive/1", "archive": "../../home", "created_at": "2025-01-01T00:00:00Z"}"#;
    let place = place();
    place.put("archive.json", document).await;
    assert_eq!(place.sink.identity().await.unwrap_err().kind(), ErrorKind::BrokenChain);
    let ours = ArchiveDocument::new(ARCHIVE.to_owned(), Timestamp::from_micros(0));
    assert_eq!(place.sink.create(&ours).await.unwrap_err().kind(), ErrorKind::BrokenChain);
}

#[tokio::test]
async fn manifests_without_the_archives_name_are_no_empty_place() {
    let place = three_months().await;
    let error = place.sink.identity().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenChain);
    assert!(error.hint().is_some());
    let document = ArchiveDocument::new(ARCHIVE.to_owned(), Timestamp::from_micros(0));
    place.sink.create(&document).await.unwrap();
    assert_eq!(place.sink.identity().await.unwrap(), Some(document));
}

/// A chain of three months.
async fn three_months() -> Place {
    let place = place();
    let mut chain = empty();
    for month in ["2025-01", "2025-02", "2025-03"] {
        archive(&place, &mut chain, month).await.unwrap();
    }
    place
}

/// A chain that cannot be read is not continued either.
async fn assert_broken(place: &Place, what: &str) {
    let error = place.sink.chain(ARCHIVE).await.expect_err(what);
    assert_eq!(error.kind(), ErrorKind::BrokenChain, "{what}: {error:?}");
    assert!(error.hint().is_some());
    let puts = place.store.calls(Operation::Put, "manifests/");
    let error = archive(place, &mut empty(), "2025-04").await.expect_err(what);
    assert_eq!(error.kind(), ErrorKind::BrokenChain, "{what}: {error:?}");
    assert_eq!(place.store.calls(Operation::Put, "manifests/"), puts, "{what}");
}

#[tokio::test]
async fn every_hole_breaks_the_chain() {
    for sequence in 1..=3 {
        let place = three_months().await;
        place.sink.store.delete(&Path::from(key::manifest(sequence))).await.unwrap();
        assert_broken(&place, &format!("without manifest {sequence}")).await;
    }
}

#[tokio::test]
async fn a_changed_manifest_breaks_the_chain() {
    let place = three_months().await;
    let text = String::from_utf8(place.get(&key::manifest(2)).await.unwrap().to_vec()).unwrap();
    let path = Path::from(key::manifest(2));
    for changed in [text.replace("2025-02", "2024-02"), text.replace("archive/1", "archive/2"), text[1..].to_owned()] {
        place.sink.store.put(&path, changed.into()).await.unwrap();
        assert_broken(&place, "with another manifest 2").await;
    }
}

#[tokio::test]
async fn manifests_of_another_archive_are_none_of_ours() {
    let place = three_months().await;
    assert_eq!(place.sink.chain("another").await.unwrap_err().kind(), ErrorKind::BrokenChain);
}

#[tokio::test]
async fn a_chain_that_lost_its_end_is_noticed_by_who_knew_it() {
    let place = three_months().await;
    let mut known = place.sink.chain(ARCHIVE).await.unwrap();
    for path in [key::manifest(3), key::sums(3)] {
        place.sink.store.delete(&Path::from(path)).await.unwrap();
    }
    assert_eq!(place.sink.catch_up(&mut known).await.unwrap_err().kind(), ErrorKind::BrokenChain);
}

#[tokio::test]
async fn catching_up_reads_only_what_is_new() {
    let place = three_months().await;
    let mut known = place.sink.chain(ARCHIVE).await.unwrap();
    let reads = place.store.calls(Operation::Get, "manifests/");
    archive(&place, &mut known.clone(), "2025-04").await.unwrap();
    place.sink.catch_up(&mut known).await.unwrap();
    assert_eq!(known.head().unwrap().sequence, 4);
    assert_eq!(place.store.calls(Operation::Get, "manifests/"), reads + 1);
}

#[tokio::test]
async fn orphans_of_a_committed_month_are_removed_and_no_others() {
    let place = three_months().await;
    let chain = place.sink.chain(ARCHIVE).await.unwrap();
    let orphan = "events/parquet/month=2025-03/part-00000-0123456789abcdef.parquet";
    for path in [orphan, "events/parquet/month=2025-04/part-00000-0123456789abcdef.parquet"] {
        place.put(path, "left by a crash").await;
    }
    let (dataset, months) = ("events".parse().unwrap(), ["2025-03", "2025-04"].map(|month| month.parse().unwrap()));
    assert_eq!(place.sink.remove_orphans(&chain, &dataset, months[0]).await.unwrap(), [orphan]);
    let file = &chain.month(&dataset, months[0]).unwrap().manifest.files[0];
    assert!(place.get(&file.path).await.is_some(), "what a manifest names stays");
    assert_eq!(place.sink.remove_orphans(&chain, &dataset, months[1]).await.unwrap_err().kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn a_place_that_refuses_to_delete_keeps_its_orphans() {
    let place = three_months().await;
    let chain = place.sink.chain(ARCHIVE).await.unwrap();
    for name in ["a", "b"] {
        place.put(&format!("events/csv/month=2025-03/{name}"), "left by a crash").await;
    }
    place.store.reject(Operation::Delete, "", Answer::Forbidden, 2);
    let (dataset, month) = ("events".parse().unwrap(), "2025-03".parse().unwrap());
    assert!(place.sink.remove_orphans(&chain, &dataset, month).await.unwrap().is_empty());
    assert_eq!(place.store.calls(Operation::Delete, ""), 1, "asked once, and taken at its word");
}
