//! Sessions with a server: their settings, their transport, and the state that the server reports.

use super::{
    config::Config,
    copy::{CopyInterceptor, CopyOut},
    copy_sum::{CopySums, ReadAmounts},
    failure::{configuration, failure, lost},
    silence::SilenceLimit,
};
use crate::{Error, ErrorKind, Result};
use archive_formats::DigestSum;
use bytes::Bytes;
use std::{
    error::Error as _,
    io,
    pin::Pin,
    str::FromStr,
    sync::Arc,
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

/// A session with a server. Dropping it closes the connection, even during a query.
#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    greeting: Greeting,
    tls: Option<String>,
    /// Intercepted rows of COPY.
    blocks: mpsc::Receiver<Bytes>,
    sums: CopySums,
    silence: SilenceLimit,
    driver: JoinSet<()>,
}

pub(super) type ConnectResult<T> = std::result::Result<T, ConnectError>;

/// Why no session was opened.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// Another use of TLS may succeed.
    TlsMismatch(Error),
    /// No other use of TLS would succeed.
    Fatal(Error),
}

impl From<Error> for ConnectError {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

/// Properties of the server and the session.
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
    /// Logs in over `wire`; `tls` is its TLS version.
    pub(super) async fn open<W>(config: &tokio_postgres::Config, wire: W, tls: Option<String>) -> ConnectResult<Self>
    where
        W: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (silence, sums) = (SilenceLimit::default(), CopySums::default());
        let (wire, blocks) = CopyInterceptor::new(wire, silence.clone(), sums.clone());
        let opened = config.connect_raw(wire, NoTls).await;
        let (client, connection) = opened.map_err(|error| login_failure(config, error))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            if let Err(error) = connection.await {
                // Pending requests fail as well. The text is not logged, since it may hold values.
                tracing::debug!(code = error.code().map(SqlState::code), "a session with the server ended");
            }
        });
        let greeting = greet(&client).await?;
        Ok(Self { client, greeting, tls, blocks, sums, silence, driver })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Ends the session if the server is silent for longer than a statement may take, while it owes an answer.
    pub(super) fn limit_silence(&self, session: &Session) {
        const MARGIN: Duration = Duration::from_secs(60);
        if !session.statement_timeout.is_zero() {
            self.silence.set(session.statement_timeout.saturating_add(MARGIN));
        }
    }

    /// Runs a `COPY … TO STDOUT`.
    pub(super) async fn copy_out(
        &mut self,
        statement: &str,
    ) -> std::result::Result<CopyOut<'_>, tokio_postgres::Error> {
        Ok(CopyOut::new(self.client.copy_out(statement).await?, &mut self.blocks))
    }

    /// Sums up the rows of every later COPY, and returns the sum of each once it has ended. The session must be idle.
    pub(super) fn sum_copies(&self, amounts: Arc<ReadAmounts>) -> mpsc::UnboundedReceiver<DigestSum> {
        self.sums.switch_on(amounts)
    }

    /// The version as a number (`150004`), and as the server prints it.
    pub(super) fn version(&self) -> (u32, &str) {
        (self.greeting.version.0, &self.greeting.version.1)
    }

    /// Fails if the server is too old to be read.
    pub(super) fn check_version(&self) -> Result<()> {
        const OLDEST: u32 = 120_000;
        let (version, text) = self.version();
        if version < OLDEST {
            let error = configuration("the server is too old").with_context("version", text);
            return Err(error.with_hint("PostgreSQL 12 or later is needed"));
        }
        Ok(())
    }

    /// Whether the session still has its backend, on a server of the same role.
    pub(super) async fn is_unchanged(&self) -> bool {
        let Ok(Greeting { backend, standby, .. }) = greet(&self.client).await else { return false };
        (backend, standby) == (self.greeting.backend, self.greeting.standby)
    }

    /// The process ID of the session's backend.
    pub(super) const fn backend(&self) -> i32 {
        self.greeting.backend
    }

    /// Whether the server is a standby.
    pub(super) const fn is_standby(&self) -> bool {
        self.greeting.standby
    }

    /// Whether transactions are read-only by default, before the session's own settings.
    pub(super) const fn is_read_only(&self) -> bool {
        self.greeting.read_only
    }

    /// Ends the session in an orderly way: the server logs connections that break off.
    pub(super) async fn close(self) {
        const TIMEOUT: Duration = Duration::from_secs(1);
        let Self { client, mut driver, .. } = self;
        drop(client);
        // Dropping the driver closes the connection if the server does not answer in time.
        drop(timeout(TIMEOUT, driver.join_next()).await);
    }

    /// Queries one value by `sql`; `what` names it in errors.
    pub(super) async fn ask<T: FromStr>(&self, what: &str, sql: &str) -> Result<T> {
        ask(&self.client, what, sql, |row| row.get(0)?.parse().ok()).await
    }

    /// The TLS version of the session.
    pub(super) fn tls(&self) -> Option<&str> {
        self.tls.as_deref()
    }

    /// The process ID for cancel requests. If it differs from [`backend`](Self::backend), there is a pooler in between.
    pub(super) async fn announced_backend(&self) -> Result<i32> {
        // Only a cancel request shows it: length, code, process ID, key.
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut request = [0; 16];
        let asked = self.client.cancel_token().cancel_query_raw(ours, NoTls).await;
        asked.map_err(|error| failure("read the cancel key of the session", error))?;
        let read = theirs.read_exact(&mut request).await;
        read.map_err(|error| Error::new(ErrorKind::Internal, "a cancel request is short").with_source(error))?;
        let [.., a, b, c, d, _, _, _, _] = request;
        Ok(i32::from_be_bytes([a, b, c, d]))
    }
}

/// The error of a failed login. The driver itself gave up if neither the server nor the connection is its cause.
fn login_failure(config: &tokio_postgres::Config, error: tokio_postgres::Error) -> ConnectError {
    let from_driver = error.source().is_some_and(|cause| !cause.is::<DbError>() && !cause.is::<io::Error>());
    if !from_driver {
        // Another line of pg_hba.conf may match with another use of TLS.
        let no_rule = error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
        let error = failure("connect to the server", error);
        return if no_rule { ConnectError::TlsMismatch(error) } else { ConnectError::Fatal(error) };
    }
    let refused = Error::new(ErrorKind::Unauthorized, "could not log in to the server").with_source(error);
    ConnectError::Fatal(refused.with_hint(match config.get_password() {
        None => "there is no password: put it into PGPASSWORD or into the password file (~/.pgpass, mode 600)",
        Some(_) => "supported methods are trust, peer, cert, scram-sha-256, md5 and password",
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

/// Queries one row with the simple protocol, which every pooler and version supports.
async fn ask<T>(client: &Client, what: &str, sql: &str, read: impl Fn(&SimpleQueryRow) -> Option<T>) -> Result<T> {
    let said =
        client.simple_query(sql).await.map_err(|error| failure(&format!("ask the server for its {what}"), error))?;
    let row = said.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => read(row),
        _ => None,
    });
    row.ok_or_else(|| {
        Error::new(ErrorKind::Source, format!("the server does not report its {what} as PostgreSQL does"))
    })
}

/// Settings of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    /// Whether the server refuses writes.
    pub(super) read_only: bool,
    /// Zero means no limit.
    pub(super) statement_timeout: Duration,
    /// Zero means no limit.
    pub(super) lock_timeout: Duration,
}

/// Settings that all sessions share.
const SETTINGS: &[(&str, &str)] = &[
    // Text forms of values.
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "3"),
    // Fail, as pg_dump does, instead of archiving fewer rows where a policy hides some.
    ("row_security", "off"),
    // Synchronized scans return rows in another order each time.
    ("synchronize_seqscans", "off"),
    // Leaf tables are read by their own names: skip those whose constraints exclude the month.
    ("constraint_exclusion", "on"),
    // Spare the server: one process per connection, and no JIT for a plain scan.
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    // The holder of a snapshot idles while other sessions read in it.
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
];

/// Finds functions, operators and types in `pg_catalog` alone: a schema before it could have others of the same names.
const PIN_SEARCH_PATH: &str = "set search_path = pg_catalog, pg_temp";

/// The first statement of a session, since even `=` is such a name.
const KEEP_SEARCH_PATH: &str =
    "select pg_catalog.set_config('kt_archive.search_path', pg_catalog.current_setting('search_path'), false)";

const ROLE_SEARCH_PATH: &str =
    "select pg_catalog.set_config('search_path', pg_catalog.current_setting('kt_archive.search_path'), false)";

/// Runs `work` with the search path of the role, which gives meaning to the names that its user writes and reads.
pub(super) async fn with_role_search_path<T, E>(
    client: &Client,
    work: impl Future<Output = std::result::Result<T, E>>,
) -> Result<std::result::Result<T, E>> {
    let changed = |error| lost("change the search path", error);
    client.batch_execute(ROLE_SEARCH_PATH).await.map_err(changed)?;
    let done = work.await;
    let pinned = client.batch_execute(PIN_SEARCH_PATH).await;
    match done {
        Ok(_) => pinned.map_err(changed).map(|()| done),
        // A transaction that failed takes no statement. Its end also takes the change of the path back.
        Err(_) => Ok(done),
    }
}

impl Session {
    /// The settings of a session that writes, without limits.
    pub(super) const WRITING: Self =
        Self { read_only: false, statement_timeout: Duration::ZERO, lock_timeout: Duration::ZERO };

    /// The settings of a session that reads.
    pub(super) const fn reading(config: &Config) -> Self {
        Self { read_only: true, statement_timeout: config.statement_timeout, lock_timeout: config.lock_timeout }
    }

    /// Applies the settings to the session of `client`.
    pub(super) async fn prepare(&self, client: &Client) -> Result<()> {
        let sql = format!("{KEEP_SEARCH_PATH}; {PIN_SEARCH_PATH}; {}", self.sql());
        client.batch_execute(&sql).await.map_err(|error| failure("prepare the session", error))
    }

    /// One statement that applies the settings that this server has: versions and compatible databases differ.
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

/// A duration in milliseconds, rounded up since zero means no limit, and capped at the server's `int4`.
pub(super) fn milliseconds(duration: Duration) -> String {
    let whole = duration.as_nanos().div_ceil(1_000_000);
    whole.min(2_147_483_647).to_string()
}

/// The transport of a session.
#[derive(Debug)]
pub(super) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// The TLS version.
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
    fn timeout_below_a_millisecond_is_rounded_up() {
        assert_eq!(milliseconds(Duration::ZERO), "0");
        assert_eq!(milliseconds(Duration::from_nanos(1)), "1");
        assert_eq!(milliseconds(Duration::from_millis(1500)), "1500");
        assert_eq!(milliseconds(Duration::MAX), "2147483647");
    }
}
