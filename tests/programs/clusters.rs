//! Scratch clusters are private, and nothing is left of them.

use super::{path_variable, programs, run};
use crate::support::test_variable;
use archive_connectors::{
    ErrorKind,
    postgres::{
        programs::{ProgramOptions, Programs},
        scratch::{Cluster, ClusterOptions},
    },
};
use archive_formats::backup_manifest::Locale;
use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A cluster as the tests' databases need it.
pub(super) fn options() -> ClusterOptions {
    let locale = Locale { collate: "C.UTF-8".to_owned(), ctype: "C.UTF-8".to_owned(), provided: None };
    ClusterOptions { encoding: "UTF8".to_owned(), locale, superuser: "postgres".to_owned(), settings: Vec::new() }
}

/// Names of what is in the folder of clusters.
fn left(state: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state.join("clusters")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The folder of the only cluster, wherever it is.
fn root(state: &Path) -> PathBuf {
    let left = left(state);
    let lock = left.iter().find(|path| path.extension().is_some()).unwrap();
    let number = lock.file_stem().unwrap().to_str().unwrap();
    let candidates = [state.join("clusters").join(number), Path::new("/var/tmp").join(format!("kt-archive-{number}"))];
    candidates.into_iter().find(|folder| folder.is_dir()).unwrap()
}

/// The numbers of all processes that work in `folder`.
fn processes_in(folder: &Path) -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    processes.filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))).collect()
}

/// Runs statements as the superuser of the cluster in this folder.
fn psql(root: &Path, statements: &str) -> Output {
    let mut psql = Command::new(crate::support::postgres::program("psql"));
    psql.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-U", "postgres", "-c", statements]);
    psql.env("PGHOST", root).output().unwrap()
}

/// The output of statements.
#[track_caller]
fn sql(root: &Path, statements: &str) -> String {
    let output = psql(root, statements);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn stopped_cluster_leaves_nothing() {
    let state = tempfile::tempdir().unwrap();
    run(async {
        let cluster = Cluster::start(&programs(), state.path(), &options()).await.unwrap();
        let root = root(state.path());
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(sql(&root, "show listen_addresses; show unix_socket_permissions"), "\n0700");
        assert!(cluster.version().starts_with(&super::major().to_string()), "{}", cluster.version());
        assert!(!processes_in(&root).is_empty());
        cluster.stop().await.unwrap();
        assert_eq!((processes_in(&root), root.try_exists().unwrap()), (Vec::new(), false));
    });
    assert_eq!(left(state.path()), [] as [PathBuf; 0]);
}

#[test]
fn dropped_cluster_leaves_nothing() {
    let state = tempfile::tempdir().unwrap();
    run(async {
        let cluster = Cluster::start(&programs(), state.path(), &options()).await.unwrap();
        let root = root(state.path());
        drop(cluster);
        assert_eq!((processes_in(&root), root.try_exists().unwrap()), (Vec::new(), false));
    });
    assert_eq!(left(state.path()), [] as [PathBuf; 0]);
}

#[test]
fn links_in_the_folder_of_a_cluster_are_not_followed() {
    let (state, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(async {
        let cluster = Cluster::start(&programs(), state.path(), &options()).await.unwrap();
        let root = root(state.path());
        // As the server's user could make them.
        drop(fs::remove_dir(root.join("tablespaces")));
        symlink(outside.path(), root.join("tablespaces")).unwrap();
        cluster.apply_globals("CREATE TABLESPACE large LOCATION '/srv/large';").await.unwrap();
        let location = "select pg_tablespace_location(oid) from pg_tablespace where spcname = 'large'";
        assert!(sql(&root, location).starts_with("pg_tblspc/"));
        sql(&root, "create table placed (id int) tablespace large");
        cluster.stop().await.unwrap();
    });
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn server_sees_no_variable_and_no_file_of_this_process() {
    let state = tempfile::tempdir().unwrap();
    let variable = |name: &str| Some(path_variable(name).unwrap_or_else(|| format!("/canary/{name}")));
    let folder = PathBuf::from(test_variable("KT_TEST_POSTGRES_BIN"));
    let programs = Programs::new(ProgramOptions::new(Some(folder), None, &variable), Some(super::major()));
    run(async {
        let cluster = Cluster::start(&programs, state.path(), &options()).await.unwrap();
        let root = root(state.path());
        let processes = processes_in(&root);
        assert!(processes.len() > 3);
        let variables = processes.iter().filter_map(|process| fs::read(process.join("environ")).ok());
        assert!(variables.into_iter().any(|variables| String::from_utf8_lossy(&variables).contains("PATH=/usr")));
        for process in processes {
            // A process may end meanwhile.
            let Ok(variables) = fs::read(process.join("environ")) else { continue };
            let text = String::from_utf8_lossy(&variables).replace("LD_LIBRARY_PATH=/canary/LD_LIBRARY_PATH", "");
            assert!(!text.contains("canary"), "{text}");
            let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
            let files = files.filter_map(|file| fs::read_link(file.path()).ok()).collect::<Vec<_>>();
            let others = files.iter().filter(|file| file.starts_with(state.path()) && !file.starts_with(&root));
            assert_eq!(others.count(), 0, "{files:?}");
        }
        cluster.stop().await.unwrap();
    });
}

#[test]
fn code_in_a_dump_reaches_nothing_outside_of_the_cluster() {
    let state = tempfile::tempdir().unwrap();
    // Every user may read and change the file.
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "canary").unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o666)).unwrap();
    let path = file.path().display();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    run(async {
        let cluster = Cluster::start(&programs(), state.path(), &options()).await.unwrap();
        let root = root(state.path());
        sql(&root, "create extension dblink");
        sql(&root, "create table rows as select 'a' as text; copy rows to '/dev/null'");
        sql(&root, &format!("copy rows to '{}/data/within'", root.display()));
        for (statement, refusal) in [
            (format!("select pg_read_file('{path}')"), "Permission denied"),
            (format!("copy rows to '{path}'"), "Permission denied"),
            ("copy rows from program 'env'".to_owned(), "command"),
            (format!("select pg_read_file('/proc/{}/status')", std::process::id()), "Permission denied"),
            (
                format!("select dblink_connect('host=127.0.0.1 port={}')", other.local_addr().unwrap().port()),
                "Permission denied",
            ),
        ] {
            let output = psql(&root, &statement);
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && message.contains(refusal), "{statement}: {output:?}");
        }
        for process in processes_in(&root) {
            let Ok(status) = fs::read_to_string(process.join("status")) else { continue };
            assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        }
        cluster.stop().await.unwrap();
    });
    assert_eq!(fs::read_to_string(file.path()).unwrap(), "canary");
}

#[test]
fn cluster_is_in_the_state_folder_where_its_user_can_enter() {
    let state = tempfile::tempdir().unwrap();
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o755)).unwrap();
    run(async {
        let cluster = Cluster::start(&programs(), state.path(), &options()).await.unwrap();
        assert!(root(state.path()).starts_with(state.path()));
        cluster.stop().await.unwrap();
    });
}

#[test]
fn missing_locale_is_named() {
    let state = tempfile::tempdir().unwrap();
    let locale = Locale { collate: "xx_YY.UTF-8".to_owned(), ctype: "C".to_owned(), provided: None };
    let error = run(Cluster::start(&programs(), state.path(), &ClusterOptions { locale, ..options() })).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("collate: xx_YY.UTF-8"), "{error}");
    assert_eq!(left(state.path()), [] as [PathBuf; 0]);
}

#[test]
fn cluster_has_the_encoding_locale_and_superuser_that_it_is_given() {
    let state = tempfile::tempdir().unwrap();
    let locale = Locale { collate: "C".to_owned(), ctype: "C".to_owned(), provided: None };
    let options =
        ClusterOptions { encoding: "LATIN1".to_owned(), locale, superuser: "kt-admin".to_owned(), ..options() };
    run(async {
        let cluster = Cluster::start(&programs(), state.path(), &options).await.unwrap();
        let socket = root(state.path());
        let query = "select pg_encoding_to_char(encoding), datcollate, current_user from pg_database where datname = 'template1'";
        let mut psql = Command::new(crate::support::postgres::program("psql"));
        psql.args(["-qAtX", "-d", "postgres", "-c", query]).env("PGHOST", &socket).env("PGUSER", "kt-admin");
        let output = psql.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "LATIN1|C|kt-admin", "{output:?}");
        cluster.stop().await.unwrap();
    });
}

#[test]
fn globals_that_take_rights_from_the_first_superuser_are_applied() {
    let state = tempfile::tempdir().unwrap();
    let script = "CREATE ROLE \"kt-admin\";\nALTER ROLE \"kt-admin\" WITH SUPERUSER NOLOGIN CONNECTION LIMIT 0;\n\
                  ALTER ROLE \"kt-admin\" SET default_transaction_read_only TO 'on';\nALTER ROLE \"kt-admin\" SET role TO 'pg_monitor';\n";
    run(async {
        let options = ClusterOptions { superuser: "kt-admin".to_owned(), ..options() };
        let cluster = Cluster::start(&programs(), state.path(), &options).await.unwrap();
        let applied = cluster.apply_globals(script).await.unwrap();
        assert_eq!((applied.done, applied.existing), (3, 1));
        cluster.create_database("after").await.unwrap();
        cluster.stop().await.unwrap();
    });
}

#[test]
fn server_that_does_not_start_is_reported() {
    let state = tempfile::tempdir().unwrap();
    let settings = vec![("shared_preload_libraries".to_owned(), "no_such_library".to_owned())];
    let error = run(Cluster::start(&programs(), state.path(), &ClusterOptions { settings, ..options() })).unwrap_err();
    assert!(error.to_string().contains("no_such_library"), "{error}");
    assert_eq!(left(state.path()), [] as [PathBuf; 0]);
}

/// The variable that makes the next test a process to be killed.
const KILLED: &str = "KT_TEST_KILLED_STATE";

/// Not a test: runs in a process of its own.
#[test]
#[ignore = "another test starts it"]
fn cluster_until_it_is_killed() {
    let Some(state) = env::var_os(KILLED) else { return };
    run(async {
        let cluster = Cluster::start(&programs(), Path::new(&state), &options()).await.unwrap();
        println!("\nstarted");
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(cluster);
    });
}

#[test]
fn server_of_a_killed_process_ends_and_the_next_one_removes_its_cluster() {
    let state = tempfile::tempdir().unwrap();
    let mut killed = Command::new(env::current_exe().unwrap())
        .args(["--exact", "programs::clusters::cluster_until_it_is_killed", "--ignored", "--nocapture"])
        .env(KILLED, state.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(killed.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "started"));
    let old = root(state.path());
    // A cluster of a living process is left alone.
    run(async {
        Cluster::start(&programs(), state.path(), &options()).await.unwrap().stop().await.unwrap();
    });
    assert!(!processes_in(&old).is_empty());
    killed.kill().unwrap();
    killed.wait().unwrap();
    let start = Instant::now();
    while !processes_in(&old).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10), "the server outlives its process");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(old.is_dir());
    run(async {
        let next = Cluster::start(&programs(), state.path(), &options()).await.unwrap();
        assert_eq!((processes_in(&old), old.try_exists().unwrap()), (Vec::new(), false));
        next.stop().await.unwrap();
    });
    assert_eq!(left(state.path()), [] as [PathBuf; 0]);
}
