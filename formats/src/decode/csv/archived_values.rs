//! Values of archived CSV files: each has one spelling.

use crate::decode::{
    columns::ColumnBuilder as _,
    parse::{calendar, list, number, scalar},
    row_error::RowErrorKind,
    typed::{ListColumn, TypedColumn},
};

impl TypedColumn {
    /// Parses `text` and appends the value. After an error the column must be truncated before it is used again.
    pub(super) fn push_text(&mut self, text: &[u8]) -> Result<(), RowErrorKind> {
        match self {
            Self::Text(column) | Self::Json(column) => column.push(text),
            Self::Bool(column) => column.push(scalar::parse_bool(text)),
            Self::Int16(column) => column.push(number::parse_narrow_integer(text)),
            Self::Int32(column) => column.push(number::parse_narrow_integer(text)),
            Self::Int64(column) => column.push(number::parse_integer(text)),
            Self::Float32(column) => column.push(number::parse_float(text)),
            Self::Float64(column) => column.push(number::parse_float(text)),
            Self::Decimal { values, precision, scale, trim_zeros } => {
                values.push(number::parse_archived_decimal(text, *precision, *scale, *trim_zeros))
            }
            Self::TimestampUtc(column) => column.push(calendar::parse_archived_utc(text)),
            Self::Timestamp(column) => column.push(calendar::parse_archived_local(text)),
            Self::Date(column) => column.push(calendar::parse_date(text)),
            Self::Time(column) => column.push(calendar::parse_time(text)),
            Self::Uuid(column) => column.push(scalar::parse_uuid(text)),
            Self::Binary(column) => column.push_with(|bytes| scalar::append_hex(text, bytes)),
            Self::List(column) => column.push_text(text),
        }
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
        if is_string == is_string_in_json { self.push_text(text) } else { Err(list::INVALID_LIST) }
    }
}

impl ListColumn {
    /// Parses `text`, a JSON array, and appends the list.
    fn push_text(&mut self, text: &[u8]) -> Result<(), RowErrorKind> {
        if self.read(text)?.is_empty() { Ok(()) } else { Err(list::INVALID_LIST) }
    }

    /// Appends the list at the start of `text`, and returns the rest.
    fn read<'t>(&mut self, text: &'t [u8]) -> Result<&'t [u8], RowErrorKind> {
        let mut rest = text.strip_prefix(b"[").ok_or(list::INVALID_LIST)?;
        let mut count = self.element_count();
        if let [b']', after @ ..] = rest {
            return self.end_value(count).map(|()| after);
        }
        loop {
            rest = self.elements.push_element(rest)?;
            count += 1;
            match rest {
                [b',', after @ ..] => rest = after,
                [b']', after @ ..] => return self.end_value(count).map(|()| after),
                _ => return Err(list::INVALID_LIST),
            }
        }
    }

    /// Ends a list after `count` elements of all lists.
    fn end_value(&mut self, count: usize) -> Result<(), RowErrorKind> {
        self.validity.push_value();
        self.end(count)
    }
}
