//! Types that many readers of Parquet do not know, as text. A short file of its own, since it is the only transform that
//! looks into lists.

use archive_formats::{Column, ColumnType, encode::Texts};
use arrow_array::{Array, ArrayRef, ListArray, builder::StringBuilder, cast::AsArray as _};
use arrow_schema::{DataType, Field};
use serde_json::{Value, json};
use std::{io, sync::Arc};

/// The record of manifests.
pub(super) fn record() -> Value {
    json!({"name": "plain-types", "types": ["uuid", "json", "time(us)"]})
}

/// The type of a column of type `kind`: text for a UUID, JSON or a time of day, and a list of texts for a list of them.
pub(super) fn plain(kind: &ColumnType) -> ColumnType {
    match kind {
        ColumnType::Uuid | ColumnType::Json | ColumnType::Time => ColumnType::Text,
        ColumnType::List(element) => ColumnType::List(Box::new(plain(element))),
        other => other.clone(),
    }
}

/// The `values` of `column`, whose type is not plain, in the plain type.
pub(super) fn to_plain(column: &Column, values: &ArrayRef) -> io::Result<ArrayRef> {
    let ColumnType::List(element) = &column.kind else { return to_text(column, values) };
    let lists = values.as_list::<i32>();
    let element = Column { kind: element.as_ref().clone(), ..column.clone() };
    let elements = to_plain(&element, lists.values())?;
    let field = Field::new("element", elements.data_type().clone(), true);
    let lists = ListArray::try_new(Arc::new(field), lists.offsets().clone(), elements, lists.nulls().cloned());
    Ok(Arc::new(lists.map_err(io::Error::other)?))
}

/// The texts of the archive's CSV; NULL stays NULL.
fn to_text(column: &Column, values: &ArrayRef) -> io::Result<ArrayRef> {
    // JSON is text already.
    if *values.data_type() == DataType::Utf8 {
        return Ok(Arc::clone(values));
    }
    let texts = Texts::new(column, values);
    let mut plain = StringBuilder::with_capacity(values.len(), 0);
    let mut text = Vec::new();
    for row in 0..values.len() {
        if values.is_null(row) {
            plain.append_null();
        } else {
            plain.append_value(std::str::from_utf8(texts.get(row, &mut text)?).map_err(io::Error::other)?);
        }
    }
    Ok(Arc::new(plain.finish()))
}
