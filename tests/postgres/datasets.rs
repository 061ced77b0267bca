//! Several tables of one database in one run, and passwords that are never printed.

use super::{DatabaseWorld, MONTH};
use crate::support::cli::Outcome;
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

const PASSWORD: &str = "pa55: w\\ord ünd @/?#%";

const TABLES: &str = "
    create schema ai;
    create table events (id text, created_at timestamptz, secret text);
    create table audit_log (event_id uuid, timestamp timestamptz, actor text);
    create table ai.decisions (ref bigint, seen timestamp, model text, prompt text);
    insert into events values ('a', '2025-03-10', 'hidden'), ('b', '2025-04-10', 'hidden');
    insert into audit_log values ('0f8fad5b-d9cb-469f-a165-70867728950e', '2025-03-11', 'x');
    insert into ai.decisions select n, '2025-03-12', 'm', 'hidden' from generate_series(1, 7) as n;";

const SETTINGS: &str = "
    connections = 2
    [[dataset]]
    name = 'events'
    columns = ['id']
    [[dataset]]
    name = 'audit-log'
    [[dataset]]
    name = 'decisions'
    table = 'ai.decisions'
    id-column = 'ref'
    time-column = 'seen'
    columns = ['model']";

fn world(settings: &str) -> DatabaseWorld {
    let world = DatabaseWorld::new(TABLES);
    fs::write(world.host.path("archive.toml"), settings).unwrap();
    world
}

#[test]
fn datasets_of_the_configuration_are_archived_in_one_run() {
    let world = world(SETTINGS);
    world.run(&["--config", "archive.toml"]).expect(0);
    let archive = world.archive();
    archive.check();
    let mut found = Vec::new();
    for manifest in archive.manifests() {
        let columns = manifest["schema"]["columns"].as_array().unwrap().iter();
        let columns = columns.map(|column| column["name"].as_str().unwrap()).collect::<Vec<_>>().join(" ");
        let table = manifest["source"]["detail"]["table"].as_str().unwrap();
        found.push(format!(
            "{} of {table}: {columns}, {}",
            manifest["dataset"].as_str().unwrap(),
            manifest["events"]["archived"]
        ));
    }
    found.sort();
    let expected = [
        "audit-log of public.audit_log: event_id timestamp actor, 1",
        "decisions of ai.decisions: ref seen model, 7",
        "events of public.events: id created_at, 1",
    ];
    assert_eq!(found, expected);
    assert!(!archive.unzipped(archive.manifest(1)["files"][1]["path"].as_str().unwrap()).is_empty());
}

#[test]
fn missing_table_fails_its_dataset_only() {
    let world = world(&SETTINGS.replace("ai.decisions", "ai.nothing"));
    let report = world.run(&["--config", "archive.toml"]).expect(3).json();
    let states = report["months"]
        .as_array()
        .unwrap()
        .iter()
        .map(|month| (month["dataset"].as_str().unwrap().to_owned(), month["state"].as_str().unwrap().to_owned()));
    let mut states = states.collect::<Vec<_>>();
    states.sort();
    let expected = [("audit-log", "archived"), ("decisions", "failed"), ("events", "archived")];
    assert_eq!(states, expected.map(|(name, state)| (name.to_owned(), state.to_owned())));
}

/// A world whose role has the password `PASSWORD`.
fn guarded() -> (DatabaseWorld, String) {
    let world = world(SETTINGS);
    let role = world.database.role(&format!("in role with_password password '{PASSWORD}'"));
    world
        .database
        .sql(&format!("grant usage on schema ai to {role}; grant select on events, audit_log, ai.decisions to {role}"));
    let mut world = world;
    world.host.set("KT_ARCHIVE_SOURCE", world.database.url_for(&role));
    world.host.set("KT_ARCHIVE_CONFIG", "archive.toml");
    (world, role)
}

/// Searches output and files for the password, plain and percent-encoded.
#[track_caller]
fn assert_no_password(world: &DatabaseWorld, outcome: &Outcome) {
    assert!(!holds_password(outcome.output().as_bytes()), "{}", outcome.output());
    assert_no_password_in(&world.host.path(""));
}

fn assert_no_password_in(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            assert_no_password_in(&entry);
        } else if !entry.ends_with("passwords") {
            assert!(!holds_password(&fs::read(&entry).unwrap()), "{}", entry.display());
        }
    }
}

fn holds_password(bytes: &[u8]) -> bool {
    ["pa55", "ord ünd", "ord%20"].iter().any(|part| bytes.windows(part.len()).any(|window| window == part.as_bytes()))
}

#[test]
fn password_in_the_environment_is_used_and_never_printed() {
    let (mut world, _) = guarded();
    let talkative = ["-v", "-v", "--log-format", "json"];
    let refused = world.run(&talkative).expect(9);
    assert!(refused.output().contains("PGPASSWORD"), "{}", refused.output());
    world.host.set("PGPASSWORD", "wrong-pa55");
    assert_no_password(&world, &world.run(&talkative).expect(9));
    world.host.set("PGPASSWORD", PASSWORD);
    for command in [&["doctor", "-v", "-v"][..], &["config", "show"], &["config", "check", "-v"]] {
        assert_no_password(&world, &world.host.run(command));
    }
    assert_no_password(&world, &world.run(&talkative).expect(0));
    assert_eq!(world.archive().sequences().len(), 3);
}

#[test]
fn password_file_is_used_and_never_printed() {
    let (mut world, role) = guarded();
    let (host, port) = world.database.server().split_once(':').unwrap();
    let escaped = PASSWORD.replace('\\', "\\\\").replace(':', "\\:");
    let line = format!("# a comment\nelsewhere:*:*:*:other\n{host}:{port}:*:{role}:{escaped}\n*:*:*:*:wrong\n");
    let file = world.host.path("passwords");
    fs::write(&file, line).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    world.host.set("PGPASSFILE", file.display().to_string());
    assert_no_password(&world, &world.run(&["-v", "-v"]).expect(0));
    assert_eq!(world.archive().sequences().len(), 3);
    // As in libpq, a password file readable by others is ignored.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_dir_all(world.host.path("archive")).unwrap();
    assert_no_password(&world, &world.run(&["-v", "-v"]).expect(9));
}

#[test]
fn password_in_a_url_argument_is_refused() {
    let (mut world, role) = guarded();
    let secret = world.database.url_for(&role).replace('@', ":pa55word@");
    for url in [secret.clone(), format!("{}?password=pa55word", world.database.url_for(&role))] {
        let outcome = world.host.run(&["run", "--month", MONTH, "--source", &url, "--json"]).expect(2);
        assert!(outcome.output().contains("PGPASSWORD"), "{}", outcome.output());
        assert!(!outcome.output().contains("pa55"), "{}", outcome.output());
    }
    // A URL in the environment is not printed either.
    world.host.set("KT_ARCHIVE_SOURCE", secret);
    let outcome = world.run(&["-v", "-v"]);
    assert!(!outcome.output().contains("pa55"), "{}", outcome.output());
}
