//! Fields of a COPY, appended for several rows at a time to the column of their type.

use super::{
    ValueError,
    rows::{Field, split_field},
    value,
};
use crate::decode::{
    builder::BytesColumn,
    columns::Utf8Check,
    row_error::RowErrorKind,
    typed::{ListColumn, TypedColumn},
};

impl TypedColumn {
    /// Appends a row for each of `fields`. After an error the column must be truncated before it is used again.
    pub(super) fn extend(&mut self, fields: &[Field<'_>], utf8: Utf8Check) -> Result<(), ValueError> {
        match self {
            Self::Text(column) => extend_text(column, fields, utf8),
            Self::Json(column) => extend_text(column, &value::json_texts(fields)?, utf8),
            Self::Binary(column) => Ok(column.extend(fields)?),
            Self::Bool(column) => column.extend(fields, value::read_bool),
            Self::Int16(column) => column.extend(fields, |field| value::read_fixed(field, i16::from_be_bytes)),
            Self::Int32(column) => column.extend(fields, |field| value::read_fixed(field, i32::from_be_bytes)),
            Self::Int64(column) => column.extend(fields, |field| value::read_fixed(field, i64::from_be_bytes)),
            Self::Float32(column) => column.extend(fields, |field| value::read_fixed(field, f32::from_be_bytes)),
            Self::Float64(column) => column.extend(fields, |field| value::read_fixed(field, f64::from_be_bytes)),
            Self::Decimal { values, precision, scale, .. } => {
                values.extend(fields, |field| value::read_numeric(field, *precision, *scale))
            }
            Self::TimestampUtc(column) | Self::Timestamp(column) => column.extend(fields, value::read_timestamp),
            Self::Date(column) => column.extend(fields, value::read_date),
            Self::Time(column) => column.extend(fields, value::read_time),
            Self::Uuid(column) => column.extend(fields, value::read_uuid),
            Self::List(column) => column.extend(fields, utf8),
        }
    }
}

fn extend_text(column: &mut BytesColumn, texts: &[Field<'_>], utf8: Utf8Check) -> Result<(), ValueError> {
    if utf8 == Utf8Check::ByRow && texts.iter().flatten().any(|text| std::str::from_utf8(text).is_err()) {
        return Err(RowErrorKind::Utf8.into());
    }
    Ok(column.extend(texts)?)
}

impl ListColumn {
    /// Appends a list for each of `fields`. After an error the column must be truncated before it is used again.
    fn extend(&mut self, fields: &[Field<'_>], utf8: Utf8Check) -> Result<(), ValueError> {
        let start = self.element_count();
        let mut elements = Vec::new();
        for field in fields {
            if let Some(field) = field {
                push_elements(field, &mut elements)?;
            }
            self.end(start + elements.len())?;
        }
        self.elements.extend(&elements, utf8)?;
        Ok(self.validity.extend(fields)?)
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
