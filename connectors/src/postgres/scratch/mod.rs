//! A cluster of this program's own, for restores on trial.
//!
//! It listens on a Unix socket in a private folder alone, trades safety for speed, and is removed when it is dropped. What a
//! killed process left behind is removed before the next one is made (`place`).

mod place;

use super::{
    config::Server,
    connect::connect,
    connection::Session,
    conninfo::encode,
    failure::{configuration, failure},
    programs::{Applied, ProgramName, Programs, Tablespaces, apply_globals},
};
use crate::{
    Error, ErrorKind, Result,
    error::local,
    program::{Pipes, Program, Running, User, message},
    spool::on_blocking_thread,
};
use archive_formats::backup_manifest::Locale;
use place::Place;
use rustix::process::Signal;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// What a cluster is to be like.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The encoding of its databases, by the server's name, such as `UTF8`.
    pub encoding: String,
    /// The locale of its databases, which this host must have.
    pub locale: Locale,
    /// The superuser that it begins with. Memberships of roles may name the source's as the grantor, so that it should have
    /// the same name.
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
    /// `state`: the server refuses root, and then runs as `postgres` or `nobody`.
    pub async fn start(programs: &Programs, state: &Path, options: &ClusterOptions) -> Result<Self> {
        let (initdb, postgres) =
            (programs.local(ProgramName::Initdb).await?, programs.local(ProgramName::Postgres).await?);
        let user = server_user()?;
        let folder = state.to_owned();
        let place = on_blocking_thread(move || Place::create(&folder, user)).await?;
        initialise(initdb.program.user(user), &place, options).await?;
        let program = postgres.program.user(user).argument("-D").argument(place.data());
        let program = program.arguments(settings(&place, options));
        // SIGQUIT: the server ends at once, and removes its shared memory.
        let running = program.stop_signal(Signal::QUIT).start(Pipes::default())?;
        let (socket, superuser) = (place.socket().display().to_string(), encode(&options.superuser));
        let connection = Server::new(&format!("postgres://{superuser}@{}/postgres", encode(&socket)), &|_| None)?;
        let mut cluster = Self { server: running, connection, version: String::new(), place };
        cluster.wait_until_ready().await?;
        Ok(cluster)
    }

    /// The connection to a database of it, as the superuser.
    pub fn server(&self, database: &str) -> Server {
        self.connection.with_database(database)
    }

    /// The version of the server, as the server prints it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Creates an empty database with the encoding and the locale of the cluster.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        let connection = connect(&self.connection, &SETTINGS).await?;
        let statement = format!("create database {} template template0", quoted_name(name));
        let created = connection.client().batch_execute(&statement).await;
        connection.close().await;
        created.map_err(|error| failure("create a database", error))
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
            let error = match connect(&self.connection, &SETTINGS).await {
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

/// Sessions that write, without limits.
const SETTINGS: Session = Session { read_only: false, statement_timeout: Duration::ZERO, lock_timeout: Duration::ZERO };

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

/// The options for a locale that is not of the C library. The provider `builtin` has these three names alone.
fn provider(locale: &str) -> Vec<String> {
    let provider = if matches!(locale, "C" | "C.UTF-8" | "PG_UNICODE_FAST") { "builtin" } else { "icu" };
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

fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The user of the server, if this process is root.
fn server_user() -> Result<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let path = Path::new("/etc/passwd");
    let text = fs::read_to_string(path).map_err(local("read the users of this host", path))?;
    let user = ["postgres", "nobody"].into_iter().find_map(|name| find_user(&text, name));
    user.map(Some).ok_or_else(|| {
        configuration("a scratch server cannot run as root, and this host has neither a user postgres nor nobody")
            .with_hint("run the command as an ordinary user")
    })
}

/// The user with this name in a file such as `/etc/passwd`.
fn find_user(text: &str, name: &str) -> Option<User> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (found, _password, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        (found == name).then_some(User { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_names() {
        let text = "root:x:0:0:root:/root:/bin/bash\n# comment\npostgres:x:101:104::/var/lib/postgresql:/bin/bash\n";
        assert_eq!(find_user(text, "postgres"), Some(User { uid: 101, gid: 104 }));
        assert_eq!(find_user(text, "post"), None);
    }

    #[test]
    fn names_of_databases_are_quoted() {
        assert_eq!(quoted_name("a\"b; drop"), "\"a\"\"b; drop\"");
    }
}
