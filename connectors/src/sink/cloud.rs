//! Buckets in S3, Google Cloud Storage and Azure: their options from the environment, and their clients.
//!
//! `object_store::parse_url_opts` would build the same three clients, but takes no [`RetryConfig`]: with its default a
//! store that cannot be reached would fail after minutes.

use super::{
    Confirm, Root,
    failure::{VariableNames, printable},
};
use crate::{Error, ErrorKind, Result, Secret, http::is_loopback};
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum, S3ConditionalPut},
    azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder, GoogleConfigKey},
    path::Path,
    prefix::PrefixStore,
};
use std::{collections::BTreeMap, str::FromStr, sync::Arc, time::Duration};
use url::Url;

/// Limits the connection attempt of one request, times the retries.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Limits one request, its body included. Three parts of 8 MiB are sent at once, so this is the time in which a line of
/// 1.7 Mbit/s sends them; `AWS_TIMEOUT` and its like change it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// A request is not repeated once this much has passed since its first try: with the connect timeout and the longest
/// pause on top, a store that cannot be reached fails within half a minute.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

const MAX_RETRIES: usize = 8;

/// A kind of object store, and the names of its environment variables.
#[derive(Debug)]
pub(super) struct Cloud {
    provider: Provider,
    /// The scheme of its URLs.
    scheme: &'static str,
    pub(super) names: VariableNames,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    S3,
    Gcs,
    Azure,
}

pub(super) const S3: Cloud = Cloud {
    provider: Provider::S3,
    scheme: "s3",
    names: VariableNames {
        prefix: "AWS_",
        endpoint: "AWS_ENDPOINT",
        credentials: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    },
};

const GCS: Cloud = Cloud {
    provider: Provider::Gcs,
    scheme: "gs",
    names: VariableNames {
        prefix: "GOOGLE_",
        endpoint: "GOOGLE_BASE_URL",
        credentials: "GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS to the path of a key file",
    },
};

const AZURE: Cloud = Cloud {
    provider: Provider::Azure,
    scheme: "az",
    names: VariableNames {
        prefix: "AZURE_",
        endpoint: "AZURE_STORAGE_ENDPOINT",
        credentials: "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
    },
};

pub(super) static CLOUDS: [Cloud; 3] = [S3, GCS, AZURE];

/// The names that messages about `url` use: those of its cloud, or of S3.
pub(super) fn variable_names(url: &str) -> VariableNames {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    CLOUDS.iter().find(|cloud| Some(cloud.scheme) == scheme).unwrap_or(&S3).names
}

/// Whether the client of a cloud knows the environment variable `name`.
pub(super) fn is_option(name: &str) -> bool {
    CLOUDS.iter().any(|cloud| cloud.option_key(name).is_some())
}

impl Cloud {
    /// The key of the client's option that the environment variable `name` sets.
    fn option_key(&self, name: &str) -> Option<String> {
        let key = name.starts_with(self.names.prefix).then(|| name.to_ascii_lowercase())?;
        let is_known = match self.provider {
            Provider::S3 => key.parse::<AmazonS3ConfigKey>().is_ok(),
            Provider::Gcs => key.parse::<GoogleConfigKey>().is_ok(),
            Provider::Azure => key.parse::<AzureConfigKey>().is_ok(),
        };
        is_known.then_some(key)
    }
}

/// A bucket (in Azure a container) and the options of its client.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    cloud: &'static Cloud,
    name: String,
    /// Every variable that the client knows, by its key. Any value may be a secret.
    options: Vec<(String, Secret)>,
    allow_http: bool,
}

impl Bucket {
    /// The bucket `name` of the cloud whose URLs have `scheme`, or `None` if there is no such cloud. Every variable
    /// that the client knows becomes an option; empty ones count as unset.
    pub(super) fn new(scheme: &str, name: &str, environment: &BTreeMap<String, String>) -> Option<Self> {
        let cloud = CLOUDS.iter().find(|cloud| cloud.scheme == scheme)?;
        let set = environment.iter().filter(|(_, value)| !value.is_empty());
        let options = set.filter_map(|(key, value)| Some((cloud.option_key(key)?, Secret::new(value.clone()))));
        Some(Self { cloud, name: name.to_owned(), options: options.collect(), allow_http: false })
    }

    /// The bucket with its options checked, as a client needs them. A job for another host is printed without.
    pub(super) fn checked(&self) -> Result<Self> {
        let http = ClientConfigKey::AllowHttp;
        let allow_http = match self.cloud.provider {
            Provider::S3 => self.is_on(&AmazonS3ConfigKey::Client(http)),
            Provider::Gcs => self.is_on(&GoogleConfigKey::Client(http)),
            Provider::Azure => {
                if self.option(&AzureConfigKey::AccountName).is_none() && !self.is_on(&AzureConfigKey::UseEmulator) {
                    let hint = format!("set {}", self.cloud.names.credentials);
                    return Err(self.unusable("no Azure storage account was named").with_hint(hint));
                }
                self.is_on(&AzureConfigKey::Client(http))
            }
        };
        let allow_http = allow_http || self.is_local_http(self.endpoint())?;
        Ok(Self { allow_http, ..self.clone() })
    }

    /// The server, if it is not the cloud's own: two of them may have buckets of one name.
    pub(super) fn endpoint(&self) -> Option<&str> {
        match self.cloud.provider {
            Provider::S3 => {
                self.option(&AmazonS3ConfigKey::S3Endpoint).or_else(|| self.option(&AmazonS3ConfigKey::Endpoint))
            }
            Provider::Gcs => self.option(&GoogleConfigKey::BaseUrl),
            Provider::Azure => self.option(&AzureConfigKey::Endpoint),
        }
    }

    /// Whether `endpoint` speaks plain HTTP, which is allowed to this host alone.
    fn is_local_http(&self, endpoint: Option<&str>) -> Result<bool> {
        let Some(endpoint) = endpoint else { return Ok(false) };
        let VariableNames { prefix, endpoint: variable, .. } = self.cloud.names;
        let wrong = |message| {
            self.unusable(message).with_hint(format!("set {variable} to a URL such as https://store.example.com"))
        };
        let url = Url::parse(endpoint).map_err(|_| wrong("the endpoint of the bucket is not a URL"))?;
        match url.scheme() {
            "https" => Ok(false),
            "http" if is_loopback(&url) => Ok(true),
            "http" => Err(wrong("the endpoint of the bucket uses plain HTTP and is not this host").with_hint(format!(
                "use an https:// endpoint, or set {prefix}ALLOW_HTTP=true if you trust the network"
            ))),
            _ => Err(wrong("the endpoint of the bucket is not an HTTP URL")),
        }
    }

    fn option<K: FromStr + PartialEq>(&self, key: &K) -> Option<&str> {
        self.options::<K>().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn is_on<K: FromStr + PartialEq>(&self, key: &K) -> bool {
        let on = |value: &str| ["1", "true", "on", "yes", "y"].contains(&value.to_ascii_lowercase().as_str());
        self.option(key).is_some_and(on)
    }

    fn options<K: FromStr>(&self) -> impl Iterator<Item = (K, &str)> {
        self.options.iter().filter_map(|(key, value)| Some((key.parse().ok()?, value.expose())))
    }

    fn unusable(&self, message: &'static str) -> Error {
        let error = Error::new(ErrorKind::Configuration, message).with_context("bucket", &self.name);
        error.with_hint(format!("check the {}… variables", self.cloud.names.prefix))
    }

    /// Opens the objects below `prefix`. S3 alone checks the SHA-256 of requests.
    /// Nothing is contacted yet.
    pub(super) fn open(&self, prefix: &Path) -> Result<(Arc<dyn ObjectStore>, Confirm)> {
        Ok(match self.cloud.provider {
            Provider::S3 => (below(self.s3()?, prefix), Confirm::Checksum),
            Provider::Gcs => (below(self.gcs()?, prefix), Confirm::ReadBack),
            Provider::Azure => (below(self.azure()?, prefix), Confirm::ReadBack),
        })
    }

    pub(super) fn root(&self, prefix: &Path) -> Root {
        Root::new(format!("{}://{}", self.cloud.scheme, self.name), prefix.clone())
    }

    pub(super) const fn is_s3(&self) -> bool {
        matches!(self.cloud.provider, Provider::S3)
    }

    pub(super) fn s3(&self) -> Result<AmazonS3> {
        let builder = AmazonS3Builder::new().with_client_options(timeouts()).with_retry(retries());
        let builder = self.options().fold(builder, |builder, (key, value)| builder.with_config(key, value));
        // The archive's guarantees rest on these, so the environment cannot change them.
        let builder = builder
            .with_bucket_name(&self.name)
            .with_checksum_algorithm(Checksum::SHA256)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_allow_http(self.allow_http);
        self.built(builder.build())
    }

    fn gcs(&self) -> Result<GoogleCloudStorage> {
        let builder = GoogleCloudStorageBuilder::new().with_client_options(timeouts()).with_retry(retries());
        let builder = self.options().fold(builder, |builder, (key, value)| builder.with_config(key, value));
        let allow_http = GoogleConfigKey::Client(ClientConfigKey::AllowHttp);
        let builder = builder.with_bucket_name(&self.name).with_config(allow_http, self.allow_http.to_string());
        self.built(builder.build())
    }

    fn azure(&self) -> Result<MicrosoftAzure> {
        let builder = MicrosoftAzureBuilder::new().with_client_options(timeouts()).with_retry(retries());
        let builder = self.options().fold(builder, |builder, (key, value)| builder.with_config(key, value));
        self.built(builder.with_container_name(&self.name).with_allow_http(self.allow_http).build())
    }

    fn built<S>(&self, client: object_store::Result<S>) -> Result<S> {
        client.map_err(|error| {
            let unusable = self.unusable("the options of the bucket cannot be used");
            unusable.with_context("cause", printable(&error.to_string()))
        })
    }

    /// The region that requests to S3 are signed for.
    pub(super) fn region(&self) -> &str {
        let region = self.option(&AmazonS3ConfigKey::Region);
        region.or_else(|| self.option(&AmazonS3ConfigKey::DefaultRegion)).unwrap_or("us-east-1")
    }

    pub(super) fn client_options(&self) -> ClientOptions {
        timeouts().with_allow_http(self.allow_http)
    }
}

fn below(store: impl ObjectStore, prefix: &Path) -> Arc<dyn ObjectStore> {
    Arc::new(PrefixStore::new(store, prefix.clone()))
}

fn timeouts() -> ClientOptions {
    ClientOptions::new().with_connect_timeout(CONNECT_TIMEOUT).with_timeout(REQUEST_TIMEOUT)
}

fn retries() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(4), base: 2.0 };
    RetryConfig { backoff, max_retries: MAX_RETRIES, retry_timeout: RETRY_TIMEOUT }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: (&str, &str) = ("AZURE_STORAGE_ACCOUNT_NAME", "account");

    /// The key file of a server that asks for none.
    const NO_KEY: &str = r#"{"gcs_base_url": "http://127.0.0.1:9", "disable_oauth": true, "client_email": "",
        "private_key": "canary", "private_key_id": ""}"#;

    fn bucket(scheme: &str, variables: &[(&str, &str)]) -> Result<Bucket> {
        let environment = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Bucket::new(scheme, "bucket", &environment.collect()).unwrap().checked()
    }

    #[test]
    fn options_are_the_variables_that_the_client_knows() {
        let options = [("AWS_REGION", "eu-central-1"), ("AWS_NO_SUCH", "x"), ("HOME", "/"), ("AWS_TOKEN", "")];
        let s3 = bucket("s3", &options).unwrap();
        assert_eq!(s3.options.len(), 1);
        assert_eq!(s3.option(&AmazonS3ConfigKey::Region), Some("eu-central-1"));
        assert!(s3.s3().is_ok());

        let options = [("GOOGLE_SERVICE_ACCOUNT_KEY", NO_KEY), ("GOOGLE_API_KEY", "x"), ("AWS_REGION", "x")];
        let gcs = bucket("gs", &options).unwrap();
        assert_eq!(gcs.options.len(), 1);
        assert!(gcs.gcs().is_ok());
        assert!(!format!("{gcs:?}").contains("canary"), "{gcs:?}");

        let key = ("AZURE_STORAGE_ACCOUNT_KEY", "Y2FuYXJ5");
        let azure = bucket("az", &[ACCOUNT, key, ("AZURE_NO_SUCH", "x"), ("GOOGLE_BUCKET", "x")]).unwrap();
        assert_eq!(azure.options.len(), 2);
        assert!(azure.azure().is_ok());
        assert!(!format!("{azure:?}").contains("Y2FuYXJ5"), "{azure:?}");
    }

    #[test]
    fn azure_requires_an_account() {
        let error = bucket("az", &[("AZURE_STORAGE_ACCOUNT_KEY", "Y2FuYXJ5")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.hint().contains("AZURE_STORAGE_ACCOUNT_NAME"), "{error:?}");
        assert!(bucket("az", &[("AZURE_STORAGE_USE_EMULATOR", "true")]).is_ok());
    }

    #[test]
    fn plain_http_requires_loopback_or_permission() {
        for endpoint in ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000", "http://s3.localhost"] {
            assert!(bucket("s3", &[("AWS_ENDPOINT", endpoint)]).unwrap().allow_http, "{endpoint}");
        }
        assert!(!bucket("s3", &[("AWS_ENDPOINT_URL", "https://s3.example.com")]).unwrap().allow_http);
        assert!(bucket("s3", &[("AWS_ENDPOINT", "http://minio"), ("AWS_ALLOW_HTTP", "TRUE")]).unwrap().allow_http);
        for endpoint in ["http://minio:9000", "http://127.0.0.1.example.com", "ftp://127.0.0.1", "minio"] {
            let error = bucket("s3", &[("AWS_ENDPOINT", endpoint)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{endpoint}");
        }

        assert!(bucket("gs", &[("GOOGLE_BASE_URL", "http://127.0.0.1:9023")]).unwrap().allow_http);
        assert!(!bucket("gs", &[]).unwrap().allow_http);
        assert!(bucket("gs", &[("GOOGLE_BASE_URL", "http://fake"), ("GOOGLE_ALLOW_HTTP", "1")]).unwrap().allow_http);
        let error = bucket("gs", &[("GOOGLE_BASE_URL", "http://fake")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);

        let local = bucket("az", &[ACCOUNT, ("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:10000/account")]);
        assert!(local.unwrap().allow_http);
        let remote = bucket("az", &[ACCOUNT, ("AZURE_STORAGE_ENDPOINT", "http://box.example")]);
        assert_eq!(remote.unwrap_err().kind(), ErrorKind::Configuration);
    }

    #[test]
    fn secrets_are_not_shown() {
        let options = [("AWS_ACCESS_KEY_ID", "canary-id"), ("AWS_SECRET_ACCESS_KEY", "canary-secret")];
        let shown = format!("{:?}", bucket("s3", &options).unwrap());
        assert!(!shown.contains("canary"), "{shown}");
        let missing = bucket("s3", &options[1..]).unwrap().s3().unwrap_err();
        assert!(!format!("{missing:?}").contains("canary"), "{missing:?}");

        let error = bucket("gs", &[("GOOGLE_SERVICE_ACCOUNT_KEY", "canary")]).unwrap().gcs().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert_eq!(error.hint(), "check the GOOGLE_… variables");
    }
}
