//! What no server sends.

use super::*;

fn broken(kind: &str, value: &[u8]) -> &'static str {
    match decode(&layout(kind), [event("e", [Some(value)])]) {
        Err(CopyError::Value { column, what }) if column == "c2" => what,
        other => panic!("{kind} {value:?}: {other:?}"),
    }
}

#[test]
fn a_row_has_as_many_fields_as_there_are_columns() {
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
fn a_length_is_within_the_row() {
    let layout = layout("text");
    for length in [i32::MIN, -2, 5, i32::MAX] {
        let whole = event("e", [Some(&b"text"[..])]);
        let (head, _) = whole.split_at(whole.len() - 8);
        let message = [head, &length.to_be_bytes(), b"text"].concat();
        assert_eq!(decode(&layout, [message]).unwrap_err(), CopyError::Truncated, "{length}");
    }
}

#[test]
fn a_value_is_as_wide_as_its_type() {
    let widths = [("bool", 1), ("int16", 2), ("int32", 4), ("float32", 4), ("date", 4), ("int64", 8), ("float64", 8)];
    for (kind, width) in widths.into_iter().chain([("timestamp(us)", 8), ("time(us)", 8), ("uuid", 16)]) {
        for other in [0, width - 1, width + 1] {
            let what = broken(kind, &vec![0; other]);
            assert!(other == width || what == "a value that is not as wide as its type", "{kind} {other}");
            broken(&format!("list<{kind}>"), &list(&[Some(&vec![0; other])]));
        }
    }
}

#[test]
fn a_value_is_one_of_its_type() {
    assert_eq!(broken("bool", &[2]), "a truth value that is neither true nor false");
    assert_eq!(broken("time(us)", &(-1_i64).to_be_bytes()), "a time that is not within a day");
    assert_eq!(broken("time(us)", &86_400_000_001_i64.to_be_bytes()), "a time that is not within a day");
    assert_eq!(broken("json", b"\x02{}"), "JSON in a form that is not known");
}

#[test]
fn a_number_is_what_it_says() {
    let kind = "decimal(18,8)";
    let length = "a number that is not as long as it says";
    for value in [&b""[..], &[0; 7], &[0; 9], &[0, 1, 0, 0, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(broken(kind, value), length, "{value:?}");
    }
    let one = |sign: u8, digit: [u8; 2]| [0, 1, 0, 0, sign, 0, 0, 0, digit[0], digit[1]];
    assert_eq!(broken(kind, &one(0x80, [0, 1])), "a number with a sign that is not known");
    assert_eq!(broken(kind, &one(0, [0x27, 0x10])), "a number with a digit that is too large");
    let within = [&[0, 3, 0, 1, 0, 0, 0, 0][..], &[0, 1, 0xff, 0xff, 0, 1]].concat();
    assert_eq!(broken(kind, &within), "a number with a digit that is too large");
}

#[test]
fn an_array_is_as_long_as_it_says() {
    let (short, long) = ("an array that is shorter than it says", "an array that is longer than it says");
    let text = Some(&b"a"[..]);
    for (value, what) in [
        (vec![], short),
        (vec![0; 11], short),
        (vec![0; 13], long),
        (array(1, 1, &[]), short),
        (array(1, i32::MAX, &[text]), short),
        (array(1, 1, &[text, text]), long),
        (array(1, 0, &[text]), long),
        (array(1, -1, &[]), "an array of a length below zero"),
        (array(-1, 0, &[]), "an array of fewer than no dimensions"),
    ] {
        assert_eq!(broken("list<text>", &value), what, "{value:?}");
    }
}

#[test]
fn an_array_of_arrays_is_no_list() {
    let row = event("e", [Some(array(2, 2, &[]).as_slice())]);
    let error = layout("list<int32>").decode(&rows([row])).unwrap_err();
    assert_eq!(error, CopyError::Nested { column: "c2".to_owned() });
}

#[test]
fn the_end_is_the_end() {
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
fn a_layout_has_two_keys_and_no_types_that_are_not_read() {
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
