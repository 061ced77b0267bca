//! Where a redirect may lead.

use super::config::printable;
use crate::{Error, ErrorKind, Result, plain_http};
use url::Url;

/// How many redirects are followed in a row: one to the store, and one or two between regions or host names.
pub(super) const MAX_HOPS: usize = 3;

/// The address that `location` means, seen from `from`. Never from https to http, and never to a scheme without TLS
/// unless the host is near or `allow_http` is set.
pub(super) async fn follow(from: &Url, location: &str, allow_http: bool) -> Result<Url> {
    let next = resolve(from, location)?;
    if next.scheme() == "http" {
        plain_http::check(&next, allow_http, ErrorKind::Source).await?;
    }
    Ok(next)
}

/// Whether both addresses are of one server, so that the second may see what the first may.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

fn resolve(from: &Url, location: &str) -> Result<Url> {
    let refuse = |why: &str| Error::new(ErrorKind::Source, format!("the server redirects {why}"));
    // The cause would repeat the location, which may carry a signature.
    let next = from.join(location).map_err(|_| refuse("to something that is not a URL"))?;
    let refuse =
        |why: &str| Err(refuse(why).with_context("from", printable(from)).with_context("to", printable(&next)));
    match (from.scheme(), next.scheme()) {
        ("https", "http") => refuse("from https to http"),
        (_, "https" | "http") if next.username().is_empty() && next.password().is_none() => Ok(next),
        (_, "https" | "http") => refuse("to an address with user information"),
        _ => refuse("to another protocol"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[tokio::test]
    async fn never_leaves_tls() {
        let error = follow(&url("https://a.example/x"), "http://127.0.0.1/y?sig=canary", true).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source);
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    #[tokio::test]
    async fn plain_http_leads_only_to_near_hosts() {
        let from = url("http://127.0.0.1:8080/v1/exports/1/artifact");
        assert!(follow(&from, "http://10.0.0.7/bucket?sig=1", false).await.is_ok());
        assert!(follow(&from, "http://203.0.113.5/bucket", false).await.is_err());
        assert!(follow(&from, "http://203.0.113.5/bucket", true).await.is_ok());
    }

    #[tokio::test]
    async fn resolves_relative_locations_and_refuses_other_protocols() {
        let from = url("https://a.example/v1/exports/1/artifact");
        assert_eq!(follow(&from, "/files/1.csv", false).await.unwrap().as_str(), "https://a.example/files/1.csv");
        for location in ["ftp://a.example/1", "file:///etc/passwd", "https://user:pw@b.example/", "https://"] {
            assert!(follow(&from, location, true).await.is_err(), "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let base = url("https://a.example/x");
        assert!(same_origin(&base, &url("https://A.example:443/y?z")));
        for other in ["http://a.example/x", "https://b.example/x", "https://a.example:8443/x", "https://sub.a.example/"]
        {
            assert!(!same_origin(&base, &url(other)), "{other}");
        }
    }
}
