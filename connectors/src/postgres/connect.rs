//! Reaching a server: host by host, address by address.

use super::{
    config::{Server, TargetSessionAttrs},
    connection::{ConnectError, ConnectResult, Connection, Session, Wire},
    conninfo::{Host, HostKind},
    password_file::password,
    tls::{TlsOffer, handshake::secure},
};
use crate::{Error, ErrorKind, Result, Secret};
use socket2::{SockRef, TcpKeepalive};
use std::{io, net::SocketAddr, path::PathBuf, time::Duration};
use tokio::{
    net::{TcpSocket, UnixStream, lookup_host},
    time::timeout,
};

/// Opens a session of the kind `session`: one try at each of the server's hosts. A pooler in transaction mode is refused.
pub(super) async fn connect(server: &Server, session: &Session) -> Result<Connection> {
    let connection = open(server).await?;
    refuse_transaction_pooler(&connection, server).await?;
    session.prepare(connection.client()).await?;
    Ok(connection)
}

/// Opens a session in which nothing is set yet.
async fn open(server: &Server) -> Result<Connection> {
    let mut last = Error::new(ErrorKind::Internal, "a server without hosts");
    for target in server.target.passes() {
        for host in &server.hosts {
            match reach(server, host, *target).await {
                Ok(connection) => return Ok(connection),
                // What the server itself decides, another host of the list is not asked about.
                Err(error) if error.kind() != ErrorKind::SourceUnavailable => {
                    return Err(error.with_context("host", host));
                }
                Err(error) => {
                    tracing::debug!(%error, %host, "this host does not do");
                    last = error.with_context("host", host);
                }
            }
        }
    }
    Err(last)
}

/// Two minutes of silence that nobody confirms: the system's own patience is two hours, as a rule.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(10));

/// Where a stream leads.
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
    let mut last = Error::new(ErrorKind::SourceUnavailable, "the host's name has no address");
    let addresses = addresses(host).await?;
    let offers = match host.place {
        // Nobody but this host's own system reads a socket.
        HostKind::Folder(_) => vec![TlsOffer::Plain],
        HostKind::Name { .. } => server.tls.offers(addresses.iter().all(Address::is_local)).await?,
    };
    for address in addresses {
        match negotiate(server, host, &address, &offers).await.and_then(|connection| suited(connection, target)) {
            Err(error) if error.kind() == ErrorKind::SourceUnavailable => last = error,
            settled => return settled,
        }
    }
    Err(last)
}

/// Makes one offer after the other, as long as the last one was all that was wrong.
async fn negotiate(server: &Server, host: &Host, address: &Address, offers: &[TlsOffer]) -> Result<Connection> {
    let mut last = Error::new(ErrorKind::Internal, "a connection without an offer");
    for offer in offers {
        match within(server, speak(server, host, address, offer)).await {
            Ok(connection) => return Ok(connection),
            Err(ConnectError::Fatal(error)) => return Err(error),
            Err(ConnectError::TlsMismatch(error)) => last = error,
        }
    }
    Err(last)
}

async fn speak(server: &Server, host: &Host, address: &Address, offer: &TlsOffer) -> ConnectResult<Connection> {
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
    Err(Error::new(ErrorKind::SourceUnavailable, "no server is what target_session_attrs asks for")
        .with_hint("see target_session_attrs in the URL, and PGTARGETSESSIONATTRS"))
}

async fn addresses(host: &Host) -> Result<Vec<Address>> {
    match &host.place {
        HostKind::Folder(folder) => Ok(vec![Address::Socket(folder.join(format!(".s.PGSQL.{}", host.port)))]),
        HostKind::Name { address: Some(address), .. } => Ok(vec![Address::Tcp((*address, host.port).into())]),
        HostKind::Name { name, address: None } => {
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
            // A server that is gone without a word would be listened to for ever.
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
    Error::new(ErrorKind::SourceUnavailable, format!("could not {doing}")).with_source(error)
}

/// Refuses a way to `server` on which transactions of one session run in several backends. `first` must be outside a
/// transaction, and nothing may be set in it yet: in a pool by transaction, what we set would stay set for the backend's
/// next client, who may be somebody that wants to write.
async fn refuse_transaction_pooler(first: &Connection, server: &Server) -> Result<()> {
    if first.announced_backend().await? == first.backend() || server.pooled_by_session.get().is_some() {
        return Ok(());
    }
    let second = second(server).await?;
    let shared = shares_backends(first, &second).await?;
    second.close().await;
    if shared {
        return Err(Error::new(ErrorKind::Configuration, "the server is behind a pooler that hands out transactions")
            .with_context("url", server.url())
            .with_hint("snapshots need sessions: connect to the server itself, or to a pool in session mode"));
    }
    // Fails only if another connection found out the same.
    let _ = server.pooled_by_session.set(());
    Ok(())
}

async fn second(server: &Server) -> Result<Connection> {
    const PATIENCE: Duration = Duration::from_secs(20);
    timeout(PATIENCE, open(server)).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::SourceUnavailable, "the server is behind a pooler that has no second connection")
            .with_hint("connect to the server itself, or make the pool larger"))
    })
}

/// Whether two idle sessions meet in a backend, or move between backends. Others use the pool as well, so that a meeting
/// may take more than one look.
async fn shares_backends(first: &Connection, second: &Connection) -> Result<bool> {
    const LOOKS: usize = 4;
    let (ours, theirs) = (first.backend(), second.backend());
    let mut shared = ours == theirs;
    for _ in 0..LOOKS {
        shared |= backend(first).await? != ours || backend(second).await? != theirs;
    }
    Ok(shared)
}

async fn backend(connection: &Connection) -> Result<i32> {
    connection.ask("process", "select pg_catalog.pg_backend_pid()").await
}
