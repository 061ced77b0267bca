//! Values survive: random rows of every supported type, and a year of real flights.

use super::DatabaseWorld;
use crate::{
    postgres::types::exact::{Column, assert_exact},
    support::foreign::{flight_sums, flights},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};

const COLUMNS: [(&str, &str, &str); 19] = [
    ("a_text", "text", "text"),
    ("a_padded", "char(12)", "text"),
    ("a_json", "json", "json"),
    ("a_jsonb", "jsonb", "json"),
    ("a_small", "smallint", "int16"),
    ("a_whole", "integer", "int32"),
    ("a_big", "bigint", "int64"),
    ("a_single", "real", "float32"),
    ("a_double", "double precision", "float64"),
    ("a_decimal", "numeric(38,10)", "decimal(38,10)"),
    ("a_numeric", "numeric", "text"),
    ("a_flag", "boolean", "bool"),
    ("some_bytes", "bytea", "binary"),
    ("a_uuid", "uuid", "uuid"),
    ("an_instant", "timestamptz", "timestamp(us,UTC)"),
    ("a_moment", "timestamp", "timestamp(us)"),
    ("a_day", "date", "date"),
    ("an_hour", "time", "time(us)"),
    ("a_list", "text[]", "list<text>"),
];

/// A literal for each column.
fn row() -> impl Strategy<Value = Vec<String>> {
    let texts = (text(), text().prop_map(|text| text.chars().take(12).collect()), json(), json());
    let texts = texts.prop_map(|(text, padded, json, jsonb): (String, String, String, String)| {
        // `jsonb` cannot hold this character.
        let jsonb = jsonb.replace("\\u0000", "");
        [text, padded, json, jsonb].map(|text| quoted(&text)).to_vec()
    });
    let integers = (any::<i16>(), any::<i32>(), any::<i64>());
    let integers = integers.prop_map(|(small, whole, big)| vec![quoted(&small), quoted(&whole), quoted(&big)]);
    let floats = (any::<u32>().prop_map(f32::from_bits), any::<u64>().prop_map(f64::from_bits));
    let floats = floats.prop_map(|(single, double)| {
        // Infinity is `inf` in Rust and in PostgreSQL, and a literal can name only one NaN.
        vec![quoted(&format!("{single:e}")), quoted(&format!("{double:e}"))]
    });
    let others = (any::<bool>(), vec(any::<u8>(), 0..40), any::<u128>());
    let others = others.prop_map(|(flag, bytes, uuid)| {
        let hex = bytes.iter().fold("\\x".to_owned(), |hex, byte| format!("{hex}{byte:02x}"));
        vec![quoted(&flag), quoted(&hex), quoted(&format!("{uuid:032x}"))]
    });
    let columns = (texts, integers, floats, decimals(), others, times(), list());
    columns.prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, vec![g]].concat())
}

fn quoted(value: &impl ToString) -> String {
    format!("'{}'", value.to_string().replace('\'', "''"))
}

/// Any text without NUL, which PostgreSQL does not support.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[\"',\\\\\r\n\t ]{0,6}", "[a-z]{0,30}"].prop_map(|text| text.replace('\0', ""))
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        text().prop_map(Into::into)
    ];
    let nested = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Into::into),
            vec((text(), inner), 0..4).prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    });
    (nested, 0..3_usize).prop_map(|(value, blanks)| format!("{}{value}", " ".repeat(blanks)))
}

fn decimals() -> impl Strategy<Value = Vec<String>> {
    const LIMIT: i128 = 10_i128.pow(38);
    (1 - LIMIT..LIMIT, "-?[0-9]{1,40}(\\.[0-9]{1,40})?").prop_map(|(units, any)| {
        let (sign, size) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
        let exact = format!("{sign}{}.{:010}", size / 10_u128.pow(10), size % 10_u128.pow(10));
        vec![quoted(&exact), quoted(&any)]
    })
}

/// Times in years of four digits.
fn times() -> impl Strategy<Value = Vec<String>> {
    let day = || -719_162..2_932_897_i64;
    let micros = || 0..86_400_000_000_i64;
    (day(), micros(), day(), micros(), day(), micros()).prop_map(|(days, at, other, moment, date, hour)| {
        let time = |day: i64, at: i64| {
            format!("timestamp '1970-01-01' + {day} * interval '1 day' + {at} * interval '1 microsecond'")
        };
        vec![
            format!("({}) at time zone 'UTC'", time(days, at)),
            time(other, moment),
            format!("date '1970-01-01' + {date}"),
            format!("time '00:00' + {hour} * interval '1 microsecond'"),
        ]
    })
}

fn list() -> impl Strategy<Value = String> {
    vec(proptest::option::of(text()), 0..4).prop_map(|elements| {
        let elements = elements.iter().map(|element| element.as_ref().map_or("null".to_owned(), quoted));
        format!("array[{}]::text[]", elements.collect::<Vec<_>>().join(", "))
    })
}

/// Rows with some NULL values.
fn rows() -> impl Strategy<Value = Vec<Vec<Option<String>>>> {
    let row = (row(), vec(proptest::bool::weighted(0.85), COLUMNS.len()));
    let row =
        row.prop_map(|(row, kept)| row.into_iter().zip(kept).map(|(value, kept)| kept.then_some(value)).collect());
    vec(row, 1..150)
}

#[test]
fn random_rows_of_every_type_survive() {
    let columns = COLUMNS.map(|(name, declared, _)| format!(", {name} {declared}")).concat();
    let exact = COLUMNS.map(|(name, _, archived)| -> Column { (name, archived) });
    // A case takes a second: each has many rows, and shrinking is limited.
    let config = Config { cases: 4, max_shrink_iters: 12, failure_persistence: None, ..Config::default() };
    let survived = TestRunner::new(config).run(&rows(), |rows| {
        let values = rows.iter().enumerate().map(|(id, row)| {
            let literals = row.iter().map(|value| value.as_deref().unwrap_or("null"));
            format!("({id}, '2025-03-10Z', {})", literals.collect::<Vec<_>>().join(", "))
        });
        let values = values.collect::<Vec<_>>().join(",\n");
        let create = format!("create table events (id bigint, created_at timestamptz{columns})");
        let world = DatabaseWorld::new(&format!("{create};\ninsert into events values {values};"));
        world.run(&[]).expect(0);
        assert_exact(&world, &exact);
        Ok(())
    });
    survived.unwrap();
}

/// Thirteen, since in UTC the last flights depart in the next year.
const FLIGHT_MONTHS: usize = 13;

const FLIGHT_TABLE: &str = "
    create table events (
        id bigint primary key, year integer, month integer, day integer, dep_time integer, sched_dep_time integer,
        dep_delay smallint, arr_time integer, sched_arr_time integer, arr_delay numeric(6,1), carrier char(2), flight integer,
        tailnum varchar(8), origin text, dest text, air_time real, distance double precision, hour integer, minute integer,
        time_hour timestamptz not null);";

#[test]
fn year_of_flights_is_archived_exactly() {
    let world = DatabaseWorld::new(FLIGHT_TABLE);
    let file = world.host.path("flights.csv");
    std::fs::write(&file, flights()).unwrap();
    world.database.sql(&format!(
        "\\copy events from '{}' csv header\ncreate index on events (time_hour); analyze events;",
        file.display()
    ));
    let flags = ["--time-column", "time_hour", "--rename", "month=month_of_departure", "--format", "parquet"];
    world.backfill("2013-01", "2014-01", &flags).expect(0);
    let archive = world.archive();
    archive.check();
    assert_eq!(archive.months().len(), FLIGHT_MONTHS);
    let (shipped, archived) = flight_sums(&archive);
    assert_eq!(shipped.as_object().unwrap().len(), FLIGHT_MONTHS);
    assert_eq!(shipped["2013-01"]["flights"], 26_865, "{shipped}");
    assert_eq!(archived, shipped);
    world.host.run(&["verify", "--json"]).expect(0);
}
