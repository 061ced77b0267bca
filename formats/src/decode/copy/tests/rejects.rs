//! Rejected rows.

use super::*;

/// The reason for which a value is rejected.
fn reason(kind: &str, value: &[u8]) -> String {
    let layout = layout(kind);
    let good = event("good", [None]);
    let bad = event("bad", [Some(value)]);
    let decoded = decode(&layout, [&good, &bad, &good]).unwrap();
    assert_eq!(ids(&decoded), ["good", "good"], "{kind} {value:?}");
    assert_eq!(decoded.rejects[0].row, bad);
    let [(1, "c2", reason)] = reasons(&decoded)[..] else { panic!("{:?}", decoded.rejects) };
    reason.to_owned()
}

fn numeric(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
    let head = [u16::try_from(digits.len()).unwrap(), weight.cast_unsigned(), sign, 0];
    head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect()
}

#[test]
fn rows_without_keys_are_rejected() {
    let keys = |id: Option<&'static [u8]>, time: Option<i64>| {
        let time = time.map(i64::to_be_bytes);
        row([id, time.as_ref().map(|time| &time[..])])
    };
    let messages = [
        keys(None, Some(0)),
        keys(Some(b""), Some(0)),
        keys(Some(b"a"), None),
        keys(Some(b"b"), Some(i64::MAX)),
        keys(Some(b"c"), Some(i64::MIN)),
        keys(None, None),
        keys(Some(b"d"), Some(0)),
    ];
    let decoded = decode(&layout(""), &messages).unwrap();
    let expected = [
        (0, "c0", "no id"),
        (1, "c0", "no id"),
        (2, "c1", "no time"),
        (3, "c1", "infinite"),
        (4, "c1", "infinite"),
        (5, "c0", "no id"),
    ];
    assert_eq!(reasons(&decoded), expected);
    assert_eq!((ids(&decoded), decoded.rows, decoded.lines), (vec!["d".to_owned()], 7, 7));
}

#[test]
fn null_in_a_required_column_is_rejected() {
    let mut columns = schema("text timestamp(us) int32").columns().to_vec();
    columns[2].nullable = false;
    let schema = Schema::new(columns, "c0", "c1").unwrap();
    let decoded = decode(&CopyLayout::new(schema).unwrap(), [event("e", [None])]).unwrap();
    assert_eq!(reasons(&decoded), [(0, "c2", "no value, where the column must have one")]);
    assert!(decoded.batch.is_none());
}

#[test]
fn times_out_of_range_are_rejected() {
    for kind in ["timestamp(us,UTC)", "timestamp(us)", "list<timestamp(us)>"] {
        let value = |micros: i64| match kind {
            "list<timestamp(us)>" => list(&[None, Some(&micros.to_be_bytes())]),
            _ => micros.to_be_bytes().to_vec(),
        };
        assert_eq!(reason(kind, &value(i64::MAX)), "infinite");
        assert_eq!(reason(kind, &value(i64::MIN)), "infinite");
        // 294276-12-31 23:59:59.999999, the maximum of PostgreSQL.
        assert_eq!(reason(kind, &value(0x7fff_ff5b_b3b2_9fff)), "too far from 1970");
    }
    assert_eq!(reason("date", &i32::MAX.to_be_bytes()), "infinite");
    assert_eq!(reason("date", &i32::MIN.to_be_bytes()), "infinite");
    assert_eq!(reason("date", &(i32::MAX - 1).to_be_bytes()), "too far from 1970");
    assert_eq!(reason("time(us)", &86_400_000_000_i64.to_be_bytes()), "24:00:00, which no other day has");
}

#[test]
fn numbers_out_of_range_are_rejected() {
    let kind = "decimal(6,2)";
    assert_eq!(reason(kind, &numeric(0, 0xc000, &[])), "not a number, in a column of numbers");
    assert_eq!(reason(kind, &numeric(0, 0xd000, &[])), "infinite");
    assert_eq!(reason(kind, &numeric(0, 0xf000, &[])), "infinite");
    for digits in [&[1, 0][..], &[1], &[1, 0, 0, 0]] {
        assert_eq!(reason(kind, &numeric(1, 0, digits)), "more than 4 integer digits");
    }
    for digits in [&[1, 1][..], &[0, 10], &[9999, 9990], &[0, 0, 1]] {
        assert_eq!(reason(kind, &numeric(0, 0, digits)), "more than 2 decimals");
    }
    assert_eq!(reason(kind, &numeric(i16::MIN, 0, &[1])), "more than 2 decimals");
    assert_eq!(reason(kind, &numeric(i16::MAX, 0x4000, &[1])), "more than 4 integer digits");
    assert_eq!(reason("decimal(38,0)", &numeric(9, 0, &[100])), "more than 38 integer digits");
    assert_eq!(reason("decimal(38,38)", &numeric(0, 0, &[1])), "more than 0 integer digits");
    assert_eq!(reason("decimal(38,38)", &numeric(-10, 0, &[10])), "more than 38 decimals");
}

#[test]
fn text_must_be_utf8() {
    for kind in ["text", "json"] {
        assert_eq!(reason(kind, b"\"\xff\""), "not valid UTF-8");
    }
    // Each half of a character is invalid, though their concatenation is not.
    let halves = list(&[Some(b"\xc3"), Some(b"\xbc")]);
    for kind in ["list<text>", "list<json>"] {
        assert_eq!(reason(kind, &halves), "not valid UTF-8");
    }
    let decoded = decode(&layout("text text"), [event("e", [Some(&b"\xc3"[..]), Some(&b"\xbc"[..])])]).unwrap();
    assert_eq!(reasons(&decoded), [(0, "c2", "not valid UTF-8")]);
}

#[test]
fn rejects_do_not_affect_other_rows() {
    let layout = layout("text list<text> int32");
    let count = 3 * BLOCK + 1;
    for faulty in [&[0][..], &[BLOCK - 1, BLOCK], &[5, 6, 2 * BLOCK], &[count - 1], &[]] {
        for bad in [&[Some(&b"\xff"[..]), None, None][..], &[None, Some(&list(&[Some(b"\xff")])), None]] {
            let names = (0..count).map(|number| number.to_string()).collect::<Vec<_>>();
            let good = [Some(&b"x"[..]), Some(&list(&[Some(b"y"), None])), Some(&[0, 0, 0, 1])];
            let messages = names
                .iter()
                .enumerate()
                .map(|(number, name)| event(name, if faulty.contains(&number) { bad.to_vec() } else { good.to_vec() }));
            let decoded = decode(&layout, messages).unwrap();
            let lines = decoded.rejects.iter().map(|reject| usize::try_from(reject.line).unwrap());
            assert_eq!(lines.collect::<Vec<_>>(), faulty);
            let kept = names.iter().enumerate().filter(|(number, _)| !faulty.contains(number));
            assert!(kept.map(|(_, name)| name).eq(&ids(&decoded)));
            let batch = decoded.batch.unwrap();
            assert!(printed(&batch, 3).iter().all(|text| text == "[\"y\",null]"));
            assert!(printed(&batch, 4).iter().all(|text| text == "1"));
        }
    }
}
