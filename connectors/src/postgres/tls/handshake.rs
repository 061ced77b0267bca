//! Negotiates TLS on a plain stream.

use super::TlsOffer;
use crate::{
    Error, ErrorKind, Result,
    postgres::{
        connection::{ConnectError, ConnectResult, Wire},
        failure::tls_failure,
    },
};
use rustls::pki_types::ServerName;
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// `SSLRequest`: its length, and its code in place of a protocol version.
const REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Negotiates TLS with the server `name` as `offer` demands.
pub(in super::super) async fn secure(mut stream: TcpStream, offer: &TlsOffer, name: &str) -> ConnectResult<Wire> {
    let config = match offer {
        TlsOffer::Plain => return Ok(Wire::Tcp(stream)),
        TlsOffer::Preferred(config) | TlsOffer::Required(config) => Arc::clone(config),
    };
    if !supports_tls(&mut stream).await? {
        return match offer {
            TlsOffer::Required(_) => Err(ConnectError::TlsMismatch(unsupported())),
            TlsOffer::Plain | TlsOffer::Preferred(_) => Ok(Wire::Tcp(stream)),
        };
    }
    let name = server_name(name, &stream)?;
    let protected = TlsConnector::from(config).connect(name, stream).await;
    let protected = protected.map_err(|error| match tls_failure(&error) {
        Some(error) => ConnectError::TlsMismatch(error),
        None => ConnectError::Fatal(broken(error)),
    })?;
    Ok(Wire::Tls(Box::new(protected)))
}

/// Asks whether the server supports TLS. Refuses bytes after the one-byte answer: a man in the middle could inject them, and
/// they would count as received over TLS (CVE-2021-23222).
async fn supports_tls(stream: &mut TcpStream) -> Result<bool> {
    stream.write_all(&REQUEST).await.map_err(broken)?;
    let mut answer = [0; 2];
    let length = stream.read(&mut answer).await.map_err(broken)?;
    match answer.get(..length) {
        Some(b"S") => Ok(true),
        Some(b"N") => Ok(false),
        Some([]) => Err(broken(io::ErrorKind::UnexpectedEof.into())),
        // The message is not shown, since it is not authenticated.
        Some([b'E', ..]) => Err(Error::new(ErrorKind::SourceUnavailable, "the server has no room for a connection")),
        _ => Err(Error::new(ErrorKind::Source, "the server's answer to the request for TLS is not PostgreSQL's")
            .with_hint("check the host and the port; the connection may also be tampered with")),
    }
}

/// The name that the certificate must have: the host's, or the address if that is not a valid DNS name.
fn server_name(name: &str, stream: &TcpStream) -> Result<ServerName<'static>> {
    match ServerName::try_from(name.to_owned()) {
        Ok(name) => Ok(name),
        Err(_) => Ok(stream.peer_addr().map_err(broken)?.ip().into()),
    }
}

fn unsupported() -> Error {
    Error::new(ErrorKind::Source, "the server does not offer TLS")
        .with_hint("enable TLS on the server; if the connection is protected otherwise, use sslmode=disable")
}

fn broken(error: io::Error) -> Error {
    Error::new(ErrorKind::SourceUnavailable, "the connection broke during the TLS negotiation").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// The result for a server that sends `answer`.
    async fn supports(answer: &'static [u8]) -> Result<bool> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let serve = async {
            let mut request = [0; 8];
            server.read_exact(&mut request).await.unwrap();
            assert_eq!(request, [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
            server.write_all(answer).await.unwrap();
            drop(server);
        };
        tokio::join!(supports_tls(&mut stream), serve).0
    }

    #[tokio::test]
    async fn one_letter_is_the_answer() {
        assert!(supports(b"S").await.unwrap());
        assert!(!supports(b"N").await.unwrap());
    }

    #[tokio::test]
    async fn bytes_after_the_letter_are_refused() {
        for answer in [b"SR\0\0\0\x08\0\0\0\0".as_slice(), b"NR", b"HTTP/1.1 400"] {
            assert_eq!(supports(answer).await.unwrap_err().kind(), ErrorKind::Source);
        }
    }

    #[tokio::test]
    async fn unauthenticated_error_is_not_shown() {
        let error = supports(b"ESFATAL\0canary\0\0").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SourceUnavailable);
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[tokio::test]
    async fn closed_connection_is_retried() {
        assert_eq!(supports(b"").await.unwrap_err().kind(), ErrorKind::SourceUnavailable);
    }
}
