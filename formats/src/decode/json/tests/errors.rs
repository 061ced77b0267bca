//! Malformed records and truncated artifacts.

use super::*;

/// Malformed records with their errors. Question marks are replaced by a byte that is not UTF-8.
fn malformed() -> Vec<(String, &'static str)> {
    vec![
        (r#"{"timestamp":"2025-03-01T00:00:00Z"}"#.into(), "column id: no id"),
        (r#"{"id":"","timestamp":"2025-03-01T00:00:00Z"}"#.into(), "column id: no id"),
        (r#"{"id":null,"timestamp":"2025-03-01T00:00:00Z"}"#.into(), "column id: no id"),
        (r#"{"id":{},"timestamp":"2025-03-01T00:00:00Z"}"#.into(), "column id: an object or a list instead of a text"),
        (r#"{"id":"1"}"#.into(), "column timestamp: no time"),
        (r#"{"id":"1","timestamp":""}"#.into(), "column timestamp: no time"),
        (r#"{"id":"1","timestamp":"2025-03-01T00:00:00"}"#.into(), "column timestamp: a time without a zone"),
        (r#"{"id":"1","timestamp":1740787200}"#.into(), "column timestamp: not a time in RFC 3339"),
        (event(r#""latency_ms":1.5"#), "column latency_ms: not a whole number"),
        (event(r#""latency_ms":true"#), "column latency_ms: not a whole number"),
        (event(r#""latency_ms":"""#), "column latency_ms: not a whole number"),
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

/// The names are those of the whole artifact, also if they are first in a malformed record.
#[test]
fn names_of_malformed_records_do_not_depend_on_chunks() {
    let space = " ".repeat(200);
    for json in [
        "{\"id\":\"1\",\"timestamp\":x}\n{\"id\":\"2\"}\n".to_owned(),
        format!(r#"[{{"id":"1","timestamp":x}},{space}{{"id":"2"}}{space}]"#),
    ] {
        let json = json.as_bytes();
        assert_eq!(split(json, 1, 1).unwrap().0.len(), 2);
        let whole = decode_in(json, 1000, 1000).unwrap();
        assert_eq!(whole.rejects.len(), 2);
        assert_eq!(decode_in(json, 1, 1).unwrap(), whole);
    }
}

#[test]
fn rejects_have_line_column_reason_and_record() {
    assert_eq!(decode(nested(127)).rejects, []);
    for (record, printed) in malformed() {
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
fn truncated_artifacts_are_errors_unless_cut_between_lines() {
    let records =
        [event(r#""model":"\u00e9\"}","metadata":{"a":[1,"]"]}"#), event("\"model\":\"\u{e9}\""), EVENT.to_owned()];
    for json in
        [format!("[{}]", records.join(",")), format!(r#"{{"n":3,"events":[{}],"type":"c"}}"#, records.join(","))]
    {
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

#[test]
fn a_member_without_a_name_is_rejected_where_a_name_with_escapes_is_expected() {
    let named = r#"{"x\"y":1,"id":"1","timestamp":"2025-03-01T00:00:00Z"}"#;
    let unnamed = r#"{:2,"id":"2","timestamp":"2025-03-01T00:00:01Z"}"#;
    let all = decode(format!("{named}\n{unnamed}\n{named}\n"));
    assert_eq!((count(&all), all.rejects.len(), all.rejects[0].line), (2, 1, 2));
}
