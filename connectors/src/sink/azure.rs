//! A container of Azure Blob Storage, with its options out of the environment.

use super::cloud::{Options, Words, client, may_speak_http, retries};
use crate::Result;
use object_store::{
    ClientConfigKey,
    azure::{AzureConfigKey as Key, MicrosoftAzure, MicrosoftAzureBuilder},
};
use std::collections::BTreeMap;

pub(super) const WORDS: Words = Words {
    scheme: "az",
    variables: "AZURE_",
    endpoint: "AZURE_STORAGE_ENDPOINT",
    credentials: "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
};

/// A container and the options of the client.
#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) name: String,
    options: Options<Key>,
    allow_http: bool,
}

impl Container {
    /// The container `name`, with every `AZURE_…` variable that the client knows; one of them names the account.
    pub(super) fn new(name: &str, environment: &BTreeMap<String, String>) -> Result<Self> {
        let options = Options::new(WORDS, environment);
        let is_named = options.get(&Key::AccountName).is_some() || options.is_on(&Key::UseEmulator);
        if !is_named {
            let error = WORDS.unusable("no Azure storage account was named", name);
            return Err(error.with_hint(format!("set {}", WORDS.credentials)));
        }
        let allowed = options.is_on(&Key::Client(ClientConfigKey::AllowHttp));
        let allow_http = may_speak_http(options.get(&Key::Endpoint), allowed, WORDS, name)?;
        Ok(Self { name: name.to_owned(), options, allow_http })
    }

    /// A client. It is not connected yet.
    pub(super) fn store(&self) -> Result<MicrosoftAzure> {
        let builder = MicrosoftAzureBuilder::new().with_client_options(client()).with_retry(retries());
        let options = self.options.0.iter();
        let builder = options.fold(builder, |builder, (key, value)| builder.with_config(*key, value.expose()));
        let builder = builder.with_container_name(&self.name).with_allow_http(self.allow_http);
        WORDS.built(builder.build(), &self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn container(variables: &[(&str, &str)]) -> Result<Container> {
        let environment = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Container::new("box", &environment.collect())
    }

    #[test]
    fn takes_what_the_client_knows_from_the_environment() {
        let options = [
            ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "Y2FuYXJ5"),
            ("AZURE_NO_SUCH", "x"),
            ("GOOGLE_BUCKET", "x"),
        ];
        let container = container(&options).unwrap();
        assert_eq!(container.options.0.len(), 2);
        assert!(container.store().is_ok());
        assert!(!format!("{container:?}").contains("Y2FuYXJ5"), "{container:?}");
    }

    #[test]
    fn an_account_has_to_be_named() {
        let error = container(&[("AZURE_STORAGE_ACCOUNT_KEY", "Y2FuYXJ5")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.hint().unwrap_or_default().contains("AZURE_STORAGE_ACCOUNT_NAME"), "{error:?}");
        assert!(container(&[("AZURE_STORAGE_USE_EMULATOR", "true")]).is_ok());
    }

    #[test]
    fn plain_http_is_for_this_machine_or_on_request() {
        let account = ("AZURE_STORAGE_ACCOUNT_NAME", "account");
        let local = container(&[account, ("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:10000/account")]);
        assert!(local.unwrap().allow_http);
        let remote = container(&[account, ("AZURE_STORAGE_ENDPOINT", "http://box.example")]);
        assert_eq!(remote.unwrap_err().kind(), ErrorKind::Configuration);
    }
}
