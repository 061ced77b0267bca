//! Commits of months to stores that answer falsely, beside other writers, and with a crash after each write.

use archive::{
    ArchiveRoot,
    month::MonthPipeline,
    stage,
    verify::{Verifier, VerifyRequest},
};
use archive_connectors::{
    ErrorKind, EventStream, Result, Sink, Source, SourceItem, SourceReport,
    clock::FixedClock,
    demo::Demo,
    progress::Silent,
    sink::{Commit, Confirm},
    testing::{Answer, Fault, FaultyStore, Operation},
};
use archive_formats::{
    Chain, Column, ColumnType, Dataset, EventBatch, FileFormat, Manifest, Month, Schema, Sha256, Timestamp, Window,
    manifest::ArchiveDocument,
};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tempfile::TempDir;

const ARCHIVE: &str = "6f6d6a8e-0000-4000-8000-000000000000";

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

/// A bucket, and the hosts that write to it.
struct Bucket(FaultyStore);

/// A host: its own disk, and what it knows of the chain.
struct Host {
    pipeline: MonthPipeline,
    _disk: TempDir,
}

impl Bucket {
    async fn new() -> Self {
        let bucket = Self(FaultyStore::new(Arc::new(InMemory::new())));
        bucket
            .sink()
            .create::<Manifest>(&ArchiveDocument::new::<Manifest>(ARCHIVE.to_owned(), Timestamp::from_micros(0)))
            .await
            .unwrap();
        bucket
    }

    fn sink(&self) -> Sink {
        Sink::from_store(Arc::new(self.0.clone()), Confirm::ReadBack, "memory")
    }

    fn host(&self, source: impl Source) -> Host {
        let disk = tempfile::tempdir().unwrap();
        let document = ArchiveDocument::new::<Manifest>(ARCHIVE.to_owned(), Timestamp::from_micros(0));
        let archive = ArchiveRoot::new(self.sink(), document.into()).with_chain(Chain::new(ARCHIVE.to_owned()));
        let clock = Arc::new(FixedClock(Timestamp::from_micros(1_800_000_000_000_000)));
        let mut pipeline = MonthPipeline::new(archive, Arc::new(source), clock, disk.path().to_owned());
        pipeline.formats = BTreeSet::from([FileFormat::Parquet, FileFormat::Csv]);
        pipeline.part_size = 1 << 20;
        Host { pipeline, _disk: disk }
    }

    /// Every object and its digest.
    async fn snapshot(&self) -> BTreeMap<String, Sha256> {
        let objects = self.0.list(None).try_collect::<Vec<_>>().await.unwrap();
        let mut snapshot = BTreeMap::new();
        for object in objects {
            let bytes: Bytes = self.0.get(&object.location).await.unwrap().bytes().await.unwrap();
            snapshot.insert(object.location.to_string(), Sha256::digest(&bytes));
        }
        snapshot
    }

    /// Asserts that `verify` finds nothing and counts `months` manifests.
    async fn assert_whole(&self, months: u64) {
        let folder = tempfile::tempdir().unwrap();
        let verifier = Verifier { sink: self.sink(), folder: folder.path().to_owned(), progress: Arc::new(Silent) };
        let report = verifier.verify(ARCHIVE, &VerifyRequest::default()).await.unwrap();
        assert_eq!(report.findings, []);
        assert_eq!(report.manifests, months);
    }
}

impl Host {
    async fn archive(&self, text: &str) -> Result<Commit> {
        let ready = self.pipeline.prepare(&Dataset::default(), month(text)).await?;
        self.pipeline.commit(ready).await
    }
}

fn demo() -> Demo {
    Demo::new(150, 3)
}

#[tokio::test]
async fn month_is_committed_once_despite_false_store_responses() {
    let faults = [
        || Fault::FailAfterEffect(Answer::AlreadyExists),
        || Fault::FailAfterEffect(Answer::Unavailable),
        || Fault::FailAfterEffect(Answer::Forbidden),
        || Fault::Reject(Answer::AlreadyExists),
        || Fault::Reject(Answer::Unavailable),
    ];
    for (number, fault) in faults.iter().enumerate() {
        let bucket = Bucket::new().await;
        for part in ["manifests/00000001.json", "parquet/", "csv/", "SHA256SUMS"] {
            // A refused put of a data file is final: the store retries by itself.
            if number < 2 || part.starts_with("manifests") {
                bucket.0.plan(Operation::Put, part, fault());
            }
        }
        let commit = bucket.host(demo()).archive("2025-03").await.unwrap();
        assert!(matches!(commit, Commit::Done(_)), "fault {number}");
        let again = bucket.host(demo()).archive("2025-03").await.unwrap();
        assert!(matches!(&again, Commit::Already(entry) if entry.sha256 == commit.entry().sha256), "fault {number}");
        bucket.assert_whole(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_hosts_make_one_dense_chain_without_repeated_months() {
    let bucket = Bucket::new().await;
    // Hosts have different events, so that the losers' files are orphans.
    let hosts = (0..6).map(|host| bucket.host(Demo::new(100, host % 3))).collect::<Vec<_>>();
    let months = ["2025-01", "2025-02", "2025-03", "2025-04"];
    let racing = hosts.iter().enumerate().map(|(number, host)| async move {
        for turn in 0..months.len() {
            host.archive(months[(turn + number / 2) % months.len()]).await.unwrap();
        }
    });
    futures::future::join_all(racing).await;
    bucket.assert_whole(4).await;
}

#[tokio::test]
async fn crash_after_any_write_ends_in_the_same_archive() {
    let undisturbed = Bucket::new().await;
    undisturbed.host(demo()).archive("2025-03").await.unwrap();
    let expected = undisturbed.snapshot().await;
    let mut writes = 0;
    loop {
        let bucket = Bucket::new().await;
        bucket.0.crash_after(writes);
        let crashed = bucket.host(demo()).archive("2025-03").await;
        if !bucket.0.recover() {
            break;
        }
        assert!(writes > 2 || crashed.is_err(), "the commit is reported after {writes} writes");
        let again = bucket.host(demo());
        again.archive("2025-03").await.unwrap();
        let archive = again.pipeline.archive().await;
        archive.sink().complete_sums(archive.chain()).await.unwrap();
        assert_eq!(bucket.snapshot().await, expected, "a crash after {writes} writes");
        writes += 1;
    }
    assert_eq!(writes, 5, "two files, a manifest, its sums: a crash before, between and after them");
}

#[tokio::test]
async fn orphans_are_removed_after_the_commit_where_deletion_is_allowed() {
    for may_delete in [true, false] {
        let bucket = Bucket::new().await;
        // The crashed run had other events, so the next one does not overwrite its files.
        bucket.0.crash_after(2);
        bucket.host(Demo::new(90, 8)).archive("2025-03").await.unwrap_err();
        bucket.0.recover();
        assert_eq!(bucket.snapshot().await.len(), 3);
        if !may_delete {
            bucket.0.reject(Operation::Delete, "", Answer::Forbidden, 1);
        }
        let host = bucket.host(demo());
        host.archive("2025-03").await.unwrap();
        assert_eq!(bucket.snapshot().await.len(), if may_delete { 5 } else { 7 });
        // A run that finds the month committed tries again.
        let archive = host.pipeline.archive().await;
        stage::store::remove_orphans(&archive, &Dataset::default(), month("2025-03")).await;
        bucket.assert_whole(1).await;
    }
}

/// Three events a month, whose column `value` is a number in January and text from then on.
#[derive(Debug)]
struct ChangingTypes;

impl ChangingTypes {
    fn batch(window: Window) -> EventBatch {
        let changed = window.from() != month("2025-01").window().from();
        let (kind, values): (_, ArrayRef) = if changed {
            (ColumnType::Text, Arc::new(StringArray::from(vec!["1", "2", "3"])))
        } else {
            (ColumnType::Int64, Arc::new(Int64Array::from(vec![1, 2, 3])))
        };
        let column = |name: &str, kind| Column { name: name.to_owned(), kind, source_type: None, nullable: false };
        let columns =
            vec![column("id", ColumnType::Text), column("at", ColumnType::TimestampUtc), column("value", kind)];
        let schema = Arc::new(Schema::new(columns, "id", "at").unwrap());
        let times = TimestampMicrosecondArray::from(vec![window.from().as_micros(); 3]).with_timezone("UTC");
        let arrays: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec!["a", "b", "c"])), Arc::new(times), values];
        let records = RecordBatch::try_new(schema.to_arrow(), arrays).unwrap();
        EventBatch::try_new(schema, records).unwrap()
    }
}

impl Source for ChangingTypes {
    fn kind(&self) -> &'static str {
        "changing"
    }

    fn url(&self) -> String {
        "changing:".to_owned()
    }

    fn read(&self, _: &Dataset, window: Window) -> EventStream {
        let report = SourceReport { read: 3, ..SourceReport::default() };
        stream::iter([Ok(SourceItem::Batch(Self::batch(window))), Ok(SourceItem::Report(report))]).boxed()
    }

    fn on_committed(&self, _: &Dataset, _: Window) {}
}

#[tokio::test]
async fn concurrent_commits_never_give_a_column_two_types() {
    let bucket = Bucket::new().await;
    let (one, other) = (bucket.host(ChangingTypes), bucket.host(ChangingTypes));
    let january = one.pipeline.prepare(&Dataset::default(), month("2025-01")).await.unwrap();
    let february = other.pipeline.prepare(&Dataset::default(), month("2025-02")).await.unwrap();
    one.pipeline.commit(january).await.unwrap();
    let refused = other.pipeline.commit(february).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Incomplete);
    for named in ["value", "int64", "text"] {
        assert!(refused.to_string().contains(named), "{refused}");
    }
    // It is refused before any upload if the chain shows it.
    let puts = bucket.0.calls(Operation::Put, "");
    assert_eq!(one.archive("2025-03").await.unwrap_err().kind(), ErrorKind::Incomplete);
    assert_eq!(bucket.0.calls(Operation::Put, ""), puts);
}

#[tokio::test]
async fn object_removed_during_verification_is_a_finding() {
    let bucket = Bucket::new().await;
    let commit = bucket.host(demo()).archive("2025-03").await.unwrap();
    let path = object_store::path::Path::from(commit.entry().manifest.files[0].path.as_str());
    let store = bucket.0.clone();
    let target = path.clone();
    bucket.0.plan(
        Operation::Head,
        path.as_ref(),
        Fault::race_with(async move { store.delete(&target).await.unwrap() }),
    );
    let folder = tempfile::tempdir().unwrap();
    let verifier = Verifier { sink: bucket.sink(), folder: folder.path().to_owned(), progress: Arc::new(Silent) };
    let report = verifier.verify(ARCHIVE, &VerifyRequest::default()).await.unwrap();
    let found = report.findings.iter().map(|finding| (finding.code.as_str(), finding.path.as_str()));
    assert_eq!(found.collect::<Vec<_>>(), [("V010", path.as_ref())]);
}
