//! Every built-in type is archived exactly.

pub(super) mod exact;
mod refusals;
pub(super) mod table;

use super::{DatabaseWorld, MONTH, march};
use crate::support::foreign::read_exactly;
use exact::assert_exact;
use serde_json::Value;

#[test]
fn every_value_of_every_type_equals_the_server_text() {
    let specs = table::all();
    let world = DatabaseWorld::new(&[table::TYPES, &table::create(&specs)].concat());
    world.run(&[]).expect(0);
    assert_exact(&world, &table::columns(&specs));
}

#[test]
fn manifest_records_archive_and_server_types() {
    let specs = table::all();
    let world = DatabaseWorld::new(&[table::TYPES, &table::create(&specs)].concat());
    world.run(&[]).expect(0);
    let manifest = world.archive().month(MONTH);
    let columns = manifest["schema"]["columns"].as_array().unwrap();
    assert_eq!(columns.len(), specs.len() + 2);
    let names = "select attname as name, format_type(atttypid, atttypmod) as source, attnotnull as required \
                 from pg_attribute where attrelid = 'events'::regclass and attnum > 0 order by attnum";
    let kinds = specs.iter().map(|(_, _, archived, _)| *archived);
    let kinds = ["int64", "timestamp(us,UTC)"].into_iter().chain(kinds);
    for ((column, server), kind) in columns.iter().zip(world.database.rows(names)).zip(kinds) {
        assert_eq!(column["name"], server["name"]);
        assert_eq!(column["type"], kind, "{}", server["name"]);
        assert_eq!(column["source_type"], server["source"], "{}", server["name"]);
        assert_eq!(column["nullable"], server["required"] == false, "{}", server["name"]);
    }
}

#[test]
fn duckdb_and_pyarrow_read_typed_columns() {
    let specs = table::all();
    let world = DatabaseWorld::new(&[table::TYPES, &table::create(&specs)].concat());
    world.run(&[]).expect(0);
    let (duckdb, _) = read_exactly("duckdb", &world.archive());
    let (arrow, _) = read_exactly("pyarrow", &world.archive());
    let expected = [
        ("cost", "DECIMAL(18,8)", "decimal128(18, 8)"),
        ("small", "SMALLINT", "int16"),
        ("single", "FLOAT", "float"),
        ("at", "TIMESTAMP WITH TIME ZONE", "timestamp[us, tz=UTC]"),
        ("at_place", "TIMESTAMP", "timestamp[us]"),
        ("day", "DATE", "date32[day]"),
        ("hour", "TIME", "time64[us]"),
        ("key", "UUID", "extension<arrow.uuid>"),
        ("bytes", "BLOB", "binary"),
        ("parsed", "JSON", "extension<arrow.json>"),
        ("due", "DECIMAL(10,2)", "decimal128(10, 2)"),
        ("any_number", "VARCHAR", "string"),
        ("texts", "VARCHAR[]", "list<element: string>"),
        ("instants", "TIMESTAMP WITH TIME ZONE[]", "list<element: timestamp[us, tz=UTC]>"),
    ];
    for (column, by_duckdb, by_arrow) in expected {
        assert_eq!(duckdb[column], by_duckdb, "{column}");
        let found = arrow[column].as_str().unwrap().replace("item:", "element:");
        assert_eq!(found, by_arrow, "{column}");
    }
}

#[test]
fn two_dimensional_arrays_are_json() {
    let world = DatabaseWorld::new(
        "create table events (id text primary key, created_at timestamptz default '2025-03-10', grid integer[][], names text[][]);
         insert into events (id, grid, names) values
         ('a', '{{1,2},{3,NULL}}', '{{a,\"b \\\"c\\\"\"},{NULL,\"\"}}'), ('b', '{}', null), ('c', '{1}', '{ü}');",
    );
    world.run(&[]).expect(0);
    assert_exact(&world, &[]);
    for reader in ["pyarrow", "duckdb", "csv"] {
        let (_, rows) = read_exactly(reader, &world.archive());
        let json =
            |id: &str, column: &str| rows[id][column].as_str().map(|text| serde_json::from_str::<Value>(text).unwrap());
        let grids = ["a", "b", "c"].map(|id| json(id, "grid").unwrap().to_string());
        assert_eq!(grids, ["[[1,2],[3,null]]", "[]", "[1]"], "{reader}");
        assert_eq!(json("a", "names").unwrap().to_string(), r#"[["a","b \"c\""],[null,""]]"#, "{reader}");
        assert_eq!(json("b", "names"), None);
    }
    let manifest = world.archive().month(MONTH);
    assert_eq!(manifest["schema"]["columns"][2]["type"], "json");
}

#[test]
fn undeclared_multidimensional_arrays_are_json() {
    let world = DatabaseWorld::new(
        "create table events (id text primary key, created_at timestamptz default '2025-03-10', list integer[]);
         insert into events (id, list) values ('a', '{1,NULL}'), ('b', '{{1,2},{3,4}}'), ('c', null);",
    );
    world.run(&[]).expect(0);
    world.archive().check();
    for reader in ["pyarrow", "duckdb", "csv"] {
        let (_, rows) = read_exactly(reader, &world.archive());
        let lists = ["a", "b", "c"].map(|id| rows[id]["list"].as_str().map(str::to_owned));
        assert_eq!(lists, [Some("[1,null]".to_owned()), Some("[[1,2],[3,4]]".to_owned()), None], "{reader}");
    }
}

#[test]
fn years_beyond_four_digits_and_bc_are_kept() {
    let world = DatabaseWorld::new(
        "create table events (id bigint primary key, created_at timestamptz default '2025-03-10', at timestamptz, place timestamp, day date);
         insert into events (id, at, place, day) values
         (1, '294247-01-10 04:00:54.775806Z', '294247-01-10 04:00:54.775806', '5874897-12-31'),
         (2, '4713-11-24 00:00:00Z BC', '4713-11-24 00:00:00 BC', '4713-11-24 BC'),
         (3, '0001-12-31 23:59:59.999999Z BC', '10000-01-01 00:00:00', '10000-01-01');",
    );
    world.run(&[]).expect(0);
    let columns = ["at", "place", "day"];
    for reader in ["pyarrow", "duckdb"] {
        let (_, rows) = read_exactly(reader, &world.archive());
        let row = |id: &str| columns.map(|name| rows[id][name].as_str().unwrap().to_owned());
        assert_eq!(row("1"), ["9223372036854775806", "9223372036854775806", "2145042905"], "{reader}");
        assert_eq!(row("2"), ["-210835180800000000", "-210835180800000000", "-2440222"], "{reader}");
        assert_eq!(row("3"), ["-62135596800000001", "253402300800000000", "2932897"], "{reader}");
    }
    let rows = world.archive().rows(MONTH);
    let row = |id: &str| {
        let row = rows.iter().find(|row| row["id"] == id).unwrap();
        columns.map(|name| row[name].clone())
    };
    assert_eq!(row("1"), ["+294247-01-10T04:00:54.775806Z", "+294247-01-10T04:00:54.775806", "+5874897-12-31"]);
    assert_eq!(row("2"), ["-4712-11-24T00:00:00.000000Z", "-4712-11-24T00:00:00.000000", "-4712-11-24"]);
    assert_eq!(row("3"), ["0000-12-31T23:59:59.999999Z", "+10000-01-01T00:00:00.000000", "+10000-01-01"]);
}

#[test]
fn values_of_hundreds_of_kilobytes_survive() {
    let world = DatabaseWorld::new(&march(3));
    world.database.sql(
        "alter table events add digits numeric, add body bytea;
         update events set digits = repeat('9', 131072)::numeric, note = repeat('ü\"', 200000), body = decode(repeat('00ff', 300000), 'hex') where id = 1;
         update events set digits = ('0.' || repeat('0', 16382) || '1')::numeric where id = 2;",
    );
    world.run(&[]).expect(0);
    assert_exact(&world, &[("digits", "text"), ("note", "text"), ("body", "binary")]);
}

#[test]
fn database_settings_do_not_change_the_archive() {
    let specs = table::all();
    let world = DatabaseWorld::new(&[table::TYPES, &table::create(&specs)].concat());
    let name = world.database.name();
    let settings = [
        ("datestyle", "'German, DMY'"),
        ("intervalstyle", "'sql_standard'"),
        ("timezone", "'Asia/Kathmandu'"),
        ("bytea_output", "'escape'"),
        ("extra_float_digits", "-15"),
        ("client_encoding", "'LATIN1'"),
        ("standard_conforming_strings", "off"),
        ("search_path", "'pg_catalog', 'public'"),
        ("default_transaction_isolation", "'read committed'"),
        ("xmloption", "'document'"),
    ];
    for (setting, value) in settings {
        world.database.sql(&format!("alter database {name} set {setting} = {value}"));
    }
    world.run(&[]).expect(0);
    for (setting, _) in settings {
        world.database.sql(&format!("alter database {name} reset {setting}"));
    }
    assert_exact(&world, &table::columns(&specs));
}

#[test]
fn text_is_what_copy_prints_whatever_casts_there_are() {
    let world = DatabaseWorld::new(
        "create type verdict as enum ('allow', 'block');
         create domain final as verdict;
         create type pair as (verdict verdict, note text);
         create function meddle(verdict) returns text language sql immutable as $$ select 'meddled' $$;
         create function meddle(pair) returns text language sql immutable as $$ select 'meddled' $$;
         create function meddle_json(verdict) returns json language sql immutable as $$ select '\"meddled\"'::json $$;
         create function meddle_all(verdict[]) returns text language sql immutable as $$ select 'meddled' $$;
         create cast (verdict as text) with function meddle(verdict) as implicit;
         create cast (pair as text) with function meddle(pair) as assignment;
         create cast (verdict as json) with function meddle_json(verdict);
         create cast (verdict[] as text) with function meddle_all(verdict[]) as assignment;
         create table events (id text primary key, created_at timestamptz default '2025-03-10', one verdict,
           two final, three pair, list verdict[], finals final[], pairs pair[], grid verdict[][], range int8range,
           own oidvector, letter \"char\", host inet, boxes box[]);
         insert into events values ('a', default, 'block', 'block', row('block', 'x, y'), '{allow,block,NULL}', '{block}',
           array[row('block', 'z')::pair], '{{allow,block},{block,NULL}}', '[1,5)', '1 2', 'c', '10.0.0.1/32',
           '{(1,1),(0,0);(2,2),(1,1)}');",
    );
    world.run(&[]).expect(0);
    let printed = world
        .database
        .sql("copy (select one, two, three, list, finals, pairs, range, own, letter, host from events) to stdout");
    assert_eq!(
        printed,
        "block\tblock\t(block,\"x, y\")\t{allow,block,NULL}\t{block}\t{\"(block,z)\"}\t[1,5)\t1 2\tc\t10.0.0.1"
    );
    for reader in ["duckdb", "pyarrow"] {
        let row = &read_exactly(reader, &world.archive()).1["a"];
        let text = |column: &str| row[column].to_string();
        for (column, value) in [
            ("one", "block"),
            ("two", "block"),
            ("three", "(block,\\\"x, y\\\")"),
            ("range", "[1,5)"),
            ("own", "1 2"),
            ("letter", "c"),
            ("host", "10.0.0.1"),
            ("list", "block"),
            ("finals", "block"),
            ("pairs", "(block,z)"),
            ("grid", "block"),
            ("boxes", "(2,2),(1,1)"),
        ] {
            assert!(text(column).contains(value), "{reader} {column}: {}", text(column));
            assert!(!text(column).contains("meddled"), "{reader} {column}: {}", text(column));
        }
    }
}

#[test]
fn columns_that_differ_in_case_alone_are_named_in_a_warning() {
    let world = DatabaseWorld::new(&(march(2) + "alter table events add \"Note\" text;"));
    let warned = world.run(&[]).expect(0);
    assert!(
        warned.stderr.contains("(column: Note, other: note)") && warned.stderr.contains("--rename"),
        "{}",
        warned.stderr
    );
    let renamed = DatabaseWorld::new(&(march(2) + "alter table events add \"Note\" text;"));
    let outcome = renamed.run(&["--rename", "Note=remark"]).expect(0);
    assert!(!outcome.stderr.contains("differ in case"), "{}", outcome.stderr);
}

#[test]
fn operators_and_functions_of_the_search_path_are_not_called() {
    let mut world = DatabaseWorld::new(
        &(march(1_000)
            + "create schema own;
               create function own.less(timestamptz, timestamptz) returns boolean language sql immutable as
                 $$ select $1 operator(pg_catalog.<) $2 - interval '1 day' $$;
               create operator own.< (function = own.less, leftarg = timestamptz, rightarg = timestamptz);
               create function own.equal(text, text) returns boolean language sql immutable as $$ select false $$;
               create operator own.= (function = own.equal, leftarg = text, rightarg = text);
               create type own.verdict as enum ('allow');
               alter table events add verdict own.verdict default 'allow';
               alter table events set schema own;"),
    );
    let role = world.database.role("");
    world.database.sql(&format!(
        "grant usage on schema own to {role}; grant select on own.events to {role};
         alter role {role} set search_path = own, pg_catalog, public"
    ));
    world.host.set("KT_ARCHIVE_SOURCE", world.database.url_for(&role));
    world.run(&[]).expect(0);
    assert_eq!(world.archived_ids(MONTH).len(), 1_000);
    let columns = world.archive().month(MONTH)["schema"]["columns"].clone();
    assert_eq!(columns[3]["source_type"], "verdict", "as the role names it");
}

#[test]
fn dropped_columns_are_skipped_and_generated_ones_read() {
    let world = DatabaseWorld::new(&march(5));
    world.database.sql(
        "alter table events add gone text default 'x', add twice bigint generated always as (id * 2) stored;
         alter table events drop gone;",
    );
    world.run(&[]).expect(0);
    assert_exact(&world, &[("note", "text"), ("twice", "int64")]);
    let manifest = world.archive().month(MONTH);
    assert_eq!(manifest["schema"]["columns"].as_array().unwrap().len(), 4);
}
