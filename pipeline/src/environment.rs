//! Environment variables, passed in by `main`.

use archive_connectors::{Error, ErrorKind, Result};
use std::{collections::BTreeMap, ffi::OsString, fmt};

/// Variables and their values. Empty ones count as unset, as shells and service files unset them.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// Prefixes of the variables that change what a command does. Reporting variables such as `OTEL_…` are not among them.
const PREFIXES: [&str; 8] =
    ["KT_ARCHIVE_", "KEEPTRUSTS_", "API_TOKEN", "PG", "AWS_", "GOOGLE_", "AZURE_", "XDG_STATE_HOME"];

impl Environment {
    /// Copies the variables of the process. Rejects a variable with a known prefix that is not UTF-8:
    /// ignoring it would archive from or to another location than the operator set.
    pub fn from_os(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self> {
        let mut texts = BTreeMap::new();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => drop(texts.insert(name, value)),
                Err(_) if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) => {
                    return Err(Error::new(ErrorKind::Configuration, format!("{name} is not UTF-8")));
                }
                Err(_) => {}
            }
        }
        Ok(Self(texts))
    }

    /// The value of `name`, if set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The variables whose names begin with `prefix`, ordered by name.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let names = self.0.keys().filter(move |name| name.starts_with(prefix));
        names.filter_map(|name| Some((name.as_str(), self.get(name)?)))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Prints names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_variables_are_unset_and_debug_hides_values() {
        let environment = Environment::from([("KT_ARCHIVE_GRACE", ""), ("API_TOKEN", "canary")]);
        assert_eq!(environment.get("KT_ARCHIVE_GRACE"), None);
        assert_eq!(environment.with_prefix("KT_ARCHIVE_").count(), 0);
        assert!(!format!("{environment:?}").contains("canary"));
    }
}
