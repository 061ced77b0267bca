//! What libpq's URLs and variables say, keyword by keyword.

mod escape;
mod hosts;
mod keywords;
mod url;

pub(super) use escape::encode;
pub(super) use hosts::{Host, Place, default_folder, hosts};

use crate::{Error, ErrorKind, Result};
use keywords::{Keyword, UNREADABLE};
use std::collections::BTreeMap;

/// The settings of a connection. None of them is empty: libpq takes an empty one for its default.
pub(super) struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    /// Reads `text`, and what it leaves open from the variables that `variable` looks up.
    pub(super) fn new(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(name) = UNREADABLE.iter().find(|name| variable(name).is_some()) {
            let error = format!("{name} is set, and a connection would not do what it asks for");
            return Err(refused(error).with_hint(format!("unset {name}, and say in the URL what it stands for")));
        }
        let mut settings = url::parse(text)?;
        settings.retain(|_, value| !value.is_empty());
        for (keyword, name) in keywords::variables() {
            if let Some(value) = variable(name) {
                settings.entry(keyword).or_insert(value);
            }
        }
        Ok(Self(settings))
    }

    /// The value of `keyword`.
    pub(super) fn get(&self, keyword: Keyword) -> Option<&str> {
        self.0.get(keyword).map(String::as_str)
    }
}

/// A setting that cannot be used. Values are not shown: they may be secrets at the wrong place.
pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}
