//! Several hosts, and servers that are not what was meant.

use super::own_server::{OwnServer, assert_refused, found};
use crate::support::postgres::free_port;
use archive_connectors::ErrorKind;

#[test]
fn hosts_are_tried_in_order_until_one_will_do() {
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
fn what_is_missing_on_the_server_is_told_with_what_to_do() {
    let server = OwnServer::start();
    let url = |user, database| format!("postgres://{user}@127.0.0.1:{}/{database}", server.port);
    assert_refused(&url("guest", "nowhere"), &[], ErrorKind::Configuration, "PGDATABASE");
    assert_refused(&url("nobody", "postgres"), &[], ErrorKind::Unauthorized, "pg_hba.conf");
    drop(server.psql("revoke connect on database postgres from public"));
    assert_refused(&url("guest", "postgres"), &[], ErrorKind::Unauthorized, "CONNECT");
}

#[test]
fn a_port_where_nobody_listens_is_worth_another_try() {
    let url = format!("postgres://guest@127.0.0.1:{}/postgres", free_port());
    assert_refused(&url, &[], ErrorKind::SourceUnavailable, "");
}

#[test]
fn a_host_that_accepts_and_says_nothing_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://guest@127.0.0.1:{port}/postgres?connect_timeout=1");
    assert_refused(&url, &[], ErrorKind::SourceUnavailable, "connect_timeout");
}
