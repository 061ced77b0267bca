//! Opens sessions: tries hosts, their addresses and TLS, and refuses poolers in transaction mode.

use super::{
    config::{Config, Server, TargetSessionAttrs},
    connection::{ConnectError, ConnectResult, Connection, Session, Wire},
    conninfo::{Host, HostKind},
    failure::server_error,
    password_file::password,
    tls::{TlsOffer, handshake::secure},
};
use crate::{
    Error, ErrorKind, Result, Secret,
    retry::{Policy, retry},
};
use socket2::{SockRef, TcpKeepalive};
use std::{io, net::SocketAddr, path::PathBuf, time::Duration};
use tokio::{
    net::{TcpSocket, UnixStream, lookup_host},
    time::timeout,
};

/// Opens a session with the settings of `session`, with one try per host. Refuses poolers in transaction mode.
pub(super) async fn connect(server: &Server, session: &Session) -> Result<Connection> {
    let connection = open(server).await?;
    connection.limit_silence(session);
    refuse_transaction_pooler(&connection, server).await?;
    session.prepare(connection.client()).await?;
    Ok(connection)
}

/// Opens a read-only session, with retries.
pub(super) async fn connect_read_only(config: &Config) -> Result<Connection> {
    let session = Session::reading(config);
    retry(Policy::per_call(), || connect(&config.server, &session)).await
}

/// Opens a session without settings.
async fn open(server: &Server) -> Result<Connection> {
    let mut last = Error::new(ErrorKind::Internal, "a server without hosts");
    for target in server.target.passes() {
        for host in &server.hosts {
            match reach(server, host, *target).await {
                Ok(connection) => return Ok(connection),
                // Other hosts are tried only if this one is unavailable, not if it refuses.
                Err(error) if error.kind() != ErrorKind::SourceUnavailable => {
                    return Err(error.with_context("host", host));
                }
                Err(error) => {
                    tracing::debug!(%error, %host, "cannot use this host");
                    last = error.with_context("host", host);
                }
            }
        }
    }
    Err(last)
}

/// Detects dead peers within minutes; the usual default of the system is two hours.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(10));

/// A resolved address.
#[derive(Clone, Debug)]
enum Address {
    Tcp(SocketAddr),
    Socket(PathBuf),
}

impl Address {
    fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Socket(_) => true,
        }
    }
}

async fn reach(server: &Server, host: &Host, target: TargetSessionAttrs) -> Result<Connection> {
    let mut last = server_error(ErrorKind::SourceUnavailable, "the host's name has no address");
    let addresses = addresses(host).await?;
    let offers = match host.kind {
        // Unix sockets do not leave this host.
        HostKind::SocketDirectory(_) => vec![TlsOffer::Plain],
        HostKind::Tcp { .. } => server.tls.offers(addresses.iter().all(Address::is_local)).await?,
    };
    for address in addresses {
        match negotiate(server, host, &address, &offers).await.and_then(|connection| suited(connection, target)) {
            Err(error) if error.kind() == ErrorKind::SourceUnavailable => last = error,
            result => return result,
        }
    }
    Err(last)
}

/// Makes the offers in order, as long as only the use of TLS was wrong.
async fn negotiate(server: &Server, host: &Host, address: &Address, offers: &[TlsOffer]) -> Result<Connection> {
    let mut last = Error::new(ErrorKind::Internal, "a connection without an offer");
    for offer in offers {
        match within(server, open_with(server, host, address, offer)).await {
            Ok(connection) => return Ok(connection),
            Err(ConnectError::Fatal(error)) => return Err(error),
            Err(ConnectError::TlsMismatch(error)) => last = error,
        }
    }
    Err(last)
}

async fn open_with(server: &Server, host: &Host, address: &Address, offer: &TlsOffer) -> ConnectResult<Connection> {
    let password = password(server, host).await?;
    let wire = match dial(address).await.map_err(|error| unreachable("connect to the server", error))? {
        Wire::Tcp(stream) => secure(stream, offer, host.name()).await?,
        wire => wire,
    };
    let tls = wire.tls();
    Connection::open(&startup(server, password.as_ref()), wire, tls).await
}

fn suited(connection: Connection, target: TargetSessionAttrs) -> Result<Connection> {
    if target.is_met(connection.is_standby(), connection.is_read_only()) {
        return Ok(connection);
    }
    Err(Error::new(ErrorKind::SourceUnavailable, "no server meets target_session_attrs")
        .with_hint("see target_session_attrs in the URL, and PGTARGETSESSIONATTRS"))
}

async fn addresses(host: &Host) -> Result<Vec<Address>> {
    match &host.kind {
        HostKind::SocketDirectory(folder) => Ok(vec![Address::Socket(folder.join(format!(".s.PGSQL.{}", host.port)))]),
        HostKind::Tcp { address: Some(address), .. } => Ok(vec![Address::Tcp((*address, host.port).into())]),
        HostKind::Tcp { name, address: None } => {
            let found = lookup_host((name.as_str(), host.port)).await;
            Ok(found.map_err(|error| unreachable("resolve the host's name", error))?.map(Address::Tcp).collect())
        }
    }
}

async fn dial(address: &Address) -> io::Result<Wire> {
    match address {
        Address::Socket(path) => Ok(Wire::Unix(UnixStream::connect(path).await?)),
        Address::Tcp(address) => {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_nodelay(true)?;
            SockRef::from(&socket).set_tcp_keepalive(&KEEPALIVE)?;
            Ok(Wire::Tcp(socket.connect(*address).await?))
        }
    }
}

fn startup(server: &Server, password: Option<&Secret>) -> tokio_postgres::Config {
    let mut config = tokio_postgres::Config::new();
    config.user(&server.user).dbname(&server.database).application_name(&server.application_name);
    if let Some(options) = &server.options {
        config.options(options);
    }
    if let Some(password) = password {
        config.password(password.expose());
    }
    config
}

async fn within(server: &Server, open: impl Future<Output = ConnectResult<Connection>>) -> ConnectResult<Connection> {
    let Some(limit) = server.connect_timeout else { return open.await };
    timeout(limit, open).await.unwrap_or_else(|_| {
        Err(ConnectError::Fatal(
            Error::new(ErrorKind::SourceUnavailable, "the server does not answer")
                .with_context("seconds", limit.as_secs())
                .with_hint("see connect_timeout in the URL, and PGCONNECT_TIMEOUT"),
        ))
    })
}

fn unreachable(doing: &str, error: io::Error) -> Error {
    server_error(ErrorKind::SourceUnavailable, format!("could not {doing}")).with_source(error)
}

/// Refuses a pooler that runs the transactions of one session in several backends. `first` must be outside a transaction,
/// and have no settings yet: in transaction mode they would stay for the next client of the backend, which may want to write.
async fn refuse_transaction_pooler(first: &Connection, server: &Server) -> Result<()> {
    if first.announced_backend().await? == first.backend() || server.pooled_by_session.get().is_some() {
        return Ok(());
    }
    let second = second(server).await?;
    let shared = shares_backends(first, &second).await?;
    second.close().await;
    if shared {
        return Err(Error::new(ErrorKind::Configuration, "the server is behind a pooler in transaction mode")
            .with_context("url", server.url())
            .with_hint("snapshots need sessions: connect to the server itself, or to a pool in session mode"));
    }
    // Fails only if another connection set it.
    let _ = server.pooled_by_session.set(());
    Ok(())
}

async fn second(server: &Server) -> Result<Connection> {
    const TIMEOUT: Duration = Duration::from_secs(20);
    timeout(TIMEOUT, open(server)).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::SourceUnavailable, "the server is behind a pooler without a second connection")
            .with_hint("connect to the server itself, or make the pool larger"))
    })
}

/// Whether two idle sessions share a backend, or move between backends. Other clients use the pool, so that this may take
/// several checks to see.
async fn shares_backends(first: &Connection, second: &Connection) -> Result<bool> {
    const CHECKS: usize = 4;
    let (ours, theirs) = (first.backend(), second.backend());
    let mut shared = ours == theirs;
    for _ in 0..CHECKS {
        shared |= backend(first).await? != ours || backend(second).await? != theirs;
    }
    Ok(shared)
}

async fn backend(connection: &Connection) -> Result<i32> {
    connection.ask("process", "select pg_catalog.pg_backend_pid()").await
}
