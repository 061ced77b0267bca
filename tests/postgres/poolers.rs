//! pgbouncer between the program and its server.

use super::{Desk, MONTH, march};
use crate::support::postgres::{free_port, unprivileged, unprivileged_user};
use std::{
    fs,
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A pooler of a database, until the test is over.
struct Pooler {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Pooler {
    fn start(desk: &Desk, mode: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("kt-pgbouncer-").tempdir().unwrap();
        let port = free_port();
        let (host, server_port) = desk.database.server().split_once(':').unwrap();
        let name = desk.database.name();
        let settings = format!(
            "[databases]\n{name} = host={host} port={server_port} dbname={name} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n"
        );
        let path = folder.path().join("pgbouncer.ini");
        fs::write(&path, settings).unwrap();
        if let Some(user) = unprivileged_user() {
            assert!(Command::new("chown").args(["-R", user]).arg(folder.path()).status().unwrap().success());
        }
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = unprivileged("pgbouncer").arg(path).stdin(Stdio::null()).stderr(log).spawn().unwrap();
        let pooler = Self { process, port, folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || fs::read_to_string(pooler.folder.path().join("log")).unwrap();
            assert!(Instant::now() < deadline, "pgbouncer did not start: {}", log());
            thread::sleep(Duration::from_millis(20));
        }
        pooler
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // `runuser` passes this signal on, and no other.
        Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        self.process.wait().unwrap();
    }
}

fn behind(mode: &str) -> (Desk, Pooler) {
    let mut desk = Desk::new(&march(100));
    let pooler = Pooler::start(&desk, mode);
    let url = format!("postgres://postgres@127.0.0.1:{}/{}", pooler.port, desk.database.name());
    desk.host.set("KT_ARCHIVE_SOURCE", url);
    (desk, pooler)
}

#[test]
fn one_that_gives_sessions_away_between_transactions_is_refused() {
    for mode in ["transaction", "statement"] {
        let (desk, _pooler) = behind(mode);
        let outcome = desk.run(&["--connections", "2"]).expect(2);
        desk.assert_nothing_committed();
        let hint = outcome.json()["error"]["hint"].as_str().unwrap().to_owned();
        assert!(hint.contains("session"), "{mode}: {hint}");
    }
}

#[test]
fn one_that_leaves_sessions_alone_is_as_good_as_the_server() {
    let (desk, _pooler) = behind("session");
    desk.run(&["--connections", "3"]).expect(0);
    desk.assert_archived(MONTH, "events");
}
