//! Tests of JSON artifacts, whole and in chunks.

mod errors;
mod properties;
mod shapes;
mod values;

use super::*;
use crate::{
    ColumnType, Reject, Timestamp,
    catalogue::KeyColumns,
    decode::{BOM, time_index::TimeIndexBuilder},
};
use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Decimal128Type, Int64Type, TimestampMicrosecondType},
};
use proptest::prelude::*;
use serde_json::{Map, Value};

const EVENT: &str = r#"{"id":"e","timestamp":"2025-03-01T00:00:00Z"}"#;

/// The decoded chunks of an artifact.
#[derive(Debug, PartialEq)]
struct All {
    records: Option<RecordBatch>,
    rejects: Vec<Reject>,
    rows: u64,
    lines: u64,
    shape: Option<JsonShape>,
}

fn split(json: &[u8], block: usize, chunk: usize) -> Result<(Vec<Vec<u8>>, Option<JsonShape>), JsonError> {
    let mut splitter = JsonSplitter::new(chunk);
    let mut chunks = Vec::new();
    for block in json.chunks(block) {
        splitter.push(block)?;
        chunks.extend(std::iter::from_fn(|| splitter.next_chunk()));
    }
    chunks.extend(splitter.finish()?);
    Ok((chunks, splitter.shape()))
}

/// Collects all names, then decodes each chunk.
fn decode_in(json: &[u8], block: usize, chunk: usize) -> Result<All, JsonError> {
    let (chunks, shape) = split(json, block, chunk)?;
    let mut all = All { records: None, rejects: Vec::new(), rows: 0, lines: 0, shape };
    if chunks.is_empty() {
        return Ok(all);
    }
    let mut names = JsonNames::default();
    for chunk in &chunks {
        let mut more = JsonNames::default();
        more.add(chunk);
        names.merge(more);
    }
    let layout = JsonLayout::new(&names, &KeyColumns::default())?;
    let mut batches = Vec::new();
    for chunk in &chunks {
        let decoded = layout.decode(chunk);
        // Lines and records are numbered from 1.
        let absolute = |reject: Reject| Reject { line: reject.line + all.lines + 1, ..reject };
        all.rejects.extend(decoded.rejects.into_iter().map(absolute));
        (all.rows, all.lines) = (all.rows + decoded.rows, all.lines + decoded.lines);
        batches.extend(decoded.batch.map(|batch| batch.records().clone()));
    }
    all.records = batches.first().map(|first| arrow_select::concat::concat_batches(&first.schema(), &batches).unwrap());
    Ok(all)
}

fn try_decode(json: impl AsRef<[u8]>) -> Result<All, JsonError> {
    decode_in(json.as_ref(), 1 << 20, 1 << 20)
}

fn decode(json: impl AsRef<[u8]>) -> All {
    try_decode(json).unwrap()
}

fn count(all: &All) -> usize {
    all.records.as_ref().map_or(0, RecordBatch::num_rows)
}

/// The values of a text or JSON column.
fn texts<'a>(all: &'a All, column: &str) -> Vec<Option<&'a str>> {
    all.records.as_ref().unwrap().column_by_name(column).unwrap().as_string::<i32>().iter().collect()
}

/// A record with an id, a time and `members`.
fn event(members: &str) -> String {
    format!(r#"{{"id":"e","timestamp":"2025-03-01T00:00:00Z",{members}}}"#)
}
