//! Compares archived values with those that the server prints.

use crate::{postgres::DatabaseWorld, support::foreign::read_exactly};
use serde_json::{Map, Value};

/// Name and archive type of a column of `events`.
pub(in crate::postgres) type Column = (&'static str, &'static str);

/// Asserts that the archive has every row of `events`, with the server's values of `columns`.
#[track_caller]
pub(in crate::postgres) fn assert_exact(world: &DatabaseWorld, columns: &[Column]) {
    let archive = world.archive();
    archive.check();
    for reader in ["pyarrow", "duckdb", "csv"] {
        let expected = expected(world, columns, if reader == "csv" { Form::Csv } else { Form::Parquet });
        let (_, found) = read_exactly(reader, &archive);
        let found = found.as_object().unwrap();
        assert_eq!(found.len(), expected.len(), "rows that {reader} finds");
        for row in &expected {
            let id = row["id"].as_str().unwrap();
            for (name, kind) in columns {
                assert_eq!(found[id][name], row[*name], "{name}, {kind}, of row {id}, by {reader}");
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Parquet,
    Csv,
}

fn expected(world: &DatabaseWorld, columns: &[Column], form: Form) -> Vec<Map<String, Value>> {
    let value = |(name, kind): &Column| format!(", {} as \"{name}\"", exact(&format!("\"{name}\""), kind, form));
    let query = format!("select id::text as id{} from events", columns.iter().map(value).collect::<String>());
    world.database.rows(&query).into_iter().map(|row| row.as_object().unwrap().clone()).collect()
}

/// SQL that formats `value` as `tests/readers/exact.py` does.
fn exact(value: &str, kind: &str, form: Form) -> String {
    if let Some(element) = kind.strip_prefix("list<").and_then(|kind| kind.strip_suffix('>')) {
        let element = exact("element", element, form);
        let list = format!("select coalesce(json_agg({element} order by place), '[]')");
        let list = format!("({list} from unnest({value}) with ordinality as list(element, place))");
        return format!("case when {value} is not null then {list} end");
    }
    let micros = || format!("(extract(epoch from {value}) * 1000000)::bigint::text");
    let printed = |pattern: &str| format!("to_char({value}, '{pattern}')");
    match (kind, form) {
        ("float32", _) => format!("encode(float4send({value}), 'hex')"),
        ("float64", _) => format!("encode(float8send({value}), 'hex')"),
        ("binary", _) => format!("encode({value}, 'hex')"),
        ("bool", _) => format!("{value}::text"),
        ("timestamp(us,UTC)" | "timestamp(us)" | "time(us)", Form::Parquet) => micros(),
        ("date", Form::Parquet) => format!("({value} - date '1970-01-01')::text"),
        ("timestamp(us,UTC)", Form::Csv) => printed(r#"YYYY-MM-DD"T"HH24:MI:SS.US"Z""#),
        ("timestamp(us)", Form::Csv) => printed(r#"YYYY-MM-DD"T"HH24:MI:SS.US"#),
        ("time(us)", Form::Csv) => printed("HH24:MI:SS.US"),
        ("date", Form::Csv) => printed("YYYY-MM-DD"),
        // Unlike a cast, `format` keeps the blanks of `char(n)`. A composite of NULLs `is null`.
        _ => format!("case when num_nulls({value}) = 0 then format('%s', {value}) end"),
    }
}
