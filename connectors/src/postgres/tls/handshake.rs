//! From a plain stream to one that is protected.

use super::TlsOffer;
use crate::{
    Error, ErrorKind, Result,
    postgres::{
        connection::{ConnectError, ConnectResult, Wire},
        failure::refusal,
    },
};
use rustls::pki_types::ServerName;
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// `SSLRequest`: its length, and a version of the protocol that never was.
const REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Protects `stream`, which leads to the server `name`, as far as `offer` goes.
pub(in super::super) async fn secure(mut stream: TcpStream, offer: &TlsOffer, name: &str) -> ConnectResult<Wire> {
    let config = match offer {
        TlsOffer::Plain => return Ok(Wire::Tcp(stream)),
        TlsOffer::Preferred(config) | TlsOffer::Required(config) => Arc::clone(config),
    };
    if !is_willing(&mut stream).await? {
        return match offer {
            TlsOffer::Required(_) => Err(ConnectError::TlsMismatch(unwilling())),
            TlsOffer::Plain | TlsOffer::Preferred(_) => Ok(Wire::Tcp(stream)),
        };
    }
    let name = server_name(name, &stream)?;
    let protected = TlsConnector::from(config).connect(name, stream).await;
    let protected = protected.map_err(|error| match refusal(&error) {
        Some(refusal) => ConnectError::TlsMismatch(refusal),
        None => ConnectError::Fatal(broken(error)),
    })?;
    Ok(Wire::Tls(Box::new(protected)))
}

/// Asks whether the server has TLS. What follows its answer in one piece was slipped in by somebody on the way, and would
/// be taken for the server's once TLS stands (CVE-2021-23222).
async fn is_willing(stream: &mut TcpStream) -> Result<bool> {
    stream.write_all(&REQUEST).await.map_err(broken)?;
    let mut answer = [0; 2];
    let length = stream.read(&mut answer).await.map_err(broken)?;
    match answer.get(..length) {
        Some(b"S") => Ok(true),
        Some(b"N") => Ok(false),
        Some([]) => Err(broken(io::ErrorKind::UnexpectedEof.into())),
        // An error, which is not shown: nobody has vouched for it.
        Some([b'E', ..]) => Err(Error::new(ErrorKind::SourceUnavailable, "the server has no room for a connection")),
        _ => Err(Error::new(ErrorKind::Source, "the server's answer to the request for TLS is not PostgreSQL's")
            .with_hint("check the host and the port; somebody on the way may also tamper with the connection")),
    }
}

/// The name that a certificate must be for. Names that DNS does not know are looked for under the address.
fn server_name(name: &str, stream: &TcpStream) -> Result<ServerName<'static>> {
    match ServerName::try_from(name.to_owned()) {
        Ok(name) => Ok(name),
        Err(_) => Ok(stream.peer_addr().map_err(broken)?.ip().into()),
    }
}

fn unwilling() -> Error {
    Error::new(ErrorKind::Source, "the server does not offer TLS")
        .with_hint("switch TLS on in the server; if the way to it is protected otherwise, use sslmode=disable")
}

fn broken(error: io::Error) -> Error {
    Error::new(ErrorKind::SourceUnavailable, "the connection broke while TLS was set up").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// What comes of asking a server that answers `answer` and nothing more.
    async fn asked(answer: &'static [u8]) -> Result<bool> {
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
        tokio::join!(is_willing(&mut stream), serve).0
    }

    #[tokio::test]
    async fn one_letter_is_the_answer() {
        assert!(asked(b"S").await.unwrap());
        assert!(!asked(b"N").await.unwrap());
    }

    #[tokio::test]
    async fn what_is_slipped_in_behind_the_letter_is_refused() {
        for answer in [b"SR\0\0\0\x08\0\0\0\0".as_slice(), b"NR", b"HTTP/1.1 400"] {
            assert_eq!(asked(answer).await.unwrap_err().kind(), ErrorKind::Source);
        }
    }

    #[tokio::test]
    async fn an_error_that_nobody_vouches_for_is_not_shown() {
        let error = asked(b"ESFATAL\0canary\0\0").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SourceUnavailable);
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_is_asked_again() {
        assert_eq!(asked(b"").await.unwrap_err().kind(), ErrorKind::SourceUnavailable);
    }
}
