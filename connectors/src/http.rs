//! The HTTP client of every connector and of notifications, and the rule when plain HTTP is allowed.

use crate::{Error, ErrorKind, Result};
use std::{net::IpAddr, time::Duration};
use url::{Host, Url};

/// A client for `like` and servers with the same scheme: rustls with the system's roots, proxies from the environment,
/// no redirects. Plain HTTP bypasses proxies, which would see tokens and paths.
pub fn client(like: &Url) -> Result<reqwest::Client> {
    const CONNECT: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(60);
    let builder = reqwest::Client::builder()
        .user_agent(concat!("kt-archive/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        // Chunks show the end of a body. In HTTP/2, hyper takes a stream that a proxy reset without an error for the end.
        .http1_only();
    let builder = if like.scheme() == "http" { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Internal, "could not set up the HTTP client").with_source(error.without_url())
    })
}

/// Scheme, host and port, for URLs whose path is a secret.
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Refuses plain HTTP, with an error of `kind`, to a host that has any address other than loopback and private ones.
/// The error shows scheme, host and port alone.
pub async fn require_tls(url: &Url, allow_http: bool, kind: ErrorKind) -> Result<()> {
    if allow_http || url.scheme() != "http" {
        return Ok(());
    }
    let addresses = addresses(url).await?;
    if !addresses.is_empty() && addresses.into_iter().all(is_near) {
        return Ok(());
    }
    Err(Error::new(kind, "plain http to a host that is neither loopback nor private")
        .with_context("url", origin(url))
        .with_hint("use https, or --allow-http if the way to the host is protected otherwise"))
}

/// Whether the host is this one by its name or address. Stricter than [`require_tls`], for clients that resolve names
/// themselves and again for each connection: no name is resolved, and private addresses do not count.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

async fn addresses(url: &Url) -> Result<Vec<IpAddr>> {
    let name = match url.host() {
        Some(Host::Ipv4(address)) => return Ok(vec![address.into()]),
        Some(Host::Ipv6(address)) => return Ok(vec![address.into()]),
        Some(Host::Domain(name)) => name,
        None => return Ok(Vec::new()),
    };
    let port = url.port_or_known_default().unwrap_or(80);
    let found = tokio::net::lookup_host((name, port)).await.map_err(|error| {
        Error::new(ErrorKind::SourceUnavailable, "could not resolve the host name")
            .with_context("host", name)
            .with_source(error)
    })?;
    Ok(found.map(|address| address.ip()).collect())
}

fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_private_addresses_are_near() {
        for near in ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "::1", "fd00::1", "::ffff:127.0.0.1"] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        // Clouds serve credentials of their hosts at 169.254.169.254.
        for far in ["8.8.8.8", "169.254.169.254", "172.32.0.1", "0.0.0.0", "2001:db8::1", "::ffff:8.8.8.8", "fe80::1"] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }

    #[tokio::test]
    async fn plain_http_to_a_public_host_requires_permission() {
        let far = Url::parse("http://203.0.113.5/").unwrap();
        let error = require_tls(&far, false, ErrorKind::Configuration).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.hint().contains("--allow-http"));
        assert!(require_tls(&far, true, ErrorKind::Configuration).await.is_ok());
        let near = Url::parse("http://localhost:8080/").unwrap();
        assert!(require_tls(&near, false, ErrorKind::Configuration).await.is_ok());
    }
}
