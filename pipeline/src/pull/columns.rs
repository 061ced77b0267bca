//! The columns of a slice: the union of its months' columns by name.

use archive_connectors::{Error, ErrorKind, Result, nearest::nearest};
use archive_formats::{Column, EventBatch, Schema, schema::arrow_columns};
use arrow_array::{RecordBatch, new_null_array};
use arrow_schema::{ArrowError, SchemaRef};
use std::{collections::HashMap, sync::Arc};

/// The columns of a slice.
#[derive(Debug)]
pub(crate) struct SliceColumns {
    columns: Vec<Column>,
    arrow: SchemaRef,
}

impl SliceColumns {
    /// Selects the `wanted` columns of the months' `schemas`, or all in order of first appearance. Every column named
    /// here or in a filter (`filtered`) must exist in some month.
    pub(crate) fn new<'a>(
        schemas: impl IntoIterator<Item = &'a Schema>,
        wanted: Option<&[String]>,
        filtered: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self> {
        let known = Union::from_schemas(schemas);
        for name in filtered {
            known.position(name)?;
        }
        let chosen = match wanted {
            None => (0..known.columns.len()).collect(),
            Some(names) => names.iter().map(|name| known.position(name)).collect::<Result<Vec<_>>>()?,
        };
        let columns = chosen.into_iter().map(|index| known.column(index)).collect::<Result<Vec<_>>>()?;
        Ok(Self { arrow: arrow_columns(&columns), columns })
    }

    /// The columns, in order.
    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Projects a month's events to these columns; NULL for columns that the month does not have.
    pub(crate) fn project(&self, batch: &EventBatch) -> std::result::Result<RecordBatch, ArrowError> {
        let theirs = batch.schema().columns();
        let arrays = self.columns.iter().zip(self.arrow.fields()).map(|(column, field)| {
            match theirs.iter().position(|other| other.name == column.name) {
                Some(index) => Arc::clone(batch.records().column(index)),
                None => new_null_array(field.data_type(), batch.len()),
            }
        });
        RecordBatch::try_new(Arc::clone(&self.arrow), arrays.collect())
    }
}

/// The union of several months' columns, in order of first appearance.
#[derive(Default)]
struct Union<'a> {
    columns: Vec<&'a Column>,
    by_name: HashMap<&'a str, usize>,
    /// Columns with another type in another month.
    contradictions: HashMap<usize, &'a Column>,
}

impl<'a> Union<'a> {
    fn from_schemas(schemas: impl IntoIterator<Item = &'a Schema>) -> Self {
        let mut union = Self::default();
        for column in schemas.into_iter().flat_map(Schema::columns) {
            let next = union.columns.len();
            let index = *union.by_name.entry(&column.name).or_insert(next);
            if index == next {
                union.columns.push(column);
            } else if union.columns[index].kind != column.kind {
                union.contradictions.entry(index).or_insert(column);
            }
        }
        union
    }

    fn position(&self, name: &str) -> Result<usize> {
        self.by_name.get(name).copied().ok_or_else(|| self.unknown(name))
    }

    /// A column of the slice. Always nullable: other months may not have it.
    fn column(&self, index: usize) -> Result<Column> {
        let column = self.columns[index];
        match self.contradictions.get(&index) {
            None => Ok(Column { nullable: true, ..column.clone() }),
            Some(other) => {
                let Column { name, kind, .. } = column;
                let message =
                    format!("column {name:?} is {kind} in one month of the range and {} in another", other.kind);
                Err(Error::new(ErrorKind::Incomplete, message)
                    .with_hint("pull the months apart, or leave the column out with --columns"))
            }
        }
    }

    fn unknown(&self, name: &str) -> Error {
        let names = || self.columns.iter().map(|column| column.name.as_str());
        let meant = nearest(name, names()).map(|nearest| format!("did you mean {nearest:?}? ")).unwrap_or_default();
        let all = names().collect::<Vec<_>>().join(", ");
        Error::new(ErrorKind::Configuration, format!("no file of the range has a column {name:?}"))
            .with_hint(format!("{meant}there are {all}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::{catalogue::KeyColumns, catalogue::text_schema, decode::csv::CsvLayout};
    use arrow_array::Array as _;

    fn schema(names: &[&str]) -> Schema {
        text_schema(names, &KeyColumns::default()).unwrap()
    }

    fn names(columns: &SliceColumns) -> Vec<&str> {
        columns.columns().iter().map(|column| column.name.as_str()).collect()
    }

    #[test]
    fn columns_keep_the_order_of_first_appearance() {
        let months = [schema(&["id", "timestamp", "b"]), schema(&["id", "a", "timestamp", "b"])];
        assert_eq!(names(&SliceColumns::new(&months, None, []).unwrap()), ["id", "timestamp", "b", "a"]);
        let wanted = ["a".to_owned(), "timestamp".to_owned()];
        assert_eq!(names(&SliceColumns::new(&months, Some(&wanted), ["b"]).unwrap()), ["a", "timestamp"]);
    }

    #[test]
    fn missing_columns_are_null() {
        let columns = SliceColumns::new(&[schema(&["id", "timestamp", "latency_ms"])], None, []).unwrap();
        let csv = "timestamp,id\n1970-01-01T00:00:00Z,a\n";
        let (layout, header) = CsvLayout::from_header(csv.as_bytes(), &KeyColumns::default()).unwrap();
        let rows = columns.project(&layout.decode(&csv.as_bytes()[header..]).batch.unwrap()).unwrap();
        assert_eq!((rows.num_rows(), rows.column(0).null_count(), rows.column(2).null_count()), (1, 0, 1));
    }

    #[test]
    fn unknown_column_error_lists_the_nearest_and_all() {
        let months = [schema(&["id", "timestamp", "model"])];
        for error in [
            SliceColumns::new(&months, Some(&["modle".to_owned()]), []).unwrap_err(),
            SliceColumns::new(&months, None, ["modle"]).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert_eq!(error.hint(), "did you mean \"model\"? there are id, timestamp, model");
        }
        let unlike = SliceColumns::new(&months, None, ["latency"]).unwrap_err();
        assert_eq!(unlike.hint(), "there are id, timestamp, model");
    }

    #[test]
    fn rejects_a_column_with_two_types_unless_left_out() {
        let mut other = schema(&["id", "timestamp", "model"]).columns().to_vec();
        other[2].kind = "int64".parse().unwrap();
        let other = Schema::new(other, "id", "timestamp").unwrap();
        let months = [schema(&["id", "timestamp", "model"]), other];
        let error = SliceColumns::new(&months, None, []).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete);
        assert!(error.to_string().contains("is text in one month of the range and int64 in another"), "{error}");
        assert!(SliceColumns::new(&months, Some(&["id".to_owned()]), ["model"]).is_ok());
    }
}
