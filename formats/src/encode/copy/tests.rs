use super::*;
use crate::Schema;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, FixedSizeBinaryArray, Float64Array, Int32Array, RecordBatch,
    StringArray, Time64MicrosecondArray, TimestampMicrosecondArray, builder::ListBuilder, builder::StringBuilder,
};
use std::{convert::Infallible, sync::Arc};

/// A batch of these columns, before which there are an id and a time.
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

/// The bytes of each row, without those of the id and the time.
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
fn a_row_is_its_number_of_fields_and_then_each_with_its_length() {
    let mut out = Vec::new();
    let texts = StringArray::from(vec![Some("ab"), None, Some("")]);
    write_rows(&batch(vec![("text", Arc::new(texts))]), &mut out, |_| Ok::<_, Infallible>(())).unwrap();
    let key = |id: u8| [&[0, 3, 0, 0, 0, 1, id, 0, 0, 0, 8][..], &(-946_684_800_000_000_i64).to_be_bytes()].concat();
    let expected = [
        [key(b'0'), vec![0, 0, 0, 2, b'a', b'b']].concat(),
        [key(b'1'), vec![0xff, 0xff, 0xff, 0xff]].concat(),
        [key(b'2'), vec![0, 0, 0, 0]].concat(),
    ];
    assert_eq!(out, expected.concat());
}

#[test]
fn values_have_the_binary_form_of_their_type() {
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
fn lists_know_their_type_their_length_and_their_nulls() {
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

/// The list with the name that an archive has for its elements.
fn list_of_elements(list: arrow_array::ListArray) -> arrow_array::ListArray {
    let (_, offsets, values, nulls) = list.into_parts();
    let field = arrow_schema::Field::new("element", arrow_schema::DataType::Utf8, true);
    arrow_array::ListArray::new(Arc::new(field), offsets, values, nulls)
}

#[test]
fn a_time_before_all_times_of_the_server_is_its_infinity_and_no_other_time() {
    let times = TimestampMicrosecondArray::from(vec![i64::MIN, i64::MIN + 1]);
    let rows = rows(vec![("timestamp(us)", Arc::new(times))]);
    assert_eq!(rows.iter().map(|row| &row[4..]).collect::<Vec<_>>(), [i64::MIN.to_be_bytes(); 2]);
}

#[test]
fn every_type_but_a_list_of_lists_has_one_of_the_server() {
    let name = |kind: &str| server_type(&kind.parse().unwrap());
    assert_eq!(name("list<decimal(38,18)>").as_deref(), Some("numeric(38,18)[]"));
    assert_eq!(name("json").as_deref(), Some("json"));
    assert_eq!((name("list<list<text>>"), name("list<list<list<text>>>")), (None, None));
}
