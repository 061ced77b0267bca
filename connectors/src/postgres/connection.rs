//! An open session.

use super::{
    copy::{CopyInterceptor, CopyOut},
    failure::failure,
};
use crate::{Error, ErrorKind, Result};
use bytes::Bytes;
use std::{
    error::Error as _,
    io,
    pin::Pin,
    str::FromStr,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tokio_postgres::{
    Client, NoTls, SimpleQueryMessage, SimpleQueryRow,
    error::{DbError, SqlState},
};
use tokio_rustls::client::TlsStream;

/// A session with a server. Dropping it breaks it off, whatever the server is doing.
#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    greeting: Greeting,
    tls: Option<String>,
    /// Rows of what is copied out.
    blocks: mpsc::Receiver<Bytes>,
    driver: JoinSet<()>,
}

/// A session, or a step towards it.
pub(super) type ConnectResult<T> = std::result::Result<T, ConnectError>;

/// Why there is no session.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// With TLS there might be one, or without it.
    TlsMismatch(Error),
    /// Nothing that we could offer would help.
    Fatal(Error),
}

impl From<Error> for ConnectError {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

/// What a server says of itself.
#[derive(Debug)]
struct Greeting {
    backend: i32,
    version: (u32, String),
    standby: bool,
    read_only: bool,
}

const GREETING: &str = "select pg_catalog.pg_backend_pid(), pg_catalog.current_setting('server_version_num'), \
    pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(), \
    pg_catalog.current_setting('default_transaction_read_only')";

impl Connection {
    /// Speaks with the server over `wire`, which `tls` describes.
    pub(super) async fn open<W>(config: &tokio_postgres::Config, wire: W, tls: Option<String>) -> ConnectResult<Self>
    where
        W: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (wire, blocks) = CopyInterceptor::new(wire);
        let opened = config.connect_raw(wire, NoTls).await;
        let (client, connection) = opened.map_err(|error| login_failure(config, error))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            if let Err(error) = connection.await {
                // Whoever waits for an answer is told as well. The text is not shown: it may hold values.
                tracing::debug!(code = error.code().map(SqlState::code), "a session with the server ended");
            }
        });
        let greeting = greet(&client).await?;
        Ok(Self { client, greeting, tls, blocks, driver })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Runs a `COPY … TO STDOUT`.
    pub(super) async fn copy_out(
        &mut self,
        statement: &str,
    ) -> std::result::Result<CopyOut<'_>, tokio_postgres::Error> {
        Ok(CopyOut::new(self.client.copy_out(statement).await?, &mut self.blocks))
    }

    /// The version as a number that grows (`150004`), and as the server prints it.
    pub(super) fn version(&self) -> (u32, &str) {
        (self.greeting.version.0, &self.greeting.version.1)
    }

    /// The process of the server that serves this session.
    pub(super) const fn backend(&self) -> i32 {
        self.greeting.backend
    }

    /// Whether the server repeats what another one does.
    pub(super) const fn is_standby(&self) -> bool {
        self.greeting.standby
    }

    /// Whether transactions change nothing there unless they say that they do. We ask before we say so ourselves.
    pub(super) const fn is_read_only(&self) -> bool {
        self.greeting.read_only
    }

    /// Ends the session as the server likes it: it logs those that break off.
    pub(super) async fn close(self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        let Self { client, mut driver, .. } = self;
        drop(client);
        // Whoever does not let us go in time is left.
        drop(timeout(PATIENCE, driver.join_next()).await);
    }

    /// Asks the server for its `what`, which `sql` yields as one value.
    pub(super) async fn ask<T: FromStr>(&self, what: &str, sql: &str) -> Result<T> {
        ask(&self.client, what, sql, |row| row.get(0)?.parse().ok()).await
    }

    /// The version of TLS that protects the session.
    pub(super) fn tls(&self) -> Option<&str> {
        self.tls.as_deref()
    }

    /// The process that the other side says is to be told when a query shall be cancelled. Between us and another process
    /// than this one there is a pooler.
    pub(super) async fn announced_backend(&self) -> Result<i32> {
        // Only a request to cancel shows it: its length, its code, the process, a key.
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut request = [0; 16];
        let asked = self.client.cancel_token().cancel_query_raw(ours, NoTls).await;
        asked.map_err(|error| failure("look at the key of the session", error))?;
        let read = theirs.read_exact(&mut request).await;
        read.map_err(|error| Error::new(ErrorKind::Internal, "a request to cancel is short").with_source(error))?;
        let [.., a, b, c, d, _, _, _, _] = request;
        Ok(i32::from_be_bytes([a, b, c, d]))
    }
}

/// Why a server was not convinced. What does not come from it or from the way to it is our own refusal to go on.
fn login_failure(config: &tokio_postgres::Config, error: tokio_postgres::Error) -> ConnectError {
    let ours = error.source().is_some_and(|cause| !cause.is::<DbError>() && !cause.is::<io::Error>());
    if !ours {
        // What no line of pg_hba.conf is for, another one may be for.
        let unforeseen = error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
        let error = failure("connect to the server", error);
        return if unforeseen { ConnectError::TlsMismatch(error) } else { ConnectError::Fatal(error) };
    }
    let refused = Error::new(ErrorKind::Unauthorized, "could not log in to the server").with_source(error);
    ConnectError::Fatal(refused.with_hint(match config.get_password() {
        None => "there is no password: put it into PGPASSWORD or into the password file (~/.pgpass, mode 600)",
        Some(_) => "what works is trust, peer, certificates, and passwords by scram-sha-256, md5 or as they are",
    }))
}

async fn greet(client: &Client) -> Result<Greeting> {
    ask(client, "version", GREETING, |row| {
        Some(Greeting {
            backend: row.get(0)?.parse().ok()?,
            version: (row.get(1)?.parse().ok()?, row.get(2)?.to_owned()),
            standby: row.get(3)? == "t",
            read_only: row.get(4)? == "on",
        })
    })
    .await
}

/// Asks the server for its `what`, by the simple protocol, which every pooler and every version understands.
async fn ask<T>(client: &Client, what: &str, sql: &str, read: impl Fn(&SimpleQueryRow) -> Option<T>) -> Result<T> {
    let said =
        client.simple_query(sql).await.map_err(|error| failure(&format!("ask the server for its {what}"), error))?;
    let row = said.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => read(row),
        _ => None,
    });
    row.ok_or_else(|| Error::new(ErrorKind::Source, format!("the server does not say its {what} as PostgreSQL does")))
}

/// How a session behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    /// Whether the server shall refuse to change anything.
    pub(super) read_only: bool,
    /// How long a statement may take; zero is for ever.
    pub(super) statement_timeout: Duration,
    /// How long a statement may wait for a lock; zero is for ever.
    pub(super) lock_timeout: Duration,
}

/// Settings of every session.
const SETTINGS: &[(&str, &str)] = &[
    // How values are printed. Before version 12, floats need all of their digits to survive.
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "3"),
    // A policy that would hide rows is an error, as for pg_dump, and not a shorter archive.
    ("row_security", "off"),
    // A scan that begins in the middle of the table reads rows in another order each time.
    ("synchronize_seqscans", "off"),
    // PartitionPlan of a partition are asked for by its own name: one that has nothing of the month is not looked through.
    ("constraint_exclusion", "on"),
    // The server's other work goes first: one process for each connection, and no compiler for a plain scan.
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    // Who exports a snapshot idles while others read in it.
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
];

impl Session {
    /// Makes the session of `client` one of this kind.
    pub(super) async fn prepare(&self, client: &Client) -> Result<()> {
        client.batch_execute(&self.sql()).await.map_err(|error| failure("prepare the session", error))
    }

    /// One statement that sets what the server knows: settings come with versions, and others than PostgreSQL speak its
    /// protocol.
    fn sql(&self) -> String {
        let fixed = SETTINGS.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let asked = [
            ("default_transaction_read_only", if self.read_only { "on" } else { "off" }.to_owned()),
            ("statement_timeout", milliseconds(self.statement_timeout)),
            ("lock_timeout", milliseconds(self.lock_timeout)),
        ];
        let values = fixed.chain(asked).map(|(name, value)| format!("('{name}', '{value}')")).collect::<Vec<_>>();
        format!(
            "select pg_catalog.set_config(known.name, wanted.value, false) from pg_catalog.pg_settings as known join \
             (values {}) as wanted (name, value) on known.name = wanted.name",
            values.join(", ")
        )
    }
}

/// A duration as the server takes it. It cannot count further than an `int4`, and zero has a meaning of its own.
fn milliseconds(duration: Duration) -> String {
    let whole = duration.as_nanos().div_ceil(1_000_000);
    whole.min(2_147_483_647).to_string()
}

/// An open connection, before anything of PostgreSQL is said.
#[derive(Debug)]
pub(super) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Whether nobody on the way can read along.
    pub(super) fn tls(&self) -> Option<String> {
        let Self::Tls(stream) = self else { return None };
        let version = stream.get_ref().1.protocol_version()?;
        Some(version.as_str().unwrap_or("TLS").to_owned())
    }
}

macro_rules! forward {
    ($self:expr, $method:ident, $($argument:expr),*) => {
        match $self.get_mut() {
            Wire::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            Wire::Unix(stream) => Pin::new(stream).$method($($argument),*),
            Wire::Tls(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_read, context, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self, poll_write, context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_flush, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_shutdown, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_timeout_is_not_taken_for_none() {
        assert_eq!(milliseconds(Duration::ZERO), "0");
        assert_eq!(milliseconds(Duration::from_nanos(1)), "1");
        assert_eq!(milliseconds(Duration::from_millis(1500)), "1500");
        assert_eq!(milliseconds(Duration::MAX), "2147483647");
    }
}
