//! Several hosts, hosts that do not answer, and connection poolers.

use super::{
    DatabaseWorld, MONTH, march,
    own_server::{OwnServer, Running, assert_refused, eventually, found, psql, succeeded},
};
use crate::support::postgres::{free_port, make_owned_by_server, unprivileged};
use archive_connectors::ErrorKind;
use std::{fs, path::Path, thread, time::Duration};
use tempfile::TempDir;

#[test]
fn hosts_are_tried_in_order() {
    let server = OwnServer::start();
    let (down, up) = (free_port(), server.port);
    let hosts = |rest: String| format!("postgres://guest@127.0.0.1:{down},localhost:{up}/postgres?{rest}");
    assert!(found(&hosts(String::new()), &[]).contains("a primary"));
    for wanted in ["any", "primary", "read-write", "prefer-standby"] {
        assert!(found(&hosts(format!("target_session_attrs={wanted}")), &[]).contains("a primary"), "{wanted}");
    }
    for missed in ["standby", "read-only"] {
        let url = hosts(format!("target_session_attrs={missed}"));
        assert_refused(&url, &[], ErrorKind::SourceUnavailable, "target_session_attrs");
    }
}

#[test]
fn connection_errors_name_the_remedy() {
    let server = OwnServer::start();
    let url = |user, database| format!("postgres://{user}@127.0.0.1:{}/{database}", server.port);
    assert_refused(&url("guest", "nowhere"), &[], ErrorKind::Configuration, "PGDATABASE");
    assert_refused(&url("nobody", "postgres"), &[], ErrorKind::Unauthorized, "pg_hba.conf");
    drop(server.psql("revoke connect on database postgres from public"));
    assert_refused(&url("guest", "postgres"), &[], ErrorKind::Unauthorized, "CONNECT");
}

#[test]
fn refused_connection_is_retryable() {
    let url = format!("postgres://guest@127.0.0.1:{}/postgres", free_port());
    assert_refused(&url, &[], ErrorKind::SourceUnavailable, "");
}

#[test]
fn silent_host_times_out() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://guest@127.0.0.1:{port}/postgres?connect_timeout=1");
    assert_refused(&url, &[], ErrorKind::SourceUnavailable, "connect_timeout");
}

/// A running pgbouncer.
struct Pool {
    port: u16,
    _running: Running,
    _folder: TempDir,
}

/// Starts a pool of connections to a server in this pool mode.
fn pool(host: &str, server_port: &str, mode: &str) -> Pool {
    let folder = tempfile::tempdir().unwrap();
    let (port, file) = (free_port(), folder.path().join("pgbouncer.ini"));
    let settings = format!(
        "[databases]\n* = host={host} port={server_port} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n"
    );
    fs::write(&file, settings).unwrap();
    make_owned_by_server(folder.path());
    make_owned_by_server(&file);
    // Debian installs it outside the usual PATH.
    let mut command = unprivileged(Path::new("/usr/sbin/pgbouncer"));
    command.arg("-q").arg(&file);
    let running = Running::start(command);
    eventually(|| psql("127.0.0.1", port).args(["-c", "select 1"]).output().unwrap().status.success());
    Pool { port, _running: running, _folder: folder }
}

fn pool_of(server: &OwnServer, mode: &str) -> Pool {
    pool(server.path("data").to_str().unwrap(), &server.port.to_string(), mode)
}

#[test]
fn transaction_pooling_is_refused_and_left_unchanged() {
    let server = OwnServer::start();
    for mode in ["transaction", "statement"] {
        let pool = pool_of(&server, mode);
        let url = format!("postgres://kt@127.0.0.1:{}/postgres", pool.port);
        assert_refused(&url, &[], ErrorKind::Configuration, "session mode");
        let shown = psql("127.0.0.1", pool.port).args(["-c", "show default_transaction_read_only"]).output().unwrap();
        succeeded(&shown);
        assert_eq!(shown.stdout, b"off\n", "the connection stays read-only for the next client");
    }
}

#[test]
fn session_pooling_is_accepted() {
    let server = OwnServer::start();
    let pool = pool_of(&server, "session");
    assert!(found(&format!("postgres://kt@127.0.0.1:{}/postgres", pool.port), &[]).contains("a primary"));
}

#[test]
fn month_is_archived_only_through_session_pooling() {
    let mut world = DatabaseWorld::new(&march(100));
    for (mode, code) in [("transaction", 2), ("statement", 2), ("session", 0)] {
        let (host, port) = world.database.server().split_once(':').unwrap();
        let pool = pool(host, port, mode);
        let url = format!("postgres://postgres@127.0.0.1:{}/{}", pool.port, world.database.name());
        world.host.set("KT_ARCHIVE_SOURCE", url);
        world.run(&["--connections", "3"]).expect(code);
        assert_eq!(world.archive().sequences().len(), usize::from(code == 0), "{mode}");
    }
    world.assert_archived(MONTH, "events");
}

#[test]
fn later_months_use_the_sessions_of_the_first() {
    let world = DatabaseWorld::new(
        "create table events (id bigint primary key, created_at timestamptz not null, note text);
         insert into events select id, timestamptz '2025-01-15Z' + id * interval '1 month', 'note' from generate_series(0, 5) as id;",
    );
    let mut psql = world.database.session();
    let sessions = "select sessions from pg_stat_database where datname = current_database()";
    let before = psql.run(sessions).parse::<u32>().unwrap();
    world.backfill("2025-01", "2025-06", &["--jobs", "1", "--connections", "1"]).expect(0);
    // The server counts a session once it has ended.
    let others = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    while !psql.run(others).is_empty() {
        thread::sleep(Duration::from_millis(50));
    }
    let opened = psql.run(sessions).parse::<u32>().unwrap() - before;
    // The holder of the snapshot and its reader, and perhaps another holder while the first ends its transaction.
    assert!((2..=4).contains(&opened), "{opened} sessions");
}
