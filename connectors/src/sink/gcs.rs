//! A bucket of Google Cloud Storage, with its options out of the environment.

use super::cloud::{Options, Words, client, may_speak_http, retries};
use crate::Result;
use object_store::{
    ClientConfigKey,
    gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder, GoogleConfigKey as Key},
};
use std::collections::BTreeMap;

pub(super) const WORDS: Words = Words {
    scheme: "gs",
    variables: "GOOGLE_",
    endpoint: "GOOGLE_BASE_URL",
    credentials: "GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS to the path of a key file",
};

/// A bucket and the options of the client.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) name: String,
    options: Options<Key>,
    allow_http: bool,
}

impl Bucket {
    /// The bucket `name`, with every `GOOGLE_…` variable that the client knows.
    pub(super) fn new(name: &str, environment: &BTreeMap<String, String>) -> Result<Self> {
        let options = Options::new(WORDS, environment);
        let allowed = options.is_on(&Key::Client(ClientConfigKey::AllowHttp));
        let allow_http = may_speak_http(options.get(&Key::BaseUrl), allowed, WORDS, name)?;
        Ok(Self { name: name.to_owned(), options, allow_http })
    }

    /// A client. It is not connected yet.
    pub(super) fn store(&self) -> Result<GoogleCloudStorage> {
        let builder = GoogleCloudStorageBuilder::new().with_client_options(client()).with_retry(retries());
        let options = self.options.0.iter();
        let builder = options.fold(builder, |builder, (key, value)| builder.with_config(*key, value.expose()));
        let http = if self.allow_http { "true" } else { "false" };
        let builder = builder.with_bucket_name(&self.name).with_config(Key::Client(ClientConfigKey::AllowHttp), http);
        WORDS.built(builder.build(), &self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// A key file of a server that asks for none.
    const NO_KEY: &str = r#"{"gcs_base_url": "http://127.0.0.1:9", "disable_oauth": true, "client_email": "",
        "private_key": "canary", "private_key_id": ""}"#;

    fn bucket(variables: &[(&str, &str)]) -> Result<Bucket> {
        let environment = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Bucket::new("bucket", &environment.collect())
    }

    #[test]
    fn takes_what_the_client_knows_from_the_environment() {
        let options = [("GOOGLE_SERVICE_ACCOUNT_KEY", NO_KEY), ("GOOGLE_API_KEY", "x"), ("AWS_REGION", "x")];
        let bucket = bucket(&options).unwrap();
        assert_eq!(bucket.options.0.len(), 1);
        assert!(bucket.store().is_ok());
        assert!(!format!("{bucket:?}").contains("canary"), "{bucket:?}");
    }

    #[test]
    fn plain_http_is_for_this_machine_or_on_request() {
        assert!(bucket(&[("GOOGLE_BASE_URL", "http://127.0.0.1:9023")]).unwrap().allow_http);
        assert!(!bucket(&[]).unwrap().allow_http);
        assert!(bucket(&[("GOOGLE_BASE_URL", "http://fake"), ("GOOGLE_ALLOW_HTTP", "1")]).unwrap().allow_http);
        assert_eq!(bucket(&[("GOOGLE_BASE_URL", "http://fake")]).unwrap_err().kind(), ErrorKind::Configuration);
    }

    #[test]
    fn a_key_that_cannot_be_read_is_told_without_the_key() {
        let error = bucket(&[("GOOGLE_SERVICE_ACCOUNT_KEY", "canary")]).unwrap().store().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert_eq!(error.hint(), Some("check the GOOGLE_… variables"));
    }
}
