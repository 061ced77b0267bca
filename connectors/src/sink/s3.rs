//! A bucket that speaks S3: its options out of the environment, and how long a call may take.

use super::failure::printable;
use crate::{Error, ErrorKind, Result, Secret};
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum, S3ConditionalPut},
};
use std::{collections::BTreeMap, time::Duration};
use url::{Host, Url};

/// A store that does not even take the connection is given up after this, times the retries.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One request, its body included. Three parts of 8 MiB are sent at once, so this is the time in which a line of
/// 1.7 Mbit/s sends them; `AWS_TIMEOUT` changes it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// A request is not repeated once this much has passed since its first try: with the connect timeout and the longest
/// pause on top, a store that cannot be reached fails within half a minute.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

const MAX_RETRIES: usize = 8;

/// A bucket and the options of the client. The values of options may be secrets.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    name: String,
    options: Vec<(AmazonS3ConfigKey, Secret)>,
    allow_http: bool,
}

impl Bucket {
    /// The bucket `name`, with every `AWS_…` variable that the client knows. Empty variables count as unset.
    pub(super) fn new(name: &str, environment: &BTreeMap<String, String>) -> Result<Self> {
        let known = environment.iter().filter(|(key, value)| key.starts_with("AWS_") && !value.is_empty());
        let options = known.filter_map(|(key, value)| {
            let key = key.to_ascii_lowercase().parse::<AmazonS3ConfigKey>().ok()?;
            Some((key, Secret::new(value.clone())))
        });
        let mut bucket = Self { name: name.to_owned(), options: options.collect(), allow_http: false };
        bucket.allow_http = bucket.may_speak_http()?;
        Ok(bucket)
    }

    /// A client. It is not connected yet.
    pub(super) fn store(&self) -> Result<AmazonS3> {
        let builder = AmazonS3Builder::new().with_client_options(self.client_options()).with_retry(retries());
        let builder =
            self.options.iter().fold(builder, |builder, (key, value)| builder.with_config(*key, value.expose()));
        // What the archive's promises rest on is not left to the environment.
        let builder = builder
            .with_bucket_name(&self.name)
            .with_checksum_algorithm(Checksum::SHA256)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_allow_http(self.allow_http);
        builder.build().map_err(|error| {
            let unusable = Error::new(ErrorKind::Configuration, "the options of the bucket cannot be used");
            let unusable = unusable.with_context("bucket", &self.name);
            unusable.with_context("cause", printable(&error.to_string())).with_hint("check the AWS_… variables")
        })
    }

    /// The region that requests are signed for.
    pub(super) fn region(&self) -> &str {
        let region = self.option(AmazonS3ConfigKey::Region).or_else(|| self.option(AmazonS3ConfigKey::DefaultRegion));
        region.unwrap_or("us-east-1")
    }

    /// How the client connects.
    pub(super) fn client_options(&self) -> ClientOptions {
        let client = ClientOptions::new().with_connect_timeout(CONNECT_TIMEOUT).with_timeout(REQUEST_TIMEOUT);
        client.with_allow_http(self.allow_http)
    }

    /// Whether plain HTTP is fine: to this machine, or because the environment says so.
    fn may_speak_http(&self) -> Result<bool> {
        let allowed = self.option(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
        if allowed.is_some_and(|value| ["1", "true", "on", "yes", "y"].contains(&value.to_ascii_lowercase().as_str())) {
            return Ok(true);
        }
        let endpoint = self.option(AmazonS3ConfigKey::S3Endpoint).or_else(|| self.option(AmazonS3ConfigKey::Endpoint));
        let Some(endpoint) = endpoint else { return Ok(false) };
        let wrong = |message| {
            let error = Error::new(ErrorKind::Configuration, message).with_context("bucket", &self.name);
            error.with_hint("set AWS_ENDPOINT to a URL such as https://s3.example.com")
        };
        let url = Url::parse(endpoint).map_err(|_| wrong("the endpoint of the bucket is not a URL"))?;
        match url.scheme() {
            "https" => Ok(false),
            "http" if is_loopback(&url) => Ok(true),
            "http" => Err(wrong("the endpoint of the bucket speaks plain HTTP, and is not this machine")
                .with_hint("use an https:// endpoint, or set AWS_ALLOW_HTTP=true if you trust the network")),
            _ => Err(wrong("the endpoint of the bucket is not an HTTP URL")),
        }
    }

    fn option(&self, key: AmazonS3ConfigKey) -> Option<&str> {
        self.options.iter().find(|(known, _)| *known == key).map(|(_, value)| value.expose())
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

fn retries() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(4), base: 2.0 };
    RetryConfig { backoff, max_retries: MAX_RETRIES, retry_timeout: RETRY_TIMEOUT }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(variables: &[(&str, &str)]) -> Result<Bucket> {
        let environment = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Bucket::new("bucket", &environment.collect())
    }

    #[test]
    fn takes_what_the_client_knows_from_the_environment() {
        let options = [("AWS_REGION", "eu-central-1"), ("AWS_NO_SUCH", "x"), ("HOME", "/"), ("AWS_TOKEN", "")];
        let bucket = bucket(&options).unwrap();
        assert_eq!(bucket.options.len(), 1);
        assert_eq!(bucket.option(AmazonS3ConfigKey::Region), Some("eu-central-1"));
        assert!(bucket.store().is_ok());
    }

    #[test]
    fn plain_http_is_for_this_machine_or_on_request() {
        for endpoint in ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000", "http://s3.localhost"] {
            assert!(bucket(&[("AWS_ENDPOINT", endpoint)]).unwrap().allow_http, "{endpoint}");
        }
        assert!(!bucket(&[("AWS_ENDPOINT_URL", "https://s3.example.com")]).unwrap().allow_http);
        assert!(bucket(&[("AWS_ENDPOINT", "http://minio"), ("AWS_ALLOW_HTTP", "TRUE")]).unwrap().allow_http);
        for endpoint in ["http://minio:9000", "http://127.0.0.1.example.com", "ftp://127.0.0.1", "minio"] {
            assert_eq!(bucket(&[("AWS_ENDPOINT", endpoint)]).unwrap_err().kind(), ErrorKind::Configuration);
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let options = [("AWS_ACCESS_KEY_ID", "canary-id"), ("AWS_SECRET_ACCESS_KEY", "canary-secret")];
        let shown = format!("{:?}", bucket(&options).unwrap());
        assert!(!shown.contains("canary"), "{shown}");
        let missing = bucket(&options[1..]).unwrap().store().unwrap_err();
        assert!(!format!("{missing:?}").contains("canary"), "{missing:?}");
    }
}
