//! Every row is read once, for each way to cut a table and each number of connections.

use super::{DatabaseWorld, MONTH};
use crate::support::{archive::Archive, together};
use archive_connectors::{
    Source as _, SourceItem,
    clock::SystemClock,
    postgres::{Config, Postgres, Server},
    progress::Silent,
};
use archive_formats::Month;
use futures::StreamExt as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Enough pages for several slices, since each row has its own page.
const ROWS: u32 = 17_000;

/// A table of `ROWS` rows over three months, most of them in March, shuffled in time.
fn wide(table: &str) -> String {
    format!(
        "create table {table} (id bigint, created_at timestamptz not null, note text) with (fillfactor = 10);
         insert into {table}
         select id, timestamptz '2025-02-27 00:00:00Z' + (id * 7919 % {ROWS}) * interval '35 days' / {ROWS}, repeat('x', 420)
         from generate_series(1, {ROWS}) as id;"
    )
}

/// Asserts that one, two and five connections read the rows of March, and returns how the table was cut.
#[track_caller]
fn assert_whole(world: &DatabaseWorld) -> (String, u64) {
    let within = "created_at >= '2025-03-01 00:00:00Z' and created_at < '2025-04-01 00:00:00Z'";
    let expected = world.ids(&format!("select id from events where {within}"));
    assert!(!expected.is_empty());
    together(["1", "2", "5"], |connections| {
        world
            .run(&[
                "--archive",
                connections,
                "--state-dir",
                &format!("state-{connections}"),
                "--connections",
                connections,
            ])
            .expect(0);
        let archive = Archive::at(world.host.path(connections));
        archive.check();
        let ids = archive.ids(MONTH);
        let distinct = ids.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(ids.len(), distinct.len(), "{connections} connections read a row twice");
        assert!(distinct == expected, "{} of {} rows by {connections} connections", distinct.len(), expected.len());
    });
    let slices = Archive::at(world.host.path("1")).month(MONTH)["source"]["detail"]["slices"].clone();
    (slices["by"].as_str().unwrap().to_owned(), slices["count"].as_u64().unwrap())
}

#[test]
fn indexed_table_is_cut_by_time() {
    let world = DatabaseWorld::new(&wide("events"));
    world.database.sql("create index events_time on events (created_at); analyze events");
    let (by, count) = assert_whole(&world);
    assert_eq!(by, "time");
    assert!(count > 2, "{count} slices");
    let detail = Archive::at(world.host.path("1")).month(MONTH)["source"]["detail"].clone();
    assert!(detail.to_string().contains("events_time"), "{detail}");
}

#[test]
fn unindexed_table_is_cut_by_pages() {
    let world = DatabaseWorld::new(&wide("events"));
    let (by, count) = assert_whole(&world);
    assert_eq!(by, "ctid");
    assert!(count > 1, "{count} slices");
}

#[test]
fn table_that_grew_since_analyze_is_read_whole() {
    let world = DatabaseWorld::new(
        "create table events (id bigint, created_at timestamptz not null, note text) with (fillfactor = 10)",
    );
    world.database.sql("insert into events values (0, '2025-03-10', 'x'); analyze events");
    world.database.sql(&wide("more"));
    world.database.sql("insert into events select * from more");
    assert_eq!(
        world.database.sql("select relpages from pg_class where relname = 'events'"),
        "1",
        "the statistics are fresh"
    );
    assert_eq!(assert_whole(&world).0, "ctid");
    world.database.sql("create index on events (created_at)");
    world.database.sql("update pg_class set reltuples = 1, relpages = 1 where relname = 'events'");
    for archive in ["1", "2", "5"] {
        std::fs::remove_dir_all(world.host.path(archive)).unwrap();
    }
    assert_eq!(assert_whole(&world).0, "time");
}

#[test]
fn unsuitable_index_is_not_used() {
    let indices = [
        "create index on events (created_at) where id % 2 = 0",
        "create index on events using brin (created_at)",
        "create index on events (id, created_at)",
        "create index on events (date_trunc('day', created_at at time zone 'UTC'))",
        "create index bad on events (created_at); update pg_index set indisvalid = false where indexrelid = 'bad'::regclass",
    ];
    for index in indices {
        let world = DatabaseWorld::new(&wide("events"));
        world.database.sql(index);
        assert_eq!(assert_whole(&world).0, "ctid", "{index}");
    }
}

/// A table with three partitions by month and a default one for earlier and later rows; some are partitioned again.
fn partitioned() -> String {
    let create = "create table events (id bigint, created_at timestamptz not null, note text) partition by range (created_at);
        create table february partition of events for values from ('2025-02-01Z') to ('2025-03-01Z');
        create table march partition of events for values from ('2025-03-01Z') to ('2025-04-01Z') partition by hash (id);
        create table march_0 partition of march for values with (modulus 3, remainder 0) with (fillfactor = 10);
        create table march_1 partition of march for values with (modulus 3, remainder 1) with (fillfactor = 10);
        create table march_2 partition of march for values with (modulus 3, remainder 2);
        create table april partition of events for values from ('2025-04-01Z') to ('2025-05-01Z');
        create table others partition of events default;";
    let rows = "insert into events select * from more; insert into events values (-1, '2020-01-01', 'x'), (-2, '2030-01-01', 'y');";
    [create, &wide("more"), rows].concat()
}

#[test]
fn unindexed_partitions_are_cut_by_pages() {
    let world = DatabaseWorld::new(&partitioned());
    let (by, count) = assert_whole(&world);
    assert_eq!(by, "ctid");
    assert!(count > 2, "{count} slices");
}

#[test]
fn partitions_without_own_grants_are_read_through_the_parent() {
    let mut world = DatabaseWorld::new(&partitioned());
    let role = world.database.role("");
    world.database.sql(&format!("grant select on events to {role}"));
    world.host.set("KT_ARCHIVE_SOURCE", world.database.url_for(&role));
    assert_eq!(assert_whole(&world), ("whole".to_owned(), 1));
}

#[test]
fn indexed_partitions_are_cut_by_time() {
    let world = DatabaseWorld::new(&partitioned());
    world.database.sql("create index on events (created_at); analyze events");
    assert_eq!(assert_whole(&world).0, "time");
}

#[test]
fn empty_or_missing_partitions_are_read() {
    let world = DatabaseWorld::new(&partitioned());
    world
        .database
        .sql("create index on events (created_at); delete from events where created_at >= '2025-03-31Z'; vacuum");
    assert_whole(&world);
    let none =
        DatabaseWorld::new("create table events (id bigint, created_at timestamptz) partition by range (created_at)");
    none.run(&[]).expect(5);
    none.run(&["--allow-empty"]).expect(0);
}

#[test]
fn inheriting_tables_are_read_as_sql_reads_them() {
    let world = DatabaseWorld::new(
        "create table events (id bigint, created_at timestamptz, note text); create table child (extra text) inherits (events)",
    );
    world
        .database
        .sql("insert into events values (1, '2025-03-10', 'a'); insert into child values (2, '2025-03-11', 'b', 'c')");
    world.run(&[]).expect(0);
    world.assert_archived(MONTH, "events");
    assert_eq!(world.archived_ids(MONTH).len(), 2);
}

#[test]
fn instant_belongs_to_one_month_and_one_slice() {
    let world = DatabaseWorld::new(&wide("events"));
    // The bounds of the month, and all bounds of its equal parts.
    world.database.sql(
        "truncate events;
         insert into events
         select part * 1000 + offset_us + 1, timestamptz '2025-03-01Z' + part * interval '31 days' / 96 + offset_us * interval '1 microsecond', repeat('x', 420)
         from generate_series(0, 96) as part, generate_series(-1, 1) as offset_us;
         insert into events select 1000000 + id, '2025-03-16 12:00:00Z', repeat('y', 420) from generate_series(1, 8000) as id;
         create index on events (created_at); analyze events;",
    );
    let (by, count) = assert_whole(&world);
    assert_eq!(by, "time");
    assert!(count > 2, "{count} slices");
    world.backfill("2025-02", "2025-04", &[]).expect(0);
    let ids = |month| world.archived_ids(month).len();
    assert_eq!((ids("2025-02"), ids("2025-04")), (1, 2));
    assert_eq!(world.archived_ids(MONTH).len(), 97 * 3 - 3 + 8000);
}

/// The network splits the rows differently each time. There are enough for several pages of each column.
#[test]
fn repeated_reads_make_the_same_file() {
    let world = DatabaseWorld::new(
        "create table events (id bigint, created_at timestamptz not null, note text);
         insert into events
         select id, timestamptz '2025-03-01 00:00:00Z' + id * interval '1 second', repeat(md5(id::text), 4)
         from generate_series(1, 120000) as id;",
    );
    let mut first = None;
    for _ in 0..3 {
        world.run(&["--format", "parquet"]).expect(0);
        let found = world.archive().file(MONTH, "parquet");
        assert_eq!(first.get_or_insert_with(|| found.clone()), &found);
        std::fs::remove_dir_all(world.host.path("archive/manifests")).unwrap();
    }
}

/// A table of few rows and many pages has many slices of few rows.
#[tokio::test]
async fn readers_wait_for_their_consumer() {
    let world = DatabaseWorld::new(&wide("events"));
    world.database.sql(
        "alter table events set (autovacuum_enabled = false); delete from events where id % 20 <> 0;
         create index on events (created_at); analyze events; update pg_class set reltuples = 17 where relname = 'events'",
    );
    let server = Server::new(&world.database.url(), &|_| None).unwrap();
    let (tables, limit) = (BTreeMap::new(), Duration::from_secs(60));
    let config = Config { server, connections: 2, tables, org: None, statement_timeout: limit, lock_timeout: limit };
    let source = Postgres::new(config, Arc::new(SystemClock), Arc::new(Silent));
    let mut feed = source.read(&"events".parse().unwrap(), MONTH.parse::<Month>().unwrap().window());
    assert!(matches!(feed.next().await, Some(Ok(SourceItem::Batch(_)))));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sessions = world.database.sql("select count(*) from pg_stat_activity where datname = current_database()");
    assert_eq!(sessions, "4", "expected psql, the snapshot holder and two waiting readers");
    let rest = feed.map(Result::unwrap).collect::<Vec<_>>().await;
    let Some(SourceItem::Report(report)) = rest.last() else { panic!("no report") };
    assert_eq!(report.source_count, Some(report.read));
    assert!(report.detail["slices"]["count"].as_u64().unwrap() > 8, "{}", report.detail);
}
