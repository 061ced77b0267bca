//! A month is archived only after every transaction that began before its end is over.

use super::DatabaseWorld;
use crate::support::{cli, now, postgres::Server};
use chrono::{DateTime, TimeDelta, Utc};

/// A server with a shifted clock, for which the month is about to end.
struct Eve {
    server: Server,
    /// How far its clock is behind the real time.
    behind: TimeDelta,
}

const END: &str = "2025-04-01T00:00:00Z";

impl Eve {
    fn new() -> Self {
        // The server needs a second or two to start.
        let eve = END.parse::<DateTime<Utc>>().unwrap() - TimeDelta::seconds(10);
        let behind = now() - eve;
        let library = cli::faketime_library();
        let faked = format!("-{}s", behind.num_seconds());
        let environment =
            [("LD_PRELOAD", library.as_str()), ("FAKETIME", &faked), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
        Self { server: Server::start(&[("max_prepared_transactions", "5")], &environment), behind }
    }

    fn world(&self) -> DatabaseWorld {
        let statements = "create table events (id bigint primary key, created_at timestamptz not null default now());
                          insert into events values (1)";
        let world = DatabaseWorld::with(self.server.database(), statements);
        assert!(world.database.sql("select now()").starts_with("2025-03-31 23:59:"), "the month ended too early");
        world
    }

    /// Waits until the month is over, and sets the host's clock, which may be a second behind.
    fn over(&self, world: &mut DatabaseWorld) {
        while world.database.sql(&format!("select now() < timestamptz '{END}' + interval '2 seconds'")) == "t" {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        world.host.set_time(&(now() - self.behind).format("%Y-%m-%d %H:%M:%S").to_string());
    }
}

#[test]
fn transaction_open_since_before_the_month_end_exits_with_75() {
    let eve = Eve::new();
    let mut world = eve.world();
    let mut writer = world.database.session();
    writer.run("begin; insert into events values (2)");
    let pid = writer.run("select pg_backend_pid()");
    eve.over(&mut world);
    let outcome = world.run(&["--grace", "0s"]).expect(75);
    world.assert_nothing_committed();
    let hint = outcome.json()["months"][0]["error"]["hint"].as_str().unwrap().to_owned();
    let age = hint.split(|letter: char| !letter.is_ascii_digit()).filter(|word| !word.is_empty()).count();
    assert!(hint.contains(&pid) && age > 1, "neither pid nor age: {hint}");

    // A later transaction does not block the run.
    let mut later = world.database.session();
    later.run("begin; insert into events values (3)");
    writer.run("commit");
    world.run(&["--grace", "0s"]).expect(0);
    assert_eq!(world.archive().ids(super::MONTH), ["1", "2"]);
}

#[test]
fn prepared_transaction_exits_with_75() {
    let eve = Eve::new();
    let mut world = eve.world();
    world.database.sql("begin; insert into events values (2); prepare transaction 'one'");
    eve.over(&mut world);
    world.run(&["--grace", "0s"]).expect(75);
    world.database.sql("commit prepared 'one'");
    world.run(&["--grace", "0s"]).expect(0);
    assert_eq!(world.archive().ids(super::MONTH), ["1", "2"]);
}

#[test]
fn transaction_prepared_after_the_month_end_exits_with_75() {
    let eve = Eve::new();
    let mut world = eve.world();
    let mut writer = world.database.session();
    writer.run("begin; insert into events values (2)");
    eve.over(&mut world);
    writer.run("prepare transaction 'late'");
    world.run(&["--grace", "0s"]).expect(75);
    world.assert_nothing_committed();
    world.database.sql("commit prepared 'late'");
    world.run(&["--grace", "0s"]).expect(0);
    assert_eq!(world.archive().ids(super::MONTH), ["1", "2"]);
}

#[test]
fn hidden_transactions_are_not_assumed_finished() {
    let eve = Eve::new();
    let mut world = eve.world();
    let reader = world.database.role("");
    world.database.sql(&format!("grant select on events to {reader}"));
    let mut writer = world.database.session();
    writer.run("begin; insert into events values (2)");
    eve.over(&mut world);
    world.host.set("KT_ARCHIVE_SOURCE", world.database.url_for(&reader));
    let outcome = world.run(&["--grace", "0s"]).expect(75);
    assert!(outcome.output().contains("pg_read_all_stats"), "{}", outcome.output());
    world.assert_nothing_committed();
    // The run waits for transactions that end soon.
    let mut others = world.database.session();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_secs(1));
            writer.run("commit");
            others.run("begin; select 1 from events; select pg_sleep(0.2); commit");
        });
        world.run(&["--grace", "0s"]).expect(0);
    });
    assert_eq!(world.archive().ids(super::MONTH), ["1", "2"]);
}
