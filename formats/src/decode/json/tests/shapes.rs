//! Shapes of artifacts, and artifacts that are refused.

use super::*;

#[test]
fn all_shapes_give_the_same_records() {
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
fn artifacts_may_have_no_records() {
    for json in
        ["", "\n \r\n", "\u{feff}", "[]", " [ \n ] ", r#"{"events":[]}"#, r#"{"total":0,"data":[ ],"items":[]}"#]
    {
        let all = decode(json);
        assert_eq!((count(&all), all.rows, all.rejects), (0, 0, Vec::new()), "{json}");
    }
}

#[test]
fn a_single_object_must_look_like_an_event() {
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
fn a_line_with_an_array_is_not_an_envelope() {
    let all = decode(format!("{}\n{EVENT}\n", event(r#""data":[1]"#)));
    assert_eq!((count(&all), all.shape), (2, Some(JsonShape::Lines)));
    assert_eq!(texts(&all, "extra"), [Some(r#"{"data":[1]}"#), None]);
}

#[test]
fn a_page_of_several_pages_is_refused() {
    for more in [
        r#""next_cursor":"abc""#,
        r#""cursor":7"#,
        r#""next_page_token":"x""#,
        r#""has_more":true"#,
        r#""links":{"next":"/v1/events?page=2"}"#,
        r#""nextPageToken":"abc""#,
        r#""hasMore":true"#,
        r#""Has-More":true"#,
        r#""truncated":true"#,
        r#""meta":{"partial":true}"#,
        r#""isLastPage":false"#,
        r#""complete":false"#,
        r#""page":1"#,
        r#""pagination":{"remaining":1}"#,
    ] {
        for json in [format!(r#"{{"data":[{EVENT}],{more}}}"#), format!(r#"{{{more},"data":[]}}"#)] {
            let error = try_decode(&json).unwrap_err();
            assert!(matches!(error, JsonError::OnePage(_)), "{json}: {error}");
        }
    }
    let full_page = format!(r#"{{"data":[{EVENT}],"limit":1}}"#);
    assert!(matches!(try_decode(&full_page), Err(JsonError::OnePage(_))));
    // Members of records are not links to pages.
    assert_eq!(count(&decode(format!("[{}]", event(r#""next":"x","has_more":true"#)))), 1);
}

#[test]
fn a_count_other_than_the_number_of_records_is_refused() {
    for (json, found) in [
        (format!(r#"{{"data":[{EVENT}],"total":2}}"#), 1),
        (format!(r#"{{"event_count":3,"events":[{EVENT},{EVENT}]}}"#), 2),
        (r#"{"count":1,"items":[]}"#.to_owned(), 0),
        (format!(r#"{{"data":[{EVENT}],"meta":{{"stats":[{{"totalCount":5}}]}}}}"#), 1),
        (format!(r#"{{"data":[{EVENT}],"total":"1e3"}}"#), 1),
        (format!(r#"{{"data":[{EVENT},{EVENT}],"total":1}}"#), 2),
        (format!(r#"{{"data":[{EVENT}],"anything":7.0}}"#), 1),
    ] {
        let error = try_decode(&json).unwrap_err();
        assert!(matches!(error, JsonError::OtherCount { found: records, .. } if records == found), "{json}: {error}");
    }
    for more in [r#""count":2,"total":2.0"#, r#""meta":{"total":"2","exported":2e0}"#, r#""rows":null,"limit":3"#] {
        assert_eq!(count(&decode(format!(r#"{{"data":[{},{EVENT}],{more}}}"#, event(r#""a":"[,]""#)))), 2);
    }
}

#[test]
fn a_member_of_unknown_meaning_is_refused_unless_it_is_empty_or_named_as_harmless() {
    for member in [
        r#""note":"x""#,
        r#""meta":{"a":{"capacity":true}}"#,
        r#""total":"many""#,
        r#""links":["/2"]"#,
        r#""next":{"url":"x"}"#,
    ] {
        let json = format!(r#"{{{member},"data":[{EVENT}]}}"#);
        assert!(matches!(try_decode(&json), Err(JsonError::UnknownMembers(_))), "{json}");
        let harmless = Harmless::from_iter(["Note", "META", "to-tal", "links", "next"]);
        let mut splitter = JsonSplitter::new(100).with_harmless(harmless);
        splitter.push(json.as_bytes()).unwrap();
        assert!(splitter.finish().is_ok(), "{json}");
    }
    let several = try_decode(format!(r#"{{"note":"x","data":[{EVENT}],"other":true}}"#)).unwrap_err();
    assert!(matches!(&several, JsonError::UnknownMembers(names) if names == "note,other"), "{several}");
    for empty in ["null", "false", "\"\"", "[]", "{}", "[null,{\"a\":{}}]"] {
        assert_eq!(count(&decode(format!(r#"{{"note":{empty},"next":{empty},"data":[{EVENT}]}}"#))), 1, "{empty}");
    }
}

#[test]
fn documented_envelopes_are_accepted() {
    let range = r#"{"from":"2025-03-01T00:00:00Z","to":"2025-04-01T00:00:00Z"}"#;
    let export = format!(r#""export_id":"exp_1","created_at":"2025-04-01T00:00:00Z","time_range":{range}"#);
    let job = format!(r#""type":"events","format":"json","status":"Completed","filters":{range}"#);
    let whole = r#""success":true,"is_last_page":true,"has_more":false,"offset":0,"remaining":0,"id":"x","since":"y""#;
    for members in [export, job, whole.to_owned()] {
        assert_eq!(count(&decode(format!(r#"{{{members},"Events":[{EVENT}]}}"#))), 1, "{members}");
    }
}

#[test]
fn a_name_twice_hides_no_member() {
    for json in [
        format!(r#"{{"has_more":true,"data":[{EVENT}],"has_more":false}}"#),
        format!(r#"{{"data":[],"data":[{EVENT}]}}"#),
        format!(r#"{{"data":[{EVENT}],"meta":{{"total":2,"total":1}}}}"#),
    ] {
        assert!(matches!(try_decode(&json), Err(JsonError::RepeatedMember)), "{json}");
    }
}

#[test]
fn an_envelope_with_an_error_is_refused() {
    for json in [r#"{"events":[],"error":"boom"}"#.to_owned(), format!(r#"{{"errors":[{{}}],"data":[{EVENT}]}}"#)] {
        assert!(matches!(try_decode(&json), Err(JsonError::Failure(_))), "{json}");
    }
    for nothing in ["null", "false", "\"\"", "[]"] {
        assert_eq!(count(&decode(format!(r#"{{"data":[{EVENT}],"errors":{nothing}}}"#))), 1, "{nothing}");
    }
}

#[test]
fn other_documents_are_refused() {
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
fn a_long_envelope_is_refused() {
    let padding = "x".repeat(envelope::MAX_ENVELOPE_BYTES);
    for json in
        [format!(r#"{{"events":[],"a":"{padding}"}}"#), format!("{{\"a\":\"{padding}\",\"events\":[],\"b\":1}}")]
    {
        assert!(matches!(decode_in(json.as_bytes(), 1000, 1000), Err(JsonError::EnvelopeTooLong)));
        assert!(matches!(decode_in(json.as_bytes(), json.len(), 1 << 30), Err(JsonError::EnvelopeTooLong)));
    }
}
