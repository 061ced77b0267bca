//! Restores that lose what they were to save.

use super::{EVENTS, Ended, Guide, MANY_EVENTS, scripts, sql};
use crate::support::{postgres::Server, programs::write_script};
use std::path::Path;

/// A folder with a `systemctl` that does nothing.
fn systemctl() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_script(&folder.path().join("systemctl"), "exit 0");
    folder
}

/// Restores a dump over the database by the guide's commands.
fn restore(guide: &Guide, dump: &Path) -> Ended {
    let folder = systemctl();
    let mut shell = guide.shell_with(folder.path(), scripts::RESTORE);
    Ended::new(&shell.env("DUMP", dump).output().unwrap())
}

/// Rows that were written after a backup, and a table of a newer version of the platform that refers to them.
const LATER: &str = "insert into events values (7001, 'later');
    create table reviews (event int references events (id), note text); insert into reviews values (7001, 'kept')";

#[test]
fn restore_of_the_guide_over_a_live_database_mixes_old_and_new_rows() {
    let guide = Guide::new(EVENTS);
    let dump = guide.dump();
    guide.back_up();
    guide.database.sql(LATER);
    let failed = restore(&guide, &dump).expect_failure();
    assert!(failed.contains("errors ignored on restore"), "{failed}");
    // The later event is there still, beside the table of configurations of the dump.
    assert_eq!(guide.database.sql("select count(*) from events where id = 7001"), "1");

    let guide = Guide::new(EVENTS);
    guide.back_up();
    guide.database.sql(LATER);
    let name = guide.database.name().to_owned();
    let rows = "select (select count(*) from events), (select count(*) from reviews)";
    let live = guide.database.url();
    for options in [&[][..], &["--switch", "--confirm"]] {
        let arguments = [&["recover", "database", "--into", &live], options].concat();
        guide.run(&arguments, 2);
        assert_eq!(guide.database.sql(rows), "6001|1");
    }
    let new = guide.url_of(&format!("{name}_restored"));
    assert_eq!(guide.run(&["recover", "database", "--into", &new], 0)["equal"], true);
    // Once more without a switch: it exists now.
    guide.run(&["recover", "database", "--into", &new], 2);
    let switch = ["recover", "database", "--into", &new, "--switch"];
    let shown = guide.run(&switch, 0)["switch"].clone();
    assert_eq!((&shown["name"], &shown["done"]), (&name.as_str().into(), &false.into()));
    assert_eq!(guide.database.sql(rows), "6001|1");
    let done = guide.run(&[&switch[..], &["--confirm"]].concat(), 0)["switch"].clone();
    assert_eq!(done["done"], true);
    assert_eq!(guide.database.sql("select count(*), to_regclass('reviews') from events"), "6000|");
    // What was there is kept.
    let kept = done["kept"].as_str().unwrap();
    assert_eq!(guide.databases(&name), [name.clone(), kept.to_owned()]);
    assert_eq!(sql(&guide.url_of(kept), rows), "6001|1");
}

#[test]
fn workers_go_on_writing_while_the_guide_restores() {
    assert_eq!(scripts::RESTORE.matches("systemctl stop").count(), 1, "the API alone");
    let guide = Guide::new(EVENTS);
    let dump = guide.dump();
    guide.back_up();
    let mut worker = guide.database.session();
    worker.run("set application_name to 'lifecycle worker'; select count(*) from events");
    restore(&guide, &dump).expect_success();
    // The worker goes on in the restored database.
    worker.run("delete from events where id < 3000");
    assert_eq!(guide.database.sql("select count(*) from events"), "3001");

    let plan = guide.run(&["recover", "plan"], 0);
    let stop = plan["stop"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(stop, ["API", "workers", "lifecycle worker", "export jobs", "webhooks"]);
    assert!(plan["steps"][1].as_str().unwrap().contains("retention"), "{plan}");
    let new = guide.url_of(&format!("{}_restored", guide.database.name()));
    let arguments = ["recover", "database", "--into", &new, "--switch", "--confirm"];
    let refused = guide.run(&arguments, 2);
    assert!(refused["error"]["message"].as_str().unwrap().contains("lifecycle worker"), "{refused}");
    drop(worker);
    guide.wait_until(&format!("select count(*) = 1 from pg_stat_activity where datname = '{}'", guide.database.name()));
    assert_eq!(guide.run(&arguments, 0)["switch"]["done"], true);
    assert_eq!(guide.database.sql("select count(*) from events"), "6000");
}

#[test]
fn roles_are_not_in_the_dumps_of_the_guide() {
    let guide = Guide::new(EVENTS);
    let role = guide.database.role("");
    guide.database.sql(&format!("alter table events owner to {role}; grant select on configurations to {role}"));
    let (dump, fresh) = (guide.dump(), Server::start(&[], &[]));
    let empty = fresh.database();
    let command = format!(
        "PGPORT={} pg_restore -h 127.0.0.1 -U postgres -d {} {}",
        empty.server().rsplit_once(':').unwrap().1,
        empty.name(),
        dump.display()
    );
    let failed = guide.shell(&command).expect_failure();
    assert!(failed.contains(&format!("role \"{role}\" does not exist")), "{failed}");

    guide.back_up();
    assert_eq!(guide.run(&["backup", "drill"], 0)["equal"], true);
    let into = format!("postgres://postgres@{}/restored", empty.server());
    assert_eq!(guide.run(&["recover", "database", "--into", &into], 0)["equal"], true);
    assert_eq!(sql(&into, "select tableowner from pg_tables where tablename = 'events'"), role);
}

#[test]
fn encryption_key_is_in_no_tier_of_the_guide() {
    let guide = Guide::new(EVENTS);
    guide.back_up();
    let plan = guide.run(&["recover", "plan"], 0);
    let absent = plan["not_in_backups"].to_string();
    assert!(absent.contains("encryption key") && absent.contains("passwords of roles"), "{absent}");
    let printed = guide.host.run(&["recover", "plan"]).expect(0).stdout;
    assert!(printed.contains("not in the backup: the platform's encryption key"), "{printed}");
}

#[test]
fn dump_that_the_guide_restores_is_never_made() {
    let guide = Guide::new(EVENTS);
    guide.dump();
    // After `docker volume rm`.
    guide.shell("pg_restore --list < /var/backups/keeptrusts/keeptrusts_latest.dump").expect_failure();

    // The newest is the default.
    guide.back_up();
    guide.database.sql("insert into events values (7001, 'later')");
    guide.back_up();
    let new = guide.url_of(&format!("{}_restored", guide.database.name()));
    assert_eq!(guide.run(&["recover", "database", "--into", &new], 0)["backup"], 2);
}

#[test]
fn recovery_that_was_ended_by_a_signal_leaves_no_half_database() {
    let guide = Guide::new(MANY_EVENTS);
    guide.back_up();
    let name = format!("{}_restored", guide.database.name());
    let arguments = ["recover", "database", "--into", &guide.url_of(&name), "--jobs", "1"];
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let recovery = guide.host.start(&arguments);
        guide.wait_until(&format!(
            "select exists (select from pg_stat_activity where datname = '{name}' and query like 'COPY%')"
        ));
        recovery.signal(signal);
        recovery.wait().expect(code);
        assert_eq!(guide.databases(&name), [] as [&str; 0], "{signal}");
    }
    assert_eq!(guide.run(&arguments, 0)["equal"], true);
}
