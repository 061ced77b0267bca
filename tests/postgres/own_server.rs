//! Servers for one test, with their own TLS and access rules.

use crate::support::postgres::{free_port, make_owned_by_server, program, unprivileged};
use archive_connectors::{
    Error, ErrorKind, Probe,
    clock::SystemClock,
    postgres::{Config, Server, probe},
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output},
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A process that ends with its owner.
#[derive(Debug)]
pub(super) struct Running(Child);

impl Running {
    pub(super) fn start(mut command: Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An interrupted server removes its shared memory, a killed one does not.
        drop(Command::new("kill").args(["-INT", &self.0.id().to_string()]).status());
        drop(self.0.wait());
    }
}

/// A server that requires TLS: `kt` needs its password, `guest` needs none.
#[derive(Debug)]
pub(super) struct OwnServer {
    pub(super) port: u16,
    // Dropped before its folder.
    _running: Running,
    folder: TempDir,
}

pub(super) const PASSWORD: &str = "a:canary\\";

const RULES: &str =
    "local all all trust\nhostssl all guest 127.0.0.1/32 trust\nhostssl all kt 127.0.0.1/32 scram-sha-256\n";

impl OwnServer {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        make_owned_by_server(&data);
        let made = unprivileged(&program("initdb"))
            .arg("-D")
            .arg(&data)
            .args(["-U", "postgres", "-A", "trust", "-N"])
            .output();
        succeeded(&made.unwrap());
        make_certificates(folder.path());
        for name in ["server.crt", "server.key"] {
            fs::copy(folder.path().join(name), data.join(name)).unwrap();
            fs::set_permissions(data.join(name), fs::Permissions::from_mode(0o600)).unwrap();
            make_owned_by_server(&data.join(name));
        }
        fs::write(data.join("pg_hba.conf"), RULES).unwrap();
        let port = free_port();
        let settings = format!(
            "ssl = on\nfsync = off\nport = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\n",
            data.display()
        );
        fs::write(data.join("postgresql.auto.conf"), settings).unwrap();
        let mut command = unprivileged(&program("postgres"));
        command.arg("-D").arg(&data);
        let server = Self { port, _running: Running::start(command), folder };
        eventually(|| server.psql("select 1").status.success());
        succeeded(&server.psql(&format!("create role guest login; create role kt login password '{PASSWORD}'")));
        server
    }

    /// Path in its folder, which has certificates and sockets.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn psql(&self, sql: &str) -> Output {
        psql(self.path("data"), self.port).args(["-c", sql]).output().unwrap()
    }

    /// A URL of this server, with its authority as `sslrootcert`.
    pub(super) fn url(&self, user: &str, host: &str, rest: &str) -> String {
        let (port, authority) = (self.port, self.path("authority.crt"));
        let authority = authority.display();
        format!("postgres://{user}@{host}:{port}/postgres?hostaddr=127.0.0.1&sslrootcert={authority}&{rest}")
    }
}

/// `psql` as the owner of the server whose socket is in `folder`.
pub(super) fn psql(folder: impl AsRef<Path>, port: u16) -> Command {
    let mut command = Command::new("psql");
    command.args(["-X", "-A", "-t", "-U", "postgres", "-d", "postgres", "-p", &port.to_string()]);
    command.arg("-h").arg(folder.as_ref());
    command
}

/// Probes the server of `url` as `doctor` does.
pub(super) fn probe_url(url: &str, variables: &[(&str, &str)]) -> Result<Vec<Probe>, Error> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let server = Server::new(url, &variable)?;
    let (statement_timeout, lock_timeout) = (Duration::from_secs(60), Duration::from_secs(10));
    let tables = BTreeMap::new();
    let config = Config { server, connections: 1, tables, org: None, statement_timeout, lock_timeout };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut probes = runtime.block_on(probe(config, &[], Arc::new(SystemClock)));
    let failed = probes.iter().position(|probe| probe.found.is_err());
    match failed.map(|index| probes.swap_remove(index).found) {
        Some(Err(error)) => Err(error),
        _ => Ok(probes),
    }
}

/// Results of a successful probe, as text.
#[track_caller]
pub(super) fn found(url: &str, variables: &[(&str, &str)]) -> String {
    let probes = probe_url(url, variables).unwrap_or_else(|error| panic!("{url}: {error:?}"));
    probes.into_iter().map(|probe| format!("{}: {}", probe.name, probe.found.unwrap())).collect::<Vec<_>>().join("\n")
}

/// Asserts that the probe fails with `kind`, and that message or hint contain `advice`.
#[track_caller]
pub(super) fn assert_refused(url: &str, variables: &[(&str, &str)], kind: ErrorKind, advice: &str) {
    let error = probe_url(url, variables).expect_err(url);
    assert_eq!(error.kind(), kind, "{url}: {error:?}");
    assert!(error.hint().contains(advice), "{url}: {error:?}, {:?}", error.hint());
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

pub(super) fn eventually(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "the condition did not become true");
        sleep(Duration::from_millis(50));
    }
}

/// Makes an authority with a certificate for localhost, and an unrelated authority.
fn make_certificates(folder: &Path) {
    const NEW: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let make = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        command.current_dir(folder).args(["req", "-x509"]).args(NEW).args(arguments);
        succeeded(&command.output().unwrap());
    };
    make(&["-subj", "/CN=authority", "-keyout", "authority.key", "-out", "authority.crt"]);
    make(&["-subj", "/CN=stranger", "-keyout", "stranger.key", "-out", "stranger.crt"]);
    let signed = ["-CA", "authority.crt", "-CAkey", "authority.key", "-addext", "basicConstraints=critical,CA:FALSE"];
    let server = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "server.key"];
    make(&[&signed[..], &server, &["-out", "server.crt"]].concat());
}

#[track_caller]
pub(super) fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
