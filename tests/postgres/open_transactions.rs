//! A month is whole only when every transaction that began before its end is over.

use super::Desk;
use crate::support::{cli, now, postgres::Server};
use chrono::{DateTime, TimeDelta, Utc};

/// What is told to a server and a host, so that for both a month is about to end.
struct Eve {
    server: Server,
    /// How far their clocks are behind the true one.
    behind: TimeDelta,
}

const END: &str = "2025-04-01T00:00:00Z";

impl Eve {
    fn new() -> Self {
        // The server takes a second or two until it answers.
        let eve = END.parse::<DateTime<Utc>>().unwrap() - TimeDelta::seconds(10);
        let behind = now() - eve;
        let library = cli::faketime_library();
        let faked = format!("-{}s", behind.num_seconds());
        let environment =
            [("LD_PRELOAD", library.as_str()), ("FAKETIME", &faked), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
        Self { server: Server::start(&[("max_prepared_transactions", "5")], &environment), behind }
    }

    fn desk(&self) -> Desk {
        let statements = "create table events (id bigint primary key, created_at timestamptz not null default now());
                          insert into events values (1)";
        let desk = Desk::with(self.server.database(), statements);
        assert!(desk.database.sql("select now()").starts_with("2025-03-31 23:59:"), "the eve is over");
        desk
    }

    /// Waits until the month is over, and sets the host's clock, which is up to a second late.
    fn over(&self, desk: &mut Desk) {
        while desk.database.sql(&format!("select now() < timestamptz '{END}' + interval '2 seconds'")) == "t" {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        desk.host.set_time(&(now() - self.behind).format("%Y-%m-%d %H:%M:%S").to_string());
    }
}

#[test]
fn transaction_open_since_before_the_month_end_exits_with_75() {
    let eve = Eve::new();
    let mut desk = eve.desk();
    let mut writer = desk.database.session();
    writer.run("begin; insert into events values (2)");
    let pid = writer.run("select pg_backend_pid()");
    eve.over(&mut desk);
    let outcome = desk.run(&["--grace", "0s"]).expect(75);
    desk.assert_nothing_committed();
    let hint = outcome.json()["months"][0]["error"]["hint"].as_str().unwrap().to_owned();
    let age = hint.split(|letter: char| !letter.is_ascii_digit()).filter(|word| !word.is_empty()).count();
    assert!(hint.contains(&pid) && age > 1, "neither pid nor age: {hint}");

    // One that began later is in nobody's way.
    let mut later = desk.database.session();
    later.run("begin; insert into events values (3)");
    writer.run("commit");
    desk.run(&["--grace", "0s"]).expect(0);
    assert_eq!(desk.archive().ids(super::MONTH), ["1", "2"]);
}

#[test]
fn prepared_transaction_exits_with_75() {
    let eve = Eve::new();
    let mut desk = eve.desk();
    desk.database.sql("begin; insert into events values (2); prepare transaction 'one'");
    eve.over(&mut desk);
    desk.run(&["--grace", "0s"]).expect(75);
    desk.database.sql("commit prepared 'one'");
    desk.run(&["--grace", "0s"]).expect(0);
    assert_eq!(desk.archive().ids(super::MONTH), ["1", "2"]);
}

#[test]
fn transaction_prepared_after_the_month_end_exits_with_75() {
    let eve = Eve::new();
    let mut desk = eve.desk();
    let mut writer = desk.database.session();
    writer.run("begin; insert into events values (2)");
    eve.over(&mut desk);
    writer.run("prepare transaction 'late'");
    desk.run(&["--grace", "0s"]).expect(75);
    desk.assert_nothing_committed();
    desk.database.sql("commit prepared 'late'");
    desk.run(&["--grace", "0s"]).expect(0);
    assert_eq!(desk.archive().ids(super::MONTH), ["1", "2"]);
}

#[test]
fn hidden_transactions_are_not_assumed_finished() {
    let eve = Eve::new();
    let mut desk = eve.desk();
    let reader = desk.database.role("");
    desk.database.sql(&format!("grant select on events to {reader}"));
    let mut writer = desk.database.session();
    writer.run("begin; insert into events values (2)");
    eve.over(&mut desk);
    desk.host.set("KT_ARCHIVE_SOURCE", desk.database.url_for(&reader));
    let outcome = desk.run(&["--grace", "0s"]).expect(75);
    assert!(outcome.output().contains("pg_read_all_stats"), "{}", outcome.output());
    desk.assert_nothing_committed();
    // A busy table is no obstacle: transactions that end soon are waited for.
    let mut others = desk.database.session();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_secs(1));
            writer.run("commit");
            others.run("begin; select 1 from events; select pg_sleep(0.2); commit");
        });
        desk.run(&["--grace", "0s"]).expect(0);
    });
    assert_eq!(desk.archive().ids(super::MONTH), ["1", "2"]);
}
