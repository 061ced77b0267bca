//! PostgreSQL: databases of the server that `tests/run` starts, and servers for one test.

use super::test_variable;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
};
use tempfile::TempDir;
use uuid::Uuid;

/// A database, dropped with its roles at the end of the test.
#[derive(Debug)]
pub(crate) struct Database {
    /// Host and port of the server.
    server: String,
    name: String,
    roles: Mutex<Vec<String>>,
}

/// An open psql session.
#[derive(Debug)]
pub(crate) struct Session {
    psql: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// A server for one test, for changes that would affect the others.
#[derive(Debug)]
pub(crate) struct Server {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    environment: Vec<(String, String)>,
}

impl Database {
    /// An empty database on the shared server.
    pub(crate) fn new() -> Self {
        let url = test_variable("KT_TEST_POSTGRES");
        Self::on(url.rsplit_once('@').expect("a user").1)
    }

    /// An empty database whose texts are bytes of no encoding.
    pub(crate) fn new_sql_ascii() -> Self {
        Self::with_options("encoding 'SQL_ASCII' locale 'C' template template0")
    }

    /// An empty database on the shared server, with these options of `create database`.
    pub(crate) fn with_options(options: &str) -> Self {
        let url = test_variable("KT_TEST_POSTGRES");
        Self::with(url.rsplit_once('@').expect("a user").1, options)
    }

    fn on(server: &str) -> Self {
        Self::with(server, "")
    }

    /// With these options of `create database`.
    fn with(server: &str, options: &str) -> Self {
        let database = Self { server: server.to_owned(), name: unique("kt"), roles: Mutex::default() };
        database.administer(&format!("create database {} {options}", database.name));
        database
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Host and port of its server.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// URL of the superuser.
    pub(crate) fn url(&self) -> String {
        self.url_for("postgres")
    }

    pub(crate) fn url_for(&self, role: &str) -> String {
        format!("postgres://{role}@{}/{}", self.server, self.name)
    }

    /// Output of the statements: a row in each line, columns separated by `|`.
    #[track_caller]
    pub(crate) fn sql(&self, statements: &str) -> String {
        run_psql(&self.url(), statements)
    }

    /// Output of a role's statements.
    #[track_caller]
    pub(crate) fn sql_as(&self, role: &str, statements: &str) -> String {
        run_psql(&self.url_for(role), statements)
    }

    /// The server's error for statements of a role.
    #[track_caller]
    pub(crate) fn refusal(&self, role: &str, statements: &str) -> String {
        let output = psql(&self.url_for(role), statements);
        assert!(!output.status.success(), "the server accepted {statements}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The rows of a query, each as an object.
    #[track_caller]
    pub(crate) fn rows(&self, query: &str) -> Vec<Value> {
        let text = self.sql(&format!("select coalesce(json_agg(found), '[]') from ({query}) as found"));
        serde_json::from_str(&text).unwrap()
    }

    /// Creates a role with these `options` of `create role`. It is dropped with the database.
    pub(crate) fn role(&self, options: &str) -> String {
        let role = unique("role");
        self.sql(&format!("create role {role} login {options}"));
        self.roles.lock().unwrap().push(role.clone());
        role
    }

    pub(crate) fn session(&self) -> Session {
        Session::new(&self.url())
    }

    fn administer(&self, statement: &str) {
        run_psql(&format!("postgres://postgres@{}/postgres", self.server), statement);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The server of a failed test may be down.
        let drop_all = format!("drop database {} with (force);\n", self.name)
            + &self.roles.lock().unwrap().iter().fold(String::new(), |all, role| all + "drop role " + role + ";\n");
        drop(psql(&format!("postgres://postgres@{}/postgres", self.server), &drop_all));
    }
}

impl Session {
    fn new(url: &str) -> Self {
        let mut psql = psql_command(url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (psql.stdin.take().unwrap(), psql.stdout.take().unwrap());
        Self { psql, input, output: BufReader::new(output) }
    }

    /// Runs the statements and returns their output.
    #[track_caller]
    pub(crate) fn run(&mut self, statements: &str) -> String {
        const DONE: &str = "-- done --";
        writeln!(self.input, "{statements};\n\\echo '{DONE}'").unwrap();
        let mut printed = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "psql ended at: {statements}");
            if line.trim_end() == DONE {
                return printed.trim_end().to_owned();
            }
            printed.push_str(&line);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.psql.kill().unwrap();
        self.psql.wait().unwrap();
    }
}

impl Server {
    /// Starts a server with these settings and this environment.
    pub(crate) fn start(settings: &[(&str, &str)], environment: &[(&str, &str)]) -> Self {
        Self::start_in(Path::new(&test_variable("KT_TEST_POSTGRES_BIN")), settings, environment)
    }

    /// Starts a server of the programs in the folder `programs`.
    pub(crate) fn start_in(programs: &Path, settings: &[(&str, &str)], environment: &[(&str, &str)]) -> Self {
        let programs = programs.to_owned();
        let folder = tempfile::Builder::new().prefix("kt-postgres-").tempdir().unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let server = Self { programs, folder, port: free_port(), environment };
        make_owned_by_server(server.folder.path());
        let data = server.data();
        let data = data.to_str().unwrap();
        succeed(
            unprivileged(&server.programs.join("initdb"))
                .args(["-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust"])
                .arg("-N"),
        );
        let port = server.port.to_string();
        let own = [
            ("port", port.as_str()),
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", ""),
            ("fsync", "off"),
        ];
        let lines = own.iter().chain(settings).map(|(name, value)| format!("{name} = '{value}'\n"));
        std::fs::write(server.data().join("postgresql.conf"), lines.collect::<String>()).unwrap();
        server.up();
        server
    }

    pub(crate) fn database(&self) -> Database {
        Database::on(&format!("127.0.0.1:{}", self.port))
    }

    pub(crate) fn up(&self) {
        let log = self.folder.path().join("data/log");
        succeed(self.pg_ctl("start").args(["--wait", "--silent", "--log"]).arg(log));
    }

    /// Stops the server immediately, as `kill -QUIT` does.
    pub(crate) fn down(&self) {
        succeed(self.pg_ctl("stop").args(["--mode=immediate", "--silent"]));
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn pg_ctl(&self, what: &str) -> Command {
        // Only the server gets the environment: `setpriv` must not load its libraries.
        let mut command = unprivileged(Path::new("/usr/bin/env"));
        command.args(self.environment.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg(self.programs.join("pg_ctl")).arg(what).arg("-D").arg(self.data());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.pg_ctl("stop").args(["--mode=immediate", "--silent"]).output());
    }
}

/// A free port of the loopback interface.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A command that runs `program` as an unprivileged user, since PostgreSQL and pgbouncer refuse root. It ends with the
/// test unless it becomes a daemon.
pub(crate) fn unprivileged(program: &Path) -> Command {
    let prefix = test_variable("KT_TEST_UNPRIVILEGED");
    let mut words = prefix.split_whitespace();
    let mut command = match words.next() {
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg("--pdeathsig=INT").arg(program);
            command
        }
        None => Command::new(program),
    };
    command.current_dir("/");
    command
}

/// Makes the servers' user the owner of `path`.
pub(crate) fn make_owned_by_server(path: &Path) {
    if !test_variable("KT_TEST_UNPRIVILEGED").is_empty() {
        succeed(Command::new("chown").arg("postgres:postgres").arg(path));
    }
}

/// Path of a program of PostgreSQL, which Debian keeps off the PATH.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(&test_variable("KT_TEST_POSTGRES_BIN")).join(name)
}

#[track_caller]
fn succeed(command: &mut Command) {
    // A server that keeps running must not hold the pipes of the test.
    let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).status().unwrap();
    assert!(done.success(), "{command:?}");
}

#[track_caller]
fn run_psql(url: &str, statements: &str) -> String {
    let output = psql(url, statements);
    assert!(output.status.success(), "{}\n{statements}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn psql(url: &str, statements: &str) -> std::process::Output {
    let mut command = psql_command(url);
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = running.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(statements.as_bytes()));
        running.wait_with_output().unwrap()
    })
}

/// `psql` without the user's settings, with times in UTC as in the archive.
fn psql_command(url: &str) -> Command {
    let mut command = Command::new(program("psql"));
    command.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-d", url]).env("PGTZ", "UTC").env("PGOPTIONS", "");
    command
}

fn unique(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::new_v4().simple())
}
