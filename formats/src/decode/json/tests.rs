use super::*;
use crate::{
    ColumnType, Reject, Timestamp,
    catalogue::KeyColumns,
    decode::{BOM, survey::Surveyor},
};
use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Decimal128Type, Int64Type, TimestampMicrosecondType},
};
use proptest::prelude::*;
use serde_json::{Map, Value};

const EVENT: &str = r#"{"id":"e","timestamp":"2025-03-01T00:00:00Z"}"#;

/// Everything that came out of an artifact.
#[derive(Debug, PartialEq)]
struct All {
    records: Option<RecordBatch>,
    rejects: Vec<Reject>,
    rows: u64,
    lines: u64,
    shape: Option<JsonShape>,
}

fn split(json: &[u8], block: usize, chunk: usize) -> Result<(Vec<Vec<u8>>, Option<JsonShape>), JsonError> {
    let mut splitter = JsonSplitter::new(chunk);
    let mut chunks = Vec::new();
    for block in json.chunks(block) {
        splitter.push(block)?;
        chunks.extend(std::iter::from_fn(|| splitter.next_chunk()));
    }
    chunks.extend(splitter.finish()?);
    Ok((chunks, splitter.shape()))
}

/// Reads all names, then decodes chunk by chunk.
fn decode_in(json: &[u8], block: usize, chunk: usize) -> Result<All, JsonError> {
    let (chunks, shape) = split(json, block, chunk)?;
    let mut all = All { records: None, rejects: Vec::new(), rows: 0, lines: 0, shape };
    if chunks.is_empty() {
        return Ok(all);
    }
    let mut names = JsonNames::default();
    for chunk in &chunks {
        let mut more = JsonNames::default();
        more.add(chunk);
        names.merge(more);
    }
    let layout = JsonLayout::new(&names, &KeyColumns::default())?;
    let mut batches = Vec::new();
    for chunk in &chunks {
        let decoded = layout.decode(chunk);
        // The first line, or the first record, is number 1.
        let absolute = |reject: Reject| Reject { line: reject.line + all.lines + 1, ..reject };
        all.rejects.extend(decoded.rejects.into_iter().map(absolute));
        (all.rows, all.lines) = (all.rows + decoded.rows, all.lines + decoded.lines);
        batches.extend(decoded.batch.map(|batch| batch.records().clone()));
    }
    all.records = batches.first().map(|first| arrow_select::concat::concat_batches(&first.schema(), &batches).unwrap());
    Ok(all)
}

fn try_decode(json: impl AsRef<[u8]>) -> Result<All, JsonError> {
    decode_in(json.as_ref(), 1 << 20, 1 << 20)
}

fn decode(json: impl AsRef<[u8]>) -> All {
    try_decode(json).unwrap()
}

fn count(all: &All) -> usize {
    all.records.as_ref().map_or(0, RecordBatch::num_rows)
}

/// The values of a text or JSON column.
fn texts<'a>(all: &'a All, column: &str) -> Vec<Option<&'a str>> {
    all.records.as_ref().unwrap().column_by_name(column).unwrap().as_string::<i32>().iter().collect()
}

/// A record with an id, a time and these members.
fn event(members: &str) -> String {
    format!(r#"{{"id":"e","timestamp":"2025-03-01T00:00:00Z",{members}}}"#)
}

#[test]
fn the_same_records_are_found_in_every_shape() {
    let (a, b) = (event(r#""model":"a,]}[{\"""#), event(r#""model": "b" "#));
    let spread = b.replace(',', "\n ,\t").replace(':', " :\r\n").replace("00 :\r\n00 :\r\n00", "00:00:00");
    let cases = [
        (format!("[{a},{b}]"), JsonShape::Array),
        (format!("\u{feff} [ {a} ,\n{spread}\n ] \n"), JsonShape::Array),
        (format!(r#"{{"events":[{a},{b}]}}"#), JsonShape::Envelope),
        (
            format!(r#"{{"export_id":"x","created_at":"2025","time_range":{{"to":[1]}},"data":[{a},{spread}],"n":2}}"#),
            JsonShape::Envelope,
        ),
        (
            format!("{{\n \"items\" : [{a},\n{b}]\n,\"next_cursor\":null,\"has_more\":false,\"cursor\":\"\"}}"),
            JsonShape::Envelope,
        ),
        (format!(r#"{{"results":[{a},{b}],"data":[]}}"#), JsonShape::Envelope),
        (format!(r#"{{"error":null,"records":[{a},{b}]}}"#), JsonShape::Envelope),
        (format!("{a}\n{b}\n"), JsonShape::Lines),
        (format!("\u{feff}\n\r\n {a} \r\n\n{b}"), JsonShape::Lines),
    ];
    for (json, shape) in cases {
        let all = decode(&json);
        assert_eq!(texts(&all, "model"), [Some("a,]}[{\""), Some("b")], "{json}");
        assert_eq!((all.rejects, all.rows, all.shape), (Vec::new(), 2, Some(shape)), "{json}");
    }
}

#[test]
fn an_artifact_may_hold_no_records() {
    for json in
        ["", "\n \r\n", "\u{feff}", "[]", " [ \n ] ", r#"{"events":[]}"#, r#"{"total":0,"data":[ ],"items":[]}"#]
    {
        let all = decode(json);
        assert_eq!((count(&all), all.rows, all.rejects), (0, 0, Vec::new()), "{json}");
    }
}

#[test]
fn a_line_alone_is_an_event_if_it_looks_like_one() {
    assert_eq!(count(&decode(EVENT)), 1);
    let error = |json: &str| try_decode(json).unwrap_err();
    assert!(matches!(error(r#"{"error":"no such export"}"#), JsonError::NoRecords));
    assert!(matches!(error(&event(r#""error":{"code":1}"#)), JsonError::NoRecords));
    assert!(matches!(error("{\n \"message\": \"gone\"\n}\n"), JsonError::NoRecords));
    assert!(matches!(error(r#"{"message":"no such export"}"#), JsonError::Header(_)));
    assert!(matches!(error(r#"{"data":{"id":"e"}}"#), JsonError::Header(_)));
    assert_eq!(count(&decode(format!("{}\n{EVENT}", event(r#""error":"timeout""#)))), 2);
}

#[test]
fn a_line_with_a_list_of_its_own_is_no_envelope() {
    let all = decode(format!("{}\n{EVENT}\n", event(r#""data":[1]"#)));
    assert_eq!((count(&all), all.shape), (2, Some(JsonShape::Lines)));
    assert_eq!(texts(&all, "extra"), [Some(r#"{"data":[1]}"#), None]);
}

#[test]
fn a_page_of_several_is_refused() {
    for more in [
        r#""next_cursor":"abc""#,
        r#""cursor":7"#,
        r#""next":{"url":"x"}"#,
        r#""next_page_token":"x""#,
        r#""has_more":true"#,
        r#""links":{"next":"/v1/events?page=2"}"#,
    ] {
        for json in [format!(r#"{{"data":[{EVENT}],{more}}}"#), format!(r#"{{{more},"data":[]}}"#)] {
            let error = try_decode(&json).unwrap_err();
            assert!(matches!(error, JsonError::OnePage(_)), "{json}: {error}");
        }
    }
    // The records' own members say nothing of pages.
    assert_eq!(count(&decode(format!("[{}]", event(r#""next":"x","has_more":true"#)))), 1);
}

#[test]
fn what_is_no_list_of_records_is_refused() {
    let error = |json: &str| try_decode(json).unwrap_err();
    for json in ["<html>", "null", "1", "\"a\"", "id,timestamp\n", "}"] {
        assert!(matches!(error(json), JsonError::NotJson), "{json}");
    }
    for end in ["]]", "]1", "],", "] {}", "}"] {
        assert!(matches!(error(&format!("[{EVENT}{end}")), JsonError::Malformed), "{end}");
    }
    for end in ["]}x", "]}\n[]", "],}", "]]", r#"],"a" 1}"#, r#"] "a":1}"#] {
        assert!(matches!(error(&format!("{{\"events\":[{EVENT}{end}")), JsonError::Malformed), "{end}");
    }
    assert!(matches!(error(&format!("{{\"events\":[{EVENT}]}}\n{{\"events\":[]}}")), JsonError::Header(_)));
    assert!(matches!(error(&format!(r#"{{"a" 1,"events":[{EVENT}]}}"#)), JsonError::Malformed));
    assert!(matches!(error(&format!(r#"{{"data":[],"events":[{EVENT}]}}"#)), JsonError::SeveralLists(..)));
    assert!(matches!(error(&format!(r#"{{"data":[{EVENT}],"events":[{EVENT}]}}"#)), JsonError::SeveralLists(..)));
    assert!(matches!(error(&format!("{}\n{EVENT}", EVENT.replace(',', ",\n"))), JsonError::SeveralLines));
    let keys = KeyColumns { id: Some("timestamp".to_owned()), time: None };
    let mut names = JsonNames::default();
    names.add(EVENT.as_bytes());
    assert!(matches!(JsonLayout::new(&names, &keys), Err(JsonError::OneKey(_))));
}

#[test]
fn too_much_around_the_records_is_refused() {
    let padding = "x".repeat(envelope::MAX_BYTES);
    for json in
        [format!(r#"{{"events":[],"a":"{padding}"}}"#), format!("{{\"a\":\"{padding}\",\"events\":[],\"b\":1}}")]
    {
        assert!(matches!(decode_in(json.as_bytes(), 1000, 1000), Err(JsonError::EnvelopeTooLong)));
        assert!(matches!(decode_in(json.as_bytes(), json.len(), 1 << 30), Err(JsonError::EnvelopeTooLong)));
    }
}

#[test]
fn values_have_the_types_of_their_names() {
    let all = decode(
        r#"{"id":7,"metadata":{ "b" : 1.50,"a":[12345678901234567890.10] },"timestamp":"2025-03-01T12:00:00.5+01:00",
            "latency_ms":42,"cost":25e-4,"model":"a\u00e9\ud83d\ude00\n\"\/","degraded_mode":true,"config_version":1.0}"#
            .replace('\n', ""),
    );
    let records = all.records.as_ref().unwrap();
    let fields = records.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let names = ["id", "metadata", "timestamp", "latency_ms", "cost", "model", "degraded_mode", "config_version"];
    assert_eq!(fields, names);
    assert_eq!(texts(&all, "id"), [Some("7")]);
    assert_eq!(texts(&all, "metadata"), [Some(r#"{ "b" : 1.50,"a":[12345678901234567890.10] }"#)]);
    assert_eq!(records.column(2).as_primitive::<TimestampMicrosecondType>().value(0), 1_740_826_800_500_000);
    assert_eq!(records.column(3).as_primitive::<Int64Type>().value(0), 42);
    assert_eq!(records.column(4).as_primitive::<Decimal128Type>().value(0), 2_500_000_000_000_000);
    assert_eq!(texts(&all, "model"), [Some("a\u{e9}\u{1f600}\n\"/")]);
    assert!(records.column(6).as_boolean().value(0));
    assert_eq!(texts(&all, "config_version"), [Some("1.0")]);
}

#[test]
fn numbers_may_stand_in_strings_and_null_is_not_the_empty_text() {
    let filled = event(r#""model":"","latency_ms":"42","cost":"0.\u0035","metadata":"a","degraded_mode":"false""#);
    let nulls = event(r#""model":null,"latency_ms":null,"cost":null,"metadata":null,"degraded_mode":null"#);
    let all = decode(format!("{filled}\n{nulls}\n{EVENT}"));
    let records = all.records.as_ref().unwrap();
    assert_eq!(texts(&all, "model"), [Some(""), None, None]);
    assert_eq!(texts(&all, "metadata"), [Some("\"a\""), None, None]);
    assert_eq!(records.column(3).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(42), None, None]);
    assert_eq!(records.column(4).as_primitive::<Decimal128Type>().value(0), 500_000_000_000_000_000);
    assert!(!records.column(6).as_boolean().value(0));
    assert!((2..7).all(|column| records.column(column).null_count() >= 2));
}

#[test]
fn what_has_no_column_is_kept_as_it_was_printed() {
    let records = [
        event(r#""zeta" : [1.0 , 2],"model":"m","extra":{"a":1},"\u0061lpha":null"#),
        event(r#""model":{"name": "m"},"reason":["x"]"#),
        event(r#""model":"n""#),
    ];
    let all = decode(format!("[{}]", records.join(", ")));
    assert_eq!(texts(&all, "model"), [Some("m"), None, Some("n")]);
    let first = r#"{"zeta" : [1.0 , 2],"extra":{"a":1},"\u0061lpha":null}"#;
    assert_eq!(texts(&all, "extra"), [Some(first), Some(r#"{"model":{"name": "m"},"reason":["x"]}"#), None]);
    let records = all.records.unwrap();
    assert_eq!(records.schema().fields().last().unwrap().name(), "extra");
}

#[test]
fn columns_come_in_the_order_of_their_first_appearance() {
    let records = [EVENT, r#"{"model":"m","timestamp":"2025-03-01T00:00:00Z","cost":1,"id":"f","user":"u"}"#];
    for chunk in [1, 1000] {
        let all = decode_in(records.join("\n").as_bytes(), 10, chunk).unwrap();
        let schema = all.records.unwrap().schema();
        let names = schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["id", "timestamp", "model", "cost", "user"]);
    }
}

#[test]
fn more_names_than_are_listed_lose_nothing() {
    let members = (0..2000).map(|number| format!(r#""name{number}":{number}"#)).collect::<Vec<_>>().join(",");
    let json = format!("{}\n{}\n", event(&members), event(&format!("{members},\"user\":\"u\",\"name1999\":0")));
    let all = decode(json);
    assert_eq!(texts(&all, "extra"), [Some(format!("{{{members}}}").as_str())]);
    assert_eq!(all.rejects[0].reason, "a name that the record has twice");
}

#[test]
fn names_that_the_first_reading_did_not_meet_are_never_dropped() {
    let mut names = JsonNames::default();
    names.add(EVENT.as_bytes());
    let layout = JsonLayout::new(&names, &KeyColumns::default()).unwrap();
    assert_eq!(layout.decode(event(r#""model":"m""#).as_bytes()).rejects.len(), 1);
}

#[test]
fn the_operators_choice_of_keys_makes_columns() {
    let mut names = JsonNames::default();
    let record = br#"{"ref":"r","seen":"2025-03-01T00:00:00Z","id":"x"}"#;
    names.add(record);
    let keys = KeyColumns { id: Some("ref".to_owned()), time: Some("seen".to_owned()) };
    let layout = JsonLayout::new(&names, &keys).unwrap();
    assert_eq!(layout.schema().columns[1].kind, ColumnType::TimestampUtc);
    assert_eq!(layout.decode(record).batch.unwrap().ids().bytes(0), b"r");
}

/// Records with a fault each, and what is said of it; a question mark stands for a byte that is not UTF-8.
fn faulty() -> Vec<(String, &'static str)> {
    vec![
        (r#"{"timestamp":"2025-03-01T00:00:00Z"}"#.into(), "column id: no id"),
        (r#"{"id":"","timestamp":"2025-03-01T00:00:00Z"}"#.into(), "column id: no id"),
        (r#"{"id":null,"timestamp":"2025-03-01T00:00:00Z"}"#.into(), "column id: no id"),
        (r#"{"id":{},"timestamp":"2025-03-01T00:00:00Z"}"#.into(), "column id: an object or a list instead of a text"),
        (r#"{"id":"1"}"#.into(), "column timestamp: no time"),
        (r#"{"id":"1","timestamp":""}"#.into(), "column timestamp: no time"),
        (r#"{"id":"1","timestamp":"2025-03-01T00:00:00"}"#.into(), "column timestamp: a time without a zone"),
        (r#"{"id":"1","timestamp":1740787200}"#.into(), "column timestamp: not a time in RFC 3339"),
        (event(r#""latency_ms":1.0"#), "column latency_ms: not an integer in plain digits"),
        (event(r#""latency_ms":true"#), "column latency_ms: not an integer in plain digits"),
        (event(r#""latency_ms":"""#), "column latency_ms: not an integer in plain digits"),
        (event(r#""latency_ms":9223372036854775808"#), "column latency_ms: an integer of more than 64 bits"),
        (event(r#""cost":1e-19"#), "column cost: more than 18 decimals"),
        (event(r#""cost":1e20"#), "column cost: more than 20 integer digits"),
        (event(r#""cost":{}"#), "column cost: not a number"),
        (event(r#""degraded_mode":1"#), "column degraded_mode: neither true nor false"),
        (event(r#""model":"\ud83d""#), "column model: an escape that stands for no character"),
        (event(r#""model":"\ude00\ud83d""#), "column model: an escape that stands for no character"),
        (event(r#""model":"\ud83dx""#), "column model: an escape that stands for no character"),
        (event(r#""model":"\x""#), "column model: not valid JSON"),
        (event(r#""model":"\u00g0""#), "column model: not valid JSON"),
        (event("\"model\":\"a\tb\""), "column model: not valid JSON"),
        (event(r#""metadata":{"a":tru}"#), "column metadata: not valid JSON"),
        (event(r#""metadata":{"a":1,}"#), "column metadata: not valid JSON"),
        (event(r#""metadata":[1 2]"#), "column metadata: not valid JSON"),
        (event(r#""metadata":[}"#), "column metadata: not valid JSON"),
        (event(r#""metadata":{,"a":1}"#), "column metadata: not valid JSON"),
        (event(r#""cost":01"#), "not valid JSON"),
        (event(r#""cost":.5"#), "column cost: not valid JSON"),
        (event(r#""cost":+5"#), "column cost: not valid JSON"),
        (event(r#""cost":NaN"#), "column cost: not valid JSON"),
        (event(r#""a":1,"b":2,"a":3"#), "a name that the record has twice"),
        (event(r#""\u0069d":"f""#), "column id: a name that the record has twice"),
        (nested(128), "nested more than 128 levels deep"),
        (event("\"model\" \"x\""), "not valid JSON"),
        (event("model:1"), "not valid JSON"),
        (event(r#""model":"x","#), "not valid JSON"),
        (format!("{EVENT} {EVENT}"), "not valid JSON"),
        (format!("{EVENT}x"), "not valid JSON"),
        ("[1]".into(), "not a JSON object"),
        ("null".into(), "not a JSON object"),
        (event(r#""model":"x?""#), "not valid UTF-8"),
        (event(r#""b":"x?","cost":x"#), "not valid UTF-8"),
    ]
}

fn nested(depth: usize) -> String {
    event(&format!(r#""a":{}{}"#, "[".repeat(depth), "]".repeat(depth)))
}

#[test]
fn each_fault_names_place_column_and_reason_and_keeps_the_record() {
    assert_eq!(decode(nested(127)).rejects, []);
    for (record, printed) in faulty() {
        let record = record.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect::<Vec<_>>();
        let good = EVENT.as_bytes();
        let all_names = event(r#""latency_ms":1,"cost":1,"degraded_mode":true,"model":"m","metadata":{},"a":1"#);
        let before = all_names.as_bytes();
        for (parts, line) in [
            ([before, b"\n\n", &record, b"\r\n", good].concat(), 3),
            ([b"[", before, b",", good, b"\n,\n\n", &record, b"\n,", good, b"]"].concat(), 3),
            ([b"{\"events\":[", before, b",", &record, b"]}"].concat(), 2),
        ] {
            for chunk in [1, 1 << 20] {
                let all = decode_in(&parts, 1 << 20, chunk).unwrap();
                let [reject] = all.rejects.as_slice() else { panic!("{printed}: {:?}", all.rejects) };
                let separator = if printed.starts_with("column") { "," } else { ":" };
                assert_eq!(reject.to_string(), format!("line {line}{separator} {printed}"));
                assert_eq!((reject.row.as_slice(), all.rows), (record.as_slice(), count(&all) as u64 + 1), "{printed}");
            }
        }
    }
}

#[test]
fn an_artifact_cut_short_is_an_error_or_ends_with_a_line() {
    let records =
        [event(r#""model":"\u00e9\"}","metadata":{"a":[1,"]"]}"#), event("\"model\":\"\u{e9}\""), EVENT.to_owned()];
    for json in [format!("[{}]", records.join(",")), format!(r#"{{"n":1,"events":[{}],"b":"c"}}"#, records.join(","))] {
        for length in 1..json.len() {
            let error = decode_in(&json.as_bytes()[..length], 7, 50).unwrap_err();
            assert!(matches!(error, JsonError::Truncated), "{length} bytes: {error}");
        }
    }
    let lines = records.join("\n");
    for length in 1..lines.len() {
        match decode_in(&lines.as_bytes()[..length], 7, 50) {
            Ok(all) => {
                let whole = lines[..length].split('\n').filter(|line| !line.is_empty()).count();
                assert!(lines.as_bytes()[length - 1] == b'\n' || lines.as_bytes()[length] == b'\n', "{length} bytes");
                assert_eq!((count(&all), all.rejects.len()), (whole, 0));
            }
            Err(error) => assert!(matches!(error, JsonError::Truncated), "{length} bytes: {error}"),
        }
    }
}

/// JSON of all sorts.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        "(\\PC|[\"\\\\\n\0]){0,40}".prop_map(Value::from),
        (-999..999_i64).prop_map(|number| Value::from(number.to_string())),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((".{0,5}", inner), 0..5).prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

fn any_record() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        6 => prop::sample::select(&["model", "user", "metadata", "degraded_mode", "latency_ms", "extra", "x", "y"][..])
            .prop_map(str::to_owned),
        1 => "(\\PC|[\"\\\\\n]){0,6}",
    ];
    let members = prop::collection::vec((name, any_value()), 0..8);
    ("\\PC{1,9}", members, 0..9_usize).prop_map(|(id, mut members, place)| {
        members.insert(place.min(members.len()), ("timestamp".to_owned(), "2025-03-01T00:00:00Z".into()));
        members.push(("id".to_owned(), id.into()));
        members.into_iter().filter(|(name, _)| name != "month").collect()
    })
}

/// What the column of a member should hold, unless the record should be a reject.
fn expected(name: &str, value: &Value) -> Result<Option<String>, ()> {
    let is_text = matches!(name, "id" | "model" | "user");
    let printed = match value {
        Value::Null => return Ok(None),
        Value::Array(_) | Value::Object(_) if is_text => return Ok(None),
        Value::String(text) if is_text || matches!(name, "latency_ms" | "degraded_mode") => text.clone(),
        value => value.to_string(),
    };
    let fits = match name {
        "latency_ms" => printed.parse::<i64>().is_ok_and(|number| number.to_string() == printed),
        "degraded_mode" => printed.parse::<bool>().is_ok(),
        _ => true,
    };
    if fits { Ok(Some(printed)) } else { Err(()) }
}

/// The cell as a text.
fn cell(records: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = records.column_by_name(name)?;
    column.is_valid(row).then(|| match name {
        "latency_ms" => column.as_primitive::<Int64Type>().value(row).to_string(),
        "degraded_mode" => column.as_boolean().value(row).to_string(),
        _ => column.as_string::<i32>().value(row).to_owned(),
    })
}

const COLUMNS: [&str; 6] = ["id", "model", "user", "metadata", "degraded_mode", "latency_ms"];

/// Lines of all sorts, good ones and pieces that break every rule.
fn any_lines() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => any_record().prop_map(|record| format!("{}\n", Value::from(record)).into_bytes()),
        1 => Just(format!("{EVENT}\r\n\n").into_bytes()),
        1 => Just(b"{\"id\":\"\xff\",\"timestamp\":\"2025-03-01T00:00:00Z\"}\n".to_vec()),
        1 => Just(b"{\"id\":\"\",\"model\":{}}\n[\n".to_vec()),
        2 => "[\\[\\]{}\",:\\\\\n a1\x1e]{0,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| [EVENT.as_bytes(), b"\n", &pieces.concat()].concat())
}

/// Elements of all sorts that do not hide the end of their list, which may be in an envelope.
fn any_list() -> impl Strategy<Value = Vec<u8>> {
    let element = prop_oneof![
        4 => any_record().prop_map(|record| Value::from(record).to_string().into_bytes()),
        1 => any_record().prop_map(|record| serde_json::to_vec_pretty(&record).unwrap()),
        1 => any_value().prop_map(|value| value.to_string().into_bytes()),
        1 => Just(b"{\"id\":\"\xff\",\"timestamp\":\"2025-03-01T00:00:00Z\"}".to_vec()),
        2 => "[ a:1\n]{0,9}|\\{\"[a,]*\"\\]|\\[\\{a,\\\\,b\\}\\}".prop_map(String::into_bytes),
    ];
    let list = prop::collection::vec(element, 0..20)
        .prop_map(|elements| [b"[", EVENT.as_bytes(), b",", &elements.join(&b','), b"]"].concat());
    (list, any::<bool>()).prop_map(|(list, is_enveloped)| {
        let (before, after) = (br#"{"a\"":[{"events":[]}],"events" : "#, br#", "b":{"c":"]"}} "#);
        if is_enveloped { [before.as_slice(), &list, after].concat() } else { list }
    })
}

proptest! {
    #[test]
    fn every_member_is_found_again(records in prop::collection::vec(any_record(), 1..12), pretty: bool) {
        let json = if pretty { serde_json::to_string_pretty(&records) } else { serde_json::to_string(&records) }.unwrap();
        let all = decode(&json);
        let is_good = |record: &&Map<_, _>| record.iter().all(|(name, value)| expected(name, value).is_ok());
        let good = records.iter().filter(is_good).collect::<Vec<_>>();
        prop_assert_eq!((count(&all), all.rejects.len()), (good.len(), records.len() - good.len()));
        for (row, record) in good.into_iter().enumerate() {
            let batch = all.records.as_ref().unwrap();
            let mut others = record.clone();
            others.retain(|name, value| match value {
                Value::Array(_) | Value::Object(_) => name != "metadata",
                _ => name != "timestamp" && !COLUMNS.contains(&name.as_str()),
            });
            let extra = cell(batch, "extra", row).map(|text| serde_json::from_str::<Map<_, _>>(&text).unwrap());
            prop_assert_eq!(extra, Some(others).filter(|others| !others.is_empty()));
            for name in COLUMNS {
                let printed = cell(batch, name, row);
                let printed = match &printed {
                    Some(text) if name == "metadata" => Some(serde_json::from_str::<Value>(text).unwrap().to_string()),
                    _ => printed,
                };
                prop_assert_eq!(printed, record.get(name).and_then(|value| expected(name, value).unwrap()), "{}", name);
            }
        }
    }

    #[test]
    fn chunk_by_chunk_is_as_good_as_all_at_once(
        json in prop_oneof![any_lines(), any_list()], block in 1..200_usize, chunk in 1..300_usize,
    ) {
        match (decode_in(&json, block, chunk), try_decode(&json)) {
            (Ok(all), Ok(whole)) => {
                let good = count(&all);
                prop_assert_eq!(good + all.rejects.len(), usize::try_from(all.rows).unwrap());
                prop_assert_eq!(all, whole);
            }
            (Err(error), Err(whole)) => prop_assert_eq!(error.to_string(), whole.to_string()),
            (one, other) => prop_assert!(false, "{one:?} {other:?}"),
        }
    }

    #[test]
    fn every_chunk_stands_where_the_splitter_says(
        bom: bool, json in prop_oneof![any_lines(), any_list()], block in 1..200_usize, chunk in 1..300_usize,
    ) {
        let json = [if bom { BOM.as_slice() } else { &[] }, &json].concat();
        let mut splitter = JsonSplitter::new(chunk);
        let mut chunks = Vec::new();
        prop_assume!(json.chunks(block).try_for_each(|block| {
            splitter.push(block)?;
            chunks.extend(std::iter::from_fn(|| splitter.next_chunk()));
            Ok::<_, JsonError>(())
        }).is_ok());
        let Ok(rest) = splitter.finish() else { return Ok(()) };
        chunks.extend(rest);
        let mut at = usize::try_from(splitter.start()).unwrap();
        for chunk in chunks {
            let input = if splitter.mark(&chunk).is_some() { &chunk[1..] } else { &chunk };
            prop_assert!(json[at..].starts_with(input));
            at += input.len() + usize::from(splitter.shape() != Some(JsonShape::Lines));
        }
    }

    #[test]
    fn a_survey_counts_the_records_that_decoding_finds_in_the_months_of_their_times(
        json in prop_oneof![any_lines(), any_list()], chunk in 1..300_usize,
    ) {
        let Ok((chunks, _)) = split(&json, 100, chunk) else { return Ok(()) };
        let mut names = JsonNames::default();
        for chunk in &chunks {
            names.add(chunk);
        }
        let layout = JsonLayout::new(&names, &KeyColumns::default()).unwrap();
        for chunk in chunks {
            let (survey, decoded) = (layout.survey(&chunk), layout.decode(&chunk));
            prop_assert_eq!((survey.rows, survey.lines), (decoded.rows, decoded.lines));
            let mut expected = Surveyor::default();
            let good = decoded.batch.iter().flat_map(|batch| batch.times().values().iter());
            good.for_each(|micros| expected.count(Some(Timestamp::from_micros(*micros))));
            decoded.rejects.iter().for_each(|reject| expected.count(layout.time_of(&reject.row)));
            prop_assert_eq!(survey, expected.finish(decoded.lines));
        }
    }

    #[test]
    fn every_rejected_line_is_where_it_says_byte_for_byte(lines in any_lines()) {
        let Ok(all) = try_decode(&lines) else { return Ok(()) };
        let all_lines = lines.split(|byte| *byte == b'\n').collect::<Vec<_>>();
        prop_assert_eq!(all.lines, all_lines.len() as u64 - 1);
        for reject in all.rejects {
            let index = usize::try_from(reject.line).unwrap() - 1;
            // A carriage return belongs to the line end only before a line feed.
            let is_last = index + 1 == all_lines.len();
            let line = all_lines[index].strip_suffix(b"\r").filter(|_| !is_last).unwrap_or(all_lines[index]);
            prop_assert_eq!(line, reject.row);
        }
    }

    #[test]
    fn good_and_bad_records_are_those_of_an_independent_reader(lines in any_lines()) {
        let Ok(all) = try_decode(&lines) else { return Ok(()) };
        let mut good = 0;
        for line in lines.split(|byte| *byte == b'\n') {
            let object = serde_json::from_slice::<Map<_, _>>(line).ok();
            good += usize::from(object.is_some_and(|object| {
                let has = |name| object.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
                has("id") && has("timestamp") && object.iter().all(|(name, value)| expected(name, value).is_ok())
            }));
        }
        prop_assert_eq!(count(&all), good);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), mixed in "[\\[\\]{}\",:\\\\\n a1utf]{0,300}") {
        let mut names = JsonNames::default();
        names.add(event(r#""a":1"#).as_bytes());
        let layout = JsonLayout::new(&names, &KeyColumns::default()).unwrap();
        for bytes in [&bytes, mixed.as_bytes(), &[b"[", mixed.as_bytes()].concat()] {
            names.add(bytes);
            let decoded = layout.decode(bytes);
            let good = decoded.batch.map_or(0, |batch| batch.len());
            prop_assert_eq!(good + decoded.rejects.len(), usize::try_from(decoded.rows).unwrap());
            drop(decode_in(bytes, 3, 20));
        }
    }
}
