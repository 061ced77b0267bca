//! The HTTP client of every connector, and of whatever else speaks HTTP.

use crate::{Error, ErrorKind, Result};
use std::time::Duration;
use url::Url;

/// A client for servers that are reached as `like` is: rustls with the system's roots, proxies as the environment says,
/// and no redirect followed. Plain HTTP goes to its host directly: a proxy would see tokens and paths.
pub fn client(like: &Url) -> Result<reqwest::Client> {
    const CONNECT: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(60);
    let builder = reqwest::Client::builder()
        .user_agent(concat!("kt-archive/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none());
    let builder = if like.scheme() == "http" { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Internal, "could not set up the HTTP client").with_source(error.without_url())
    })
}

/// Scheme, host and port: all of an address that is no secret where its path is one.
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
