use super::*;
use crate::{Reject, catalogue::KeyColumns, encode::FileEncoder as _, encode::csv::CsvEncoder};
use arrow_array::{Array, RecordBatch, cast::AsArray};
use proptest::prelude::*;
use std::io::Read as _;

const HEADER: &str = "id,timestamp,latency_ms,cost_usd,reason\n";

/// Everything that came out of an artifact.
#[derive(Debug, PartialEq)]
struct All {
    records: Option<RecordBatch>,
    rejects: Vec<Reject>,
    rows: u64,
    lines: u64,
}

fn split(csv: &[u8], block: usize, chunk: usize) -> Result<Vec<Vec<u8>>, CsvError> {
    let mut splitter = CsvSplitter::new(chunk);
    let mut chunks = Vec::new();
    for block in csv.chunks(block) {
        splitter.push(block)?;
        chunks.extend(std::iter::from_fn(|| splitter.next_chunk()));
    }
    chunks.extend(splitter.finish()?);
    Ok(chunks)
}

/// Decodes chunk by chunk; lines of rejects count from 0, the header's.
fn decode_chunks(chunks: &[Vec<u8>]) -> All {
    let (layout, header) = CsvLayout::from_header(&chunks[0], &KeyColumns::default()).unwrap();
    let mut all = All { records: None, rejects: Vec::new(), rows: 0, lines: count_lines(&chunks[0][..header]) };
    let mut batches = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let decoded = layout.decode(&chunk[if index == 0 { header } else { 0 }..]);
        let absolute = |reject: Reject| Reject { line: reject.line + all.lines, ..reject };
        all.rejects.extend(decoded.rejects.into_iter().map(absolute));
        (all.rows, all.lines) = (all.rows + decoded.rows, all.lines + decoded.lines);
        batches.extend(decoded.batch.map(|batch| batch.records().clone()));
    }
    all.records = batches.first().map(|first| arrow_select::concat::concat_batches(&first.schema(), &batches).unwrap());
    all
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn decode(csv: impl AsRef<[u8]>) -> All {
    decode_chunks(&[csv.as_ref().to_vec()])
}

/// The one reject of a file with one bad row, as (line, what it prints without the line, row).
fn only_reject(rows: impl AsRef<[u8]>) -> (u64, String, Vec<u8>) {
    let all = decode([HEADER.as_bytes(), rows.as_ref()].concat());
    let [reject] = all.rejects.as_slice() else { panic!("{:?}", all.rejects) };
    let printed = reject.to_string();
    let (_, reason) = printed.split_once(|letter| ",:".contains(letter)).unwrap();
    (reject.line, reason.trim().to_owned(), reject.row.clone())
}

/// The values of a text column.
fn texts(all: &All, column: usize) -> Vec<Option<&str>> {
    all.records.as_ref().map_or_else(Vec::new, |records| records.column(column).as_string::<i32>().iter().collect())
}

fn encode(records: &RecordBatch, csv: &[u8]) -> Vec<u8> {
    let (layout, _) = CsvLayout::from_header(csv, &KeyColumns::default()).unwrap();
    let batch = crate::EventBatch::try_new(layout.schema().clone(), records.clone()).unwrap();
    let file = tempfile();
    let mut encoder = Box::new(CsvEncoder::new(file.clone()));
    encoder.write(&batch).unwrap();
    encoder.finish().unwrap();
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(file.0.lock().unwrap().as_slice()).read_to_end(&mut text).unwrap();
    text
}

/// A sink whose bytes can be read after the encoder has taken it.
#[derive(Clone)]
struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

fn tempfile() -> Shared {
    Shared(std::sync::Arc::default())
}

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
