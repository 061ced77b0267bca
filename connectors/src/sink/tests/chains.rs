//! Identities, complete and broken chains, and orphans.

use super::*;
use crate::testing::{Answer, Fault, Operation};

#[tokio::test]
async fn an_empty_location_has_no_identity() {
    assert!(fixture().sink.identity::<Manifest>().await.unwrap().is_none());
}

#[tokio::test]
async fn the_loser_of_a_creation_race_adopts_the_archive() {
    let fixture = fixture();
    let [ours, theirs] =
        [ARCHIVE, OTHER].map(|archive| ArchiveDocument::new::<Manifest>(archive.to_owned(), Timestamp::from_micros(0)));
    let (rival, document) = (fixture.sink.clone(), theirs.clone());
    let race = async move {
        rival.create::<Manifest>(&document).await.unwrap();
    };
    fixture.store.plan(Operation::Put, "archive.json", Fault::race_with(race));
    assert_eq!(fixture.sink.create::<Manifest>(&ours).await.unwrap().document, theirs);
    assert_eq!(fixture.sink.identity::<Manifest>().await.unwrap(), Some(theirs.into()));
}

#[tokio::test]
async fn a_creation_with_a_lost_response_succeeds() {
    let fixture = fixture();
    fixture.store.plan(Operation::Put, "archive.json", Fault::FailAfterEffect(Answer::AlreadyExists));
    let document = ArchiveDocument::new::<Manifest>(ARCHIVE.to_owned(), Timestamp::from_micros(0));
    assert_eq!(fixture.sink.create::<Manifest>(&document).await.unwrap(), document.into());
}

#[tokio::test]
async fn a_stale_404_after_the_creation_changes_no_identity() {
    let fixture = fixture();
    fixture.store.reject(Operation::Get, "archive.json", Answer::NotFound, 1);
    let document = ArchiveDocument::new::<Manifest>(ARCHIVE.to_owned(), Timestamp::from_micros(0));
    let created = fixture.sink.create::<Manifest>(&document).await.unwrap();
    archive(&fixture, &mut Chain::new(created.document.archive), "2025-03").await.unwrap();
    assert_eq!(fixture.sink.chain::<Manifest>(ARCHIVE).await.unwrap().entries().len(), 1);
}

#[tokio::test]
async fn refuses_to_commit_without_an_identity() {
    let fixture = fixture();
    let error = archive(&fixture, &mut Chain::new(String::new()), "2025-03").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(fixture.store.calls(Operation::Put, "manifests/"), 0);
}

#[tokio::test]
async fn refuses_other_formats() {
    for document in ["{", "{}", r#"{"format": "keeptrusts-archive/2"}"#, r#"{"format": "keeptrusts-archive/1"}"#] {
        let fixture = fixture();
        fixture.put("archive.json", document).await;
        assert_eq!(fixture.sink.identity::<Manifest>().await.unwrap_err().kind(), ErrorKind::BrokenChain, "{document}");
    }
}

/// Folders of the host are named after the identity, and a run empties the one for its staged files.
#[tokio::test]
async fn refuses_an_identity_that_is_not_a_uuid() {
    let document =
        r#"{"format": "keeptrusts-archive/1", "archive": "../../home", "created_at": "2025-01-01T00:00:00Z"}"#;
    let fixture = fixture();
    fixture.put("archive.json", document).await;
    assert_eq!(fixture.sink.identity::<Manifest>().await.unwrap_err().kind(), ErrorKind::BrokenChain);
    let ours = ArchiveDocument::new::<Manifest>(ARCHIVE.to_owned(), Timestamp::from_micros(0));
    assert_eq!(fixture.sink.create::<Manifest>(&ours).await.unwrap_err().kind(), ErrorKind::BrokenChain);
}

#[tokio::test]
async fn manifests_without_archive_json_are_a_broken_archive() {
    let fixture = three_months().await;
    let error = fixture.sink.identity::<Manifest>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenChain);
    let document = ArchiveDocument::new::<Manifest>(ARCHIVE.to_owned(), Timestamp::from_micros(0));
    fixture.sink.create::<Manifest>(&document).await.unwrap();
    assert_eq!(fixture.sink.identity::<Manifest>().await.unwrap(), Some(document.into()));
}

/// A chain of three months.
async fn three_months() -> Fixture {
    let fixture = fixture();
    let mut chain = empty();
    for month in ["2025-01", "2025-02", "2025-03"] {
        archive(&fixture, &mut chain, month).await.unwrap();
    }
    fixture
}

/// A broken chain can be neither read nor continued.
async fn assert_broken(fixture: &Fixture, what: &str) {
    let error = fixture.sink.chain::<Manifest>(ARCHIVE).await.expect_err(what);
    assert_eq!(error.kind(), ErrorKind::BrokenChain, "{what}: {error:?}");
    let puts = fixture.store.calls(Operation::Put, "manifests/");
    let error = archive(fixture, &mut empty(), "2025-04").await.expect_err(what);
    assert_eq!(error.kind(), ErrorKind::BrokenChain, "{what}: {error:?}");
    assert_eq!(fixture.store.calls(Operation::Put, "manifests/"), puts, "{what}");
}

#[tokio::test]
async fn any_missing_manifest_breaks_the_chain() {
    for sequence in 1..=3 {
        let fixture = three_months().await;
        fixture.sink.store.delete(&Path::from(key::manifest(sequence))).await.unwrap();
        assert_broken(&fixture, &format!("without manifest {sequence}")).await;
    }
}

#[tokio::test]
async fn a_changed_manifest_breaks_the_chain() {
    let fixture = three_months().await;
    let text = String::from_utf8(fixture.get(&key::manifest(2)).await.unwrap().to_vec()).unwrap();
    let path = Path::from(key::manifest(2));
    for changed in [text.replace("2025-02", "2024-02"), text.replace("archive/1", "archive/2"), text[1..].to_owned()] {
        fixture.sink.store.put(&path, changed.into()).await.unwrap();
        assert_broken(&fixture, "with another manifest 2").await;
    }
}

#[tokio::test]
async fn refuses_manifests_of_another_archive() {
    let fixture = three_months().await;
    assert_eq!(fixture.sink.chain::<Manifest>("another").await.unwrap_err().kind(), ErrorKind::BrokenChain);
}

#[tokio::test]
async fn catching_up_detects_a_truncated_chain() {
    let fixture = three_months().await;
    let mut known = fixture.sink.chain::<Manifest>(ARCHIVE).await.unwrap();
    for path in [key::manifest(3), key::sums(3)] {
        fixture.sink.store.delete(&Path::from(path)).await.unwrap();
    }
    assert_eq!(fixture.sink.catch_up(&mut known).await.unwrap_err().kind(), ErrorKind::BrokenChain);
}

#[tokio::test]
async fn catching_up_reads_only_new_manifests() {
    let fixture = three_months().await;
    let mut known = fixture.sink.chain::<Manifest>(ARCHIVE).await.unwrap();
    let reads = fixture.store.calls(Operation::Get, "manifests/");
    archive(&fixture, &mut known.clone(), "2025-04").await.unwrap();
    fixture.sink.catch_up(&mut known).await.unwrap();
    assert_eq!(known.head().unwrap().sequence, 4);
    assert_eq!(fixture.store.calls(Operation::Get, "manifests/"), reads + 1);
}

#[tokio::test]
async fn the_first_manifest_alone_names_the_digest_of_archive_json() {
    let chain = three_months().await.sink.chain::<Manifest>(ARCHIVE).await.unwrap();
    let named = chain.entries().iter().map(|entry| entry.manifest.archive_sha256);
    assert_eq!(named.collect::<Vec<_>>(), [draft("2025-01").archive_sha256, None, None]);
    let later = String::from_utf8(chain.entries()[1].manifest.to_bytes()).unwrap();
    assert!(!later.contains("archive_sha256"), "{later}");
}

#[tokio::test]
async fn removes_orphans_of_committed_months_only() {
    let fixture = three_months().await;
    let chain = fixture.sink.chain::<Manifest>(ARCHIVE).await.unwrap();
    let orphan = "events/parquet/month=2025-03/part-00000-0123456789abcdef.parquet";
    for path in [orphan, "events/parquet/month=2025-04/part-00000-0123456789abcdef.parquet"] {
        fixture.put(path, "left by a crash").await;
    }
    let foreign = ["notes.txt", ".DS_Store", "@eaDir/part-00000-0123456789abcdef.parquet", "part-00000.parquet"];
    let foreign = foreign.map(|name| format!("events/parquet/month=2025-03/{name}"));
    for path in &foreign {
        fixture.put(path, "of another program").await;
    }
    let (dataset, months) = ("events".parse().unwrap(), ["2025-03", "2025-04"].map(|month| month.parse().unwrap()));
    assert_eq!(fixture.sink.remove_orphans(&chain, &dataset, months[0]).await.unwrap(), [orphan]);
    let file = &chain.month(&dataset, months[0]).unwrap().manifest.files[0];
    assert!(fixture.get(&file.path).await.is_some(), "files of manifests stay");
    for path in &foreign {
        assert!(fixture.get(path).await.is_some(), "{path} is not of a run");
    }
    assert_eq!(fixture.sink.remove_orphans(&chain, &dataset, months[1]).await.unwrap_err().kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn a_store_that_refuses_to_delete_keeps_orphans() {
    let fixture = three_months().await;
    let chain = fixture.sink.chain::<Manifest>(ARCHIVE).await.unwrap();
    for part in 0..2 {
        let path = format!("events/csv/month=2025-03/part-0000{part}-0123456789abcdef.csv.gz");
        fixture.put(&path, "left by a crash").await;
    }
    fixture.store.reject(Operation::Delete, "", Answer::Forbidden, 2);
    let (dataset, month) = ("events".parse().unwrap(), "2025-03".parse().unwrap());
    assert!(fixture.sink.remove_orphans(&chain, &dataset, month).await.unwrap().is_empty());
    assert_eq!(fixture.store.calls(Operation::Delete, ""), 1, "asked once");
}

/// The network may have changed a byte of what was read; then the chain that is known has another digest.
#[tokio::test]
async fn an_end_that_was_read_with_other_bytes_is_not_confirmed() {
    let fixture = fixture();
    let document = ArchiveDocument::new::<Manifest>(ARCHIVE.to_owned(), Timestamp::from_micros(0));
    let identity = fixture.sink.create::<Manifest>(&document).await.unwrap().sha256;
    fixture.sink.confirm_end(&empty(), identity).await.unwrap();
    let other = Sha256::digest(b"other");
    assert_eq!(fixture.sink.confirm_end(&empty(), other).await.unwrap_err().kind(), ErrorKind::Store);

    let mut chain = empty();
    archive(&fixture, &mut chain, "2025-03").await.unwrap();
    fixture.sink.confirm_end(&chain, identity).await.unwrap();
    let path = "manifests/00000001.json";
    let read = fixture.get(path).await.unwrap();
    let manifest = Manifest::from_bytes(&read).unwrap();
    let mut changed = empty();
    changed.push(archive_formats::Entry { sha256: other, manifest }).unwrap();
    let refused = fixture.sink.confirm_end(&changed, identity).await.unwrap_err();
    assert!(refused.to_string().contains(path), "{refused}");
    // Without its sums, a second read decides.
    fixture.sink.store.delete(&Path::from("manifests/00000001.SHA256SUMS")).await.unwrap();
    fixture.sink.confirm_end(&chain, identity).await.unwrap();
    assert!(fixture.sink.confirm_end(&changed, identity).await.is_err());
}
