use super::*;
use archive_formats::{
    Column, ColumnType, Schema,
    catalogue::{KeyColumns, text_schema},
};
use arrow_array::{
    ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, cast::AsArray,
};
use std::sync::Arc;

fn batch(events: &[(&str, Option<&str>)]) -> EventBatch {
    let schema = Arc::new(text_schema(&["id", "timestamp", "note"], &KeyColumns::default()).unwrap());
    let times = TimestampMicrosecondArray::from(vec![0; events.len()]).with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(events.iter().map(|event| event.0))),
        Arc::new(times),
        Arc::new(events.iter().map(|event| event.1).collect::<StringArray>()),
    ];
    let records = RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
    EventBatch::try_new(schema, records).unwrap()
}

fn compare(batches: &[EventBatch]) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    let mut index = IdIndex::new(folder.path());
    for batch in batches {
        index.add(batch).unwrap();
    }
    let mut comparison = Comparison::new(index.finish().unwrap());
    for batch in batches {
        comparison.add(batch).unwrap();
    }
    comparison.finish()
}

fn notes(mut repetitions: Repetitions, batches: &[EventBatch]) -> Vec<String> {
    let kept = batches.iter().map(|batch| repetitions.leave_out(batch.clone()).unwrap());
    let notes = |batch: EventBatch| {
        let notes = batch.records().column(2).as_string::<i32>().clone();
        notes.iter().map(|note| note.unwrap_or("NULL").to_owned()).collect::<Vec<_>>()
    };
    kept.flat_map(notes).collect()
}

#[test]
fn unique_ids_need_no_second_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = IdIndex::new(folder.path());
    index.add(&batch(&[("a", None), ("b", None), ("c", None)])).unwrap();
    assert!(index.finish().unwrap().is_empty());
}

#[test]
fn drops_repetitions_and_keeps_the_first() {
    let batches =
        [batch(&[("a", Some("1")), ("b", Some("2"))]), batch(&[("a", Some("1")), ("c", Some("3")), ("a", Some("1"))])];
    let verdict = compare(&batches);
    assert_eq!((verdict.repetitions.len(), verdict.conflicts), (2, 0));
    assert_eq!(notes(verdict.repetitions, &batches), ["1", "2", "3"]);
}

#[test]
fn one_id_with_two_contents_is_a_conflict() {
    let batches = [batch(&[("a", Some("1")), ("b", Some("2"))]), batch(&[("a", Some("other")), ("a", Some("1"))])];
    let verdict = compare(&batches);
    assert_eq!((verdict.repetitions.len(), verdict.conflicts, verdict.examples), (1, 2, vec![0, 2]));
}

#[test]
fn null_and_empty_text_are_different_contents() {
    assert_eq!(compare(&[batch(&[("a", None), ("a", Some(""))])]).conflicts, 2);
}

#[test]
fn distinguishes_uuid_and_integer_ids() {
    let uuids = [7_u128, 8, 7, 7 << 64, 7 << 120].map(u128::to_be_bytes);
    let uuids: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter(uuids.iter()).unwrap());
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7, -7, 7, 7 << 8, 7 << 56]));
    for (kind, ids) in [(ColumnType::Uuid, uuids), (ColumnType::Int64, numbers)] {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind, source_type: None, nullable: false };
        let columns = vec![column("id", kind), column("timestamp", ColumnType::TimestampUtc)];
        let schema = Arc::new(Schema::new(columns, "id", "timestamp").unwrap());
        let times = TimestampMicrosecondArray::from(vec![0; ids.len()]).with_timezone("UTC");
        let records = RecordBatch::try_new(schema.to_arrow(), vec![ids, Arc::new(times)]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut index = IdIndex::new(folder.path());
        index.add(&EventBatch::try_new(schema, records).unwrap()).unwrap();
        let suspects = index.finish().unwrap();
        assert_eq!(suspects.events.iter().map(|suspect| suspect.ordinal).collect::<Vec<_>>(), [0, 2]);
    }
}

#[test]
fn spilled_index_finds_the_same_as_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = IdIndex::new(folder.path());
    let names = (0..1_000).map(|name| name.to_string()).collect::<Vec<_>>();
    let unique = names.iter().map(|name| (name.as_str(), None)).collect::<Vec<_>>();
    for round in 0..800 {
        let prefixed = unique.iter().map(|(name, note)| (format!("{round}-{name}"), *note)).collect::<Vec<_>>();
        index.add(&batch(&prefixed.iter().map(|(name, note)| (name.as_str(), *note)).collect::<Vec<_>>())).unwrap();
    }
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_some(), "800,000 ids do not fit in memory");
    index.add(&batch(&[("3-77", None)])).unwrap();
    let suspects = index.finish().unwrap();
    let ordinals = suspects.events.iter().map(|suspect| suspect.ordinal).collect::<Vec<_>>();
    assert_eq!(ordinals, [3_077, 800_000]);
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing is left behind");
}
