//! Tests of manifests, and the manifest that other tests change.

use super::*;
use serde_json::json;

/// A month of two events as Parquet and CSV, one repetition, one event of another month and one rejected row.
pub(crate) const DOCUMENT: &str = r#"{
  "format": "keeptrusts-archive/1",
  "archive": "6f4b3c1e-6f0e-4c58-9a55-0b1f4ab0a001",
  "sequence": 1,
  "previous": null,
  "kind": "month",
  "dataset": "events",
  "month": "2025-03",
  "window": {
    "from": "2025-03-01T00:00:00.000000Z",
    "to": "2025-04-01T00:00:00.000000Z"
  },
  "committed_at": "2025-04-01T04:00:00.000000Z",
  "source_clock": null,
  "tool": {
    "name": "kt-archive",
    "version": "0.1.0"
  },
  "source": {
    "type": "exports-api",
    "url": "https://api.keeptrusts.example",
    "detail": {}
  },
  "schema": {
    "sha256": "0227dafe8f938035bdef4e563142f7950a6e6c7836a6e944004b1091f83102c6",
    "id": "event_id",
    "time": "timestamp",
    "columns": [
      {
        "name": "event_id",
        "type": "text",
        "source_type": null,
        "nullable": false
      },
      {
        "name": "timestamp",
        "type": "timestamp(us,UTC)",
        "source_type": null,
        "nullable": false
      }
    ]
  },
  "transforms": [],
  "events": {
    "read": 5,
    "archived": 2,
    "outside_window": 1,
    "duplicates": 1,
    "conflicts": 0,
    "rejected": 1,
    "source_count": null,
    "first": "2025-03-02T00:00:00.000000Z",
    "last": "2025-03-05T00:00:00.000000Z"
  },
  "files": [
    {
      "path": "events/parquet/month=2025-03/part-00000-1111111111111111.parquet",
      "format": "parquet",
      "rows": 2,
      "bytes": 700,
      "sha256": "1111111111111111111111111111111111111111111111111111111111111111",
      "first": "2025-03-02T00:00:00.000000Z",
      "last": "2025-03-05T00:00:00.000000Z"
    },
    {
      "path": "events/csv/month=2025-03/part-00000-2222222222222222.csv.gz",
      "format": "csv",
      "rows": 1,
      "bytes": 50,
      "sha256": "2222222222222222222222222222222222222222222222222222222222222222",
      "first": "2025-03-02T00:00:00.000000Z",
      "last": "2025-03-02T00:00:00.000000Z"
    },
    {
      "path": "events/csv/month=2025-03/part-00001-3333333333333333.csv.gz",
      "format": "csv",
      "rows": 1,
      "bytes": 40,
      "sha256": "3333333333333333333333333333333333333333333333333333333333333333",
      "first": "2025-03-05T00:00:00.000000Z",
      "last": "2025-03-05T00:00:00.000000Z"
    },
    {
      "path": "events/rejects/month=2025-03/part-00000-4444444444444444.jsonl.gz",
      "format": "rejects",
      "rows": 1,
      "bytes": 30,
      "sha256": "4444444444444444444444444444444444444444444444444444444444444444",
      "first": null,
      "last": null
    }
  ]
}
"#;

pub(crate) fn manifest() -> Manifest {
    Manifest::from_bytes(DOCUMENT.as_bytes()).unwrap()
}

mod what_is_stored {
    use super::*;

    #[test]
    fn a_manifest_is_written_as_it_was_read() {
        assert_eq!(String::from_utf8(manifest().to_bytes()).unwrap(), DOCUMENT);
        assert!(manifest().schema.unwrap().is_consistent());
    }

    #[test]
    fn an_identity_is_written_as_it_was_read() {
        let document = ArchiveDocument::new::<Manifest>("6f4b".to_owned(), Timestamp::from_micros(0));
        let text = "{\n  \"format\": \"keeptrusts-archive/1\",\n  \"archive\": \"6f4b\",\n  \
                    \"created_at\": \"1970-01-01T00:00:00.000000Z\"\n}\n";
        assert_eq!(String::from_utf8(document.to_bytes()).unwrap(), text);
        assert_eq!(ArchiveDocument::from_bytes(text.as_bytes()).unwrap(), document);
    }

    #[test]
    fn sums_list_each_file_and_the_manifest() {
        let [one, two, three, four, own] = ["1", "2", "3", "4", "5"].map(|digit| digit.repeat(64));
        let expected = format!(
            "{one}  events/parquet/month=2025-03/part-00000-1111111111111111.parquet\n\
             {two}  events/csv/month=2025-03/part-00000-2222222222222222.csv.gz\n\
             {three}  events/csv/month=2025-03/part-00001-3333333333333333.csv.gz\n\
             {four}  events/rejects/month=2025-03/part-00000-4444444444444444.jsonl.gz\n\
             {own}  manifests/00000001.json\n"
        );
        let sums = manifest().sha256sums(&own.parse().unwrap());
        assert_eq!(String::from_utf8(sums).unwrap(), expected);
    }

    #[test]
    fn files_are_summed_up_by_format_and_size() {
        assert_eq!(manifest().formats(), [FileFormat::Parquet, FileFormat::Csv, FileFormat::Rejects].into());
        assert_eq!(manifest().bytes(), 700 + 50 + 40 + 30);
    }
}

mod counts_that_add_up {
    use super::*;

    fn balance(change: impl FnOnce(&mut Manifest)) -> Result<(), Imbalance> {
        let mut manifest = manifest();
        change(&mut manifest);
        manifest.check_balance()
    }

    #[test]
    fn a_whole_month_is_balanced() {
        assert_eq!(balance(|_| ()), Ok(()));
    }

    #[test]
    fn a_month_without_events_needs_no_file() {
        let empty = |manifest: &mut Manifest| {
            manifest.events = EventCounts { read: 1, rejected: 1, ..EventCounts::default() };
            manifest.files.retain(|file| file.format == FileFormat::Rejects);
        };
        assert_eq!(balance(empty), Ok(()));
        let without_rows = |manifest: &mut Manifest| {
            manifest.events = EventCounts::default();
            manifest.files.clear();
        };
        assert_eq!(balance(without_rows), Ok(()));
    }

    #[test]
    fn events_may_be_in_an_artifact_alone() {
        let artifact = |manifest: &mut Manifest| {
            manifest.files.retain(|file| !file.format.holds_events());
            manifest.files[0].format = FileFormat::Artifact;
            manifest.files[0].rows = 5;
            manifest.events.rejected = 0;
            manifest.events.read = 4;
        };
        assert_eq!(balance(artifact), Ok(()));
    }

    #[test]
    fn each_row_read_is_accounted_for() {
        let changes: [fn(&mut EventCounts); 4] = [
            |events| events.read += 1,
            |events| events.outside_window -= 1,
            |events| events.duplicates -= 1,
            |events| events.archived -= 1,
        ];
        for change in changes {
            let result = balance(|manifest| change(&mut manifest.events));
            assert!(matches!(result, Err(Imbalance::Rows { read, accounted }) if read == accounted + 1), "{result:?}");
        }
        let overflow = balance(|manifest| manifest.events.duplicates = u64::MAX);
        assert_eq!(overflow, Err(Imbalance::Rows { read: 5, accounted: u64::MAX }));
    }

    #[test]
    fn each_rejected_row_is_in_a_file() {
        let lost = balance(|manifest| manifest.files.retain(|file| file.format != FileFormat::Rejects));
        assert_eq!(lost, Err(Imbalance::Rejects { rows: 0, rejected: 1 }));
    }

    #[test]
    fn each_format_has_each_event() {
        for (format, lost) in [(FileFormat::Parquet, 0), (FileFormat::Csv, 1), (FileFormat::Csv, 2)] {
            let result = balance(|manifest| manifest.files[lost].rows += 1);
            assert_eq!(result, Err(Imbalance::Files { format, rows: 3, archived: 2 }));
        }
        let part = balance(|manifest| drop(manifest.files.remove(2)));
        assert_eq!(part, Err(Imbalance::Files { format: FileFormat::Csv, rows: 1, archived: 2 }));
    }

    #[test]
    fn archived_events_are_in_some_file() {
        let none = balance(|manifest| manifest.files.retain(|file| file.format == FileFormat::Rejects));
        assert_eq!(none, Err(Imbalance::NoFile { archived: 2 }));
    }

    #[test]
    fn times_of_files_are_those_of_the_month() {
        let other = Some(Timestamp::from_micros(1_741_000_000_000_000));
        for (format, file) in [(FileFormat::Parquet, 0), (FileFormat::Csv, 1)] {
            let first = balance(|manifest| manifest.files[file].first = other);
            assert_eq!(first, Err(Imbalance::Span { format }));
        }
        for (format, file) in [(FileFormat::Parquet, 0), (FileFormat::Csv, 2)] {
            let last = balance(|manifest| manifest.files[file].last = other);
            assert_eq!(last, Err(Imbalance::Span { format }));
        }
    }
}

mod sources {
    use super::*;
    use serde_json::json;

    fn identity(kind: &str, detail: Value) -> SourceIdentity {
        let url = "postgres://db.example/kt".to_owned();
        (&SourceRecord { kind: kind.to_owned(), url, changed_from: None, detail }).into()
    }

    #[test]
    fn a_source_is_its_connector_address_and_organisation() {
        let source = identity("postgres", json!({ "org_id": "acme", "snapshot": "3" }));
        let organisation = Some("acme".to_owned());
        let url = "postgres://db.example/kt".to_owned();
        assert_eq!(source, SourceIdentity { kind: "postgres".to_owned(), url, organisation });
        assert!(!source.is_invented());
        assert_eq!(source.sentence(), "postgres://db.example/kt, organisation acme");
    }

    #[test]
    fn invented_events_are_named_as_such() {
        let source = identity("demo", json!({}));
        assert!(source.is_invented());
        assert_eq!(source.sentence(), "postgres://db.example/kt (invented events)");
    }
}

/// The entry of a file of 30 bytes with two row groups, after `change`.
fn entry(change: impl FnOnce(&mut Value)) -> serde_json::Result<DataFile> {
    let digest = Sha256::digest(b"");
    let times = |day: u8| format!("2025-03-0{day}T00:00:00.000000Z");
    let mut entry = json!({
        "path": "events/parquet/month=2025-03/part", "format": "parquet", "rows": 5, "bytes": 30, "sha256": digest,
        "first": times(1), "last": times(4),
        "row_groups": [
            {"offset": 4, "bytes": 10, "rows": 3, "first": times(1), "last": times(3), "sha256": digest},
            {"offset": 14, "bytes": 6, "rows": 2, "first": times(2), "last": times(4), "sha256": digest},
        ],
        "footer": {"offset": 20, "bytes": 10, "sha256": digest},
    });
    change(&mut entry);
    serde_json::from_value(entry)
}

#[test]
fn row_groups_of_a_file_round_trip() {
    let file = entry(|_| {}).unwrap();
    let ranges = file.ranges.as_ref().unwrap();
    assert_eq!(ranges.counts(), (file.rows, file.first, file.last));
    assert_eq!(serde_json::from_value::<DataFile>(serde_json::to_value(&file).unwrap()).unwrap(), file);
}

#[test]
fn files_of_earlier_versions_have_no_row_groups() {
    let remove = |entry: &mut Value, name: &str| drop(entry.as_object_mut().unwrap().remove(name));
    let old = entry(|entry| ["row_groups", "footer"].iter().for_each(|name| remove(entry, name))).unwrap();
    assert_eq!(old.ranges, None);
    let printed = serde_json::to_value(&old).unwrap();
    assert!(printed.get("row_groups").is_none() && printed.get("footer").is_none(), "{printed}");
}

#[test]
fn ranges_that_are_not_those_of_a_file_are_refused() {
    for (pointer, value) in [
        ("/bytes", json!(31)),
        ("/bytes", json!(29)),
        ("/format", json!("csv")),
        ("/footer", Value::Null),
        ("/row_groups", Value::Null),
        ("/row_groups/1/offset", json!(13)),
        ("/row_groups/1/offset", json!(u64::MAX)),
        ("/row_groups/0/bytes", json!(u64::MAX)),
        ("/row_groups/0/rows", json!(-1)),
        ("/row_groups/0/first", Value::Null),
        ("/row_groups/0/sha256", json!("")),
    ] {
        let changed = entry(|entry| *entry.pointer_mut(pointer).unwrap() = value.clone());
        assert!(changed.is_err(), "{pointer} {value}");
    }
}
