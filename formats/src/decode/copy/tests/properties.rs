//! Property tests of rows of a COPY.

use super::*;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int32Array, ListArray,
    StringArray,
    cast::AsArray,
    types::{Decimal128Type, Int32Type},
};
use proptest::{collection::vec, option, prelude::*, sample::Index};
use std::sync::Arc;

/// One column for each family of types.
const TYPES: &str = "bool int32 float64 uuid binary text json decimal(38,18) list<int32> list<text> date time(us)";

/// The number `value / 10^scale` in binary form.
fn numeric(value: i128, scale: u32) -> Vec<u8> {
    let mut rest = value.unsigned_abs();
    let mut digits = Vec::new();
    // The last digit is padded with zeros on the right.
    let (first, mut weight) = match scale % 4 {
        0 => (4, -i64::from(scale / 4)),
        partial => (partial, -i64::from(scale / 4) - 1),
    };
    let mut push = |rest: &mut u128, length: u32| {
        let unit = 10_u128.pow(length);
        digits.push(u16::try_from(*rest % unit).unwrap() * 10_u16.pow(4 - length));
        *rest /= unit;
    };
    push(&mut rest, first);
    while rest > 0 {
        push(&mut rest, 4);
    }
    while digits.last() == Some(&0) {
        digits.pop();
    }
    weight += i64::try_from(digits.len()).unwrap() - 1;
    digits.reverse();
    while digits.last() == Some(&0) {
        digits.pop();
    }
    if digits.is_empty() {
        weight = 0;
    }
    let head = [
        u16::try_from(digits.len()).unwrap(),
        i16::try_from(weight).unwrap().cast_unsigned(),
        if value < 0 { 0x4000 } else { 0 },
        u16::try_from(scale).unwrap(),
    ];
    head.iter().chain(&digits).flat_map(|word| word.to_be_bytes()).collect()
}

/// A row of [`TYPES`] without the last two.
type Values = (
    Option<bool>,
    Option<i32>,
    Option<f64>,
    Option<[u8; 16]>,
    Option<Vec<u8>>,
    Option<String>,
    Option<String>,
    Option<i128>,
    Option<Vec<Option<i32>>>,
    Option<Vec<Option<String>>>,
);

const LARGEST: i128 = 10_i128.pow(38) - 1;

fn any_values() -> impl Strategy<Value = Values> {
    (
        any::<Option<bool>>(),
        any::<Option<i32>>(),
        any::<Option<f64>>(),
        any::<Option<[u8; 16]>>(),
        option::of(vec(any::<u8>(), 0..40)),
        option::of(".{0,40}"),
        option::of("\\PC{0,20}"),
        option::of(-LARGEST..=LARGEST),
        option::of(vec(any::<Option<i32>>(), 0..5)),
        option::of(vec(option::of(".{0,5}"), 0..5)),
    )
}

/// The fields of a row, the last two of which are NULL.
fn fields(values: &Values) -> [Option<Vec<u8>>; 12] {
    let (truth, integer, float, uuid, binary, text, json, decimal, integers, texts) = values;
    let integers = integers.as_ref().map(|integers| {
        let integers = integers.iter().map(|integer| integer.map(i32::to_be_bytes)).collect::<Vec<_>>();
        list(&integers.iter().map(|integer| integer.as_ref().map(|bytes| &bytes[..])).collect::<Vec<_>>())
    });
    let texts = texts
        .as_ref()
        .map(|texts| list(&texts.iter().map(|text| text.as_ref().map(String::as_bytes)).collect::<Vec<_>>()));
    [
        truth.map(|truth| vec![truth.into()]),
        integer.map(|integer| integer.to_be_bytes().to_vec()),
        float.map(|float| float.to_be_bytes().to_vec()),
        uuid.map(|uuid| uuid.to_vec()),
        binary.clone(),
        text.clone().map(String::into_bytes),
        json.as_ref().map(|json| [b"\x01", json.as_bytes()].concat()),
        decimal.map(|decimal| numeric(decimal, 18)),
        integers,
        texts,
        None,
        None,
    ]
}

fn sent(values: &Values) -> Vec<u8> {
    event("e", fields(values).iter().map(Option::as_deref))
}

/// The columns as built by Arrow's constructors.
fn expected(rows: &[Values]) -> Vec<ArrayRef> {
    let uuids = rows.iter().map(|row| row.3);
    let decimals = rows.iter().map(|row| row.7).collect::<Decimal128Array>().with_precision_and_scale(38, 18).unwrap();
    let integers = ListArray::from_iter_primitive::<Int32Type, _, _>(rows.iter().map(|row| row.8.clone()));
    vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.1).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>()),
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(uuids, 16).unwrap()),
        Arc::new(rows.iter().map(|row| row.4.as_ref()).collect::<BinaryArray>()),
        Arc::new(rows.iter().map(|row| row.5.as_ref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.6.as_ref()).collect::<StringArray>()),
        Arc::new(decimals),
        Arc::new(integers),
    ]
}

/// The lists of texts.
fn texts(lists: &ListArray) -> Vec<Option<Vec<Option<String>>>> {
    let texts = |list: ArrayRef| list.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect();
    lists.iter().map(|list| list.map(texts)).collect()
}

proptest! {
    #[test]
    fn values_round_trip(rows in vec(any_values(), 1..3 * BLOCK)) {
        let decoded = decode(&layout(TYPES), rows.iter().map(sent)).unwrap();
        prop_assert_eq!(reasons(&decoded), vec![]);
        let batch = decoded.batch.unwrap();
        for (index, expected) in expected(&rows).iter().enumerate() {
            let found = batch.records().column(index + 2);
            if index == 8 {
                // Arrow's constructor gives the elements another field name.
                prop_assert_eq!(found.as_list::<i32>().iter().collect::<Vec<_>>(), expected.as_list::<i32>().iter().collect::<Vec<_>>());
            } else {
                prop_assert_eq!(found, expected);
            }
        }
        let lists = rows.iter().map(|row| row.9.clone()).collect::<Vec<_>>();
        prop_assert_eq!(texts(batch.records().column(11).as_list()), lists);
    }

    #[test]
    fn decimals_round_trip_at_every_scale(value in -LARGEST..=LARGEST, shift in 0..39_u32, scale in 0..=38_u32) {
        let value = value / 10_i128.pow(shift);
        let layout = layout(&format!("decimal(38,{scale})"));
        let decoded = decode(&layout, [event("e", [Some(&numeric(value, scale)[..])])]).unwrap();
        let column = Arc::clone(decoded.batch.unwrap().records().column(2));
        prop_assert_eq!(column.as_primitive::<Decimal128Type>().value(0), value);
    }

    #[test]
    fn decimals_of_another_scale_are_exact_or_rejected(
        value in -10_i128.pow(20)..10_i128.pow(20), sent in 0..20_u32, precision in 1..=38_u32, scale in 0..=38_u32
    ) {
        prop_assume!(scale <= precision);
        let layout = layout(&format!("decimal({precision},{scale})"));
        let decoded = decode(&layout, [event("e", [Some(&numeric(value, sent)[..])])]).unwrap();
        let scaled = value.checked_mul(10_i128.pow(scale.saturating_sub(sent)));
        let unit = 10_i128.pow(sent.saturating_sub(scale));
        let exact = scaled.filter(|scaled| scaled % unit == 0).map(|scaled| scaled / unit);
        let exact = exact.filter(|exact| exact.unsigned_abs() < 10_u128.pow(precision));
        let found = decoded.batch.map(|batch| batch.records().column(2).as_primitive::<Decimal128Type>().value(0));
        prop_assert_eq!(found, exact);
        prop_assert_eq!(decoded.rejects.len(), usize::from(exact.is_none()));
    }

    #[test]
    fn every_row_is_an_event_or_a_reject(rows in vec((any_values(), 0..40_u8), 1..3 * BLOCK)) {
        let messages = rows.iter().map(|(values, fault)| {
            let mut fields = fields(values);
            match fault {
                0 => fields[5] = Some(b"\xff".to_vec()),
                1 => fields[9] = Some(list(&[Some(b"x"), Some(b"\xff")])),
                2 => fields[10] = Some(i32::MAX.to_be_bytes().to_vec()),
                3 => fields[11] = Some(86_400_000_000_i64.to_be_bytes().to_vec()),
                _ => {}
            }
            event("e", fields.iter().map(Option::as_deref))
        });
        let messages = messages.collect::<Vec<_>>();
        let is_bad = |number: &usize| rows[*number].1 < 4;
        let decoded = decode(&layout(TYPES), &messages).unwrap();
        let bad = (0..rows.len()).filter(is_bad).map(|number| (number as u64, messages[number].clone()));
        let rejected = decoded.rejects.into_iter().map(|reject| (reject.line, reject.row));
        prop_assert!(rejected.eq(bad));
        let good = (0..rows.len()).filter(|number| !is_bad(number)).map(|number| &messages[number]);
        let alone = decode(&layout(TYPES), good).unwrap();
        prop_assert!(alone.rejects.is_empty());
        prop_assert_eq!(decoded.batch.map(|batch| batch.records().clone()), alone.batch.map(|batch| batch.records().clone()));
    }

    #[test]
    fn truncated_rows_are_errors(values in any_values()) {
        let (layout, whole) = (layout(TYPES), sent(&values));
        for length in 0..whole.len() {
            prop_assert_eq!(decode(&layout, [&whole[..length]]).unwrap_err(), CopyError::Truncated, "{}", length);
        }
    }

    #[test]
    fn truncated_arrays_are_errors(elements in vec(option::of("[a-z]{0,5}"), 1..5)) {
        let whole = list(&elements.iter().map(|text| text.as_ref().map(String::as_bytes)).collect::<Vec<_>>());
        for length in 0..whole.len() {
            let cut = decode(&layout("list<text>"), [event("e", [Some(&whole[..length])])]);
            let is_broken = matches!(cut, Err(CopyError::Value { .. }));
            prop_assert!(is_broken, "{}", length);
        }
    }

    #[test]
    fn random_bytes_never_panic(rows in vec(vec(any::<u8>(), 0..80), 0..4), fields in vec(vec(any::<u8>(), 0..30), 12)) {
        // Any result is valid, but no panic.
        let _random = decode(&layout(TYPES), rows);
        let values = decode(&layout(TYPES), [event("e", fields.iter().map(|field| Some(&field[..])))]);
        prop_assert!(values.is_err() || values.is_ok_and(|decoded| decoded.rows == 1));
    }

    #[test]
    fn damaged_rows_never_panic(
        mut rows in vec(any_values(), 1..2 * BLOCK).prop_map(|rows| rows.iter().map(sent).collect::<Vec<_>>()),
        damage in vec((any::<Index>(), any::<Index>(), any::<u8>()), 1..4)
    ) {
        for (row, byte, value) in damage {
            let row = row.get_mut(&mut rows);
            let byte = byte.index(row.len());
            row[byte] = value;
        }
        let count = rows.len() as u64;
        if let Ok(decoded) = decode(&layout(TYPES), rows) {
            let events = decoded.batch.map_or(0, |batch| batch.len()) as u64;
            prop_assert_eq!(events + decoded.rejects.len() as u64, count);
        }
    }
}
