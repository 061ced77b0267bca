//! CSV files of an archive. The first two bytes cut the input, the next are types of columns up to a zero, the rest are
//! the records.

#![no_main]

use archive_formats::{
    EventBatch, Schema,
    decode::csv::{ArchivedLayout, CsvError, CsvSplitter},
};
use archive_fuzz::{Cut, csv_chunks, encoded_csv, joined, take_schema};
use arrow_array::RecordBatch;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

const IDS: [&str; 5] = ["text", "uuid", "int16", "int32", "int64"];
const TIMES: [&str; 2] = ["timestamp(us,UTC)", "timestamp(us)"];

fuzz_target!(|data: &[u8]| {
    let Some((cut, data)) = Cut::take(data) else { return };
    let Some((schema, records)) = take_schema(data, &IDS, &TIMES) else { return };
    let schema = Arc::new(schema);
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

fn decode(file: &[u8], schema: &Arc<Schema>, cut: Cut) -> Result<Vec<EventBatch>, CsvError> {
    let chunks = csv_chunks(CsvSplitter::of_archive(cut.chunk), file, cut.block)?;
    let (layout, header) = ArchivedLayout::from_header(&chunks[0], schema)?;
    let mut batches = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        batches.extend(layout.decode(&chunk[if index == 0 { header } else { 0 }..])?);
    }
    Ok(batches)
}
