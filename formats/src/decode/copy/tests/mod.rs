//! Tests of rows in binary COPY format.

mod errors;
mod properties;
mod rejects;
mod values;

use super::*;
use crate::{
    Column, EventBatch, Schema,
    decode::{Decoded, copy::rows::BLOCK},
    encode::Texts,
};
use arrow_array::Array as _;

type Fields<'a> = Vec<Option<&'a [u8]>>;

/// 2025-03-01T11:30:00.25Z in binary form.
const TIME: [u8; 8] = 0x0002_d245_031d_4e90_i64.to_be_bytes();

/// A layout of a text id, a time, and columns of `types`.
fn layout(types: &str) -> CopyLayout {
    CopyLayout::new(schema(&format!("text timestamp(us,UTC) {types}"))).unwrap()
}

/// A schema of columns of `types`: the id, the time and others.
fn schema(types: &str) -> Schema {
    let column = |(number, kind): (usize, &str)| Column {
        name: format!("c{number}"),
        kind: kind.parse().unwrap(),
        source_type: None,
        nullable: true,
    };
    Schema::new(types.split_whitespace().enumerate().map(column).collect(), "c0", "c1").unwrap()
}

fn row<'a>(fields: impl IntoIterator<Item = Option<&'a [u8]>>) -> Vec<u8> {
    let fields = fields.into_iter().collect::<Fields<'_>>();
    let mut row = i16::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
    for field in fields {
        put(field, &mut row);
    }
    row
}

/// Writes a field or an element of an array.
fn put(field: Option<&[u8]>, out: &mut Vec<u8>) {
    out.extend(field.map_or(-1, |field| i32::try_from(field.len()).unwrap()).to_be_bytes());
    out.extend(field.unwrap_or_default());
}

/// A row with an id, a time and `fields`.
fn event<'a>(id: &'a str, fields: impl IntoIterator<Item = Option<&'a [u8]>>) -> Vec<u8> {
    row([Some(id.as_bytes()), Some(&TIME[..])].into_iter().chain(fields))
}

fn array(dimensions: i32, length: i32, elements: &[Option<&[u8]>]) -> Vec<u8> {
    let mut array = [dimensions, 1, 25].map(i32::to_be_bytes).concat();
    if dimensions > 0 {
        array.extend([length, 1].map(i32::to_be_bytes).concat());
    }
    for element in elements {
        put(*element, &mut array);
    }
    array
}

fn list(elements: &[Option<&[u8]>]) -> Vec<u8> {
    array(1, i32::try_from(elements.len()).unwrap(), elements)
}

fn rows<R: AsRef<[u8]>>(messages: impl IntoIterator<Item = R>) -> CopyRows {
    let mut rows = CopyRows::new(1 << 20);
    for message in messages {
        assert_eq!(rows.push(message.as_ref()), Ok(Pushed::Row));
    }
    rows
}

fn decode<R: AsRef<[u8]>>(layout: &CopyLayout, messages: impl IntoIterator<Item = R>) -> Result<Decoded, CopyError> {
    layout.decode(&rows(messages))
}

/// The texts of column `index`, as in CSV files; NULL is `NULL`.
fn printed(batch: &EventBatch, index: usize) -> Vec<String> {
    let (column, array) = (&batch.schema().columns()[index], batch.records().column(index));
    let texts = Texts::new(column, array);
    let text = |row| {
        let text = String::from_utf8(texts.get(row, &mut Vec::new()).unwrap().to_vec()).unwrap();
        if array.is_null(row) { "NULL".to_owned() } else { text }
    };
    (0..batch.len()).map(text).collect()
}

fn ids(decoded: &Decoded) -> Vec<String> {
    decoded.batch.as_ref().map_or_else(Vec::new, |batch| printed(batch, 0))
}

fn reasons(decoded: &Decoded) -> Vec<(u64, &str, &str)> {
    decoded
        .rejects
        .iter()
        .map(|reject| (reject.line, reject.column.as_deref().unwrap_or_default(), reject.reason.as_str()))
        .collect()
}
