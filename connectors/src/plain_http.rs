//! Where HTTP without TLS is allowed.

use crate::{Error, ErrorKind, Result, http};
use std::net::{IpAddr, Ipv6Addr};
use url::{Host, Url};

/// Refuses, as `kind`, a plain HTTP address whose host has any address that is neither loopback nor private. Scheme and
/// host are all that the error says of it.
pub async fn check(url: &Url, allow_http: bool, kind: ErrorKind) -> Result<()> {
    if allow_http || url.scheme() != "http" {
        return Ok(());
    }
    let addresses = addresses(url).await?;
    if !addresses.is_empty() && addresses.into_iter().all(is_near) {
        return Ok(());
    }
    Err(Error::new(kind, "plain http to a host that is neither loopback nor private")
        .with_context("url", http::origin(url))
        .with_hint("use https, or --allow-http if the way to the host is protected otherwise"))
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
        Error::new(ErrorKind::SourceUnavailable, "could not resolve the host's name")
            .with_context("host", name)
            .with_source(error)
    })?;
    Ok(found.map(|address| address.ip()).collect())
}

fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address == Ipv6Addr::LOCALHOST || address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_loopback_or_private() {
        for near in ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "::1", "fd00::1", "::ffff:127.0.0.1"] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        // 169.254.169.254 is where clouds keep credentials of their machines.
        for far in ["8.8.8.8", "169.254.169.254", "172.32.0.1", "0.0.0.0", "2001:db8::1", "::ffff:8.8.8.8", "fe80::1"] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }

    #[tokio::test]
    async fn a_far_host_needs_tls_or_permission() {
        let far = Url::parse("http://203.0.113.5/").unwrap();
        let error = check(&far, false, ErrorKind::Configuration).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.hint().unwrap().contains("--allow-http"));
        assert!(check(&far, true, ErrorKind::Configuration).await.is_ok());
        let near = Url::parse("http://localhost:8080/").unwrap();
        assert!(check(&near, false, ErrorKind::Configuration).await.is_ok());
    }
}
