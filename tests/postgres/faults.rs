//! Servers, sessions and roles that fail a run: it retries in a new snapshot or reports the cause.

use super::{DatabaseWorld, MONTH, march};
use crate::support::{
    cli::Outcome,
    postgres::{Server, free_port},
};
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Sessions of the program in this database.
const SESSIONS: &str = "from pg_stat_activity where application_name = 'kt-archive' and datname = current_database()";

/// A view `slow` of `events`: a thousand rows take more than a second to read, and no time to count.
const SLOW: &str = "
    create function slowly(text) returns text language plpgsql stable as 'begin perform pg_sleep(0.001); return $1; end';
    create view slow as select id, created_at, slowly(note) as note from events;";

fn slow(count: u32) -> String {
    march(count) + SLOW
}

#[track_caller]
fn error(outcome: &Outcome) -> (String, String) {
    let error = outcome.json()["error"].clone();
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    (text("message"), text("hint"))
}

/// Waits until a session of the program runs COPY.
fn wait_for_copy(world: &DatabaseWorld) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while world.database.sql(&format!("select count(*) {SESSIONS} and query ilike 'copy%' and state = 'active'")) == "0"
    {
        assert!(Instant::now() < deadline, "no session reads");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Runs the program, terminates at most `most` of its sessions, and returns how many it terminated.
fn run_and_terminate(world: &DatabaseWorld, most: u32, pause: fn(u32) -> u64, flags: &[&str]) -> (Outcome, u32) {
    let left = AtomicU32::new(most);
    thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut session = world.database.session();
            let mut killed = 0;
            for turn in 0.. {
                thread::sleep(Duration::from_millis(pause(turn)));
                if left.load(Ordering::Relaxed) <= killed {
                    break;
                }
                let one = format!("select pid {SESSIONS} order by random() limit 1");
                killed +=
                    u32::from(session.run(&format!("select pg_terminate_backend(pid) from ({one}) as found")) == "t");
            }
            killed
        });
        let outcome = world.run(flags);
        left.store(0, Ordering::Relaxed);
        (outcome, killer.join().unwrap())
    })
}

#[test]
fn month_is_whole_despite_randomly_terminated_sessions() {
    for seed in [3, 11, 17] {
        let world = DatabaseWorld::new(&slow(600));
        let pause = match seed {
            3 => |turn: u32| u64::from(turn * 7919 % 5) * 90 + 30,
            11 => |turn: u32| u64::from(turn * 104_729 % 7) * 50 + 150,
            _ => |_: u32| 260,
        };
        let (outcome, killed) = run_and_terminate(&world, 3, pause, &["--table", "slow"]);
        outcome.expect(0);
        assert!(killed > 0, "no session was terminated");
        world.assert_archived(MONTH, "events");
    }
}

#[test]
fn always_terminated_sessions_exit_with_6_in_bounded_time() {
    let world = DatabaseWorld::new(&slow(600));
    let begun = Instant::now();
    let (outcome, _) = run_and_terminate(&world, u32::MAX, |_| 20, &["--table", "slow"]);
    outcome.expect(6);
    world.assert_nothing_committed();
    assert!(begun.elapsed() < Duration::from_secs(100), "{:?}", begun.elapsed());
}

#[test]
fn month_is_whole_despite_a_server_restart() {
    let server = Server::start(&[], &[]);
    let world = DatabaseWorld::with(server.database(), &slow(900));
    let running = world.host.start(&["run", "--month", MONTH, "--json", "--table", "slow"]);
    wait_for_copy(&world);
    server.down();
    thread::sleep(Duration::from_millis(300));
    server.up();
    running.wait().expect(0);
    world.assert_archived(MONTH, "events");
}

#[test]
fn server_that_is_down_exits_with_6_in_bounded_time() {
    let mut world = DatabaseWorld::new("");
    world.host.set("KT_ARCHIVE_SOURCE", format!("postgres://postgres@127.0.0.1:{}/events", free_port()));
    let begun = Instant::now();
    let outcome = world.run(&[]).expect(6);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert!(error(&outcome).0.contains("127.0.0.1"), "{}", outcome.output());
}

#[test]
fn statement_timeout_exits_with_6() {
    let world = DatabaseWorld::new(&slow(3_000));
    let outcome = world.run(&["--table", "slow", "--statement-timeout", "1s"]).expect(6);
    assert!(error(&outcome).1.contains("--statement-timeout"), "{}", outcome.output());
    world.assert_nothing_committed();
}

#[test]
fn lock_timeout_exits_with_6() {
    let world = DatabaseWorld::new(&march(3));
    let mut other = world.database.session();
    other.run("begin; lock table events");
    let outcome = world.run(&["--lock-timeout", "1s"]).expect(6);
    assert!(error(&outcome).1.contains("--lock-timeout"), "{}", outcome.output());
    world.assert_nothing_committed();
    other.run("commit");
    world.run(&["--lock-timeout", "1s"]).expect(0);
}

#[test]
fn missing_database_exits_with_2() {
    let mut world = DatabaseWorld::new("");
    world.host.set("KT_ARCHIVE_SOURCE", world.database.url() + "_no");
    let outcome = world.run(&[]).expect(2);
    assert!(error(&outcome).1.contains("PGDATABASE"), "{}", outcome.output());
}

/// A world whose role has no rights.
fn world_of_new_role(statements: &str) -> (DatabaseWorld, String) {
    let mut world = DatabaseWorld::new(statements);
    let role = world.database.role("");
    world.host.set("KT_ARCHIVE_SOURCE", world.database.url_for(&role));
    (world, role)
}

#[test]
fn role_without_rights_exits_with_9_and_names_the_grant() {
    let (world, role) = world_of_new_role(&march(3));
    let outcome = world.run(&[]).expect(9);
    assert!(error(&outcome).1.contains("SELECT on the table"), "{}", outcome.output());
    world.database.sql(&format!("grant select (id, created_at) on events to {role}"));
    world.run(&[]).expect(9);
    world.database.sql(&format!("revoke connect on database {} from public", world.database.name()));
    world.run(&[]).expect(9);
    world.assert_nothing_committed();
    world.database.sql(&format!(
        "grant connect on database {} to {role}; grant select on events to {role}",
        world.database.name()
    ));
    world.run(&[]).expect(0);
}

#[test]
fn grants_on_the_named_columns_are_enough() {
    let (world, role) = world_of_new_role(
        "create table events (id int, created_at timestamptz, secret text) partition by range (created_at);
         create table march partition of events for values from ('2025-03-01') to ('2025-04-01');
         insert into events select n, '2025-03-02', 'secret' from generate_series(1, 50) as n;",
    );
    world.database.sql(&format!("grant select (id, created_at) on events to {role}"));
    world.database.sql(&format!(
        "create view open_events as table events; grant select (id, created_at) on open_events to {role}"
    ));
    for table in ["events", "open_events"] {
        let named = ["--dataset", "events", "--table", table, "--columns", "id,created_at", "--connections", "2"];
        world.host.run(&[&["doctor", "--json"], named.as_slice()].concat()).expect(0);
        world.run(&["--table", table]).expect(9);
        world.assert_nothing_committed();
        world.run(&named).expect(0);
        assert_eq!(world.archived_ids(MONTH).len(), 50);
        fs::remove_dir_all(world.host.path("archive")).unwrap();
    }
}

#[test]
fn table_that_is_being_rewritten_is_not_read_as_empty_with_grants_on_columns() {
    let (world, role) = world_of_new_role(&march(300));
    world.database.sql(&format!("grant select (id, created_at) on events to {role}"));
    let mut session = world.database.session();
    session.run("begin; lock table events");
    let running =
        world.host.start(&["run", "--month", MONTH, "--json", "--columns", "id,created_at", "--lock-timeout", "60s"]);
    let waiting = "select count(*) from pg_locks where not granted and relation = 'events'::regclass";
    while world.database.sql(waiting) == "0" {
        thread::sleep(Duration::from_millis(20));
    }
    session.run("alter table events alter note type varchar(100); alter table events alter id type int; commit");
    running.wait().expect(0);
    assert_eq!(world.archived_ids(MONTH).len(), 300);
}

#[test]
fn schema_without_usage_right_exits_with_9() {
    let (world, role) =
        world_of_new_role("create schema closed; create table closed.events (id text, created_at timestamptz)");
    world.database.sql(&format!("grant select on closed.events to {role}"));
    world.run(&["--table", "closed.events"]).expect(9);
}

#[test]
fn role_under_row_level_security_exits_with_9() {
    let (world, role) = world_of_new_role(&march(10));
    world.database.sql(&format!(
        "grant select on events to {role}; alter table events enable row level security;
         create policy partly on events using (id < 5);"
    ));
    let outcome = world.run(&[]).expect(9);
    assert!(error(&outcome).1.contains("BYPASSRLS"), "{}", outcome.output());
    world.assert_nothing_committed();
    world.database.sql(&format!("alter role {role} bypassrls"));
    world.run(&[]).expect(0);
    world.assert_archived(MONTH, "events");
}

#[test]
fn stopped_run_leaves_no_session() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let world = DatabaseWorld::new(&slow(20_000));
        let running = world.host.start(&["run", "--month", MONTH, "--json", "--table", "slow"]);
        wait_for_copy(&world);
        let begun = Instant::now();
        running.signal(signal);
        running.wait().expect(code);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        world.assert_nothing_committed();
        // The server notices with a delay.
        while world.database.sql(&format!("select count(*) {SESSIONS}")) != "0" {
            assert!(begun.elapsed() < Duration::from_secs(6), "a session still runs");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn finished_run_leaves_no_session_and_no_change() {
    let world = DatabaseWorld::new(&march(10));
    let state = "select xmin, xmax, ctid from events union all select xmin, xmax, ctid from pg_class";
    let before = world.database.sql(state);
    world.run(&[]).expect(0);
    world.run(&["--dataset", "nothing"]).expect(2);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(world.database.sql(&format!("select count(*) {SESSIONS}")), "0");
    assert_eq!(world.database.sql(state), before);
}

/// The grants of `docs/operations.md`, for this role and database.
fn documented_grants(role: &str, database: &str) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let statements = page.split_once("```sql\n").unwrap().1.split_once("```").unwrap().0;
    let (creation, grants) = statements.split_once('\n').unwrap();
    assert!(creation.starts_with("create role archiver login"), "the first statement creates the role");
    grants.replace("archiver", role).replace("database keeptrusts", &format!("database {database}"))
}

#[test]
fn documented_role_archives_and_cannot_write() {
    let mut world = DatabaseWorld::new(&march(300));
    world.database.sql("create table escalations (id text); create table secrets (id text);");
    let role = world.database.role("");
    world.database.sql(&documented_grants(&role, world.database.name()));
    world.host.set("KT_ARCHIVE_SOURCE", world.database.url_for(&role));
    world.host.run(&["doctor", "--json"]).expect(0);
    world.run(&[]).expect(0);
    world.assert_archived(MONTH, "events");
    for statement in ["delete from events", "create table mine (id text)", "table secrets"] {
        let refused = world.database.refusal(&role, &format!("set default_transaction_read_only = off; {statement}"));
        assert!(refused.contains("permission denied"), "{statement}: {refused}");
    }
}
