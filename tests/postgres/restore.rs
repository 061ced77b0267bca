//! `restore` loads a month into a database and compares it there.

use super::{DatabaseWorld, MONTH, march, types::table};
use crate::support::{cli::Outcome, postgres::Database};
use serde_json::Value;
use std::{fs, thread, time::Duration};

impl DatabaseWorld {
    /// Restores the month into the source database.
    fn restore(&self, flags: &[&str]) -> Outcome {
        self.restore_into(&self.database.url(), flags)
    }

    fn restore_into(&self, url: &str, flags: &[&str]) -> Outcome {
        self.host.run(&[&["restore", "--month", MONTH, "--into", url, "--json"], flags].concat())
    }

    /// Rows that only one of the tables has, as the server prints them.
    fn difference(&self, one: &str, other: &str) -> String {
        let rows = |table: &str| format!("select t::text from {table} as t");
        let without = |one, other| format!("({} except all {})", rows(one), rows(other));
        self.database.sql(&format!("{} union all {}", without(one, other), without(other, one)))
    }
}

/// User objects of a database.
fn objects(database: &Database) -> String {
    database.sql(
        "select 'class', oid, relname from pg_class where relnamespace::regnamespace::text !~ '^(pg_(catalog|toast)|inf)'
         union all select 'namespace', oid, nspname from pg_namespace where nspname !~ '^pg_(toast_)?temp'
         union all select 'proc', oid, proname from pg_proc order by 1, 2",
    )
}

fn message(outcome: &Outcome) -> String {
    let error = &outcome.json()["error"];
    format!("{}; {}", error["message"].as_str().unwrap(), error["hint"].as_str().unwrap_or_default())
}

/// Waits until a session inserts rows.
fn wait_for_insert(database: &Database) {
    for _ in 0..600 {
        let busy = "select count(*) from pg_stat_activity where datname = current_database() \
                    and application_name = 'kt-archive' and query like 'insert%' and state = 'active'";
        if database.sql(busy) == "1" {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("no session inserts");
}

const SLOW: &str = "create table slow (like events);
    create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$;
    create trigger slow before insert on slow for each row execute function wait();";

mod values {
    use super::*;

    #[test]
    fn restored_table_equals_the_archived_one() {
        let world = DatabaseWorld::new(&march(1000));
        world.run(&[]).expect(0);
        let report = world.restore(&["--table", "copies.\"March 2025\""]).expect(2);
        assert!(message(&report).contains("3F000"), "{}", report.stdout);
        world.database.sql("create schema copies");
        let report = world.restore(&["--table", "copies.\"March 2025\""]).expect(0).json();
        assert_eq!(world.difference("events", "copies.\"March 2025\""), "");
        let shown = ["dataset", "month", "table", "rows", "drill"].map(|key| report[key].to_string());
        assert_eq!(shown, ["\"events\"", "\"2025-03\"", r#""copies.\"March 2025\"""#, "1000", "false"]);
        assert_eq!(report["into"], format!("postgres://{}/{}", world.database.server(), world.database.name()));
        let columns = report["columns"].as_array().unwrap();
        let names = columns.iter().map(|column| column["name"].as_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(names, ["id", "created_at", "note"]);
        assert!(columns.iter().all(|column| column["equal"] == true && column["sha256"].as_str().unwrap().len() == 64));
        let required = "select attname from pg_attribute where attrelid = 'copies.\"March 2025\"'::regclass and attnotnull \
                        and attnum > 0 order by 1";
        assert_eq!(world.database.sql(required), "created_at\nid");
    }

    #[test]
    fn every_type_is_restored_unchanged() {
        assert_restored(&[]);
    }

    #[test]
    fn types_archived_as_text_are_restored() {
        assert_restored(&["--parquet-compat"]);
    }

    #[track_caller]
    fn assert_restored(flags: &[&str]) {
        let specs = table::all();
        let world = DatabaseWorld::new(&[table::TYPES, &table::create(&specs)].concat());
        world.run(flags).expect(0);
        let report = world.restore(&["--table", "again"]).expect(0).json();
        assert_eq!(report["notes"], serde_json::json!([]));
        assert_eq!(world.difference("events", "again"), "");
        let types = |table| {
            world.database.sql(&format!(
                "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = '{table}'::regclass \
                 and attnum > 0 order by attnum"
            ))
        };
        assert_eq!(types("again"), types("events"));
    }

    #[test]
    fn missing_types_are_replaced_and_reported() {
        let specs = table::all();
        let world = DatabaseWorld::new(&[table::TYPES, &table::create(&specs)].concat());
        world.run(&[]).expect(0);
        let other = Database::new();
        let report = world.restore_into(&other.url(), &[]).expect(0).json();
        let notes = report["notes"].to_string();
        assert!(notes.contains("is text, and was mood") && notes.contains("was amount"), "{notes}");
        assert_eq!(other.sql("select count(*) from events"), world.database.sql("select count(*) from events"));
    }

    #[test]
    fn multidimensional_arrays_are_restored() {
        let world = DatabaseWorld::new(
            "create table events (id text primary key, created_at timestamptz default '2025-03-10', grid integer[][],
                 names text[][], cubes numeric[][][], times timestamptz[][], bytes bytea[][]);
             insert into events (id, grid, names, cubes, times, bytes) values
             ('a', '{{1,2},{3,NULL}}', '{{a,\"b \\\"c\\\" \\\\ {,}\"},{NULL,\"\"}}', '{{{1.10},{NaN}}}',
              '{{2025-03-01 12:00:00.000001+05}}', '{{\"\\\\x00ff\"}}'),
             ('b', '{}', null, '{}', null, null), ('c', '{1}', '{ü,NULL,\"NULL\",\"\n\"}', null, '{}', '{}');",
        );
        world.run(&[]).expect(0);
        world.restore(&["--table", "again"]).expect(0);
        assert_eq!(world.difference("events", "again"), "");
        world.database.sql("create table flat (like events); alter table flat alter grid type integer[]");
        world.restore(&["--table", "flat"]).expect(0);
        assert_eq!(world.difference("events", "flat"), "");
    }

    #[test]
    fn columns_with_names_that_a_table_cannot_have_are_renamed_with_a_note() {
        let world = DatabaseWorld::new(&march(1));
        let (long, longer) = ("prompt_".repeat(12), "prompt_".repeat(12) + "b");
        let source = world.host.path("events.csv");
        fs::write(&source, format!("id,created_at,{long},{longer},xmin,tableoid\n1,2025-03-04T00:00:00Z,a,b,c,d\n"))
            .unwrap();
        let source = source.display().to_string();
        world.run(&["--source", &source]).expect(0);
        for flags in [&["--drill"][..], &[], &["--drill"]] {
            let report = world.restore(&[&["--table", "named"], flags].concat()).expect(0).json();
            assert!(report["notes"].to_string().contains("xmin_1"), "{report}");
            assert!(report["columns"].to_string().contains(&longer), "the report has the archive's names");
        }
        let columns = "select string_agg(attname, ' ' order by attnum) from pg_attribute \
                       where attrelid = 'named'::regclass and attnum > 2";
        let short = &long[..61];
        assert_eq!(world.database.sql(columns), format!("{short}_1 {short}_2 xmin_1 tableoid_1"));
        assert_eq!(world.database.sql("select xmin_1, tableoid_1 from named"), "c|d");
    }

    #[test]
    fn vectors_are_restored_and_texts_with_nul_are_refused_with_their_column() {
        let world = DatabaseWorld::new(
            "create table events (id text primary key, created_at timestamptz default '2025-03-10', list oidvector, pair int2vector);
             insert into events values ('a', default, '1 2', '3 4');",
        );
        world.run(&[]).expect(0);
        world.restore(&["--table", "again"]).expect(0);
        assert_eq!(world.difference("events", "again"), "");
        let source = world.host.path("events.jsonl");
        fs::write(&source, "{\"id\": \"1\", \"created_at\": \"2025-02-04T00:00:00Z\", \"model\": \"a\\u0000b\"}\n")
            .unwrap();
        let source = source.display().to_string();
        world
            .host
            .run(&["run", "--month", "2025-02", "--source", &source, "--accept-source-change", "--json"])
            .expect(0);
        let restored =
            world.host.run(&["restore", "--month", "2025-02", "--into", &world.database.url(), "--drill", "--json"]);
        let error = restored.expect(5).json()["error"].to_string();
        assert!(error.contains("U+0000") && error.contains("model"), "{error}");
    }

    #[test]
    fn table_with_other_types_and_order_is_filled() {
        let world = DatabaseWorld::new(&march(50));
        world.run(&[]).expect(0);
        world.database.sql("create table other (id numeric(12,0), created_at timestamp, note text)");
        let refused = world.restore(&["--table", "other"]).expect(2);
        assert!(message(&refused).contains("which cannot be an id"), "{}", refused.stdout);
        world.database.sql(
            "drop table other; create table other (extra text default 'x', note varchar(20), created_at timestamp,
                 id integer generated always as identity)",
        );
        world.restore(&["--table", "other"]).expect(0);
        let same = "select count(*) from events e join other o on o.id = e.id and o.note = e.note
                    and o.created_at = e.created_at at time zone 'UTC' and o.extra = 'x'";
        assert_eq!(world.database.sql(same), "50");
    }

    #[test]
    fn generated_columns_are_compared_and_not_written() {
        let table = "(id bigint, created_at timestamptz, loud text generated always as (id || '!') stored)";
        let row = "insert into events values (1, '2025-03-05')";
        let world = DatabaseWorld::new(&format!("create table events {table}; {row}; create table again {table}"));
        world.run(&[]).expect(0);
        let report = world.restore(&["--table", "again"]).expect(0).json();
        assert_eq!(report["columns"].as_array().unwrap().len(), 3);
        assert_eq!(world.difference("events", "again"), "");
    }

    #[test]
    fn events_from_other_sources_get_fitting_types() {
        for format in ["parquet", "csv"] {
            let mut world = DatabaseWorld::new("");
            world.host.set("KT_ARCHIVE_SOURCE", "demo:?events=500");
            world.host.set("KT_ARCHIVE_FORMAT", format);
            world.run(&[]).expect(0);
            let report = world.restore(&[]).expect(0).json();
            assert_eq!(report["rows"], 500);
            let of = |name: &str| {
                report["columns"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone()
            };
            assert_eq!(
                (of("timestamp")["type"].clone(), of("cost_usd")["type"].clone()),
                ("timestamp with time zone".into(), "numeric(38,18)".into())
            );
            assert_eq!(world.database.sql("select count(distinct id) from events"), "500");
        }
    }

    #[test]
    fn month_without_events_has_nothing_to_restore() {
        let world = DatabaseWorld::new(&march(0).replace(" / 0", ""));
        world.run(&["--allow-empty"]).expect(0);
        let report = world.restore(&["--table", "again"]).expect(0).json();
        assert_eq!((report["rows"].clone(), report["columns"].clone()), (Value::from(0), serde_json::json!([])));
        assert_eq!(world.database.sql("select to_regclass('again') is null"), "t");
    }
}

mod refusals {
    use super::*;

    #[test]
    fn table_with_rows_of_the_month_is_left_unchanged() {
        let world = DatabaseWorld::new(&march(20));
        world.run(&[]).expect(0);
        world
            .database
            .sql("create table other (like events); insert into other values (7, '2025-03-31 23:59:59Z', 'mine')");
        for (flags, rows) in [(&[][..], 20), (&["--table", "other"], 1)] {
            let before = world.database.rows("select * from events natural full join other");
            let refused = world.restore(flags).expect(2);
            assert!(message(&refused).contains(&format!("rows: {rows})")), "{}", refused.stdout);
            assert_eq!(world.database.rows("select * from events natural full join other"), before);
        }
        world.database.sql("update other set created_at = '2025-04-01'");
        world.restore(&["--table", "other"]).expect(0);
        assert_eq!(world.database.sql("select count(*) from other"), "21");
        world.restore(&["--table", "other"]).expect(2);
    }

    #[test]
    fn month_that_is_not_archived_is_refused() {
        let world = DatabaseWorld::new(&march(3));
        world.run(&[]).expect(0);
        let url = world.database.url();
        let missing = world.host.run(&["restore", "--month", "2025-04", "--into", &url, "--json"]).expect(5);
        assert!(message(&missing).starts_with("events 2025-04 is not archived"));
        let nowhere = world.restore(&["--archive", "nowhere"]).expect(7);
        assert!(message(&nowhere).starts_with("no archive here"));
    }

    #[test]
    fn relation_that_is_no_table_or_lacks_a_column_is_refused() {
        let world = DatabaseWorld::new(&march(3));
        world.run(&[]).expect(0);
        world
            .database
            .sql("create table narrow (id bigint, created_at timestamptz); create view seen as select * from narrow");
        let refusal = |table: &str| message(&world.restore(&["--table", table]).expect(2));
        assert!(refusal("narrow").contains("no column \"note\""), "{}", refusal("narrow"));
        assert!(refusal("seen").contains("not a table"), "{}", refusal("seen"));
        for name in ["a.b.c", "a b", "\"", ""] {
            assert!(refusal(name).contains("--table"), "{}", refusal(name));
        }
    }

    #[test]
    fn password_argument_and_missing_database_are_refused() {
        let world = DatabaseWorld::new(&march(3));
        world.run(&[]).expect(0);
        let refused = world.restore_into("postgres://postgres:canary@127.0.0.1/x", &[]).expect(2);
        assert!(!refused.output().contains("canary") && message(&refused).contains("PGPASSWORD"));
        let unnamed = world.host.run(&["restore", "--month", MONTH, "--json"]).expect(2);
        assert!(message(&unnamed).contains("--into postgres://"));
        world.restore_into("mysql://127.0.0.1/x", &[]).expect(2);
        let mut host = world.host;
        host.set("KT_ARCHIVE_INTO", world.database.url());
        host.set("KT_ARCHIVE_DRILL", "true");
        host.run(&["restore", "--month", MONTH, "--json"]).expect(0);
    }

    #[test]
    fn role_without_rights_gets_the_grant_it_needs() {
        let world = DatabaseWorld::new(&march(3));
        world.run(&[]).expect(0);
        let reader = world.database.role("");
        world.database.sql(&format!("create table other (like events); grant select on other to {reader}"));
        for table in ["other", "another"] {
            let refused = world.restore_into(&world.database.url_for(&reader), &["--table", table]).expect(9);
            assert!(message(&refused).contains("grant the role"), "{}", refused.stdout);
        }
        assert_eq!(world.database.sql("select count(*) from other"), "0");
        // A drill only needs temporary tables, which every role may create.
        world.restore_into(&world.database.url_for(&reader), &["--drill"]).expect(0);
    }

    #[test]
    fn damaged_file_is_not_restored() {
        let world = DatabaseWorld::new(&march(3));
        world.run(&[]).expect(0);
        let path = world.archive().path(&world.archive().file(MONTH, "parquet"));
        let mut bytes = fs::read(&path).unwrap();
        bytes[100] ^= 1;
        fs::write(&path, bytes).unwrap();
        let before = objects(&world.database);
        let damaged = world.restore(&["--table", "other"]).expect(4);
        assert!(message(&damaged).contains("kt-archive verify"), "{}", damaged.stdout);
        assert_eq!(objects(&world.database), before);
    }
}

mod differences {
    use super::*;

    /// A world whose table `other` does `body` to every row before it takes it.
    fn meddled(body: &str) -> DatabaseWorld {
        let world = DatabaseWorld::new(&march(40));
        world.run(&[]).expect(0);
        world.database.sql(&format!(
            "create table other (like events);
             create function meddle() returns trigger language plpgsql as $$ begin {body} end $$;
             create trigger meddle before insert on other for each row execute function meddle();"
        ));
        world
    }

    #[track_caller]
    fn assert_different(world: &DatabaseWorld, shown: &str, columns: &[&str]) {
        let outcome = world.restore(&["--table", "other"]).expect(4);
        assert!(message(&outcome).contains(shown), "{}", outcome.stdout);
        let report = outcome.json();
        let differing = report["columns"].as_array().unwrap().iter().filter(|column| column["equal"] == false);
        assert_eq!(differing.map(|column| column["name"].as_str().unwrap()).collect::<Vec<_>>(), columns);
        assert_eq!(world.database.sql("select count(*) from other"), "0");
    }

    #[test]
    fn changed_value_is_found_and_nothing_is_committed() {
        let world = meddled("if new.id = 17 then new.note := new.note || ' '; end if; return new;");
        assert_different(&world, "(columns: note)", &["note"]);
    }

    #[test]
    fn swapped_values_are_found() {
        let swap = "if new.id in (1, 2) then new.note := 'note ' || 3 - new.id; end if; return new;";
        assert_different(&meddled(swap), "(columns: note)", &["note"]);
    }

    #[test]
    fn null_in_place_of_text_is_found() {
        let world = meddled("if new.id = 3 then new.note := null; end if; return new;");
        assert_different(&world, "(columns: note)", &["note"]);
    }

    #[test]
    fn skipped_row_is_found() {
        let world = meddled("if new.id = 40 then return null; end if; return new;");
        assert_different(&world, "40 events, and public.other gave back 39", &["id", "created_at", "note"]);
    }

    #[test]
    fn change_by_a_deferred_trigger_is_found() {
        let world = DatabaseWorld::new(&march(10));
        world.run(&[]).expect(0);
        world.database.sql(
            "create table other (like events);
             create function meddle() returns trigger language plpgsql as $$ begin
                 update other set note = 'late' where id = new.id; return null; end $$;
             create constraint trigger meddle after insert on other deferrable initially deferred for each row
                 execute function meddle();",
        );
        assert_different(&world, "(columns: note)", &["note"]);
    }

    #[test]
    fn truncating_type_is_found() {
        let world = DatabaseWorld::new(&march(7));
        world.run(&[]).expect(0);
        world.database.sql("create table other (id bigint, created_at timestamptz(0), note varchar(5))");
        assert_different(&world, "(columns: created_at, note)", &["created_at", "note"]);
    }

    #[test]
    fn refused_value_is_not_printed() {
        let world = DatabaseWorld::new(&march(10));
        world.run(&[]).expect(0);
        world.database.sql("create table other (id bigint, created_at timestamptz, note integer)");
        let failed = world.restore(&["--table", "other"]).expect(6);
        assert!(!failed.output().contains("note 1") && message(&failed).contains("22P02"), "{}", failed.output());
    }

    #[test]
    fn one_of_two_concurrent_restores_succeeds() {
        let world = DatabaseWorld::new(&march(3000));
        world.run(&[]).expect(0);
        world.database.sql("create table other (like events)");
        let url = world.database.url();
        let line = ["restore", "--month", MONTH, "--into", &url, "--table", "other", "--json"];
        let running = [world.host.start(&line), world.host.start(&line), world.host.start(&line)];
        let codes = running.map(|running| running.wait().code);
        assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
        assert_eq!(world.difference("events", "other"), "");
    }
}

mod drills {
    use super::*;

    #[test]
    fn drill_leaves_nothing_behind() {
        let world = DatabaseWorld::new(&[table::TYPES, &table::create(&table::all())].concat());
        world.run(&[]).expect(0);
        let before = objects(&world.database);
        // A drill ignores the existing table.
        let report = world.restore(&["--drill"]).expect(0).json();
        assert!(report["drill"] == true && report["rows"].as_u64().unwrap() > 0);
        world.restore(&["--drill", "--table", "elsewhere.other"]).expect(0);
        assert_eq!(objects(&world.database), before);
    }

    #[test]
    fn stopped_or_killed_restore_leaves_nothing_behind() {
        let world = DatabaseWorld::new(&[&march(5), SLOW].concat());
        world.run(&[]).expect(0);
        let before = objects(&world.database);
        let url = world.database.url();
        let line = ["restore", "--month", MONTH, "--into", &url, "--table", "slow", "--json"];
        for (signal, code) in [("TERM", Some(143)), ("INT", Some(130)), ("KILL", None)] {
            let running = world.host.start(&line);
            wait_for_insert(&world.database);
            running.signal(signal);
            assert_eq!(running.wait().code, code);
            wait_until_gone(&world.database);
        }
        assert_eq!(
            (objects(&world.database), world.database.sql("select count(*) from slow")),
            (before, "0".to_owned())
        );
    }

    /// The server checks every five seconds whether its client is still connected.
    fn wait_until_gone(database: &Database) {
        let there = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() \
                     and application_name = 'kt-archive'";
        for _ in 0..300 {
            if database.sql(there) == "0" {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("the server continues without a client");
    }
}
