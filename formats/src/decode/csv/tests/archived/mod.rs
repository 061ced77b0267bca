//! Tests of archived CSV files, whole and damaged.

mod properties;
mod strategies;

use crate::{
    Column, EventBatch, Schema,
    decode::csv::{ArchivedLayout, CsvError, CsvSplitter},
    encode::{FileEncoder as _, csv::CsvEncoder},
};
use arrow_array::{
    Array as _, ArrayRef, BinaryArray, Int32Array, RecordBatch, StringArray, cast::AsArray, types::Int32Type,
};
use std::{io::Read as _, sync::Arc};

fn column(name: &str, kind: &str) -> Column {
    Column { name: name.to_owned(), kind: kind.parse().unwrap(), source_type: None, nullable: true }
}

/// A schema with an id, a time, and a column `c` of type `kind`.
fn schema_with(kind: &str) -> Arc<Schema> {
    let columns = vec![column("id", "text"), column("t", "timestamp(us,UTC)"), column("c", kind)];
    Arc::new(Schema::new(columns, "id", "t").unwrap())
}

/// Decodes a file in chunks of about `chunk` bytes.
fn decode(file: &[u8], schema: &Arc<Schema>, chunk: usize) -> Result<Option<RecordBatch>, CsvError> {
    let mut splitter = CsvSplitter::new(chunk);
    splitter.push(file)?;
    let mut chunks = std::iter::from_fn(|| splitter.next_chunk()).collect::<Vec<_>>();
    chunks.extend(splitter.finish()?);
    let Some(first) = chunks.first() else { return Err(CsvError::OtherColumns) };
    let (layout, header) = ArchivedLayout::from_header(first, schema)?;
    let mut batches = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        batches.extend(layout.decode(&chunk[if index == 0 { header } else { 0 }..])?);
    }
    let batches = batches.iter().map(EventBatch::records).collect::<Vec<_>>();
    let all = batches.first().map(|first| arrow_select::concat::concat_batches(&first.schema(), batches.clone()));
    Ok(all.map(Result::unwrap))
}

fn encode(schema: &Arc<Schema>, records: RecordBatch) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Box::new(CsvEncoder::new(&mut file, u64::MAX));
    encoder.write(&EventBatch::try_new(Arc::clone(schema), records).unwrap()).unwrap();
    encoder.finish().unwrap();
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(file.as_slice()).read_to_end(&mut text).unwrap();
    text
}

/// The decoded column `c` of a file with one row.
fn field(kind: &str, field: &str) -> Result<ArrayRef, String> {
    let file = format!("id,t,c\na,1970-01-01T00:00:00.000000Z,{field}\n");
    let decoded = decode(file.as_bytes(), &schema_with(kind), 1).map_err(|error| error.to_string())?;
    Ok(Arc::clone(decoded.unwrap().column(2)))
}

#[test]
fn null_differs_from_empty() {
    for kind in ["text", "json", "binary", "list<text>", "int16", "float64", "date", "bool", "uuid"] {
        assert!(field(kind, "").unwrap().is_null(0), "{kind}");
    }
    assert_eq!(field("text", "\"\"").unwrap().as_string::<i32>(), &StringArray::from(vec![""]));
    assert_eq!(field("binary", "\"\"").unwrap().as_binary::<i32>(), &BinaryArray::from(vec![b"".as_slice()]));
    assert_eq!(field("list<int32>", "[]").unwrap().as_list::<i32>().value_length(0), 0);
    assert!(field("list<int32>", "[]").unwrap().is_valid(0));
    for kind in ["list<text>", "int32", "date", "bool", "uuid", "decimal(4,2)", "timestamp(us)"] {
        assert!(field(kind, "\"\"").is_err(), "{kind}");
    }
}

#[test]
fn lists_have_elements_of_every_type() {
    let ints = field("list<int32>", "\"[1,null,-3]\"").unwrap();
    assert_eq!(
        ints.as_list::<i32>().values().as_primitive::<Int32Type>(),
        &Int32Array::from(vec![Some(1), None, Some(-3)])
    );
    let texts = field("list<text>", r#""["""",null,""a\n\""],"",""é""]""#).unwrap();
    let expected = StringArray::from(vec![Some(""), None, Some("a\n\"],"), Some("é")]);
    assert_eq!(texts.as_list::<i32>().values().as_string::<i32>(), &expected);
    let json = field("list<json>", r#""[{""a"": [1, "",""]},null, null ]""#).unwrap();
    let expected = StringArray::from(vec![Some(r#"{"a": [1, ","]}"#), None, Some(" null ")]);
    assert_eq!(json.as_list::<i32>().values().as_string::<i32>(), &expected);
    let floats = field("list<float32>", r#""[1.5,""NaN"",""-Infinity""]""#).unwrap();
    assert_eq!(floats.as_list::<i32>().values().len(), 3);
    assert_eq!(field("list<list<bool>>", "\"[[true],null,[]]\"").unwrap().as_list::<i32>().value_length(0), 3);
}

#[test]
fn other_spellings_are_refused() {
    let cases = [
        ("int16", "32768", "an integer beyond its type"),
        ("int32", "+1", "not an integer in plain digits"),
        ("float64", "1.0", "not a floating-point number in the spelling of archives"),
        ("decimal(4,2)", "1.5", "not a decimal number in the spelling of archives"),
        ("decimal(38,18)", "1.50", "not a decimal number in the spelling of archives"),
        ("decimal(4,2)", "100.00", "more than 2 integer digits"),
        ("timestamp(us,UTC)", "2025-03-01T00:00:00Z", "not a time in UTC in the spelling of archives"),
        ("timestamp(us)", "2025-03-01T00:00:00.000000Z", "not a time without a zone in the spelling of archives"),
        ("date", "2025-3-1", "not a date in the spelling of archives"),
        ("time(us)", "12:00", "not a time of day in the spelling of archives"),
        ("uuid", "x", "not a UUID in the spelling of archives"),
        ("binary", "0F", "not bytes in hexadecimal in the spelling of archives"),
        ("bool", "t", "neither true nor false"),
        ("list<int32>", "\"[1, 2]\"", "not an integer in plain digits"),
        ("list<int32>", "[1", "not a list in the spelling of archives"),
        ("list<int32>", "\"[1,]\"", "not an integer in plain digits"),
        ("list<int32>", "[1]]", "not a list in the spelling of archives"),
        ("list<int32>", "\"[\"\"1\"\"]\"", "not a list in the spelling of archives"),
        ("list<text>", "[a]", "not a list in the spelling of archives"),
        ("list<json>", "\"[1,,2]\"", "not a list in the spelling of archives"),
        ("list<float64>", "[NaN]", "not a list in the spelling of archives"),
        ("list<date>", "[1970-01-01]", "not a list in the spelling of archives"),
        ("list<list<bool>>", "[true]", "not a list in the spelling of archives"),
        ("text", "\"plain\"", "quoted without need"),
        ("int64", "\"7\"", "quoted without need"),
        ("text", "a\"b", "malformed quotes"),
    ];
    for (kind, text, reason) in cases {
        assert_eq!(field(kind, text).unwrap_err(), format!("column \"c\": {reason}"), "{text} as {kind}");
    }
}

#[test]
fn rows_end_with_one_line_feed_each() {
    let row = "a,1970-01-01T00:00:00.000000Z,b";
    let read = |rows: &str| decode(format!("id,t,c\n{rows}").as_bytes(), &schema_with("text"), 1);
    assert_eq!(read(&format!("{row}\n{row}\n")).unwrap().unwrap().num_rows(), 2);
    assert!(read("").unwrap().is_none());
    for rows in
        [row.to_owned(), format!("{row}\r\n"), format!("{row}\n\n"), format!("\n{row}\n"), format!("{row}\n\r\n")]
    {
        assert!(matches!(read(&rows), Err(CsvError::NotArchived(_))), "{rows:?}");
    }
    let bare = decode(b"id,t,c\na,1970-01-01T00:00:00.000000Z,x\ry\n", &schema_with("text"), 1).unwrap_err();
    assert_eq!(bare.to_string(), "not quoted, though it must be");
    let bad = decode(b"id,t,c\na,1970-01-01T00:00:00.000000Z,\xff\n", &schema_with("text"), 1).unwrap_err();
    assert_eq!(bad.to_string(), "not valid UTF-8");
}

#[test]
fn the_header_must_match_the_manifest() {
    for header in ["t,id,c\n", "id,t\n", "id,t,\"c\"\n", "\u{feff}id,t,c\n", "\nid,t,c\n", "id,t,c\r\n", "id,t,c"] {
        let found = decode(header.as_bytes(), &schema_with("date"), 1);
        assert!(matches!(found, Err(CsvError::OtherColumns)), "{header:?}");
    }
}

#[test]
fn schemas_that_events_cannot_have_are_refused() {
    let forged = |id: &str, time: &str| {
        let columns = vec![column("id", id), column("t", time)];
        let schema = Arc::new(Schema::new(columns, "id", "t").unwrap());
        ArchivedLayout::from_header(b"id,t\n", &schema).unwrap_err()
    };
    assert!(matches!(forged("date", "timestamp(us)"), CsvError::Schema(_)));
    assert!(matches!(forged("int64", "int64"), CsvError::Schema(_)));
    let twice = ArchivedLayout::from_header(b"id,t,id\n", &schema_with("text"));
    assert!(matches!(twice, Err(CsvError::OtherColumns)));
}

#[test]
fn null_in_a_required_column_is_refused() {
    let mut columns = schema_with("date").columns().to_vec();
    columns[2].nullable = false;
    let schema = Schema::new(columns, "id", "t").unwrap();
    let file = b"id,t,c\na,1970-01-01T00:00:00.000000Z,\n";
    let error = decode(file, &Arc::new(schema), 1).unwrap_err();
    assert_eq!(error.to_string(), "column \"c\": no value, where the column must have one");
    let error = decode(b"id,t,c\n,1970-01-01T00:00:00.000000Z,\n", &schema_with("date"), 1).unwrap_err();
    assert_eq!(error.to_string(), "column \"id\": no id");
}
