//! The configuration of the source: the server and its credentials, tables, and limits.

use super::{
    conninfo::{Host, Settings, encode, hosts},
    failure::configuration,
    tls::Tls,
};
use crate::{Error, Result, Secret};
use archive_formats::{Dataset, catalogue::KeyColumns};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// A server, configured by a URL and the environment variables of libpq.
///
/// Unlike in libpq, `sslmode` defaults to `verify-full`, and to `prefer` for servers on this host.
#[derive(Clone, Debug)]
pub struct Server {
    pub(super) hosts: Vec<Host>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) password: Option<Secret>,
    /// Read unless `password` is set.
    pub(super) password_file: Option<PathBuf>,
    pub(super) application_name: String,
    /// Command-line options for the backend.
    pub(super) options: Option<String>,
    /// Limit for one host; `None` means no limit.
    pub(super) connect_timeout: Option<Duration>,
    pub(super) target: TargetSessionAttrs,
    pub(super) tls: Tls,
    /// Set once a pooler in front of the server was found to be in session mode.
    pub(super) pooled_by_session: Arc<OnceLock<()>>,
    url: String,
}

impl Server {
    /// Parses `url` (`postgres://…`). Settings that it does not have come from the variables that `variable` looks up: those of
    /// libpq, `HOME`, `USER` and `LOGNAME`. Fails on unknown or malformed settings, and on passwords in the URL.
    pub fn new(url: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let settings = Settings::new(url, variable)?;
        let owned = |keyword| settings.get(keyword).map(str::to_owned);
        let known = |name: &str| variable(name).filter(|value| !value.is_empty());
        let home = known("HOME").map(PathBuf::from);
        let user = owned("user").or_else(|| known("USER")).or_else(|| known("LOGNAME"));
        let user = user.ok_or_else(|| {
            configuration("there is no user to connect as")
                .with_hint("write postgres://user@host/database, or set PGUSER")
        })?;
        let database = owned("dbname").unwrap_or_else(|| user.clone());
        let hosts = hosts(&settings)?;
        Ok(Self {
            url: printable(&hosts, &database),
            hosts,
            user,
            database,
            password: known("PGPASSWORD").map(Secret::new),
            password_file: owned("passfile")
                .map(PathBuf::from)
                .or_else(|| home.as_ref().map(|home| home.join(".pgpass"))),
            application_name: owned("application_name").unwrap_or_else(|| "kt-archive".to_owned()),
            options: owned("options"),
            connect_timeout: connect_timeout(&settings)?,
            target: settings.get("target_session_attrs").map_or(Ok(TargetSessionAttrs::Any), str::parse)?,
            tls: Tls::new(&settings, home)?,
            pooled_by_session: Arc::default(),
        })
    }

    /// The same server with another database.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        let url = printable(&self.hosts, database);
        Self { database: database.to_owned(), url, ..self.clone() }
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The URL without user, password and query, as manifests record it.
    pub fn url(&self) -> &str {
        &self.url
    }
}

fn printable(hosts: &[Host], database: &str) -> String {
    let hosts = hosts.iter().map(Host::to_string).collect::<Vec<_>>();
    format!("postgres://{}/{}", hosts.join(","), encode(database))
}

fn connect_timeout(settings: &Settings) -> Result<Option<Duration>> {
    const DEFAULT: Duration = Duration::from_secs(10);
    let Some(text) = settings.get("connect_timeout") else { return Ok(Some(DEFAULT)) };
    let seconds = text.trim().parse::<i32>().map_err(|_| {
        configuration("connect_timeout is not a number of seconds").with_hint("see the URL, and PGCONNECT_TIMEOUT")
    })?;
    Ok(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs))
}

/// Configuration of the source [`Postgres`](super::Postgres).
#[derive(Clone, Debug)]
pub struct Config {
    /// The server, the database and the credentials.
    pub server: Server,
    /// Connections that read at the same time, for all months together; at least one.
    pub connections: usize,
    /// The tables of datasets; [`Table::default`] for others.
    pub tables: BTreeMap<Dataset, Table>,
    /// Reads only rows with this value in the column `org_id`.
    pub org: Option<String>,
    /// The server's `statement_timeout`; zero means no limit.
    pub statement_timeout: Duration,
    /// The server's `lock_timeout`; zero means no limit.
    pub lock_timeout: Duration,
}

/// The table of a dataset, and its columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// `name` or `schema.name` in SQL syntax; by default the dataset's name with underscores for hyphens.
    pub name: Option<String>,
    /// The names of the id and the time column.
    pub keys: KeyColumns,
    /// The columns to read, in addition to those of `keys`; by default all.
    pub columns: Option<Vec<String>>,
    /// The columns that are archived of them, by default all. The others are not read, unless the table lacks one of these.
    pub archived: Option<Vec<String>>,
}

/// `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetSessionAttrs {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl TargetSessionAttrs {
    /// The conditions to try in order, each with all hosts.
    pub(super) const fn passes(self) -> &'static [Self] {
        match self {
            Self::Any => &[Self::Any],
            Self::ReadWrite => &[Self::ReadWrite],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::PreferStandby => &[Self::Standby, Self::Any],
        }
    }

    /// The value of libpq.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::PreferStandby => "prefer-standby",
        }
    }

    /// Whether a server meets the condition. `read_only` is the default of its transactions.
    pub(super) const fn is_met(self, standby: bool, read_only: bool) -> bool {
        match self {
            Self::Any | Self::PreferStandby => true,
            Self::ReadWrite => !standby && !read_only,
            Self::ReadOnly => standby || read_only,
            Self::Primary => !standby,
            Self::Standby => standby,
        }
    }
}

impl FromStr for TargetSessionAttrs {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "any" => Self::Any,
            "read-write" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "prefer-standby" => Self::PreferStandby,
            _ => {
                return Err(configuration("target_session_attrs has an unknown value")
                    .with_hint("use any, read-write, read-only, primary, standby or prefer-standby"));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::postgres::conninfo::HostKind;

    fn server(url: &str, variables: &[(&str, &str)]) -> Result<Server> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            found.or_else(|| (name == "LOGNAME").then(|| "login".to_owned()))
        };
        Server::new(url, &variable)
    }

    fn url(url: &str, variables: &[(&str, &str)]) -> String {
        server(url, variables).unwrap().url().to_owned()
    }

    #[test]
    fn url_overrides_variables() {
        let variables = [("PGHOST", "other"), ("PGPORT", "1"), ("PGDATABASE", "other"), ("PGUSER", "other")];
        let named = server("postgres://kt@db:5433/events", &variables).unwrap();
        assert_eq!((named.url(), named.user.as_str()), ("postgres://db:5433/events", "kt"));
        let open = server("postgres://", &variables).unwrap();
        assert_eq!((open.url(), open.user.as_str()), ("postgres://other:1/other", "other"));
    }

    #[test]
    fn defaults_are_the_login_its_database_and_the_socket() {
        let server = server("postgres://", &[("PGHOST", "")]).unwrap();
        assert!(matches!(server.hosts[0].kind, HostKind::SocketDirectory(_)), "{:?}", server.hosts);
        assert_eq!((server.user.as_str(), server.database.as_str(), server.hosts[0].port), ("login", "login", 5432));
        assert_eq!(
            (server.connect_timeout, server.application_name.as_str()),
            (Some(Duration::from_secs(10)), "kt-archive")
        );
    }

    #[test]
    fn missing_user_is_refused() {
        let error = Server::new("postgres://db/events", &|_| None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.hint().contains("PGUSER"));
    }

    #[test]
    fn printable_url_has_neither_user_nor_query() {
        assert_eq!(url("postgres://kt@a:1,[::1]/d%2Fb?sslmode=require", &[]), "postgres://a:1,[::1]:5432/d%2Fb");
        assert_eq!(url("postgres:///d?host=/run/pg&port=7", &[]), "postgres://%2Frun%2Fpg:7/d");
        assert_eq!(url("postgres:///d", &[("PGHOSTADDR", "10.0.0.1")]), "postgres://10.0.0.1:5432/d");
    }

    #[test]
    fn printable_url_parses_to_itself() {
        for text in [
            "postgres://a:1,[::1]:2/d%2Fb",
            "postgres://%2Frun%2Fpg:7/d",
            "postgres://10.0.0.1:5432/d",
            "postgres://a%3Ab%23c:1/d",
        ] {
            assert_eq!(url(text, &[]), text);
        }
        // Brackets may have other names than addresses.
        assert_eq!(url("postgres://[a:b%23c]:1/d", &[]), "postgres://a%3Ab%23c:1/d");
    }

    #[test]
    fn one_port_applies_to_all_hosts_and_an_empty_one_is_the_default() {
        assert_eq!(url("postgres://a,b/d?port=7", &[]), "postgres://a:7,b:7/d");
        assert_eq!(url("postgres://a,b/d", &[("PGPORT", "7")]), "postgres://a:7,b:7/d");
        assert_eq!(url("postgres://a:7,b/d", &[("PGPORT", "8")]), "postgres://a:7,b:5432/d");
    }

    #[test]
    fn lists_of_different_lengths_are_refused() {
        assert!(server("postgres://a,b,c/d?port=1,2", &[]).is_err());
        assert!(server("postgres://a,b/d?hostaddr=10.0.0.1", &[]).is_err());
        assert!(server("postgres://a/d?hostaddr=db.example", &[]).is_err());
        for port in ["0", "65536", "-1", "x"] {
            assert!(server("postgres://a/d", &[("PGPORT", port)]).is_err(), "{port}");
        }
    }

    #[test]
    fn hostaddr_replaces_lookup_and_keeps_the_name() {
        let server = server("postgres://db.example/d?hostaddr=10.0.0.1", &[]).unwrap();
        assert_eq!(server.hosts[0].name(), "db.example");
        assert!(matches!(server.hosts[0].kind, HostKind::Tcp { address: Some(_), .. }));
    }

    #[test]
    fn unsupported_variables_are_refused() {
        for name in ["PGSERVICE", "PGSERVICEFILE", "PGSSLCRL", "PGREQUIREAUTH"] {
            let error = server("postgres://db", &[(name, "canary")]).unwrap_err();
            assert!(error.to_string().contains(name) && !format!("{error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn timeouts_up_to_zero_mean_no_limit() {
        let timeout =
            |text| server("postgres://db", &[("PGCONNECT_TIMEOUT", text)]).map(|server| server.connect_timeout);
        assert_eq!(timeout("3").unwrap(), Some(Duration::from_secs(3)));
        assert_eq!(timeout("0").unwrap(), None);
        assert_eq!(timeout("-1").unwrap(), None);
        assert!(timeout("soon").is_err());
    }

    #[test]
    fn debug_hides_the_password() {
        let server = server("postgres://db", &[("PGPASSWORD", "canary")]).unwrap();
        assert!(!format!("{server:?}").contains("canary"), "{server:?}");
    }

    #[test]
    fn other_database_of_a_server_has_its_own_url() {
        let server = server("postgres://kt@db/a", &[]).unwrap().with_database("b c");
        assert_eq!((server.database(), server.url()), ("b c", "postgres://db:5432/b%20c"));
    }

    #[test]
    fn prefer_standby_falls_back_to_any() {
        let passes = "prefer-standby".parse::<TargetSessionAttrs>().unwrap().passes();
        assert!(!passes[0].is_met(false, false) && passes[0].is_met(true, true));
        assert!(passes[1].is_met(false, false));
    }

    #[test]
    fn target_session_attrs_are_those_of_libpq() {
        for (target, primary, frozen, standby) in [
            ("any", true, true, true),
            ("read-write", true, false, false),
            ("read-only", false, true, true),
            ("primary", true, true, false),
            ("standby", false, false, true),
        ] {
            let target = target.parse::<TargetSessionAttrs>().unwrap();
            let met = (target.is_met(false, false), target.is_met(false, true), target.is_met(true, true));
            assert_eq!(met, (primary, frozen, standby), "{target:?}");
        }
        assert!("leader".parse::<TargetSessionAttrs>().is_err());
    }
}
