//! Kills at each step of the store, full disks, and roles that may not read everything.

use super::{Guide, codes, files_below};
use crate::{
    crashes::CALLS,
    support::{cli::Outcome, s3::BucketPrefix, suite::is_long},
};
use serde_json::Value;
use std::{fs, path::Path};

/// Some 3 MB of rows that do not compress.
const EVENTS: &str = "create table events (id int primary key, note text);
    insert into events select n, md5(n::text) || md5((2 * n)::text) || md5((3 * n)::text)
    from generate_series(1, 60000) n;
    create table configurations as select 1 as version";

/// A backup in several parts.
const BACKUP: [&str; 5] = ["backup", "database", "--json", "--part-size", "1MiB"];

/// Runs a backup under the tool that counts, or stops at, its calls on files below the host's home.
fn run_with_calls(guide: &Guide, log: &Path, action: &str, number: usize) -> Outcome {
    let calls = CALLS.path().join("calls").display().to_string();
    let [log, home] = [log, &guide.host.path("")].map(|path| path.display().to_string());
    guide.host.run_under(&[&calls, &log, home.trim_end_matches('/'), action, &number.to_string()], &BACKUP)
}

#[test]
fn backup_that_was_killed_at_any_call_is_repeated() {
    let (guide, folder) = (Guide::new(EVENTS), tempfile::tempdir().unwrap());
    let log = folder.path().join("log");
    run_with_calls(&guide, &log, "count", 0).expect(0);
    let all = fs::read_to_string(&log).unwrap().lines().count();
    assert!(all > 30, "{all}");
    let mut killed = 0;
    for number in (1..all).step_by(if is_long() { 1 } else { all / 12 }) {
        let before = guide.manifests();
        let outcome = run_with_calls(&guide, &log, "kill", number);
        killed += usize::from(outcome.code == Some(137));
        // What is there is whole, whether the manifest was committed or not. The next command adds its sums.
        assert!([before, before + 1].contains(&guide.manifests()), "{number}");
        let found = guide.host.run(&["backup", "verify", "--json"]).json();
        assert!(codes(&found).iter().all(|code| ["V006", "V015"].contains(code)), "{number}: {found}");
    }
    assert!(killed > 8, "{killed} of {all}");
    guide.assert_next_is_whole();
    // What kills left is removed days later.
    let mut guide = guide;
    guide.set_days_later(5);
    guide.run(&["backup", "prune", "--keep-daily", "9", "--keep-min", "99", "--rpo", "30d", "--confirm"], 0);
    assert_eq!(codes(&guide.run(&["backup", "verify"], 0)), [] as [&str; 0]);
}

/// Runs the program with a file system of this size at `folder`, and then `after` in the shell. Both see it alone.
fn run_with_disk(guide: &Guide, folder: &str, size: &str, after: &str) -> Outcome {
    let folder = guide.host.path(folder).display().to_string();
    fs::create_dir_all(&folder).unwrap();
    let script =
        format!("mount -t tmpfs -o size={size},mode=755 limits {folder} && \"$@\"; code=$?; {after}; exit $code");
    guide.host.run_under(&["unshare", "--mount", "sh", "-c", &script, "sh"], &BACKUP)
}

#[test]
fn full_disk_commits_nothing() {
    let mut guide = Guide::new(EVENTS);
    let left = "find backups -name 'part-*' -o -name '0*.json' | sed 's/^/left: /' >&2";
    for size in ["16k", "1500k", "2500k"] {
        let outcome = run_with_disk(&guide, "backups", size, left).expect(7);
        assert!(!outcome.stderr.contains("left: "), "{size}: {}", outcome.stderr);
        assert_eq!(outcome.json()["error"]["hint"], "free some space", "{size}");
    }
    guide.assert_next_is_whole();

    // Parts for a bucket are made in the state folder.
    let bucket = BucketPrefix::plain("full");
    BucketPrefix::admit(&mut guide.host);
    guide.host.set("KT_ARCHIVE_BACKUPS", bucket.url());
    for size in ["64k", "500k"] {
        let outcome = run_with_disk(&guide, "state", size, "true").expect(1);
        assert!(outcome.output().contains("--state-dir"), "{}", outcome.output());
    }
    bucket.download(guide.host.path("downloaded"));
    assert_eq!(files_below(&guide.host.path("downloaded")).into_iter().collect::<Vec<_>>(), ["backups.json"]);
    guide.back_up();
    guide.run(&["backup", "verify"], 0);
}

#[test]
fn role_that_may_not_read_every_row_backs_nothing_up() {
    let guide = Guide::new(EVENTS);
    guide.database.sql("create table of_tenants as select 1 as tenant");
    let without_rights = guide.database.role("");
    guide.database.sql(&format!("grant select on events to {without_rights}"));
    let reader = guide.database.role("in role pg_read_all_data");
    let back_up = |role: &str, code: i32| {
        let outcome = guide.host.run(&["backup", "database", "--json", "--from", &guide.database.url_for(role)]);
        outcome.expect(code).json()
    };
    let refused = back_up(&without_rights, 9);
    assert!(refused["error"]["hint"].as_str().unwrap().contains("pg_read_all_data"), "{refused}");
    guide.assert_nothing_committed();
    back_up(&reader, 0);
    // From now on a policy hides rows, which the guide's `--enable-row-security` would leave out in silence.
    guide.database.sql("alter table of_tenants enable row level security");
    let refused = back_up(&reader, 9);
    assert!(refused["error"]["hint"].as_str().unwrap().contains("bypassrls"), "{refused}");
    assert_eq!(guide.manifests(), 1);
    guide.database.sql(&format!("alter role {reader} bypassrls"));
    assert_eq!(back_up(&reader, 0)["rows"], 60002);
    guide.run(&["backup", "verify"], 0);
}

#[test]
fn documents_of_failures_have_the_fields_of_the_report() {
    let guide = Guide::new(EVENTS);
    let new = guide.url_of(&format!("{}_restored", guide.database.name()));
    let commands: [&[&str]; 6] = [
        &["backup", "database"],
        &["backup", "verify"],
        &["backup", "drill"],
        &["backup", "prune", "--keep-daily", "3"],
        &["recover", "plan"],
        &["recover", "database", "--into", &new],
    ];
    let names = |document: &Value| document.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let failed = commands.map(|command| {
        // No backups are here, and no database.
        let none = guide.host.path(&command.join("-").replace('/', "-")).display().to_string();
        let unreachable = ["--from", "postgres://postgres@127.0.0.1:1/x"];
        let database: &[&str] = if command[..] == ["backup", "database"] { &unreachable } else { &[] };
        let outcome = guide.host.run(&[command, &["--json", "--backups", &none], database].concat());
        assert_ne!(outcome.code, Some(0), "{}", outcome.output());
        let document = outcome.json();
        assert!(!document["error"]["hint"].as_str().unwrap().is_empty(), "{document}");
        names(&document)
    });
    let usage = commands.map(|command| {
        let outcome = guide.host.run(&[command, &["--json", "--backups", "ftp://nowhere"]].concat()).expect(2);
        names(&outcome.json())
    });
    for ((command, failed), usage) in commands.iter().zip(failed).zip(usage) {
        let done = names(&guide.run(command, 0));
        assert_eq!((&failed, &usage), (&done, &done), "{command:?}");
    }
}
