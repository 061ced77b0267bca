//! Programs behind a command such as `docker exec`. No container runs here: a script in its place checks its arguments.

use super::{dump, major, path_variable, run, write_script};
use crate::support::{postgres::Database, test_variable};
use archive_connectors::{
    ErrorKind,
    postgres::{
        Server,
        programs::{ProgramOptions, Programs, dump_globals},
    },
};
use tempfile::TempDir;

const COMMAND: &str = "docker exec -i -e PGPASSWORD keeptrusts-postgres";
const PASSWORD: &str = "canary-51cd";

/// A folder with a `docker` that accepts this one command, drops the environment, and runs the program next to the server.
/// `after` changes its output.
fn docker(database: &Database, after: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (host, port) = database.server().split_once(':').unwrap();
    let programs = test_variable("KT_TEST_POSTGRES_BIN");
    let script = format!(
        "for wanted in exec -i -e PGPASSWORD keeptrusts-postgres; do
           [[ $1 == $wanted ]] || {{ echo \"unexpected argument $1\" >&2; exit 125; }}
           shift
         done
         case $1 in pg_dump|pg_dumpall|pg_restore) ;; *) echo \"no program $1\" >&2; exit 127 ;; esac
         case \" $* \" in *canary*) echo 'a password in an argument' >&2; exit 125 ;; esac
         env -i PATH={programs}:/usr/bin:/bin PGHOST={host} PGPORT={port} PGPASSWORD=\"${{PGPASSWORD-}}\" \"$@\" {after}"
    );
    write_script(&folder.path().join("docker"), &script);
    folder
}

/// Programs behind the command, with the `docker` of this folder first on the path. Its own folder has none.
fn programs(docker: &TempDir, major: Option<u32>) -> Programs {
    let path = format!("{}:/usr/bin:/bin", docker.path().display());
    let variable = |name: &str| if name == "PATH" { Some(path.clone()) } else { path_variable(name) };
    let empty = docker.path().join("none");
    Programs::new(ProgramOptions::new(Some(empty), Some(COMMAND.parse().unwrap()), &variable), major)
}

/// A database of a role that needs its password.
fn database() -> (Database, Server) {
    let database = Database::new();
    database.sql("create table t as select n, md5(n::text) from generate_series(1, 50000) n");
    let role = database.role(&format!("superuser password '{PASSWORD}' in role with_password"));
    let variable = |name: &str| (name == "PGPASSWORD").then(|| PASSWORD.to_owned());
    // The address is that of the command's own host.
    let server = Server::new(&format!("postgres://{role}@unknown.invalid/{}", database.name()), &variable).unwrap();
    (database, server)
}

#[test]
fn dump_and_globals_come_through_the_command() {
    let (database, server) = database();
    let docker = docker(&database, "");
    for major in [None, Some(major())] {
        let programs = programs(&docker, major);
        let (bytes, whole) = run(dump(&programs, &server)).unwrap();
        assert_eq!(bytes.len() as u64, whole.bytes());
        assert_eq!(whole.header().database, database.name());
        assert!(!format!("{:?}", whole.record()).contains("canary"));
        let globals = run(dump_globals(&programs, &server, false)).unwrap();
        assert!(globals.script.contains("CREATE ROLE postgres"), "{}", globals.script);
    }
}

#[test]
fn output_with_carriage_returns_fails() {
    let (database, server) = database();
    let docker = docker(&database, "| sed 's/$/\\r/'");
    let error = run(dump(&programs(&docker, Some(major())), &server)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source, "{error}");
    assert!(error.hint().contains("unchanged"), "{}", error.hint());
}

#[test]
fn password_that_is_not_passed_on_has_a_hint() {
    let (database, server) = database();
    let docker = docker(&database, "");
    let script = std::fs::read_to_string(docker.path().join("docker")).unwrap();
    let script = script.replace("PGPASSWORD=\"${PGPASSWORD-}\"", "");
    std::fs::write(docker.path().join("docker"), script).unwrap();
    let error = run(dump(&programs(&docker, None), &server)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(error.hint().contains("-e PGPASSWORD"), "{}", error.hint());
}

#[test]
fn another_major_version_behind_the_command_is_refused() {
    let (database, server) = database();
    let docker = docker(&database, "");
    let error = run(dump(&programs(&docker, Some(major() + 1)), &server)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
}

#[test]
fn message_of_the_command_is_reported() {
    let (_database, server) = database();
    let docker = tempfile::tempdir().unwrap();
    let script = "echo 'Error response from daemon: No such container: keeptrusts-postgres' >&2; exit 1";
    write_script(&docker.path().join("docker"), script);
    let error = run(dump(&programs(&docker, None), &server)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains("No such container: keeptrusts-postgres"), "{error}");
}

#[test]
fn missing_command_is_a_configuration_error() {
    let (_database, server) = database();
    let empty = tempfile::tempdir().unwrap();
    let error = run(dump(&programs(&empty, None), &server)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
}
