//! Where a server is, and as whom it is talked to.

use super::{
    conninfo::{Host, Settings, encode, hosts, refused},
    target::Target,
};
use crate::{Result, Secret};
use std::{path::PathBuf, time::Duration};

/// A server, as a URL and the variables of libpq name it.
///
/// Without `sslmode`, a server off this host is talked to as with `verify-full`, and one on it as with `prefer`.
#[derive(Clone, Debug)]
pub struct Server {
    pub(super) hosts: Vec<Host>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) password: Option<Secret>,
    /// Where passwords are when none was given.
    pub(super) password_file: Option<PathBuf>,
    pub(super) application_name: String,
    /// Options for the server's command line.
    pub(super) options: Option<String>,
    /// How long one host may take to answer; none is for ever.
    pub(super) connect_timeout: Option<Duration>,
    pub(super) target: Target,
    url: String,
}

impl Server {
    /// Reads `url` (`postgres://…`), and what it leaves open from the variables that `variable` looks up: those of libpq,
    /// and `HOME`, `USER` and `LOGNAME`.
    pub fn new(url: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let settings = Settings::new(url, variable)?;
        let owned = |keyword| settings.get(keyword).map(str::to_owned);
        let known = |name: &str| variable(name).filter(|value| !value.is_empty());
        let home = known("HOME").map(PathBuf::from);
        let user = owned("user").or_else(|| known("USER")).or_else(|| known("LOGNAME"));
        let user = user.ok_or_else(|| {
            refused("nothing says as whom to connect").with_hint("write postgres://user@host/database, or set PGUSER")
        })?;
        let database = owned("dbname").unwrap_or_else(|| user.clone());
        let hosts = hosts(&settings)?;
        Ok(Self {
            url: printable(&hosts, &database),
            hosts,
            user,
            database,
            password: known("PGPASSWORD").map(Secret::new),
            password_file: owned("passfile").map(PathBuf::from).or_else(|| home.map(|home| home.join(".pgpass"))),
            application_name: owned("application_name").unwrap_or_else(|| "kt-archive".to_owned()),
            options: owned("options"),
            connect_timeout: connect_timeout(&settings)?,
            target: settings.get("target_session_attrs").map_or(Ok(Target::Any), str::parse)?,
        })
    }

    /// The address without user, password and query: what manifests record.
    pub fn url(&self) -> &str {
        &self.url
    }
}

fn printable(hosts: &[Host], database: &str) -> String {
    let hosts = hosts.iter().map(Host::to_string).collect::<Vec<_>>();
    format!("postgres://{}/{}", hosts.join(","), encode(database))
}

fn connect_timeout(settings: &Settings) -> Result<Option<Duration>> {
    const USUAL: Duration = Duration::from_secs(10);
    let Some(text) = settings.get("connect_timeout") else { return Ok(Some(USUAL)) };
    let seconds = text.trim().parse::<i32>().map_err(|_| {
        refused("connect_timeout is not a number of seconds").with_hint("see the URL, and PGCONNECT_TIMEOUT")
    })?;
    Ok(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs))
}

#[cfg(test)]
mod tests;
