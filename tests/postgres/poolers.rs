//! Poolers between us and the server.

use super::own_server::{
    OwnServer, Running, as_user, assert_refused, eventually, found, free_port, give_away, psql, succeeded,
};
use archive_connectors::ErrorKind;
use std::{fs, path::Path};

/// A pool of the sessions of `server`, handed out by `mode`.
fn pool(server: &OwnServer, mode: &str) -> (Running, u16) {
    let (port, file) = (free_port(), server.path(&format!("{mode}.ini")));
    let settings = format!(
        "[databases]\npostgres = host={} port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n",
        server.path("data").display(),
        server.port
    );
    fs::write(&file, settings).unwrap();
    give_away(&file);
    // Where the distribution puts it, which is not in everybody's path.
    let mut command = as_user(Path::new("/usr/sbin/pgbouncer"));
    command.arg("-q").arg(&file);
    let running = Running::start(command);
    eventually(|| psql("127.0.0.1", port).args(["-c", "select 1"]).output().unwrap().status.success());
    (running, port)
}

#[test]
fn a_pool_by_transaction_is_refused_and_left_as_it_was() {
    let server = OwnServer::start();
    for mode in ["transaction", "statement"] {
        let (_running, port) = pool(&server, mode);
        let url = format!("postgres://kt@127.0.0.1:{port}/postgres");
        assert_refused(&url, &[], ErrorKind::Configuration, "session mode");
        let shown = psql("127.0.0.1", port).args(["-c", "show default_transaction_read_only"]).output().unwrap();
        succeeded(&shown);
        assert_eq!(shown.stdout, b"off\n", "the next client of the backend wants to write");
    }
}

#[test]
fn a_pool_by_session_is_as_good_as_the_server() {
    let server = OwnServer::start();
    let (_running, port) = pool(&server, "session");
    assert!(found(&format!("postgres://kt@127.0.0.1:{port}/postgres"), &[]).contains("a primary"));
}
