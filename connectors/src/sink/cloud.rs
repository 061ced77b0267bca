//! What clients of all clouds have in common: options out of the environment, patience, and when plain HTTP is fine.

use super::failure::printable;
use crate::{Error, ErrorKind, Result, Secret};
use object_store::{
    BackoffConfig, ClientOptions, RetryConfig, aws::AmazonS3ConfigKey, azure::AzureConfigKey, gcp::GoogleConfigKey,
};
use std::{collections::BTreeMap, str::FromStr, time::Duration};
use url::{Host, Url};

/// A store that does not even take the connection is given up after this, times the retries.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One request, its body included. Three parts of 8 MiB are sent at once, so this is the time in which a line of
/// 1.7 Mbit/s sends them; `AWS_TIMEOUT` and its like change it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// A request is not repeated once this much has passed since its first try: with the connect timeout and the longest
/// pause on top, a store that cannot be reached fails within half a minute.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

const MAX_RETRIES: usize = 8;

/// The words of one cloud, for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    /// What its URLs begin with.
    pub(super) scheme: &'static str,
    /// What its variables begin with.
    pub(super) variables: &'static str,
    /// The variable that names the server.
    pub(super) endpoint: &'static str,
    /// The variables that hold credentials.
    pub(super) credentials: &'static str,
}

/// Every cloud that can be spoken to.
pub(super) const CLOUDS: [Words; 3] = [super::s3::WORDS, super::gcs::WORDS, super::azure::WORDS];

impl Words {
    /// Those of the cloud that a URL leads to.
    pub(super) fn of(url: &str) -> Option<Self> {
        let (scheme, _) = url.split_once("://")?;
        CLOUDS.into_iter().find(|words| words.scheme == scheme)
    }

    /// The error of a setting that cannot be used.
    pub(super) fn unusable(self, message: &'static str, bucket: &str) -> Error {
        let error = Error::new(ErrorKind::Configuration, message).with_context("bucket", bucket);
        error.with_hint(format!("check the {}… variables", self.variables))
    }

    /// A client as its builder made it. It is not connected yet.
    pub(super) fn built<S>(self, client: object_store::Result<S>, bucket: &str) -> Result<S> {
        client.map_err(|error| {
            let unusable = self.unusable("the options of the bucket cannot be used", bucket);
            unusable.with_context("cause", printable(&error.to_string()))
        })
    }
}

/// Whether a client knows the variable `name`.
pub(super) fn is_option(name: &str) -> bool {
    let key = name.to_ascii_lowercase();
    match name.split_once('_') {
        Some(("AWS", _)) => key.parse::<AmazonS3ConfigKey>().is_ok(),
        Some(("GOOGLE", _)) => key.parse::<GoogleConfigKey>().is_ok(),
        Some(("AZURE", _)) => key.parse::<AzureConfigKey>().is_ok(),
        _ => false,
    }
}

/// Options of a client: every variable of a cloud that its client knows. Their values may be secrets. Empty variables
/// count as unset.
#[derive(Clone, Debug)]
pub(super) struct Options<K>(pub(super) Vec<(K, Secret)>);

impl<K: FromStr + PartialEq> Options<K> {
    pub(super) fn new(words: Words, environment: &BTreeMap<String, String>) -> Self {
        let known = environment.iter().filter(|(key, value)| key.starts_with(words.variables) && !value.is_empty());
        let options =
            known.filter_map(|(key, value)| Some((key.to_ascii_lowercase().parse().ok()?, Secret::new(value.clone()))));
        Self(options.collect())
    }

    pub(super) fn get(&self, key: &K) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.expose())
    }

    /// Whether a switch is on.
    pub(super) fn is_on(&self, key: &K) -> bool {
        let on = |value: &str| ["1", "true", "on", "yes", "y"].contains(&value.to_ascii_lowercase().as_str());
        self.get(key).is_some_and(on)
    }
}

/// How long a client waits.
pub(super) fn client() -> ClientOptions {
    ClientOptions::new().with_connect_timeout(CONNECT_TIMEOUT).with_timeout(REQUEST_TIMEOUT)
}

/// How often a client asks again.
pub(super) fn retries() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(4), base: 2.0 };
    RetryConfig { backoff, max_retries: MAX_RETRIES, retry_timeout: RETRY_TIMEOUT }
}

/// Whether plain HTTP is fine: to this machine, or because the environment says so.
pub(super) fn may_speak_http(endpoint: Option<&str>, allowed: bool, words: Words, bucket: &str) -> Result<bool> {
    let Some(endpoint) = endpoint.filter(|_| !allowed) else { return Ok(allowed) };
    let wrong = |message| {
        let hint = format!("set {} to a URL such as https://store.example.com", words.endpoint);
        words.unusable(message, bucket).with_hint(hint)
    };
    let url = Url::parse(endpoint).map_err(|_| wrong("the endpoint of the bucket is not a URL"))?;
    match url.scheme() {
        "https" => Ok(false),
        "http" if is_loopback(&url) => Ok(true),
        "http" => Err(wrong("the endpoint of the bucket speaks plain HTTP, and is not this machine").with_hint(
            format!("use an https:// endpoint, or set {}ALLOW_HTTP=true if you trust the network", words.variables),
        )),
        _ => Err(wrong("the endpoint of the bucket is not an HTTP URL")),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
