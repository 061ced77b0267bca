//! Drills that pass although a backup is wrong, and what they leave.

use super::{EVENTS, Ended, Guide, MANY_EVENTS, change, dumps_without_rows, scripts, sql, wait_until};
use crate::support::postgres::Server;
use std::{fs, thread::sleep, time::Duration};

#[test]
fn empty_database_passes_the_drill_of_the_guide() {
    let guide = Guide::new(EVENTS);
    let wrong = dumps_without_rows();
    for script in [scripts::BACKUP, scripts::VERIFY] {
        let output = guide.shell_with(wrong.path(), script).output().unwrap();
        let printed = Ended::new(&output).expect_success();
        assert!(printed.contains("verified") || printed.contains("Backup verification passed"), "{printed}");
    }

    guide.run(&["backup", "database", "--pg-bin", wrong.path().to_str().unwrap()], 0);
    let drill = guide.run(&["backup", "drill"], 4);
    assert_eq!(drill["equal"], false);
    assert!(drill["differences"].to_string().contains("table public.events: 0 rows instead of 6000"), "{drill}");
    // The same in a server of the operator, and in a recovery.
    guide.run(&["backup", "drill", "--into", &guide.database.url()], 4);
    let new = format!("{}_restored", guide.database.name());
    let recovered = guide.run(&["recover", "database", "--into", &guide.url_of(&new), "--switch", "--confirm"], 4);
    assert_eq!((&recovered["equal"], &recovered["switch"]), (&false.into(), &serde_json::Value::Null));
    assert_eq!(guide.database.sql("select count(*) from events"), "6000");
}

#[test]
fn aborted_drill_of_the_guide_makes_all_later_ones_fail() {
    let guide = Guide::new(EVENTS);
    let damaged = guide.dump();
    change(&damaged, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
    });
    guide.shell(scripts::VERIFY).expect_failure();
    assert_eq!(guide.databases(&guide.verify_database()).len(), 1);
    sleep(Duration::from_secs(1));
    guide.dump();
    let failed = guide.shell(scripts::VERIFY).expect_failure();
    assert!(failed.contains("already exists"), "{failed}");

    let server = Server::start(&[], &[]);
    let into = format!("postgres://postgres@{}/postgres", server.database().server());
    guide.back_up();
    let part = guide.files(1).into_iter().next().unwrap();
    let whole = fs::read(&part).unwrap();
    change(&part, |bytes| bytes[5000] ^= 4);
    for arguments in [&["backup", "drill"][..], &["backup", "drill", "--into", &into]] {
        guide.run(arguments, 4);
    }
    assert_eq!((left_in(&into), clusters(&guide)), (String::new(), 0));
    fs::write(&part, whole).unwrap();
    for arguments in [&["backup", "drill"][..], &["backup", "drill", "--into", &into]] {
        assert_eq!(guide.run(arguments, 0)["equal"], true);
    }
    assert_eq!((left_in(&into), clusters(&guide)), (String::new(), 0));
}

/// Databases of drills in a server.
fn left_in(url: &str) -> String {
    sql(url, "select datname from pg_database where datname like '%drill%' order by 1")
}

/// What is left of scratch clusters.
fn clusters(guide: &Guide) -> usize {
    fs::read_dir(guide.host.state_dir().join("clusters")).map_or(0, Iterator::count)
}

#[test]
fn drill_that_was_ended_by_a_signal_leaves_nothing_in_a_server() {
    let guide = Guide::new(MANY_EVENTS);
    let server = Server::start(&[], &[]);
    let into = format!("postgres://postgres@{}/postgres", server.database().server());
    guide.back_up();
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let drill = guide.host.start(&["backup", "drill", "--into", &into, "--jobs", "1"]);
        wait_for_restore(&into);
        drill.signal(signal);
        drill.wait().expect(code);
        assert_eq!(left_in(&into), "", "{signal}");
    }
    assert_eq!(guide.manifests(), 1);
}

#[test]
fn drill_after_a_killed_one_drops_what_that_left() {
    let guide = Guide::new(MANY_EVENTS);
    let server = Server::start(&[], &[]);
    let into = format!("postgres://postgres@{}/postgres", server.database().server());
    guide.back_up();
    let drill = guide.host.start(&["backup", "drill", "--into", &into, "--jobs", "1"]);
    wait_for_restore(&into);
    drill.kill();
    assert_ne!(left_in(&into), "");
    // That of other backups may be in use between two sessions.
    sql(&into, "create database others_drill");
    sql(&into, "comment on database others_drill is 'kt-archive drill of others'");
    wait_until(&into, "select count(*) = 0 from pg_stat_activity where datname like '%drill%'");
    guide.run(&["backup", "drill", "--into", &into], 0);
    assert_eq!(left_in(&into), "others_drill");

    // In a scratch cluster.
    let mut drill = guide.host.start(&["backup", "drill", "--jobs", "1"]);
    while clusters(&guide) == 0 {
        assert!(drill.is_running());
        sleep(Duration::from_millis(10));
    }
    sleep(Duration::from_secs(1));
    drill.kill();
    guide.run(&["backup", "drill"], 0);
    assert_eq!(clusters(&guide), 0);
}

/// Waits until rows are restored into a server.
#[track_caller]
fn wait_for_restore(url: &str) {
    wait_until(url, "select exists (select from pg_stat_activity where datname like '%drill%' and query like 'COPY%')");
}
