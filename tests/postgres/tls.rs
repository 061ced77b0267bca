//! Server verification and client authentication.

use super::own_server::{OwnServer, PASSWORD, assert_refused, eventually, found, succeeded};
use archive_connectors::ErrorKind;
use std::{fs, os::unix::fs::PermissionsExt as _};

#[test]
fn verify_full_checks_the_server_name() {
    let server = OwnServer::start();
    let full = found(&server.url("guest", "localhost", "sslmode=verify-full"), &[]);
    assert!(full.contains("source: TLS: TLSv1_3") && full.contains("a primary"), "{full}");

    let other = server.url("guest", "db.example", "sslmode=verify-full");
    assert_refused(&other, &[], ErrorKind::Source, "another name");
    assert!(found(&server.url("guest", "db.example", "sslmode=verify-ca"), &[]).contains("TLSv1_3"));

    let stranger = format!("sslrootcert={}", server.path("stranger.crt").display());
    for mode in ["verify-full", "verify-ca", "require"] {
        let url = server.url("guest", "localhost", &format!("sslmode={mode}&{stranger}"));
        assert_refused(&url, &[], ErrorKind::Source, "sslrootcert");
    }
}

#[test]
fn missing_root_certificate_fails_verify_modes_only() {
    let server = OwnServer::start();
    let url = |mode| format!("postgres://guest@127.0.0.1:{}/postgres?sslmode={mode}", server.port);
    assert!(found(&url("require"), &[]).contains("TLSv1_3"));
    assert_refused(&url("verify-ca"), &[], ErrorKind::Configuration, "sslrootcert");
    assert_refused(&url("verify-full"), &[], ErrorKind::Source, "sslrootcert");

    let home = server.path("home");
    fs::create_dir_all(home.join(".postgresql")).unwrap();
    fs::copy(server.path("stranger.crt"), home.join(".postgresql/root.crt")).unwrap();
    let home = home.to_str().unwrap();
    assert_refused(&url("require"), &[("HOME", home)], ErrorKind::Source, "sslrootcert");
}

#[test]
fn sslmode_prefers_requires_or_forbids_tls() {
    let server = OwnServer::start();
    let url = |mode| format!("postgres://guest@127.0.0.1:{}/postgres?{mode}", server.port);
    for mode in ["", "sslmode=prefer", "sslmode=allow"] {
        assert!(found(&url(mode), &[]).contains("TLSv1_3"), "{mode}");
    }
    assert_refused(&url("sslmode=disable"), &[], ErrorKind::Unauthorized, "pg_hba.conf");

    let plain = OwnServer::start();
    do_without_tls(&plain);
    let url = |mode| format!("postgres://guest@127.0.0.1:{}/postgres?{mode}", plain.port);
    for mode in ["", "sslmode=prefer", "sslmode=allow", "sslmode=disable"] {
        assert!(found(&url(mode), &[]).contains("source: TLS: none"), "{mode}");
    }
    assert_refused(&url("sslmode=require"), &[], ErrorKind::Source, "sslmode=disable");
}

#[test]
fn unix_socket_needs_no_tls() {
    let server = OwnServer::start();
    let url = format!("postgres://guest@/postgres?host={}&port={}", server.path("data").display(), server.port);
    assert!(found(&format!("{url}&sslmode=verify-ca"), &[]).contains("source: TLS: none"));
}

#[test]
fn password_comes_from_the_variable_or_a_private_file() {
    let server = OwnServer::start();
    let url = server.url("kt", "localhost", "sslmode=verify-full");
    assert!(found(&url, &[("PGPASSWORD", PASSWORD)]).contains("a primary"));
    assert_refused(&url, &[("PGPASSWORD", "wrong")], ErrorKind::Unauthorized, "PGPASSWORD");
    assert_refused(&url, &[], ErrorKind::Unauthorized, "PGPASSWORD");

    let file = server.path(".pgpass");
    fs::write(&file, format!("localhost:{}:*:kt:a\\:canary\\\\\n", server.port)).unwrap();
    let home = server.path("");
    let home = [("HOME", home.to_str().unwrap())];
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(found(&url, &home).contains("a primary"));
    let wrong = [home[0], ("PGPASSWORD", "wrong")];
    assert_refused(&url, &wrong, ErrorKind::Unauthorized, "PGPASSWORD");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_refused(&url, &home, ErrorKind::Unauthorized, "mode 600");
}

fn do_without_tls(server: &OwnServer) {
    let rules = server.path("data").join("pg_hba.conf");
    fs::write(rules, "local all all trust\nhost all all 127.0.0.1/32 trust\n").unwrap();
    for sql in ["alter system set ssl = off", "select pg_reload_conf()"] {
        succeeded(&server.psql(sql));
    }
    eventually(|| server.psql("show ssl").stdout == b"off\n");
}
