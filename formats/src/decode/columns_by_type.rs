//! Columns of artifacts and of archived files by type, filled from text.

use super::{
    builder::{FixedColumn, TextColumn, Validity},
    columns::ColumnBuilder,
    parse::{calendar, list, number, scalar},
    row_error::RowErrorKind,
};
use crate::{Column, ColumnType, catalogue::is_cost_of_artifact};
use arrow_array::{
    ArrayRef, ListArray,
    types::{
        Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
        TimestampMicrosecondType,
    },
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use std::sync::Arc;

/// Rows decoded before the capacity of the columns is estimated.
pub(super) const SAMPLE: usize = 64;

/// A column of an artifact. The catalogue gives artifacts six types.
#[derive(Debug)]
pub(super) enum ArtifactColumn {
    Text(TextColumn),
    Json(TextColumn),
    Bool(FixedColumn<bool>),
    Timestamp(FixedColumn<i64>),
    Integer(FixedColumn<i64>),
    Decimal { column: FixedColumn<i128>, precision: u8, scale: u8 },
}

/// Evaluates an expression for the column inside any variant of [`ArtifactColumn`].
macro_rules! each_artifact {
    ($builder:expr, $column:ident => $body:expr) => {
        match $builder {
            Self::Text($column) | Self::Json($column) => $body,
            Self::Bool($column) => $body,
            Self::Timestamp($column) | Self::Integer($column) => $body,
            Self::Decimal { column: $column, .. } => $body,
        }
    };
}

impl ArtifactColumn {
    /// An empty column. Rows without a value fail with `missing`, if given.
    pub(super) fn new(kind: &ColumnType, missing: Option<RowErrorKind>) -> Self {
        let validity = Validity::new(missing);
        match *kind {
            ColumnType::Text => Self::Text(TextColumn::new(validity)),
            ColumnType::Json => Self::Json(TextColumn::new(validity)),
            ColumnType::Bool => Self::Bool(FixedColumn::new(validity)),
            ColumnType::TimestampUtc => Self::Timestamp(FixedColumn::new(validity)),
            ColumnType::Int64 => Self::Integer(FixedColumn::new(validity)),
            ColumnType::Decimal { precision, scale } => {
                Self::Decimal { column: FixedColumn::new(validity), precision, scale }
            }
            _ => unreachable!("artifacts have no columns of type {kind}"),
        }
    }

    /// Parses `text` and appends the value. After an error the column must be truncated before it is used again.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), RowErrorKind> {
        match self {
            Self::Text(column) | Self::Json(column) => column.push(text),
            Self::Bool(column) => column.push(scalar::parse_bool(text)),
            Self::Timestamp(column) => column.push(calendar::parse_timestamp(text)),
            Self::Integer(column) => column.push(number::parse_integer(text)),
            Self::Decimal { column, precision, scale } => column.push(number::parse_decimal(text, *precision, *scale)),
        }
    }

    /// Appends a row without a value.
    #[inline]
    pub(super) fn push_null(&mut self) -> Result<(), RowErrorKind> {
        each_artifact!(self, column => column.push_null())
    }
}

impl ColumnBuilder for ArtifactColumn {
    fn truncate(&mut self, rows: usize) {
        each_artifact!(self, column => column.truncate(rows));
    }

    fn reserve(&mut self, factor: usize) {
        each_artifact!(self, column => column.reserve(factor));
    }

    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        match self {
            Self::Text(column) | Self::Json(column) => column.finish(),
            Self::Bool(column) => Some(column.finish_bool()),
            Self::Timestamp(column) => Some(column.finish::<TimestampMicrosecondType>(data_type.clone())),
            Self::Integer(column) => Some(column.finish::<Int64Type>(data_type.clone())),
            Self::Decimal { column, .. } => Some(column.finish::<Decimal128Type>(data_type.clone())),
        }
    }
}

/// A column of an archived file.
#[derive(Debug)]
pub(super) enum ArchivedColumn {
    Text(TextColumn),
    Json(TextColumn),
    Bool(FixedColumn<bool>),
    Int16(FixedColumn<i16>),
    Int32(FixedColumn<i32>),
    Int64(FixedColumn<i64>),
    Float32(FixedColumn<f32>),
    Float64(FixedColumn<f64>),
    Decimal { column: FixedColumn<i128>, precision: u8, scale: u8, trimmed: bool },
    TimestampUtc(FixedColumn<i64>),
    Timestamp(FixedColumn<i64>),
    Date(FixedColumn<i32>),
    Time(FixedColumn<i64>),
    Uuid(FixedColumn<[u8; 16]>),
    Binary(TextColumn),
    List(ListColumn),
}

/// Evaluates an expression for the column inside any variant of [`ArchivedColumn`].
macro_rules! each_archived {
    ($builder:expr, $column:ident => $body:expr) => {
        match $builder {
            Self::Text($column) | Self::Json($column) | Self::Binary($column) => $body,
            Self::Bool($column) => $body,
            Self::Int16($column) => $body,
            Self::Int32($column) | Self::Date($column) => $body,
            Self::Int64($column) | Self::TimestampUtc($column) | Self::Timestamp($column) | Self::Time($column) => {
                $body
            }
            Self::Float32($column) => $body,
            Self::Float64($column) => $body,
            Self::Decimal { column: $column, .. } => $body,
            Self::Uuid($column) => $body,
            Self::List($column) => $body,
        }
    };
}

impl ArchivedColumn {
    /// An empty column. Rows without a value fail with `missing`, if given.
    pub(super) fn new(column: &Column, missing: Option<RowErrorKind>) -> Self {
        Self::with_validity(&column.kind, is_cost_of_artifact(column), Validity::new(missing))
    }

    /// An empty column of list elements, which are nullable.
    fn new_elements(kind: &ColumnType) -> Self {
        Self::with_validity(kind, false, Validity::new(None))
    }

    /// An empty column. Decimals are written without trailing zeros if `trimmed`.
    fn with_validity(kind: &ColumnType, trimmed: bool, validity: Validity) -> Self {
        match kind {
            ColumnType::Text => Self::Text(TextColumn::new(validity)),
            ColumnType::Json => Self::Json(TextColumn::new(validity)),
            ColumnType::Bool => Self::Bool(FixedColumn::new(validity)),
            ColumnType::Int16 => Self::Int16(FixedColumn::new(validity)),
            ColumnType::Int32 => Self::Int32(FixedColumn::new(validity)),
            ColumnType::Int64 => Self::Int64(FixedColumn::new(validity)),
            ColumnType::Float32 => Self::Float32(FixedColumn::new(validity)),
            ColumnType::Float64 => Self::Float64(FixedColumn::new(validity)),
            ColumnType::Decimal { precision, scale } => {
                Self::Decimal { column: FixedColumn::new(validity), precision: *precision, scale: *scale, trimmed }
            }
            ColumnType::TimestampUtc => Self::TimestampUtc(FixedColumn::new(validity)),
            ColumnType::Timestamp => Self::Timestamp(FixedColumn::new(validity)),
            ColumnType::Date => Self::Date(FixedColumn::new(validity)),
            ColumnType::Time => Self::Time(FixedColumn::new(validity)),
            ColumnType::Uuid => Self::Uuid(FixedColumn::new(validity)),
            ColumnType::Binary => Self::Binary(TextColumn::new(validity)),
            ColumnType::List(element) => Self::List(ListColumn::new(element, validity)),
        }
    }

    /// Parses `text` and appends the value. After an error the column must be truncated before it is used again.
    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), RowErrorKind> {
        match self {
            Self::Text(column) | Self::Json(column) => column.push(text),
            Self::Bool(column) => column.push(scalar::parse_bool(text)),
            Self::Int16(column) => column.push(number::parse_narrow_integer(text)),
            Self::Int32(column) => column.push(number::parse_narrow_integer(text)),
            Self::Int64(column) => column.push(number::parse_integer(text)),
            Self::Float32(column) => column.push(number::parse_float(text)),
            Self::Float64(column) => column.push(number::parse_float(text)),
            Self::Decimal { column, precision, scale, trimmed } => {
                column.push(number::parse_archived_decimal(text, *precision, *scale, *trimmed))
            }
            Self::TimestampUtc(column) => column.push(calendar::parse_archived_utc(text)),
            Self::Timestamp(column) => column.push(calendar::parse_archived_local(text)),
            Self::Date(column) => column.push(calendar::parse_date(text)),
            Self::Time(column) => column.push(calendar::parse_time(text)),
            Self::Uuid(column) => column.push(scalar::parse_uuid(text)),
            Self::Binary(column) => column.push_with(|bytes| scalar::append_hex(text, bytes)),
            Self::List(column) => column.push(text),
        }
    }

    /// Appends a row without a value.
    pub(super) fn push_null(&mut self) -> Result<(), RowErrorKind> {
        each_archived!(self, column => column.push_null())
    }

    /// Appends the JSON array element at the start of `text`, and returns the rest.
    fn push_element<'t>(&mut self, text: &'t [u8]) -> Result<&'t [u8], RowErrorKind> {
        match (&mut *self, text) {
            (Self::List(lists), [b'[', ..]) => lists.read(text),
            (Self::Json(column), _) => {
                let (json, rest) = list::split_json(text)?;
                // A JSON null and a missing element are written alike.
                let pushed = if json == b"null" { column.push_null() } else { column.push(json) };
                pushed.map(|()| rest)
            }
            (Self::Text(column), [b'"', ..]) => {
                let (inside, rest) = list::split_string(text)?;
                column.push_with(|bytes| list::unescape(inside, bytes)).map(|()| rest)
            }
            (_, [b'"', ..]) => {
                let (inside, rest) = list::split_string(text)?;
                self.push_in_json(inside, true).map(|()| rest)
            }
            _ => {
                let (word, rest) = list::split_word(text);
                let pushed = if word == b"null" { self.push_null() } else { self.push_in_json(word, false) };
                pushed.map(|()| rest)
            }
        }
    }

    /// Appends the text of an element, which was a JSON string if `is_string`.
    fn push_in_json(&mut self, text: &[u8], is_string: bool) -> Result<(), RowErrorKind> {
        let is_string_in_json = match self {
            Self::Float32(_) | Self::Float64(_) => number::is_beyond_json(text),
            Self::TimestampUtc(_)
            | Self::Timestamp(_)
            | Self::Date(_)
            | Self::Time(_)
            | Self::Uuid(_)
            | Self::Binary(_)
            | Self::Text(_) => true,
            Self::Bool(_) | Self::Int16(_) | Self::Int32(_) | Self::Int64(_) | Self::Decimal { .. } => false,
            Self::Json(_) | Self::List(_) => return Err(list::INVALID_LIST),
        };
        if is_string == is_string_in_json { self.push(text) } else { Err(list::INVALID_LIST) }
    }
}

impl ColumnBuilder for ArchivedColumn {
    fn truncate(&mut self, rows: usize) {
        each_archived!(self, column => column.truncate(rows));
    }

    fn reserve(&mut self, factor: usize) {
        each_archived!(self, column => column.reserve(factor));
    }

    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        let data_type = data_type.clone();
        Some(match self {
            Self::Text(column) | Self::Json(column) => return column.finish(),
            Self::Bool(column) => column.finish_bool(),
            Self::Int16(column) => column.finish::<Int16Type>(data_type),
            Self::Int32(column) => column.finish::<Int32Type>(data_type),
            Self::Int64(column) => column.finish::<Int64Type>(data_type),
            Self::Float32(column) => column.finish::<Float32Type>(data_type),
            Self::Float64(column) => column.finish::<Float64Type>(data_type),
            Self::Decimal { column, .. } => column.finish::<Decimal128Type>(data_type),
            Self::TimestampUtc(column) | Self::Timestamp(column) => {
                column.finish::<TimestampMicrosecondType>(data_type)
            }
            Self::Date(column) => column.finish::<Date32Type>(data_type),
            Self::Time(column) => column.finish::<Time64MicrosecondType>(data_type),
            Self::Uuid(column) => column.finish_bytes(),
            Self::Binary(column) => column.finish_binary(),
            Self::List(column) => return column.finish(&data_type),
        })
    }
}

/// A growing column of lists.
#[derive(Debug)]
pub(super) struct ListColumn {
    elements: Box<ArchivedColumn>,
    /// Number of elements.
    count: usize,
    /// Index of the first element of each list, and of the next list.
    offsets: Vec<i32>,
    validity: Validity,
}

impl ListColumn {
    fn new(element: &ColumnType, validity: Validity) -> Self {
        let elements = Box::new(ArchivedColumn::new_elements(element));
        Self { elements, count: 0, offsets: vec![0], validity }
    }

    /// Parses `text`, a JSON array, and appends the list.
    fn push(&mut self, text: &[u8]) -> Result<(), RowErrorKind> {
        if self.read(text)?.is_empty() { Ok(()) } else { Err(list::INVALID_LIST) }
    }

    /// Appends the list at the start of `text`, and returns the rest.
    fn read<'t>(&mut self, text: &'t [u8]) -> Result<&'t [u8], RowErrorKind> {
        let mut rest = text.strip_prefix(b"[").ok_or(list::INVALID_LIST)?;
        if let [b']', after @ ..] = rest {
            self.end_value()?;
            return Ok(after);
        }
        loop {
            rest = self.elements.push_element(rest)?;
            self.count += 1;
            match rest {
                [b',', after @ ..] => rest = after,
                [b']', after @ ..] => {
                    self.end_value()?;
                    return Ok(after);
                }
                _ => return Err(list::INVALID_LIST),
            }
        }
    }

    fn push_null(&mut self) -> Result<(), RowErrorKind> {
        self.validity.push_null()?;
        self.end()
    }

    fn end_value(&mut self) -> Result<(), RowErrorKind> {
        self.validity.push_value();
        self.end()
    }

    fn end(&mut self) -> Result<(), RowErrorKind> {
        self.offsets.push(i32::try_from(self.count).map_err(|_| RowErrorKind::ChunkTooLarge)?);
        Ok(())
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        #[expect(clippy::expect_used, reason = "offsets are made from counts")]
        let count = self.offsets.last().map_or(0, |end| usize::try_from(*end).expect("an offset is not negative"));
        self.count = count;
        self.elements.truncate(self.count);
        self.validity.truncate(rows);
    }

    fn reserve(&mut self, factor: usize) {
        self.offsets.reserve(self.offsets.len() * factor);
        self.elements.reserve(factor);
    }

    /// The finished array; `None` if an element is not UTF-8.
    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        let DataType::List(field) = data_type else { return None };
        let elements = self.elements.finish(field.data_type())?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Some(Arc::new(ListArray::new(Arc::clone(field), offsets, elements, self.validity.finish())))
    }
}
