//! CSV files of an archive. The first two bytes cut the input, the next are types of columns up to a zero, the rest are
//! the records.

#![no_main]

use archive_formats::{
    Column, EventBatch, Schema,
    decode::csv::{ArchivedLayout, CsvError, CsvSplitter},
};
use archive_fuzz::{Cut, encoded_csv, joined};
use arrow_array::RecordBatch;
use libfuzzer_sys::fuzz_target;
use std::{iter, sync::Arc};

const IDS: [&str; 5] = ["text", "uuid", "int16", "int32", "int64"];
const TIMES: [&str; 2] = ["timestamp(us,UTC)", "timestamp(us)"];
const TYPES: [&str; 24] = [
    "text",
    "json",
    "bool",
    "int16",
    "int32",
    "int64",
    "float32",
    "float64",
    "decimal(38,18)",
    "decimal(38,0)",
    "decimal(5,5)",
    "decimal(12,2)",
    "timestamp(us,UTC)",
    "timestamp(us)",
    "date",
    "time(us)",
    "uuid",
    "binary",
    "list<text>",
    "list<json>",
    "list<float64>",
    "list<decimal(9,3)>",
    "list<list<binary>>",
    "list<list<list<timestamp(us,UTC)>>>",
];

fuzz_target!(|data: &[u8]| {
    let Some((cut, data)) = Cut::take(data) else { return };
    let Some((kinds, records)) = data.iter().position(|byte| *byte == 0).map(|end| (&data[..end], &data[end + 1..]))
    else {
        return;
    };
    let schema = schema(kinds);
    let header = schema.columns().iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(",");
    let file = [header.as_bytes(), b"\n", records].concat();
    let cut = Cut { chunk: cut.chunk + header.len() + 1, ..cut };
    match (decode(&file, &schema, cut), decode(&file, &schema, Cut::WHOLE)) {
        (Ok(pieces), Ok(whole)) => {
            let rows = |batches: &[EventBatch]| joined(batches);
            assert_eq!(rows(&pieces).map(columns), rows(&whole).map(columns));
            if !whole.is_empty() {
                let again = encoded_csv(&whole);
                assert!(again == file, "written again: {:?}", String::from_utf8_lossy(&again));
            } else {
                assert!(records.is_empty(), "no event in {records:?}");
            }
        }
        (Err(_), Err(_)) => {}
        (pieces, whole) => panic!("{pieces:?} in pieces, {whole:?} as a whole"),
    }
});

fn columns(records: RecordBatch) -> Vec<arrow_array::ArrayRef> {
    records.columns().to_vec()
}

fn schema(kinds: &[u8]) -> Arc<Schema> {
    let (id, time) = (kinds.first().copied().unwrap_or(1), kinds.get(1).copied().unwrap_or(1));
    let pick = |list: &[&str], byte: u8| list[usize::from(byte) % list.len()].to_owned();
    let others = kinds.iter().skip(2).take(8).map(|byte| (pick(&TYPES, *byte), byte & 0x80 == 0));
    let all = [(pick(&IDS, id), false), (pick(&TIMES, time), false)].into_iter().chain(others);
    let columns = all.enumerate().map(|(number, (kind, nullable))| Column {
        name: format!("c{number}"),
        kind: kind.parse().expect("a type"),
        source_type: (number % 2 == 1).then(|| "numeric".to_owned()),
        nullable,
    });
    Arc::new(Schema::new(columns.collect(), "c0", "c1").expect("names that differ"))
}

fn decode(file: &[u8], schema: &Arc<Schema>, cut: Cut) -> Result<Vec<EventBatch>, CsvError> {
    let mut splitter = CsvSplitter::of_archive(cut.chunk);
    let mut chunks = Vec::new();
    for block in file.chunks(cut.block) {
        splitter.push(block)?;
        chunks.extend(iter::from_fn(|| splitter.next_chunk()));
    }
    chunks.extend(splitter.finish()?);
    assert_eq!(chunks.concat(), file, "all of the input is in the chunks");
    let (layout, header) = ArchivedLayout::from_header(&chunks[0], schema)?;
    let mut batches = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        batches.extend(layout.decode(&chunk[if index == 0 { header } else { 0 }..])?);
    }
    Ok(batches)
}
