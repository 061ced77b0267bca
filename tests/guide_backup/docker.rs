//! `pg_dump` in a container. None runs here: a script in place of `docker` checks its arguments, drops the environment but for
//! what `-e NAME` names, and runs the program next to the server.

use super::{EVENTS, Ended, Guide};
use crate::support::{postgres::program, programs::write_script, test_variable};
use serde_json::Value;
use std::{path::Path, process::Command};
use tempfile::TempDir;

const COMMAND: &str = "docker exec -i -e PGPASSWORD keeptrusts-postgres";
const COMPOSE: &str = "docker compose exec -T -e PGPASSWORD postgres";

/// A folder with this `docker`. Without `-T` compose allocates a terminal, which ends lines with carriage returns; `after`
/// changes the output always.
fn docker(guide: &Guide, after: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (host, port) = guide.database.server().split_once(':').unwrap();
    let programs = test_variable("KT_TEST_POSTGRES_BIN");
    let script = format!(
        "fail() {{ echo \"docker: $1\" >&2; exit 125; }}
         service=keeptrusts-postgres terminal=no passed=()
         if [[ $1 == compose ]]; then service=postgres terminal=yes; shift; fi
         [[ $1 == exec ]] || fail \"no command $1\"
         shift
         while [[ $1 == -* ]]; do
           case $1 in
             -i) ;;
             -T) terminal=no ;;
             -e) shift; [[ $1 != *=* ]] || fail 'a value in an argument'; passed+=(\"$1=${{!1-}}\") ;;
             *) fail \"no option $1\" ;;
           esac
           shift
         done
         [[ $1 == \"$service\" ]] || fail \"No such container: $1\"
         shift
         case $1 in pg_dump|pg_dumpall|pg_restore) ;; *) fail \"no program $1\" ;; esac
         run() {{ env -i PATH={programs}:/usr/bin:/bin PGHOST={host} PGPORT={port} \"${{passed[@]}}\" \"$@\" {after}; }}
         if [[ $terminal == yes ]]; then run \"$@\" | sed 's/$/\\r/'; else run \"$@\"; fi"
    );
    write_script(&folder.path().join("docker"), &script);
    folder
}

/// A platform whose server is reached through this `docker` alone.
fn guide(after: &str) -> (Guide, TempDir) {
    let mut guide = Guide::new(EVENTS);
    let docker = docker(&guide, after);
    guide.host.set("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", docker.path().display()));
    guide
        .host
        .set("KT_ARCHIVE_BACKUP_DATABASE", format!("postgres://postgres@unknown.invalid/{}", guide.database.name()));
    (guide, docker)
}

#[test]
fn terminal_of_docker_compose_corrupts_the_dump_of_the_guide() {
    let (guide, docker) = guide("");
    let dump = "docker compose exec postgres pg_dump -U keeptrusts -d keeptrusts --format=custom --compress=9 \
        > /var/backups/keeptrusts/backup.dump";
    let dump = dump.replace("-d keeptrusts", &format!("-d {}", guide.database.name()));
    Ended::new(&guide.shell_with(docker.path(), &dump).output().unwrap()).expect_success();
    let read = Command::new(program("pg_restore"))
        .args(["-f", "/dev/null"])
        .arg(guide.host.path("guide/backup.dump"))
        .output()
        .unwrap();
    assert!(!read.status.success());

    for command in [
        "docker compose exec postgres",
        "docker exec -t keeptrusts-postgres",
        "docker exec -it keeptrusts-postgres",
        "docker exec -i --tty keeptrusts-postgres",
    ] {
        let refused = guide.run(&["backup", "database", "--pg-command", command], 2);
        assert!(refused["error"]["message"].as_str().unwrap().contains("terminal"), "{refused}");
        assert!(!guide.host.path("backups").is_dir(), "{command}");
    }
}

#[test]
fn output_that_a_terminal_changed_commits_nothing() {
    let (guide, _docker) = guide("| sed 's/$/\\r/'");
    let failed = guide.run(&["backup", "database", "--pg-command", COMMAND], 6);
    assert!(failed["error"]["hint"].as_str().unwrap().contains("unchanged"), "{failed}");
    guide.assert_nothing_committed();
    assert!(!guide.objects().iter().any(|path| path.starts_with("database/")), "{:?}", guide.objects());
}

#[test]
fn dump_of_a_container_is_restored_and_has_no_digests() {
    const PASSWORD: &str = "canary-of-a-container";
    for command in [COMMAND, COMPOSE] {
        let (mut guide, _docker) = guide("");
        let role = guide.database.role(&format!("superuser password '{PASSWORD}' in role with_password"));
        let url = format!("postgres://{role}@unknown.invalid/{}", guide.database.name());
        guide.host.set("KT_ARCHIVE_BACKUP_DATABASE", url);
        guide.host.set("PGPASSWORD", PASSWORD);
        let backup = guide.run(&["backup", "database", "--pg-command", command], 0);
        assert_eq!((&backup["digests"], &backup["tables"]), (&"off".into(), &Value::Null), "{backup}");
        let manifest = guide.manifest(1);
        assert_eq!(manifest["digests"], "off", "{manifest}");
        assert!(!manifest.to_string().contains(PASSWORD), "{manifest}");
        guide.run(&["backup", "verify"], 0);
        let drill = guide.run(&["backup", "drill"], 0);
        assert_eq!((&drill["equal"], &drill["compared"]), (&Value::Null, &"off".into()));
        let new = guide.url_of(&format!("{}_restored", guide.database.name()));
        assert_eq!(guide.run(&["recover", "database", "--into", &new], 0)["equal"], Value::Null);
        assert_eq!(super::sql(&new, "select count(*), sum(id) from events"), "6000|18003000");
    }
    let (guide, _docker) = guide("");
    guide.run(&["backup", "database", "--pg-command", COMMAND, "--digests", "full"], 2);
    guide.run(&["backup", "database", "--pg-command", "docker exec -i other"], 2);
    assert_eq!(guide.manifests(), 0);
}

#[test]
fn container_that_ends_in_the_middle_commits_nothing() {
    let (guide, _docker) = guide("| head -c 100000");
    let failed = guide.host.run(&["backup", "database", "--pg-command", COMMAND, "--json"]);
    assert_eq!(failed.expect(6).json()["sequence"], Value::Null);
    guide.assert_nothing_committed();
    assert!(Path::new(&guide.host.path("backups/backups.json")).is_file());
}
