//! Violations of the protocol.

use super::*;

fn broken(kind: &str, value: &[u8]) -> &'static str {
    match decode(&layout(kind), [event("e", [Some(value)])]) {
        Err(CopyError::Value { column, what }) if column == "c2" => what,
        other => panic!("{kind} {value:?}: {other:?}"),
    }
}

#[test]
fn the_field_count_must_match_the_columns() {
    let layout = layout("int32");
    let found = |fields: &[u8]| decode(&layout, [fields]).unwrap_err();
    for (count, bytes) in [(2, [0, 2]), (4, [0, 4]), (-2, [0xff, 0xfe]), (0, [0, 0])] {
        assert_eq!(found(&bytes), CopyError::FieldCount { found: count, expected: 3 });
    }
    assert_eq!(found(&[]), CopyError::Truncated);
    assert_eq!(found(&[0]), CopyError::Truncated);
    assert_eq!(found(&[event("e", [None]), vec![0]].concat()), CopyError::Trailing);
}

#[test]
fn field_lengths_must_be_within_the_row() {
    let layout = layout("text");
    for length in [i32::MIN, -2, 5, i32::MAX] {
        let whole = event("e", [Some(&b"text"[..])]);
        let (head, _) = whole.split_at(whole.len() - 8);
        let message = [head, &length.to_be_bytes(), b"text"].concat();
        assert_eq!(decode(&layout, [message]).unwrap_err(), CopyError::Truncated, "{length}");
    }
}

#[test]
fn the_width_must_match_the_type() {
    let widths = [("bool", 1), ("int16", 2), ("int32", 4), ("float32", 4), ("date", 4), ("int64", 8), ("float64", 8)];
    for (kind, width) in widths.into_iter().chain([("timestamp(us)", 8), ("time(us)", 8), ("uuid", 16)]) {
        for other in [0, width - 1, width + 1] {
            let what = broken(kind, &vec![0; other]);
            assert!(other == width || what == "a value of another width than its type", "{kind} {other}");
            broken(&format!("list<{kind}>"), &list(&[Some(&vec![0; other])]));
        }
    }
}

#[test]
fn values_must_be_valid_for_their_type() {
    assert_eq!(broken("bool", &[2]), "a boolean that is neither true nor false");
    assert_eq!(broken("time(us)", &(-1_i64).to_be_bytes()), "a time outside of a day");
    assert_eq!(broken("time(us)", &86_400_000_001_i64.to_be_bytes()), "a time outside of a day");
    assert_eq!(broken("json", b"\x02{}"), "JSON of an unknown version");
}

#[test]
fn numerics_must_match_their_header() {
    let kind = "decimal(18,8)";
    let length = "a number of another length than its header";
    for value in [&b""[..], &[0; 7], &[0; 9], &[0, 1, 0, 0, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(broken(kind, value), length, "{value:?}");
    }
    let one = |sign: u8, digit: [u8; 2]| [0, 1, 0, 0, sign, 0, 0, 0, digit[0], digit[1]];
    assert_eq!(broken(kind, &one(0x80, [0, 1])), "a number with an unknown sign");
    assert_eq!(broken(kind, &one(0, [0x27, 0x10])), "a number with a digit that is too large");
    let within = [&[0, 3, 0, 1, 0, 0, 0, 0][..], &[0, 1, 0xff, 0xff, 0, 1]].concat();
    assert_eq!(broken(kind, &within), "a number with a digit that is too large");
}

#[test]
fn arrays_must_match_their_header() {
    let (short, long) = ("an array shorter than its header", "an array longer than its header");
    let text = Some(&b"a"[..]);
    for (value, what) in [
        (vec![], short),
        (vec![0; 11], short),
        (vec![0; 13], long),
        (array(1, 1, &[]), short),
        (array(1, i32::MAX, &[text]), short),
        (array(1, 1, &[text, text]), long),
        (array(1, 0, &[text]), long),
        (array(1, -1, &[]), "an array of negative length"),
        (array(-1, 0, &[]), "an array with a negative number of dimensions"),
    ] {
        assert_eq!(broken("list<text>", &value), what, "{value:?}");
    }
}

#[test]
fn arrays_of_several_dimensions_are_refused() {
    let row = event("e", [Some(array(2, 2, &[]).as_slice())]);
    let error = layout("list<int32>").decode(&rows([row])).unwrap_err();
    assert_eq!(error, CopyError::Nested { column: "c2".to_owned() });
}

#[test]
fn nothing_may_follow_the_end_marker() {
    let mut rows = rows([event("e", [])]);
    assert_eq!(rows.push(&[0xff, 0xff]), Ok(Pushed::End));
    assert_eq!((rows.len(), rows.is_empty(), rows.bytes()), (1, false, event("e", []).len()));
    rows.clear();
    assert_eq!((rows.len(), rows.is_empty(), rows.bytes()), (0, true, 0));
    assert_eq!(rows.push(&[0xff, 0xff]), Err(CopyError::AfterEnd));
    assert_eq!(rows.push(&event("e", [])), Err(CopyError::AfterEnd));
    assert!(layout("").decode(&rows).unwrap().batch.is_none());
}

#[test]
fn layouts_need_two_keys_and_supported_types() {
    let columns = |types| schema(types).columns().to_vec();
    let one = Schema::new(columns("text timestamp(us)"), "c0", "c0").unwrap();
    assert_eq!(CopyLayout::new(one).unwrap_err(), CopyLayoutError::OneKey("c0".to_owned()));
    for (types, name) in
        [("json timestamp(us)", "c0"), ("bool timestamp(us)", "c0"), ("text date", "c1"), ("text text", "c1")]
    {
        let error = CopyLayout::new(schema(types)).unwrap_err();
        assert!(matches!(&error, CopyLayoutError::KeyType { name: key, .. } if key == name), "{types}: {error}");
    }
    let nested = CopyLayout::new(schema("text timestamp(us) list<list<text>>")).unwrap_err();
    assert_eq!(nested.to_string(), "column \"c2\" cannot be read from a COPY as list<list<text>>");
    let mut decimal = columns("text timestamp(us) int16");
    decimal[2].kind = ColumnType::Decimal { precision: 2, scale: 3 };
    let decimal = Schema::new(decimal, "c0", "c1").unwrap();
    assert!(matches!(CopyLayout::new(decimal), Err(CopyLayoutError::UnreadableType { .. })));
}

#[test]
fn a_row_that_is_too_long_is_refused() {
    let mut rows = CopyRows::new(10);
    assert_eq!(rows.push(&[0; 10]), Ok(Pushed::Row));
    assert_eq!(rows.push(&[0; 11]), Err(CopyError::RowTooLong(10)));
}
