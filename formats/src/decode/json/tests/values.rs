//! Values of members.

use super::*;

#[test]
fn columns_have_the_types_of_their_names() {
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
fn strings_are_parsed_and_null_differs_from_empty() {
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
fn members_without_a_column_are_kept_as_printed() {
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
fn columns_are_in_order_of_first_appearance() {
    let records = [EVENT, r#"{"model":"m","timestamp":"2025-03-01T00:00:00Z","cost":1,"id":"f","user":"u"}"#];
    for chunk in [1, 1000] {
        let all = decode_in(records.join("\n").as_bytes(), 10, chunk).unwrap();
        let schema = all.records.unwrap().schema();
        let names = schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["id", "timestamp", "model", "cost", "user"]);
    }
}

#[test]
fn members_beyond_the_limit_of_names_are_kept() {
    let members = (0..2000).map(|number| format!(r#""name{number}":{number}"#)).collect::<Vec<_>>().join(",");
    let json = format!("{}\n{}\n", event(&members), event(&format!("{members},\"user\":\"u\",\"name1999\":0")));
    let all = decode(json);
    assert_eq!(texts(&all, "extra"), [Some(format!("{{{members}}}").as_str())]);
    assert_eq!(all.rejects[0].reason, "a name that the record has twice");
}

#[test]
fn names_missing_in_the_first_pass_are_rejected() {
    let mut names = JsonNames::default();
    names.add(EVENT.as_bytes());
    let layout = JsonLayout::new(&names, &KeyColumns::default()).unwrap();
    assert_eq!(layout.decode(event(r#""model":"m""#).as_bytes()).rejects.len(), 1);
}

#[test]
fn configured_keys_are_columns() {
    let mut names = JsonNames::default();
    let record = br#"{"ref":"r","seen":"2025-03-01T00:00:00Z","id":"x"}"#;
    names.add(record);
    let keys = KeyColumns { id: Some("ref".to_owned()), time: Some("seen".to_owned()) };
    let layout = JsonLayout::new(&names, &keys).unwrap();
    assert_eq!(layout.schema().columns()[1].kind, ColumnType::TimestampUtc);
    assert_eq!(layout.decode(record).batch.unwrap().ids().bytes(0), b"r");
}
