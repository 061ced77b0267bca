//! Connection URLs of libpq, `postgres://user@host:port,host:port/database?keyword=value&…`, and its environment variables.

use super::failure::configuration;
use crate::{Error, Result, nearest::nearest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv6Addr},
    path::{Path, PathBuf},
};

/// The settings of the URL `text`. Parameters override the authority and the path.
fn parse(text: &str) -> Result<BTreeMap<Keyword, String>> {
    let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    let rest = rest.ok_or_else(|| {
        configuration("the database's address is not of the form postgres://host/database")
            .with_hint("for example postgres://archive@db.example/keeptrusts?sslmode=verify-full")
    })?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains(':') {
        return Err(password());
    }
    let (names, ports) = split_hosts(hosts)?;
    let mut settings = BTreeMap::new();
    settings.insert("user", decode(user)?);
    settings.insert("host", decode(&names)?);
    settings.insert("port", ports);
    settings.insert("dbname", decode(database)?);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (keyword, value) = read_parameter(parameter)?;
        settings.insert(keyword, value);
    }
    Ok(settings)
}

/// The names and the ports of a list of hosts, as the lists that `host=` and `port=` take.
fn split_hosts(hosts: &str) -> Result<(String, String)> {
    let hosts = hosts.split(',').map(split_host).collect::<Result<Vec<_>>>()?;
    let (names, ports): (Vec<_>, Vec<_>) = hosts.into_iter().unzip();
    let has_no_ports = ports.iter().all(|port| port.is_empty());
    Ok((names.join(","), if has_no_ports { String::new() } else { ports.join(",") }))
}

/// The name and the port of `host`, which has brackets around an IPv6 address.
fn split_host(host: &str) -> Result<(&str, &str)> {
    let Some(bracketed) = host.strip_prefix('[') else { return Ok(host.split_once(':').unwrap_or((host, ""))) };
    let broken = || configuration("an address in brackets is followed by something other than a port");
    let (name, rest) = bracketed.split_once(']').ok_or_else(broken)?;
    let port = if rest.is_empty() { "" } else { rest.strip_prefix(':').ok_or_else(broken)? };
    Ok((name, port))
}

fn read_parameter(parameter: &str) -> Result<(Keyword, String)> {
    let (name, value) = parameter.split_once('=').ok_or_else(|| {
        configuration("the database's address has a parameter without a value").with_hint("write keyword=value")
    })?;
    match decode(name)?.as_str() {
        "password" | "sslpassword" => Err(password()),
        // JDBC's name, which libpq accepts.
        "ssl" if value == "true" => Ok(("sslmode", "require".to_owned())),
        name => Ok((keyword(name)?, decode(value)?)),
    }
}

fn password() -> Error {
    configuration("the database's address holds a password, which other users of this host could read")
        .with_hint("put the password into PGPASSWORD or into the password file (~/.pgpass)")
}

/// The default of libpq.
const DEFAULT_PORT: u16 = 5432;

/// One of the hosts of a connection string, which are tried in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) kind: HostKind,
    pub(super) port: u16,
}

/// How a host is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostKind {
    /// By the Unix socket in a directory.
    SocketDirectory(PathBuf),
    /// By TCP. The name is resolved unless there is an address; certificates and the password file go by the name.
    Tcp { name: String, address: Option<IpAddr> },
}

impl Host {
    /// The name for certificates and the password file.
    pub(super) fn name(&self) -> &str {
        match &self.kind {
            HostKind::SocketDirectory(_) => "localhost",
            HostKind::Tcp { name, .. } => name,
        }
    }
}

impl fmt::Display for Host {
    /// As a part of a URL.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.kind {
            HostKind::SocketDirectory(path) => write!(formatter, "{}:{port}", encode(&path.to_string_lossy())),
            HostKind::Tcp { name, .. } if name.parse::<Ipv6Addr>().is_ok() => write!(formatter, "[{name}]:{port}"),
            HostKind::Tcp { name, .. } => write!(formatter, "{}:{port}", encode(name)),
        }
    }
}

/// The hosts of the settings `host`, `hostaddr` and `port`.
pub(super) fn hosts(settings: &Settings) -> Result<Vec<Host>> {
    let list = |keyword| settings.get(keyword).map(|list| list.split(',').collect::<Vec<_>>());
    let (names, addresses) = (list("host"), list("hostaddr"));
    let count = names.as_ref().or(addresses.as_ref()).map_or(1, Vec::len);
    if addresses.as_ref().is_some_and(|addresses| addresses.len() != count) {
        return Err(configuration("hostaddr and host have different numbers of entries"));
    }
    let ports = list("port").unwrap_or_else(|| vec![""]);
    if ports.len() != 1 && ports.len() != count {
        return Err(configuration("port and host have different numbers of entries"));
    }
    let nth =
        |list: &Option<Vec<&str>>, index: usize| list.as_ref().map_or(String::new(), |list| list[index].to_owned());
    (0..count)
        .map(|index| {
            let port = read_port(ports[if ports.len() == 1 { 0 } else { index }])?;
            Ok(Host { kind: host_kind(nth(&names, index), &nth(&addresses, index))?, port })
        })
        .collect()
}

fn host_kind(name: String, address: &str) -> Result<HostKind> {
    if !address.is_empty() {
        let parsed =
            address.parse::<IpAddr>().map_err(|_| configuration("hostaddr has a value that is not an address"))?;
        let name = if name.is_empty() { address.to_owned() } else { name };
        return Ok(HostKind::Tcp { name, address: Some(parsed) });
    }
    Ok(match name.parse() {
        _ if name.is_empty() => HostKind::SocketDirectory(default_socket_directory().to_owned()),
        _ if name.starts_with('/') => HostKind::SocketDirectory(name.into()),
        Ok(address) => HostKind::Tcp { name, address: Some(address) },
        Err(_) => HostKind::Tcp { name, address: None },
    })
}

/// The socket directory of distributions, or else PostgreSQL's own default.
pub(super) fn default_socket_directory() -> &'static Path {
    let distributions = Path::new("/var/run/postgresql");
    if distributions.is_dir() { distributions } else { Path::new("/tmp") }
}

fn read_port(text: &str) -> Result<u16> {
    let port = if text.is_empty() { Some(DEFAULT_PORT) } else { text.trim().parse().ok().filter(|port| *port > 0) };
    port.ok_or_else(|| configuration("a port is not a number from 1 to 65535").with_hint("see the URL, and PGPORT"))
}

/// The settings of a connection, without empty values: libpq takes its default for them.
pub(super) struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    /// Parses the URL `text`. Settings that it does not have come from the variables that `variable` looks up.
    pub(super) fn new(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(name) = UNSUPPORTED.iter().find(|name| variable(name).is_some()) {
            let error = format!("{name} is set, but not supported");
            return Err(configuration(error).with_hint(format!("unset {name}, and put its settings into the URL")));
        }
        let mut settings = parse(text)?;
        settings.retain(|_, value| !value.is_empty());
        for (keyword, name) in variables() {
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

/// The name of a setting in libpq.
pub(super) type Keyword = &'static str;

/// The supported keywords with their variables. `PGAPPNAME` is not read, so that servers can tell archiving apart.
const KEYWORDS: &[(Keyword, Option<&str>)] = &[
    ("host", Some("PGHOST")),
    ("hostaddr", Some("PGHOSTADDR")),
    ("port", Some("PGPORT")),
    ("dbname", Some("PGDATABASE")),
    ("user", Some("PGUSER")),
    ("passfile", Some("PGPASSFILE")),
    ("sslmode", Some("PGSSLMODE")),
    ("sslrootcert", Some("PGSSLROOTCERT")),
    ("sslcert", Some("PGSSLCERT")),
    ("sslkey", Some("PGSSLKEY")),
    ("channel_binding", Some("PGCHANNELBINDING")),
    ("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    ("application_name", None),
    ("options", Some("PGOPTIONS")),
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
];

/// Variables that change the server or the trust in it, and are not supported.
const UNSUPPORTED: &[&str] = &["PGSERVICE", "PGSERVICEFILE", "PGSSLCRL", "PGSSLCRLDIR", "PGREQUIREAUTH"];

fn keyword(name: &str) -> Result<Keyword> {
    let known = KEYWORDS.iter().map(|(keyword, _)| *keyword);
    known.clone().find(|keyword| *keyword == name).ok_or_else(|| {
        let meant = nearest(name, known.clone()).map(|nearest| format!("did you mean {nearest}? "));
        let all = known.collect::<Vec<_>>().join(", ");
        configuration("the database's address has an unknown parameter")
            .with_context("parameter", name)
            .with_hint(format!("{}the known ones are {all}", meant.unwrap_or_default()))
    })
}

/// The keywords that have a variable, with it.
fn variables() -> impl Iterator<Item = (Keyword, &'static str)> {
    KEYWORDS.iter().filter_map(|(keyword, variable)| variable.map(|variable| (*keyword, variable)))
}

/// All bytes but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `text` percent-encoded as a part of a URL.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// `text` without percent-encoding; `+` is no space. Refuses broken escapes, which the crate keeps as they are, and zero
/// bytes, which the protocol cannot send.
fn decode(text: &str) -> Result<String> {
    let is_escape = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let is_valid = text.split('%').skip(1).all(|rest| rest.get(..2).is_some_and(is_escape));
    let decoded = percent_decode_str(text).decode_utf8().ok().filter(|text| is_valid && !text.contains('\0'));
    decoded
        .map(Cow::into_owned)
        .ok_or_else(|| configuration("the database's address has a broken percent-encoding or a zero byte"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(Keyword, String)> {
        parse(text).unwrap().into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    #[track_caller]
    fn assert_reads(text: &str, wanted: &[(Keyword, &str)]) {
        let wanted = wanted.iter().map(|(keyword, value)| (*keyword, (*value).to_owned())).collect::<Vec<_>>();
        assert_eq!(read(text), wanted, "{text}");
    }

    #[test]
    fn every_part_is_optional() {
        assert_reads("postgres://", &[]);
        assert_reads("postgresql:///", &[]);
        assert_reads("postgres://db", &[("host", "db")]);
        assert_reads("postgres://kt@", &[("user", "kt")]);
        assert_reads("postgres:///events", &[("dbname", "events")]);
        assert_reads("postgres://:5433", &[("port", "5433")]);
        assert_reads("postgres://?host=db", &[("host", "db")]);
    }

    #[test]
    fn several_hosts_keep_their_ports() {
        assert_reads("postgres://a:1,b:2/d", &[("dbname", "d"), ("host", "a,b"), ("port", "1,2")]);
        assert_reads("postgres://a,b:2", &[("host", "a,b"), ("port", ",2")]);
        assert_reads("postgres://[::1]:1,[fe80::2]", &[("host", "::1,fe80::2"), ("port", "1,")]);
    }

    #[test]
    fn escapes_are_decoded_once() {
        let wanted = [("dbname", "a/b"), ("host", "/run/pg"), ("user", "k@t:")];
        assert_reads("postgres://k%40t%3A@%2Frun%2Fpg/a%2Fb", &wanted);
        assert_reads("postgres://?options=-c%20a=%2525", &[("options", "-c a=%25")]);
    }

    #[test]
    fn parameters_override_authority_and_path() {
        assert_reads(
            "postgres://db/a?host=%2Ftmp&dbname=b&ssl=true",
            &[("dbname", "b"), ("host", "/tmp"), ("sslmode", "require")],
        );
    }

    #[test]
    fn passwords_are_refused_and_not_shown() {
        let urls = ["postgres://kt:canary@db", "postgres://db?password=canary", "postgres://db?sslpassword=canary"];
        for text in urls.into_iter().chain(["postgres://kt:can@ary@db", "postgres://db?pass%77ord=canary"]) {
            let error = parse(text).unwrap_err();
            assert!(error.hint().contains("PGPASSWORD"), "{error}");
            assert!(!format!("{error:?}").contains("can"), "{error:?}");
        }
    }

    #[test]
    fn hint_for_unknown_parameter_lists_known_ones() {
        let error = parse("postgres://db?ssl_mode=canary").unwrap_err();
        assert!(error.to_string().contains("ssl_mode"), "{error}");
        assert!(error.hint().contains("sslmode, sslrootcert"), "{:?}", error.hint());
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }

    #[test]
    fn malformed_urls_are_refused() {
        for text in
            ["", "postgres:", "https://db/events", "postgres://[::1", "postgres://[::1]5432", "postgres://d?host"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn encoding_round_trips() {
        for text in ["", "events", "/var/run/postgresql", "ä ö+%&", "a%20b"] {
            assert_eq!(decode(&encode(text)).unwrap(), text);
        }
        assert_eq!(decode("a+b%2fc").unwrap(), "a+b/c");
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["%", "%2", "%zz", "%00", "\0", "%ff", "%+1"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}
