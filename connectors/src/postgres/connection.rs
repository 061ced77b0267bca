//! An open session.

use super::failure::failure;
use crate::{Error, ErrorKind, Result};
use std::future::poll_fn;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    task::JoinSet,
};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A session with a server. Dropping it ends it, whatever the server is doing.
#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    greeting: Greeting,
    tls: Option<String>,
    _driver: JoinSet<()>,
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
    pub(super) async fn open<W>(config: &tokio_postgres::Config, wire: W, tls: Option<String>) -> Result<Self>
    where
        W: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let opened = config.connect_raw(wire, NoTls).await;
        let (client, mut connection) = opened.map_err(|error| failure("connect to the server", error))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                tracing::trace!(?message, "the server says something that nobody asked for");
            }
        });
        let greeting = greet(&client).await?;
        Ok(Self { client, greeting, tls, _driver: driver })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
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

/// Asks by the simple protocol, which every pooler and every version understands.
async fn greet(client: &Client) -> Result<Greeting> {
    let said = client.simple_query(GREETING).await.map_err(|error| failure("ask the server for its version", error))?;
    let row = said.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let greeting = row.and_then(|row| {
        Some(Greeting {
            backend: row.get(0)?.parse().ok()?,
            version: (row.get(1)?.parse().ok()?, row.get(2)?.to_owned()),
            standby: row.get(3)? == "t",
            read_only: row.get(4)? == "on",
        })
    });
    greeting.ok_or_else(|| Error::new(ErrorKind::Source, "the server does not say its version as PostgreSQL does"))
}
