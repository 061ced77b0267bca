//! PostgreSQL's binary COPY (the documentation of COPY, "Binary Format").
//!
//! Values have the binary form of their [`server_type`]; columns of that type accept them without a conversion.

use super::values::{Lists, Values};
use crate::{Column, ColumnType, EventBatch, column_type::Typed};
use arrow_array::{ArrayRef, ListArray, cast::AsArray as _};

/// The signature, and a header without flags or extension.
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The end of the rows.
pub const TRAILER: &[u8] = b"\xff\xff";

/// The PostgreSQL type of the values of `kind`; `None` for lists of lists, which PostgreSQL does not have.
pub fn server_type(kind: &ColumnType) -> Option<String> {
    kind.postgres()
}

/// Appends the rows of `batch` to `out`, and passes `out` to `spill` after each row, which may take its content.
///
/// # Panics
/// When the batch has a column without a [`server_type`], or more columns than a table can have.
#[expect(clippy::expect_used, reason = "a table of PostgreSQL has at most 1,600 columns")]
pub fn write_rows<E>(
    batch: &EventBatch,
    out: &mut Vec<u8>,
    mut spill: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let columns = batch.schema().columns().iter().zip(batch.records().columns());
    let columns = columns.map(|(column, array)| Values::new(column, array)).collect::<Vec<_>>();
    let fields = i16::try_from(columns.len()).expect("a table has fewer columns");
    for row in 0..batch.len() {
        out.extend(fields.to_be_bytes());
        for column in &columns {
            column.write_copy_field(row, out);
        }
        spill(out)?;
    }
    Ok(())
}

/// The first column with a text that contains U+0000, which PostgreSQL's texts cannot hold.
pub fn column_with_nul(batch: &EventBatch) -> Option<&Column> {
    let columns = batch.schema().columns().iter().zip(batch.records().columns());
    let has_nul = |array: &ArrayRef| {
        let texts = array.as_list_opt::<i32>().map_or(array, ListArray::values).as_string_opt::<i32>();
        texts.is_some_and(|texts| memchr::memchr(0, texts.value_data()).is_some())
    };
    columns.into_iter().find(|(_, array)| has_nul(array)).map(|(column, _)| column)
}

/// The length that means NULL.
const NULL: i32 = -1;

impl Values<'_> {
    /// Appends the value of `row` with its length, or NULL.
    #[expect(clippy::expect_used, reason = "Arrow's offsets have 32 bits, so no value is that long")]
    fn write_copy_field(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend(NULL.to_be_bytes());
            return;
        }
        let start = out.len() + size_of::<i32>();
        out.extend(0_i32.to_be_bytes());
        self.write_copy(row, out);
        let length = i32::try_from(out.len() - start).expect("a value has less than 2 GiB");
        out[start - size_of::<i32>()..start].copy_from_slice(&length.to_be_bytes());
    }

    /// Appends the value of `row`, which is not NULL.
    fn write_copy(&self, row: usize, out: &mut Vec<u8>) {
        match &self.typed {
            Typed::Text(array) | Typed::Json(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Typed::Bool(array) => out.push(array.value(row).into()),
            Typed::Int16(array) => out.extend(array.value(row).to_be_bytes()),
            Typed::Int32(array) => out.extend(array.value(row).to_be_bytes()),
            Typed::Int64(array) => out.extend(array.value(row).to_be_bytes()),
            Typed::Time(array) => out.extend(array.value(row).to_be_bytes()),
            Typed::Float32(array) => out.extend(array.value(row).to_be_bytes()),
            Typed::Float64(array) => out.extend(array.value(row).to_be_bytes()),
            Typed::Decimal { values, scale, .. } => write_numeric(values.value(row), *scale, out),
            Typed::TimestampUtc(array) | Typed::Timestamp(array) => write_timestamp(array.value(row), out),
            Typed::Date(array) => write_date(array.value(row), out),
            Typed::Uuid(array) => out.extend_from_slice(array.value(row)),
            Typed::Binary(array) => out.extend_from_slice(array.value(row)),
            Typed::List(lists) => write_array(lists, row, out),
        }
    }
}

/// Appends the list in `row` as an array of one dimension, or of none when it is empty, as PostgreSQL sends it.
#[expect(clippy::expect_used, reason = "the callers send no column for which `server_type` is `None`")]
fn write_array(lists: &Lists<'_>, row: usize, out: &mut Vec<u8>) {
    const FIRST_INDEX: i32 = 1;
    let range = lists.range(row);
    let has_null = range.clone().any(|element| lists.elements.is_null(element));
    let oid = lists.element_oid.expect("PostgreSQL has no lists of lists");
    out.extend(i32::from(!range.is_empty()).to_be_bytes());
    out.extend(i32::from(has_null).to_be_bytes());
    out.extend(oid.to_be_bytes());
    if range.is_empty() {
        return;
    }
    out.extend(lists.length(row).to_be_bytes());
    out.extend(FIRST_INDEX.to_be_bytes());
    for element in range {
        lists.elements.write_copy_field(element, out);
    }
}

const MICROS_1970_TO_2000: i64 = 946_684_800_000_000;
const DAYS_1970_TO_2000: i32 = 10_957;

/// Times before PostgreSQL's range become its -infinity. No archive has that value, so the comparison after a restore
/// reports it.
fn write_timestamp(micros_since_1970: i64, out: &mut Vec<u8>) {
    out.extend(micros_since_1970.saturating_sub(MICROS_1970_TO_2000).to_be_bytes());
}

/// As [`write_timestamp`], for a date.
fn write_date(days_since_1970: i32, out: &mut Vec<u8>) {
    out.extend(days_since_1970.saturating_sub(DAYS_1970_TO_2000).to_be_bytes());
}

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;

/// PostgreSQL keeps decimals as digits to the base 10,000: four decimal digits each.
const BASE: u128 = 10_000;
const BASE_DIGITS: u8 = 4;

/// The digits of a decimal to the base 10,000.
#[derive(Default)]
struct Digits {
    /// Ten on either side of the point hold any decimal of 38 digits.
    digits: [u16; 20],
    count: usize,
}

impl Digits {
    #[expect(clippy::expect_used, reason = "the callers push remainders")]
    fn push(&mut self, digit: u128) {
        self.digits[self.count] = u16::try_from(digit).expect("a digit is less than its base");
        self.count += 1;
    }

    /// Pushes the digits of a whole number, the highest first; none for zero.
    fn push_whole(&mut self, mut rest: u128) {
        let start = self.count;
        while rest > 0 {
            self.push(rest % BASE);
            rest /= BASE;
        }
        self.digits[start..self.count].reverse();
    }

    /// Pushes the digits of `rest` / 10^`scale`, which is less than one.
    fn push_fraction(&mut self, mut rest: u128, scale: u8) {
        let mut left = scale;
        while left > 0 {
            let taken = left.min(BASE_DIGITS);
            left -= taken;
            let unit = 10_u128.pow(left.into());
            self.push(rest / unit * 10_u128.pow((BASE_DIGITS - taken).into()));
            rest %= unit;
        }
    }
}

/// Appends the decimal `value` / 10^`scale`.
#[expect(clippy::expect_used, reason = "there are at most 20 digits")]
fn write_numeric(value: i128, scale: u8, out: &mut Vec<u8>) {
    let (size, unit) = (value.unsigned_abs(), 10_u128.pow(scale.into()));
    let mut all = Digits::default();
    all.push_whole(size / unit);
    let whole = all.count;
    all.push_fraction(size % unit, scale);

    let digits = &all.digits[..all.count];
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let end = digits.iter().rposition(|digit| *digit != 0).map_or(zeros, |last| last + 1);
    let digits = &digits[zeros..end];
    let short = |number: usize| i16::try_from(number).expect("a count of digits");
    // The power of 10,000 of the first digit.
    let weight = if digits.is_empty() { 0 } else { short(whole) - short(zeros) - 1 };
    out.extend(short(digits.len()).to_be_bytes());
    out.extend(weight.to_be_bytes());
    out.extend(if value < 0 { NEGATIVE } else { POSITIVE }.to_be_bytes());
    out.extend(u16::from(scale).to_be_bytes());
    for digit in digits {
        out.extend(digit.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Schema;
    use arrow_array::{
        Array as _, BinaryArray, BooleanArray, Date32Array, FixedSizeBinaryArray, Float64Array, Int32Array,
        RecordBatch, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
        builder::{ListBuilder, StringBuilder},
    };
    use std::{convert::Infallible, sync::Arc};

    /// A batch of an id, a time and `columns`.
    fn batch(columns: Vec<(&str, ArrayRef)>) -> EventBatch {
        let rows = columns[0].1.len();
        let ids = StringArray::from_iter_values((0..rows).map(|row| row.to_string()));
        let times = TimestampMicrosecondArray::from_iter_values(vec![0; rows]).with_timezone("UTC");
        let keys: [(&str, ArrayRef); 2] = [("text", Arc::new(ids)), ("timestamp(us,UTC)", Arc::new(times))];
        let (kinds, arrays): (Vec<_>, Vec<_>) = keys.into_iter().chain(columns).unzip();
        let column = |(index, kind): (usize, &&str)| Column {
            name: format!("c{index}"),
            kind: kind.parse().unwrap(),
            source_type: None,
            nullable: true,
        };
        let schema = Schema::new(kinds.iter().enumerate().map(column).collect(), "c0", "c1").unwrap();
        let records = RecordBatch::try_new(schema.to_arrow(), arrays).unwrap();
        EventBatch::try_new(Arc::new(schema), records).unwrap()
    }

    /// The bytes of each row after the id and the time.
    fn rows(columns: Vec<(&str, ArrayRef)>) -> Vec<Vec<u8>> {
        let (mut rows, mut out) = (Vec::new(), Vec::new());
        let spill = |out: &mut Vec<u8>| {
            rows.push(out.split_off(2 + 4 + 1 + 4 + 8));
            out.clear();
            Ok::<_, Infallible>(())
        };
        write_rows(&batch(columns), &mut out, spill).unwrap();
        rows
    }

    #[test]
    fn rows_are_a_field_count_and_fields_with_their_length() {
        let mut out = Vec::new();
        let texts = StringArray::from(vec![Some("ab"), None, Some("")]);
        write_rows(&batch(vec![("text", Arc::new(texts))]), &mut out, |_| Ok::<_, Infallible>(())).unwrap();
        let key =
            |id: u8| [&[0, 3, 0, 0, 0, 1, id, 0, 0, 0, 8][..], &(-946_684_800_000_000_i64).to_be_bytes()].concat();
        let expected = [
            [key(b'0'), vec![0, 0, 0, 2, b'a', b'b']].concat(),
            [key(b'1'), vec![0xff, 0xff, 0xff, 0xff]].concat(),
            [key(b'2'), vec![0, 0, 0, 0]].concat(),
        ];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn values_have_the_binary_form_of_their_server_type() {
        let value = |kind, array: ArrayRef| rows(vec![(kind, array)]).remove(0).split_off(4);
        assert_eq!(value("bool", Arc::new(BooleanArray::from(vec![true]))), [1]);
        assert_eq!(value("int32", Arc::new(Int32Array::from(vec![-2]))), [0xff, 0xff, 0xff, 0xfe]);
        assert_eq!(value("float64", Arc::new(Float64Array::from(vec![-0.0]))), [0x80, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(value("date", Arc::new(Date32Array::from(vec![10_956]))), [0xff; 4]);
        assert_eq!(value("time(us)", Arc::new(Time64MicrosecondArray::from(vec![258]))), [0, 0, 0, 0, 0, 0, 1, 2]);
        let local = TimestampMicrosecondArray::from(vec![946_684_800_000_001]);
        assert_eq!(value("timestamp(us)", Arc::new(local)), [0, 0, 0, 0, 0, 0, 0, 1]);
        let uuid = FixedSizeBinaryArray::try_from_iter([[7_u8; 16]].iter()).unwrap();
        assert_eq!(value("uuid", Arc::new(uuid)), [7; 16]);
        assert_eq!(value("binary", Arc::new(BinaryArray::from(vec![&b"\0\xff"[..]]))), [0, 0xff]);
        assert_eq!(value("json", Arc::new(StringArray::from(vec!["{ }"]))), b"{ }");
    }

    #[test]
    fn lists_have_their_type_length_and_nulls() {
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("a"), None]);
        lists.append_value([] as [Option<&str>; 0]);
        lists.append_null();
        let rows = rows(vec![("list<text>", Arc::new(list_of_elements(lists.finish())))]);
        let [dimensions, has_null, text, length, first] = [1_i32, 1, 25, 2, 1].map(i32::to_be_bytes);
        let full = [dimensions, has_null, text, length, first, [0, 0, 0, 1]].concat();
        assert_eq!(rows[0][4..], [full, vec![b'a', 0xff, 0xff, 0xff, 0xff]].concat());
        assert_eq!(rows[1], [[0, 0, 0, 12], [0; 4], [0; 4], text].concat());
        assert_eq!(rows[2], [0xff; 4]);
    }

    /// The list with the field name of an archive.
    fn list_of_elements(list: ListArray) -> ListArray {
        let (_, offsets, values, nulls) = list.into_parts();
        let field = arrow_schema::Field::new("element", arrow_schema::DataType::Utf8, true);
        ListArray::new(Arc::new(field), offsets, values, nulls)
    }

    #[test]
    fn times_out_of_range_become_minus_infinity() {
        let times = TimestampMicrosecondArray::from(vec![i64::MIN, i64::MIN + 1]);
        let rows = rows(vec![("timestamp(us)", Arc::new(times))]);
        assert_eq!(rows.iter().map(|row| &row[4..]).collect::<Vec<_>>(), [i64::MIN.to_be_bytes(); 2]);
    }

    #[test]
    fn every_type_except_nested_lists_has_a_server_type() {
        let name = |kind: &str| server_type(&kind.parse().unwrap());
        assert_eq!(name("list<decimal(38,18)>").as_deref(), Some("numeric(38,18)[]"));
        assert_eq!(name("json").as_deref(), Some("json"));
        assert_eq!((name("list<list<text>>"), name("list<list<list<text>>>")), (None, None));
    }

    /// The count of digits, weight, sign, scale, and the digits.
    fn written(value: i128, scale: u8) -> Vec<i16> {
        let mut out = Vec::new();
        write_numeric(value, scale, &mut out);
        out.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn digits_are_groups_of_four_around_the_point() {
        // From `numeric_send` of PostgreSQL 15.
        assert_eq!(written(123_456_789, 2), [3, 1, 0, 2, 123, 4567, 8900]);
        assert_eq!(written(-5, 2), [1, -1, 0x4000, 2, 500]);
        assert_eq!(written(1, 18), [1, -5, 0, 18, 100]);
        assert_eq!(written(10_000, 0), [1, 1, 0, 0, 1]);
        assert_eq!(written(0, 18), [0, 0, 0, 18]);
        assert_eq!(written(-100_000_000, 4), [1, 1, 0x4000, 4, 1]);
    }

    #[test]
    fn the_longest_decimals_keep_all_digits() {
        let nines = 10_i128.pow(38) - 1;
        assert_eq!(written(nines, 0)[..5], [10, 9, 0, 0, 99]);
        assert_eq!(written(nines, 38)[..4], [10, -1, 0, 38]);
        assert_eq!(written(nines, 38)[13], 9900);
        assert_eq!(written(-nines, 19)[..5], [10, 4, 0x4000, 19, 999]);
    }
}
