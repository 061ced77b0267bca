//! A bucket that speaks S3, with its options out of the environment.

use super::cloud::{Options, Words, client, may_speak_http, retries};
use crate::Result;
use object_store::{
    ClientConfigKey, ClientOptions,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as Key, Checksum, S3ConditionalPut},
};
use std::collections::BTreeMap;

pub(super) const WORDS: Words = Words {
    scheme: "s3",
    variables: "AWS_",
    endpoint: "AWS_ENDPOINT",
    credentials: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
};

/// A bucket and the options of the client.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) name: String,
    options: Options<Key>,
    allow_http: bool,
}

impl Bucket {
    /// The bucket `name`, with every `AWS_…` variable that the client knows.
    pub(super) fn new(name: &str, environment: &BTreeMap<String, String>) -> Result<Self> {
        let options = Options::new(WORDS, environment);
        let endpoint = options.get(&Key::S3Endpoint).or_else(|| options.get(&Key::Endpoint));
        let allowed = options.is_on(&Key::Client(ClientConfigKey::AllowHttp));
        let allow_http = may_speak_http(endpoint, allowed, WORDS, name)?;
        Ok(Self { name: name.to_owned(), options, allow_http })
    }

    /// A client. It is not connected yet.
    pub(super) fn store(&self) -> Result<AmazonS3> {
        let builder = AmazonS3Builder::new().with_client_options(client()).with_retry(retries());
        let options = self.options.0.iter();
        let builder = options.fold(builder, |builder, (key, value)| builder.with_config(*key, value.expose()));
        // What the archive's promises rest on is not left to the environment.
        let builder = builder
            .with_bucket_name(&self.name)
            .with_checksum_algorithm(Checksum::SHA256)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_allow_http(self.allow_http);
        WORDS.built(builder.build(), &self.name)
    }

    /// The region that requests are signed for.
    pub(super) fn region(&self) -> &str {
        self.options.get(&Key::Region).or_else(|| self.options.get(&Key::DefaultRegion)).unwrap_or("us-east-1")
    }

    /// How a client of the bucket connects.
    pub(super) fn client_options(&self) -> ClientOptions {
        client().with_allow_http(self.allow_http)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn bucket(variables: &[(&str, &str)]) -> Result<Bucket> {
        let environment = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Bucket::new("bucket", &environment.collect())
    }

    #[test]
    fn takes_what_the_client_knows_from_the_environment() {
        let options = [("AWS_REGION", "eu-central-1"), ("AWS_NO_SUCH", "x"), ("HOME", "/"), ("AWS_TOKEN", "")];
        let bucket = bucket(&options).unwrap();
        assert_eq!(bucket.options.0.len(), 1);
        assert_eq!(bucket.options.get(&Key::Region), Some("eu-central-1"));
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
