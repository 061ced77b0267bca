//! Tests of CSV artifacts, whole and in chunks.

mod archived;

use super::*;
use crate::{
    EventBatch, Reject, Timestamp,
    catalogue::KeyColumns,
    decode::{BOM, parquet::ParquetEvents, time_index::TimeIndexBuilder},
    encode::{FileEncoder as _, csv::CsvEncoder},
};
use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Decimal128Type, Int64Type, TimestampMicrosecondType},
};
use proptest::prelude::*;
use std::{io::Read as _, sync::Arc};

const HEADER: &str = "id,timestamp,latency_ms,cost_usd,reason\n";

/// The decoded chunks of an artifact.
#[derive(Debug, PartialEq)]
struct All {
    records: Option<RecordBatch>,
    rejects: Vec<Reject>,
    rows: u64,
    lines: u64,
}

fn split(csv: &[u8], block: usize, chunk: usize) -> Result<Vec<Vec<u8>>, CsvError> {
    let mut splitter = CsvSplitter::new(chunk);
    let mut chunks = Vec::new();
    for block in csv.chunks(block) {
        splitter.push(block)?;
        chunks.extend(std::iter::from_fn(|| splitter.next_chunk()));
    }
    chunks.extend(splitter.finish()?);
    Ok(chunks)
}

/// Decodes each chunk. Line numbers of rejects start at 0 with the header.
fn decode_chunks(chunks: &[Vec<u8>]) -> All {
    let (layout, header) = CsvLayout::from_header(&chunks[0], &KeyColumns::default()).unwrap();
    let mut all = All { records: None, rejects: Vec::new(), rows: 0, lines: count_lines(&chunks[0][..header]) };
    let mut batches = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let decoded = layout.decode(&chunk[if index == 0 { header } else { 0 }..]);
        let absolute = |reject: Reject| Reject { line: reject.line + all.lines, ..reject };
        all.rejects.extend(decoded.rejects.into_iter().map(absolute));
        (all.rows, all.lines) = (all.rows + decoded.rows, all.lines + decoded.lines);
        batches.extend(decoded.batch.map(|batch| batch.records().clone()));
    }
    all.records = batches.first().map(|first| arrow_select::concat::concat_batches(&first.schema(), &batches).unwrap());
    all
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn decode(csv: impl AsRef<[u8]>) -> All {
    decode_chunks(&[csv.as_ref().to_vec()])
}

/// The values of a text column.
fn texts(all: &All, column: usize) -> Vec<Option<&str>> {
    all.records.as_ref().map_or_else(Vec::new, |records| records.column(column).as_string::<i32>().iter().collect())
}

fn encode(records: &RecordBatch, csv: &[u8]) -> Vec<u8> {
    let (layout, _) = CsvLayout::from_header(csv, &KeyColumns::default()).unwrap();
    let batch = EventBatch::try_new(Arc::clone(layout.schema()), records.clone()).unwrap();
    let mut file = Vec::new();
    let mut encoder = Box::new(CsvEncoder::new(&mut file, u64::MAX));
    encoder.write(&batch).unwrap();
    encoder.finish().unwrap();
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(file.as_slice()).read_to_end(&mut text).unwrap();
    text
}

#[test]
fn columns_have_the_types_of_their_names() {
    let all = decode(format!("{HEADER}evt_1,2025-03-01T12:00:00.5+01:00,42,0.0025,\"a \"\"b\"\", c\"\n"));
    let records = all.records.unwrap();
    assert_eq!(records.column(0).as_string::<i32>().value(0), "evt_1");
    assert_eq!(records.column(1).as_primitive::<TimestampMicrosecondType>().value(0), 1_740_826_800_500_000);
    assert_eq!(records.column(2).as_primitive::<Int64Type>().value(0), 42);
    assert_eq!(records.column(3).as_primitive::<Decimal128Type>().value(0), 2_500_000_000_000_000);
    assert_eq!(records.column(4).as_string::<i32>().value(0), "a \"b\", c");
    assert_eq!((all.rejects.len(), all.rows, all.lines), (0, 1, 2));
}

#[test]
fn only_carriage_returns_before_line_feeds_are_line_ends() {
    let all = decode(
        "\u{feff}id,timestamp,note\r\n1,2025-03-01 00:00:00Z,a\r\n\r\n2,2025-03-01 00:00:00Z,\"b\"\r\n\n\
                      3,2025-03-01 00:00:00Z,\r\n4,2025-03-01 00:00:00Z,c\rd\r\r\n5,2025-03-01 00:00:00Z,\"e\r\nf\"",
    );
    let notes = [Some("a"), Some("b"), None, Some("c\rd\r"), Some("e\r\nf")];
    assert_eq!(texts(&all, 2), notes);
    assert_eq!((all.rejects, all.rows, all.lines), (Vec::new(), 5, 8));
    assert_eq!(texts(&decode("id,timestamp\n\n\r\n1,2025-03-01T00:00:00Z"), 0), [Some("1")]);
}

#[test]
fn an_empty_field_is_null_with_and_without_quotes() {
    let all = decode(format!("{HEADER}1,2025-03-01T00:00:00Z,,,\n2,\"2025-03-01T00:00:00Z\",\"\",\"\",\"\"\n"));
    let records = all.records.unwrap();
    assert!((2..5).all(|column| records.column(column).null_count() == 2));
}

#[test]
fn rejects_have_line_column_reason_and_row() {
    let cases: [(&[u8], &str); 19] = [
        (b",2025-03-01T00:00:00Z,1,1,x", "column id: no id"),
        (b"\"\",2025-03-01T00:00:00Z,1,1,x", "column id: no id"),
        (b"1,,1,1,x", "column timestamp: no time"),
        (b"1,2025-03-01T00:00:00,1,1,x", "column timestamp: a time without a zone"),
        (b"1,2025-03-01T00:00:00.1234567Z,1,1,x", "column timestamp: more precise than microseconds"),
        (b"1,yesterday,1,1,x", "column timestamp: not a time in RFC 3339"),
        (b"1,2025-03-01T00:00:00Z,0.7,1,x", "column latency_ms: not a whole number"),
        (b"1,2025-03-01T00:00:00Z,1,0.0000000000000000001,x", "column cost_usd: more than 18 decimals"),
        (b"1,2025-03-01T00:00:00Z,1,100000000000000000000,x", "column cost_usd: more than 20 integer digits"),
        (b"1,2025-03-01T00:00:00Z,1,NaN,x", "column cost_usd: not a number"),
        (b"1,2025-03-01T00:00:00Z,1,1", "4 fields instead of 5"),
        (b"1,2025-03-01T00:00:00Z,1,1,x,\"y\n\"", "6 fields instead of 5"),
        (b"1,2025-03-01T00:00:00Z,1,1,x\xff", "column reason: not valid UTF-8"),
        (b"1,yesterday,1,1,\"x\xff\"", "column reason: not valid UTF-8"),
        (b"1,2025-03-01T00:00:00Z,1,1,x \"y\"", "column reason: malformed quotes"),
        (b"1,2025-03-01T00:00:00Z,1,1,\"x\"y", "column reason: malformed quotes"),
        (b"1,2025-03-01T00:00:00Z,1,1,\"x\"\ry", "column reason: malformed quotes"),
        (b"\"a\"b,2025-03-01T00:00:00Z,1,1,x", "column id: malformed quotes"),
        (b"1,2025-03-01T00:00:00Z,\"1\"2,x\"", "malformed quotes"),
    ];
    for (row, printed) in cases {
        let before = "9,2025-03-01T00:00:00Z,1,1,\"two\nlines\"\n";
        let after = "\n8,2025-03-01T00:00:00Z,1,1,\n";
        let all = decode([HEADER.as_bytes(), before.as_bytes(), row, after.as_bytes()].concat());
        let [reject] = all.rejects.as_slice() else { panic!("{printed}: {:?}", all.rejects) };
        // After the header and the two lines of the first row.
        let separator = if printed.starts_with("column") { "," } else { ":" };
        assert_eq!(reject.to_string(), format!("line 3{separator} {printed}"));
        assert_eq!((reject.row.as_slice(), all.rows), (row, 3), "{printed}");
        assert_eq!(texts(&all, 0), [Some("9"), Some("8")], "{printed}");
    }
}

#[test]
fn a_quote_opens_a_field_only_at_its_start() {
    // The stray quote of the first row does not affect the second.
    let all = decode(format!("{HEADER}1,2025-03-01T00:00:00Z,1,1,5\" disk\n2,2025-03-01T00:00:00Z,1,1,b\n"));
    assert_eq!((texts(&all, 0), all.rejects.len()), (vec![Some("2")], 1));
}

#[test]
fn input_that_ends_inside_quotes_is_truncated() {
    for end in ["\"", "\"abc", "\"abc\"\"", "\"a\n1,2\n"] {
        let csv = format!("{HEADER}1,2025-03-01T00:00:00Z,1,1,{end}");
        assert!(matches!(split(csv.as_bytes(), 3, 10), Err(CsvError::Truncated)), "{end}");
    }
}

#[test]
fn headers_of_other_data_are_refused() {
    let error = |header: &[u8]| CsvLayout::from_header(header, &KeyColumns::default()).unwrap_err();
    assert!(matches!(error(b""), CsvError::Header(_)));
    assert!(matches!(error(b"<html>\n"), CsvError::Header(_)));
    assert!(matches!(error(b"id,timestamp,id\n"), CsvError::Header(_)));
    assert!(matches!(error(b"id,timestamp,\xff\n"), CsvError::HeaderNotUtf8));
    assert!(matches!(error(b"id,timestamp,a\"b\n"), CsvError::HeaderQuotes));
    assert!(matches!(error(b"id,timestamp,\"a\"b\n"), CsvError::HeaderQuotes));
    for control in
        [&b"id,timestamp,a\r1,2025-03-01T00:00:00Z,b\r"[..], b"id,timestamp,a\0\n", b"id,timestamp,a\xc2\x85b"]
    {
        assert!(matches!(error(control), CsvError::HeaderControl), "{control:?}");
    }
    for (header, separator) in [(&b"id\ttimestamp\n"[..], "tabs"), (b"id;timestamp\n", "semicolons"), (b"id|t", "bars")]
    {
        assert!(matches!(error(header), CsvError::HeaderSeparator(found) if found == separator), "{header:?}");
    }
    assert!(matches!(error(&b",".repeat(20_000)), CsvError::TooManyColumns(20_001)));
    let keys = KeyColumns { id: Some("timestamp".to_owned()), time: None };
    assert!(matches!(CsvLayout::from_header(b"timestamp\n", &keys), Err(CsvError::OneKey(_))));
}

#[test]
fn a_header_may_be_quoted_and_span_lines() {
    let header = b"\xef\xbb\xbf\n\"id\",timestamp,\"a \"\"b\"\"\nc\"\r\n";
    let (layout, bytes) =
        CsvLayout::from_header(&[header, b"1,2,3\n".as_slice()].concat(), &KeyColumns::default()).unwrap();
    let names = layout.schema().columns().iter().map(|column| column.name.as_str()).collect::<Vec<_>>();
    assert_eq!((names, bytes), (vec!["id", "timestamp", "a \"b\"\nc"], header.len()));
}

/// Valid, malformed and random rows.
fn any_rows() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"7,2025-03-01T00:00:00Z,12,0.5,fine\n".to_vec()),
        2 => Just("8,2025-03-01 00:00:00+00,,,\"sch\u{f6}n, \"\"a\"\"\nb\"\r\n".as_bytes().to_vec()),
        1 => Just(b"9,2025-03-01T00:00:00Z,1,1,bad \xff\n".to_vec()),
        4 => "[\",\n\ra1\"]{0,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// The events, after a round trip through Parquet.
fn through_parquet(records: &RecordBatch, csv: &[u8]) -> RecordBatch {
    let (layout, _) = CsvLayout::from_header(csv, &KeyColumns::default()).unwrap();
    let batch = EventBatch::try_new(Arc::clone(layout.schema()), records.clone()).unwrap();
    let file = crate::decode::parquet::tests::encoded(&[batch]);
    let events = ParquetEvents::open(file, Arc::clone(layout.schema())).unwrap();
    let events = events.map(|batch| batch.unwrap().records().clone()).collect::<Vec<_>>();
    arrow_select::concat::concat_batches(&records.schema(), &events).unwrap()
}

proptest! {
    #[test]
    fn the_result_does_not_depend_on_chunks(
        bom: bool, rows in any_rows(), block in 1..200_usize, chunk in 1..300_usize,
    ) {
        let csv = [if bom { BOM.as_slice() } else { &[] }, HEADER.as_bytes(), &rows].concat();
        match split(&csv, block, chunk) {
            Ok(chunks) => {
                prop_assert_eq!(chunks.concat(), csv.clone());
                let all = decode_chunks(&chunks);
                prop_assert_eq!(&all, &decode(&csv));
                prop_assert_eq!(all.lines, count_lines(&csv));
                let good = all.records.map_or(0, |records| records.num_rows());
                prop_assert_eq!(good + all.rejects.len(), usize::try_from(all.rows).unwrap());
            }
            Err(error) => {
                prop_assert!(matches!(error, CsvError::Truncated));
                // Closing the quotes completes it.
                prop_assert!(split(&[csv.as_slice(), b"\""].concat(), block, chunk).is_ok());
                // The decoder does not panic on input that the splitter refuses.
                prop_assert_eq!(decode(&csv).lines, count_lines(&csv));
            }
        }
    }

    #[test]
    fn rejects_have_the_bytes_of_their_lines(rows in any_rows()) {
        let csv = [HEADER.as_bytes(), &rows].concat();
        for reject in decode(&csv).rejects {
            let line = usize::try_from(reject.line).unwrap();
            let start = csv.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(line - 1).unwrap().0 + 1;
            prop_assert!(csv[start..].starts_with(&reject.row));
        }
    }

    #[test]
    fn the_time_index_agrees_with_decoding(rows in any_rows()) {
        let (layout, _) = CsvLayout::from_header(HEADER.as_bytes(), &KeyColumns::default()).unwrap();
        let (index, decoded) = (layout.index_times(&rows), layout.decode(&rows));
        prop_assert_eq!((index.rows, index.lines), (decoded.rows, decoded.lines));
        let mut expected = TimeIndexBuilder::default();
        let good = decoded.batch.iter().flat_map(|batch| batch.times().values().iter());
        good.for_each(|micros| expected.count(Some(Timestamp::from_micros(*micros))));
        decoded.rejects.iter().for_each(|reject| expected.count(layout.time_of(&reject.row)));
        prop_assert_eq!(index, expected.finish(decoded.lines));
    }

    #[test]
    fn values_agree_with_the_csv_crate(
        rows in prop::collection::vec(("[^\0]{1,20}", "(\\PC|[\",\r\n]){0,40}"), 1..20),
    ) {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        writer.write_record(["id", "timestamp", "note"]).unwrap();
        for (id, note) in &rows {
            writer.write_record([id, "2025-03-01T00:00:00Z", note]).unwrap();
        }
        let text = writer.into_inner().unwrap();
        let all = decode(&text);
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let theirs = reader.records().map(Result::unwrap).collect::<Vec<_>>();
        for column in [0, 2] {
            let expected = theirs.iter().map(|record| Some(&record[column]).filter(|value| !value.is_empty()));
            prop_assert_eq!(texts(&all, column), expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn events_round_trip_through_csv_and_parquet(
        rows in prop::collection::vec(
            ("\\PC{1,9}", -62_135_596_800_000_000..253_402_300_800_000_000_i64, any::<Option<i64>>(),
             prop::option::of((-(10_i128.pow(38) - 1)..10_i128.pow(38), 0..20_u32)), "(\\PC|[\",\r\n]){0,30}"),
            1..200,
        ),
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(HEADER.trim_end().split(',')).unwrap();
        for (id, time, latency, cost, reason) in &rows {
            let cost = cost.map_or_else(String::new, |(cost, shift)| format!("{}e-18", cost / 10_i128.pow(shift)));
            let latency = latency.map_or_else(String::new, |latency| latency.to_string());
            let time = Timestamp::from_micros(*time).to_string();
            writer.write_record([id, &time, &latency, &cost, reason]).unwrap();
        }
        let csv = writer.into_inner().unwrap();
        let first = decode(&csv);
        prop_assert!(first.rejects.is_empty(), "{:?}", first.rejects);
        let out = encode(first.records.as_ref().unwrap(), &csv);
        let second = decode(&out);
        prop_assert_eq!(&first.records, &second.records);
        prop_assert_eq!(encode(second.records.as_ref().unwrap(), &out), out);
        prop_assert_eq!(first.records, Some(through_parquet(&second.records.unwrap(), &csv)));
    }
}
