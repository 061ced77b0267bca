//! A dump that is not whole, and names, modes and times of dumps.

use super::{EVENTS, Ended, Guide, MANY_EVENTS, change, codes, kill_group, scripts};
use crate::support::{
    postgres::program,
    programs::{folder_with, write_script},
};
use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::Command,
};

/// A dump that is cut, and one with a flipped byte.
const DAMAGES: [fn(&mut Vec<u8>); 2] = [
    |bytes| bytes.truncate(bytes.len() * 6 / 10),
    |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
    },
];

/// Whether a `pg_restore` reads a dump to its end.
fn is_readable(dump: &Path) -> bool {
    Command::new(program("pg_restore")).args(["-f", "/dev/null"]).arg(dump).output().unwrap().status.success()
}

#[test]
fn list_of_a_damaged_dump_verifies_it_for_the_guide() {
    for damage in DAMAGES {
        let guide = Guide::new(EVENTS);
        let dump = guide.dump();
        change(&dump, damage);
        guide.shell(scripts::LIST).expect_success();
        assert!(!is_readable(&dump));

        guide.back_up();
        guide.run(&["backup", "verify"], 0);
        let part = guide.files(1).into_iter().find(|path| path.to_str().unwrap().contains("/part-")).unwrap();
        change(&part, damage);
        let found = guide.run(&["backup", "verify"], 4);
        assert_eq!(codes(&found).len(), 1, "{found}");
        for arguments in [&["backup", "drill"][..], &["recover", "database", "--into", &guide.url_of("never_made")]] {
            guide.run(arguments, 4);
        }
        assert_eq!((guide.manifests(), guide.databases("never_made").len()), (1, 0));
    }
}

#[test]
fn ended_backend_leaves_a_dump_that_the_guide_verifies() {
    let guide = Guide::new(MANY_EVENTS);
    let backup = guide.shell_with(Path::new("/nonexistent"), scripts::BACKUP).spawn().unwrap();
    guide.end_backend();
    let failed = Ended::new(&backup.wait_with_output().unwrap()).expect_failure();
    assert!(failed.contains("server closed the connection") || failed.contains("terminating"), "{failed}");
    guide.shell(scripts::LIST).expect_success();
    assert!(!is_readable(&guide.dumps()[0]));

    let backup = guide.host.start(&["backup", "database", "--json"]);
    guide.end_backend();
    let failed = backup.wait().expect(6);
    assert!(failed.json()["error"]["message"].as_str().unwrap().contains("pg_dump"), "{}", failed.output());
    guide.assert_nothing_committed();
    assert_eq!(guide.objects().iter().filter(|path| path.starts_with("database/")).count(), 0);
    guide.assert_next_is_whole();
}

#[test]
fn ended_snapshot_commits_nothing() {
    let guide = Guide::new(MANY_EVENTS);
    let backup = guide.host.start(&["backup", "database", "--json"]);
    guide.wait_for_copy();
    let others = format!("datname = '{}' and pid <> pg_backend_pid()", guide.database.name());
    guide.database.sql(&format!("select pg_terminate_backend(pid) from pg_stat_activity where {others}"));
    backup.wait().expect(6);
    guide.assert_nothing_committed();
    guide.assert_next_is_whole();
}

#[test]
fn killed_pg_dump_leaves_the_newest_dump_of_the_guide() {
    let guide = Guide::new(MANY_EVENTS);
    let good = guide.dump();
    let mut backup = guide.shell_with(Path::new("/nonexistent"), scripts::BACKUP).process_group(0).spawn().unwrap();
    guide.wait_for_copy();
    kill_group(&mut backup);
    let newest = guide.dumps().into_iter().next().unwrap();
    assert_ne!(newest, good);
    guide.shell(scripts::LIST).expect_success();
    assert!(!is_readable(&newest) && is_readable(&good));

    // The process and its pg_dump, and pg_dump alone.
    let backup = guide.host.start(&["backup", "database", "--part-size", "1MiB"]);
    guide.wait_for_copy();
    backup.kill();
    guide.assert_nothing_committed();
    let real = program("pg_dump").display().to_string();
    let script = format!(
        "if [[ $1 == --version ]]; then exec {real} --version; fi\n{real} \"$@\" | head -c 4000000; kill -KILL $$"
    );
    let killed = folder_with(&[("pg_dump", script)]);
    guide.run(&["backup", "database", "--pg-bin", killed.path().to_str().unwrap()], 6);
    guide.assert_nothing_committed();
    guide.assert_next_is_whole();
}

#[test]
fn dumps_of_the_guide_are_readable_by_every_user() {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let guide = Guide::new(EVENTS);
    guide.shell(&format!("umask 022\n{}", scripts::BACKUP)).expect_success();
    assert_eq!(mode(&guide.dumps()[0]), 0o644);

    for umask in ["0", "022", "077"] {
        let guide = Guide::new(EVENTS);
        let under = ["sh", "-c", &format!("umask {umask}; exec \"$@\""), "sh"];
        let replica = guide.host.path("replica").display().to_string();
        for arguments in
            [&["backup", "database", "--replica", &replica][..], &["backup", "drill", "--replica", &replica]]
        {
            guide.host.run_under(&under, arguments).expect(0);
        }
        for root in [guide.host.path("backups"), replica.into()] {
            let files = super::files_below(&root);
            assert!(files.len() > 5, "{files:?}");
            for file in files {
                let path = root.join(&file);
                assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700), "{file}, umask {umask}");
            }
            assert_eq!(mode(&root), 0o700, "umask {umask}");
        }
    }
}

#[test]
fn two_backups_at_once_are_not_noticed_by_the_guide() {
    let guide = Guide::new(EVENTS);
    let mut lock = guide.database.session();
    let waiting = |number: u32| {
        format!(
            "select count(*) = {number} from pg_stat_activity
             where datname = '{}' and wait_event_type = 'Lock' and application_name <> 'psql'",
            guide.database.name()
        )
    };
    lock.run("begin; lock table events");
    let backups = [1, 2].map(|number| {
        let started = guide.shell_with(Path::new("/nonexistent"), scripts::BACKUP).spawn().unwrap();
        guide.wait_until(&waiting(number));
        started
    });
    lock.run("commit");
    for backup in backups {
        // One may verify the file while the other writes it.
        let ended = Ended::new(&backup.wait_with_output().unwrap());
        assert!(!ended.output.contains("already"), "{}", ended.output);
    }

    lock.run("begin; lock table events");
    let first = guide.host.start(&["backup", "database", "--json", "--digests", "off"]);
    guide.wait_until(&waiting(1));
    guide.run(&["backup", "database"], 8);
    lock.run("commit");
    first.wait().expect(0);
    assert_eq!(guide.manifests(), 1);
}

#[test]
fn hour_that_a_clock_repeats_overwrites_a_dump_of_the_guide() {
    let guide = Guide::new(EVENTS);
    let folder = tempfile::tempdir().unwrap();
    // An hour apart in New York, at the end of summer time.
    for instant in [1_762_061_400, 1_762_065_000] {
        write_script(
            &folder.path().join("date"),
            &format!("TZ=America/New_York exec /usr/bin/date -d @{instant} \"$@\""),
        );
        let output = guide.shell_with(folder.path(), scripts::BACKUP).output().unwrap();
        assert!(Ended::new(&output).expect_success().contains("keeptrusts_20251102_013000.dump"));
    }
    assert_eq!(guide.dumps().len(), 1);

    let mut guide = guide;
    for zone in ["America/New_York", "Pacific/Kiritimati"] {
        guide.host.set("TZ", zone);
        let backup = guide.back_up();
        let (at, file) =
            (backup["taken_at"].as_str().unwrap(), guide.files(backup["sequence"].as_u64().unwrap()).remove(0));
        // Two of one second have different folders.
        let folder = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
        assert_eq!((&folder[..13], folder.ends_with('Z')), (&at.replace(':', "")[..13], true), "{at}");
    }
    assert_ne!(guide.files(1)[0].parent(), guide.files(2)[0].parent());
}
