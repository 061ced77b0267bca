//! Columns of a COPY, filled from the fields of several rows at a time.

use super::{
    ValueError,
    rows::{Field, split_field},
    value,
};
use crate::{
    ColumnType,
    decode::{
        builder::{FixedColumn, TextColumn, Validity},
        columns::{ColumnBuilder, Utf8Check},
        row_error::RowErrorKind,
    },
};
use arrow_array::{
    ArrayRef, ListArray,
    types::{
        Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
        TimestampMicrosecondType,
    },
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType};
use std::sync::Arc;

/// A column of a COPY, by the binary form of its values.
#[derive(Debug)]
pub(super) enum CopyColumn {
    Text(TextColumn),
    /// The id, which must not be empty.
    TextId(TextColumn),
    Json(TextColumn),
    Bool(FixedColumn<bool>),
    Int16(FixedColumn<i16>),
    Int32(FixedColumn<i32>),
    Int64(FixedColumn<i64>),
    Float32(FixedColumn<f32>),
    Float64(FixedColumn<f64>),
    Decimal {
        column: FixedColumn<i128>,
        precision: u8,
        scale: u8,
    },
    Timestamp(FixedColumn<i64>),
    Date(FixedColumn<i32>),
    Time(FixedColumn<i64>),
    Uuid(FixedColumn<[u8; 16]>),
    Binary(TextColumn),
    List(ListColumn),
}

/// Evaluates an expression for the column inside any variant of [`CopyColumn`].
macro_rules! each {
    ($builder:expr, $column:ident => $body:expr) => {
        match $builder {
            Self::Text($column) | Self::TextId($column) | Self::Json($column) | Self::Binary($column) => $body,
            Self::Bool($column) => $body,
            Self::Int16($column) => $body,
            Self::Int32($column) | Self::Date($column) => $body,
            Self::Int64($column) | Self::Timestamp($column) | Self::Time($column) => $body,
            Self::Float32($column) => $body,
            Self::Float64($column) => $body,
            Self::Decimal { column: $column, .. } => $body,
            Self::Uuid($column) => $body,
            Self::List($column) => $body,
        }
    };
}

impl CopyColumn {
    /// An empty column; `None` if the type cannot be decoded. Rows without a value fail with `missing`, if given.
    pub(super) fn new(kind: &ColumnType, missing: Option<RowErrorKind>) -> Option<Self> {
        let validity = Validity::new(missing);
        Some(match kind {
            ColumnType::Text if missing == Some(RowErrorKind::NoId) => Self::TextId(TextColumn::new(validity)),
            ColumnType::Text => Self::Text(TextColumn::new(validity)),
            ColumnType::Json => Self::Json(TextColumn::new(validity)),
            ColumnType::Bool => Self::Bool(FixedColumn::new(validity)),
            ColumnType::Int16 => Self::Int16(FixedColumn::new(validity)),
            ColumnType::Int32 => Self::Int32(FixedColumn::new(validity)),
            ColumnType::Int64 => Self::Int64(FixedColumn::new(validity)),
            ColumnType::Float32 => Self::Float32(FixedColumn::new(validity)),
            ColumnType::Float64 => Self::Float64(FixedColumn::new(validity)),
            ColumnType::Decimal { precision, scale }
                if scale <= precision && *precision <= DECIMAL128_MAX_PRECISION =>
            {
                Self::Decimal { column: FixedColumn::new(validity), precision: *precision, scale: *scale }
            }
            ColumnType::Decimal { .. } => return None,
            ColumnType::TimestampUtc | ColumnType::Timestamp => Self::Timestamp(FixedColumn::new(validity)),
            ColumnType::Date => Self::Date(FixedColumn::new(validity)),
            ColumnType::Time => Self::Time(FixedColumn::new(validity)),
            ColumnType::Uuid => Self::Uuid(FixedColumn::new(validity)),
            ColumnType::Binary => Self::Binary(TextColumn::new(validity)),
            ColumnType::List(element) => Self::List(ListColumn::new(element, validity)?),
        })
    }

    /// Appends a row for each of `fields`. After an error the column must be truncated before it is used again.
    pub(super) fn extend(&mut self, fields: &[Field<'_>], utf8: Utf8Check) -> Result<(), ValueError> {
        match self {
            Self::Text(column) => extend_text(column, fields, utf8),
            Self::TextId(column) => {
                let is_missing = fields.contains(&Some(&[]));
                if is_missing { Err(RowErrorKind::NoId.into()) } else { extend_text(column, fields, utf8) }
            }
            Self::Json(column) => extend_text(column, &value::json_texts(fields)?, utf8),
            Self::Binary(column) => Ok(column.extend(fields)?),
            Self::Bool(column) => column.extend(fields, value::read_bool),
            Self::Int16(column) => column.extend(fields, |field| value::read_fixed(field, i16::from_be_bytes)),
            Self::Int32(column) => column.extend(fields, |field| value::read_fixed(field, i32::from_be_bytes)),
            Self::Int64(column) => column.extend(fields, |field| value::read_fixed(field, i64::from_be_bytes)),
            Self::Float32(column) => column.extend(fields, |field| value::read_fixed(field, f32::from_be_bytes)),
            Self::Float64(column) => column.extend(fields, |field| value::read_fixed(field, f64::from_be_bytes)),
            Self::Decimal { column, precision, scale } => {
                column.extend(fields, |field| value::read_numeric(field, *precision, *scale))
            }
            Self::Timestamp(column) => column.extend(fields, value::read_timestamp),
            Self::Date(column) => column.extend(fields, value::read_date),
            Self::Time(column) => column.extend(fields, value::read_time),
            Self::Uuid(column) => column.extend(fields, value::read_uuid),
            Self::List(column) => column.extend(fields, utf8),
        }
    }
}

impl ColumnBuilder for CopyColumn {
    fn truncate(&mut self, rows: usize) {
        each!(self, column => column.truncate(rows));
    }

    fn reserve(&mut self, factor: usize) {
        each!(self, column => column.reserve(factor));
    }

    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        let data_type = data_type.clone();
        Some(match self {
            Self::Text(column) | Self::TextId(column) | Self::Json(column) => return column.finish(),
            Self::Binary(column) => column.finish_binary(),
            Self::Bool(column) => column.finish_bool(),
            Self::Int16(column) => column.finish::<Int16Type>(data_type),
            Self::Int32(column) => column.finish::<Int32Type>(data_type),
            Self::Int64(column) => column.finish::<Int64Type>(data_type),
            Self::Float32(column) => column.finish::<Float32Type>(data_type),
            Self::Float64(column) => column.finish::<Float64Type>(data_type),
            Self::Decimal { column, .. } => column.finish::<Decimal128Type>(data_type),
            Self::Timestamp(column) => column.finish::<TimestampMicrosecondType>(data_type),
            Self::Date(column) => column.finish::<Date32Type>(data_type),
            Self::Time(column) => column.finish::<Time64MicrosecondType>(data_type),
            Self::Uuid(column) => column.finish_bytes(),
            Self::List(column) => return column.finish(&data_type),
        })
    }
}

fn extend_text(column: &mut TextColumn, texts: &[Field<'_>], utf8: Utf8Check) -> Result<(), ValueError> {
    if utf8 == Utf8Check::ByRow && texts.iter().flatten().any(|text| std::str::from_utf8(text).is_err()) {
        return Err(RowErrorKind::Utf8.into());
    }
    Ok(column.extend(texts)?)
}

/// A growing column of lists.
#[derive(Debug)]
pub(super) struct ListColumn {
    /// Elements of all lists.
    elements: Box<CopyColumn>,
    /// Index of the first element of each list, and of the next list.
    offsets: Vec<i32>,
    validity: Validity,
}

impl ListColumn {
    /// An empty column; `None` if the type of the elements cannot be decoded or is a list itself.
    fn new(element: &ColumnType, validity: Validity) -> Option<Self> {
        if matches!(element, ColumnType::List(_)) {
            return None;
        }
        let elements = Box::new(CopyColumn::new(element, None)?);
        Some(Self { elements, offsets: vec![0], validity })
    }

    /// Appends a list for each of `fields`. After an error the column must be truncated before it is used again.
    fn extend(&mut self, fields: &[Field<'_>], utf8: Utf8Check) -> Result<(), ValueError> {
        let start = self.last_offset();
        let mut elements = Vec::new();
        for field in fields {
            if let Some(field) = field {
                push_elements(field, &mut elements)?;
            }
            self.offsets.push(i32::try_from(start + elements.len()).map_err(|_| RowErrorKind::ChunkTooLarge)?);
        }
        self.elements.extend(&elements, utf8)?;
        Ok(self.validity.extend(fields)?)
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.elements.truncate(self.last_offset());
        self.validity.truncate(rows);
    }

    fn reserve(&mut self, factor: usize) {
        self.offsets.reserve(self.offsets.len() * factor);
        self.elements.reserve(factor);
    }

    /// The finished array; `None` if an element is not UTF-8.
    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        let DataType::List(field) = data_type else { unreachable!("the column was built from its field") };
        let elements = self.elements.finish(field.data_type())?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Some(Arc::new(ListArray::new(Arc::clone(field), offsets, elements, self.validity.finish())))
    }

    fn last_offset(&self) -> usize {
        #[expect(clippy::expect_used, reason = "offsets are made from counts")]
        self.offsets.last().map_or(0, |offset| usize::try_from(*offset).expect("an offset is not negative"))
    }
}

/// Appends the elements of an array to `elements`. The element type in its header is ignored, since the catalogue defines
/// it, and so is the lower bound, which lists do not have.
fn push_elements<'a>(array: &'a [u8], elements: &mut Vec<Field<'a>>) -> Result<(), ValueError> {
    let broken = ValueError::Broken("an array shorter than its header");
    let (head, rest) = array.split_first_chunk::<12>().ok_or(broken)?;
    let [d0, d1, d2, d3, ..] = *head;
    match i32::from_be_bytes([d0, d1, d2, d3]) {
        0 if rest.is_empty() => return Ok(()),
        0 => return Err(TOO_LONG),
        1 => {}
        2.. => return Err(ValueError::Nested),
        _ => return Err(ValueError::Broken("an array with a negative number of dimensions")),
    }
    let ([l0, l1, l2, l3, ..], mut rest) = rest.split_first_chunk::<8>().ok_or(broken)?;
    let length = i32::from_be_bytes([*l0, *l1, *l2, *l3]);
    if length < 0 {
        return Err(ValueError::Broken("an array of negative length"));
    }
    for _ in 0..length {
        let (element, after) = split_field(rest).ok_or(broken)?;
        elements.push(element);
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(TOO_LONG) }
}

const TOO_LONG: ValueError = ValueError::Broken("an array longer than its header");
