//! A cluster of this program's own, for restores on trial.
//!
//! It listens on a Unix socket in a private folder alone, trades safety for speed, and is removed when it is dropped. What a
//! killed process left behind is removed before the next one is made (`place`).
//!
//! **A restore runs code that is in the dump**, such as the functions of checks, indexes and triggers, with the rights of the
//! cluster's superuser, who may read files and run programs as the server's user: PostgreSQL has no restore without them. Every
//! role that may create a function in the source thereby has the rights of that user. These limits make them few:
//!
//! * The server sees two variables of this process, and no file that this process opened.
//! * As root, the server runs as the user `kt-archive-drill`, or else as `nobody`; never as `postgres`, who owns production's
//!   data on a database host.
//! * On Linux the server and all that it starts may not gain rights, and see only the files of its cluster, of its own program
//!   and of the system's libraries; no shell, no TCP, no other processes (`sandbox`). This needs a kernel with Landlock.

mod place;
mod sandbox;
mod user;

use super::{
    config::Server,
    connect::connect,
    connection::Session,
    conninfo::encode,
    databases::locale_provider,
    failure::{configuration, failure},
    programs::{Applied, ProgramName, Programs, Tablespaces, apply_globals},
    quote::identifier,
};
use crate::{
    Error, ErrorKind, Result,
    program::{Pipes, Program, Running, message},
    spool::on_blocking_thread,
};
use archive_formats::backup_manifest::Locale;
use place::Place;
use rustix::process::Signal;
use sandbox::confinement;
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::time::sleep;
use user::server_user;
use uuid::Uuid;

/// What a cluster is to be like.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The encoding of its databases, by the server's name, such as `UTF8`.
    pub encoding: String,
    /// The locale of its databases, which this host must have.
    pub locale: Locale,
    /// The superuser that it begins with. Memberships of roles name the source's as the grantor, so that it should have the
    /// same name.
    pub superuser: String,
    /// Further settings of the server, such as `shared_preload_libraries`.
    pub settings: Vec<(String, String)>,
}

/// A cluster that runs. Dropping it ends the server and removes its folder.
#[derive(Debug)]
pub struct Cluster {
    // Ends before its folder is removed.
    server: Running,
    connection: Server,
    version: String,
    place: Place,
}

impl Cluster {
    /// Makes and starts a cluster in a private folder within `state`, or on `/var/tmp` where the server's user cannot enter
    /// `state`: the server refuses root, and then runs as `kt-archive-drill` or `nobody`.
    pub async fn start(programs: &Programs, state: &Path, options: &ClusterOptions) -> Result<Self> {
        let (initdb, postgres) =
            (programs.local(ProgramName::Initdb).await?, programs.local(ProgramName::Postgres).await?);
        let user = server_user()?;
        let folder = state.to_owned();
        let place = on_blocking_thread(move || Place::create(&folder, user)).await?;
        initialise(initdb.program.user(user), &place, options).await?;
        let limits = confinement(&postgres.program, &place);
        let program = postgres
            .program
            .confinement(limits)
            .user(user)
            .argument("-D")
            .argument(place.data())
            .arguments(settings(&place, options));
        // SIGQUIT: the server ends at once, and removes its shared memory.
        let program = program.stop_signal(Signal::QUIT).ending_with_this_process().await;
        let running = program.start(Pipes::default())?;
        let (socket, superuser) = (place.socket().display().to_string(), encode(&options.superuser));
        let connection = Server::new(&format!("postgres://{superuser}@{}/postgres", encode(&socket)), &|_| None)?;
        let mut cluster = Self { server: running, connection, version: String::new(), place };
        cluster.wait_until_ready().await?;
        cluster.connection.user = cluster.create_superuser().await?;
        Ok(cluster)
    }

    /// Creates the superuser of the restore: globals may take rights from the first one, or change its settings.
    async fn create_superuser(&self) -> Result<String> {
        let name = format!("kt_archive_{}", Uuid::new_v4().simple());
        self.execute(&format!("create role {name} superuser login"), "create a role").await?;
        Ok(name)
    }

    /// The connection to a database of it, as a superuser that the source does not have.
    pub fn server(&self, database: &str) -> Server {
        self.connection.with_database(database)
    }

    /// The version of the server, as the server prints it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Creates an empty database with the encoding and the locale of the cluster.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        self.execute(&format!("create database {} template template0", identifier(name)), "create a database").await
    }

    /// Executes a statement, which does `what`.
    async fn execute(&self, statement: &str, what: &str) -> Result<()> {
        let connection = connect(&self.connection, &Session::WRITING).await?;
        let done = connection.client().batch_execute(statement).await;
        connection.close().await;
        done.map_err(|error| failure(what, error))
    }

    /// Runs the statements of globals. Tablespaces get folders within the data of the cluster.
    pub async fn apply_globals(&self, script: &str) -> Result<Applied> {
        apply_globals(&self.connection, script, Tablespaces::InPlace).await
    }

    /// Ends the server and removes its folder.
    pub async fn stop(self) -> Result<()> {
        let Self { server, place, .. } = self;
        server.stop().await;
        on_blocking_thread(move || place.remove()).await
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        const LIMIT: Duration = Duration::from_secs(60);
        let start = Instant::now();
        loop {
            let error = match connect(&self.connection, &Session::WRITING).await {
                Ok(connection) => {
                    connection.version().1.clone_into(&mut self.version);
                    connection.close().await;
                    return Ok(());
                }
                Err(error) => error,
            };
            if self.server.has_ended() || start.elapsed() > LIMIT {
                let lines = self.server.lines_so_far();
                let failed = Error::new(ErrorKind::Local, "the scratch server did not start").with_source(error);
                return Err(failed.with_context("message", message(&lines)));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn initialise(initdb: Program, place: &Place, options: &ClusterOptions) -> Result<()> {
    let Locale { collate, ctype, provided } = &options.locale;
    let provider = provided.as_deref().map_or_else(Vec::new, provider);
    let program = initdb
        .argument("-D")
        .argument(place.data())
        .arguments(["--auth=trust", "--no-sync", "--no-instructions", "--locale=C"])
        .argument(format!("--username={}", options.superuser))
        .argument(format!("--encoding={}", options.encoding))
        .argument(format!("--lc-collate={collate}"))
        .argument(format!("--lc-ctype={ctype}"))
        .arguments(provider);
    let made = program.start(Pipes::default())?.finish().await;
    made.map(drop).map_err(|error| {
        if error.to_string().contains("invalid locale name") {
            return configuration("this host does not have the locale of the database")
                .with_context("collate", collate)
                .with_context("ctype", ctype)
                .with_source(error)
                .with_hint("generate the locale (Debian: locales, locale-gen), or use a host or a server that has it");
        }
        error
    })
}

/// The options for a locale that is not of the C library.
fn provider(locale: &str) -> Vec<String> {
    let provider = locale_provider(locale);
    vec![format!("--locale-provider={provider}"), format!("--{provider}-locale={locale}")]
}

/// The settings as arguments of the server, where the last one of a name wins: the file of settings is in a folder of the
/// server's user.
fn settings(place: &Place, options: &ClusterOptions) -> Vec<String> {
    let socket = place.socket().display().to_string();
    let own = [
        // Reached by its owner alone.
        ("listen_addresses", ""),
        ("port", "5432"),
        ("unix_socket_directories", socket.as_str()),
        ("unix_socket_permissions", "0700"),
        // Lost with the host, as it may be.
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("synchronous_commit", "off"),
        ("wal_level", "minimal"),
        ("max_wal_senders", "0"),
        ("archive_mode", "off"),
        ("autovacuum", "off"),
        ("max_wal_size", "4GB"),
        // A snapshot of a database with thousands of tables locks all of them.
        ("max_locks_per_transaction", "2048"),
        ("max_connections", "40"),
        // In the cluster's folder instead of one for all users.
        ("dynamic_shared_memory_type", "mmap"),
        // Messages to standard error, without statements and values.
        ("logging_collector", "off"),
        ("log_destination", "stderr"),
        ("log_min_messages", "fatal"),
        ("log_min_error_statement", "panic"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
    ];
    let given = options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let settings = own.into_iter().chain(given);
    settings.flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]).collect()
}
