//! Connection URLs of libpq, `postgres://user@host:port,host:port/database?keyword=value&…`, and its environment variables.

use crate::{Error, ErrorKind, Result};
use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
};

/// What the URL `text` says, parameters after the authority and the path that they may stand in for.
fn parse(text: &str) -> Result<BTreeMap<Keyword, String>> {
    let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    let rest = rest.ok_or_else(|| {
        refused("the source's address is not of the form postgres://host/database")
            .with_hint("for example postgres://archive@db.example/keeptrusts?sslmode=verify-full")
    })?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, places) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains(':') {
        return Err(password());
    }
    let (names, ports) = split_places(places)?;
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

/// The names and the ports of a list of places, each as the list that `host=` and `port=` take.
fn split_places(places: &str) -> Result<(String, String)> {
    let places = places.split(',').map(split_place).collect::<Result<Vec<_>>>()?;
    let (names, ports): (Vec<_>, Vec<_>) = places.into_iter().unzip();
    let nothing_said = ports.iter().all(|port| port.is_empty());
    Ok((names.join(","), if nothing_said { String::new() } else { ports.join(",") }))
}

/// The name and the port of `place`; an address of IPv6 stands in brackets.
fn split_place(place: &str) -> Result<(&str, &str)> {
    let Some(bracketed) = place.strip_prefix('[') else { return Ok(place.split_once(':').unwrap_or((place, ""))) };
    let broken = || refused("an address in brackets is followed by something other than a port");
    let (name, rest) = bracketed.split_once(']').ok_or_else(broken)?;
    let port = if rest.is_empty() { "" } else { rest.strip_prefix(':').ok_or_else(broken)? };
    Ok((name, port))
}

fn read_parameter(parameter: &str) -> Result<(Keyword, String)> {
    let (name, value) = parameter.split_once('=').ok_or_else(|| {
        refused("the source's address has a parameter without a value").with_hint("write keyword=value")
    })?;
    match decode(name)?.as_str() {
        "password" | "sslpassword" => Err(password()),
        // What JDBC calls it, and libpq reads.
        "ssl" if value == "true" => Ok(("sslmode", "require".to_owned())),
        name => Ok((find(name)?, decode(value)?)),
    }
}

fn password() -> Error {
    refused("the source's address holds a password, which everybody on this host could read")
        .with_hint("put the password into PGPASSWORD or into the password file (~/.pgpass)")
}

/// What libpq takes when nothing names a port.
const PORT: u16 = 5432;

/// One of the places where a server may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) place: HostKind,
    pub(super) port: u16,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostKind {
    /// By the sockets in a folder.
    Folder(PathBuf),
    /// By TCP. An address spares the look-up of the name, which certificates and the password file still go by.
    Name { name: String, address: Option<IpAddr> },
}

impl Host {
    /// The name that certificates and the password file go by.
    pub(super) fn name(&self) -> &str {
        match &self.place {
            HostKind::Folder(_) => "localhost",
            HostKind::Name { name, .. } => name,
        }
    }
}

impl fmt::Display for Host {
    /// As it stands in a URL.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.place {
            HostKind::Folder(path) => write!(formatter, "{}:{port}", encode(&path.to_string_lossy())),
            HostKind::Name { name, .. } if name.contains(':') => write!(formatter, "[{name}]:{port}"),
            HostKind::Name { name, .. } => write!(formatter, "{}:{port}", encode(name)),
        }
    }
}

/// The places that `host`, `hostaddr` and `port` name.
pub(super) fn hosts(settings: &Settings) -> Result<Vec<Host>> {
    let list = |keyword| settings.get(keyword).map(|list| list.split(',').collect::<Vec<_>>());
    let (names, addresses) = (list("host"), list("hostaddr"));
    let count = names.as_ref().or(addresses.as_ref()).map_or(1, Vec::len);
    if addresses.as_ref().is_some_and(|addresses| addresses.len() != count) {
        return Err(refused("there are not as many addresses in hostaddr as there are hosts"));
    }
    let ports = list("port").unwrap_or_else(|| vec![""]);
    if ports.len() != 1 && ports.len() != count {
        return Err(refused("there are not as many ports as there are hosts"));
    }
    let nth =
        |list: &Option<Vec<&str>>, index: usize| list.as_ref().map_or(String::new(), |list| list[index].to_owned());
    (0..count)
        .map(|index| {
            let port = read_port(ports[if ports.len() == 1 { 0 } else { index }])?;
            Ok(Host { place: place(nth(&names, index), &nth(&addresses, index))?, port })
        })
        .collect()
}

fn place(name: String, address: &str) -> Result<HostKind> {
    if !address.is_empty() {
        let parsed = address.parse::<IpAddr>().map_err(|_| refused("hostaddr holds something other than addresses"))?;
        let name = if name.is_empty() { address.to_owned() } else { name };
        return Ok(HostKind::Name { name, address: Some(parsed) });
    }
    Ok(match name.parse() {
        _ if name.is_empty() => HostKind::Folder(default_folder().to_owned()),
        _ if name.starts_with('/') => HostKind::Folder(name.into()),
        Ok(address) => HostKind::Name { name, address: Some(address) },
        Err(_) => HostKind::Name { name, address: None },
    })
}

/// Where servers of distributions put their sockets, and where PostgreSQL does by itself.
pub(super) fn default_folder() -> &'static Path {
    let distributions = Path::new("/var/run/postgresql");
    if distributions.is_dir() { distributions } else { Path::new("/tmp") }
}

fn read_port(text: &str) -> Result<u16> {
    let port = if text.is_empty() { Some(PORT) } else { text.trim().parse().ok().filter(|port| *port > 0) };
    port.ok_or_else(|| refused("a port is not a number from 1 to 65535").with_hint("see the URL, and PGPORT"))
}

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

/// A setting that cannot be used. Values are not shown: they may be secrets at the wrong place.
pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

/// The name of a setting, as libpq has it.
pub(super) type Keyword = &'static str;

/// Each keyword that is understood, with its variable. `PGAPPNAME` is not read: servers see who reads them.
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

/// Variables that change where a connection leads or whom it trusts, and that nothing here can read.
const UNREADABLE: &[&str] = &["PGSERVICE", "PGSERVICEFILE", "PGSSLCRL", "PGSSLCRLDIR", "PGREQUIREAUTH"];

/// The keyword that is called `name`.
fn find(name: &str) -> Result<Keyword> {
    let known = KEYWORDS.iter().map(|(keyword, _)| *keyword);
    known.clone().find(|keyword| *keyword == name).ok_or_else(|| {
        refused("the source's address has a parameter that is not known")
            .with_context("parameter", name)
            .with_hint(format!("the known ones are {}", known.collect::<Vec<_>>().join(", ")))
    })
}

/// The variables that are read, with their keywords.
fn variables() -> impl Iterator<Item = (Keyword, &'static str)> {
    KEYWORDS.iter().filter_map(|(keyword, variable)| variable.map(|variable| (*keyword, variable)))
}

/// `text` without percent-encoding.
fn decode(text: &str) -> Result<String> {
    let broken = || refused("the source's address has a broken percent-encoding");
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { escaped(&mut bytes).ok_or_else(broken)? } else { byte });
    }
    String::from_utf8(decoded).map_err(|_| broken())
}

/// The byte that two hexadecimal digits stand for. Zero cannot be sent.
fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let mut digit = || char::from(bytes.next()?).to_digit(16);
    let byte = u8::try_from(digit()? * 16 + digit()?).ok()?;
    (byte != 0).then_some(byte)
}

/// `text` as it stands between the separators of a URL.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Cannot fail: a `String` takes everything.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
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
    fn every_part_may_be_missing() {
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
    fn what_is_encoded_is_decoded_once() {
        let wanted = [("dbname", "a/b"), ("host", "/run/pg"), ("user", "k@t:")];
        assert_reads("postgres://k%40t%3A@%2Frun%2Fpg/a%2Fb", &wanted);
        assert_reads("postgres://?options=-c%20a=%2525", &[("options", "-c a=%25")]);
    }

    #[test]
    fn parameters_beat_the_parts_before_them() {
        assert_reads(
            "postgres://db/a?host=%2Ftmp&dbname=b&ssl=true",
            &[("dbname", "b"), ("host", "/tmp"), ("sslmode", "require")],
        );
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let urls = ["postgres://kt:canary@db", "postgres://db?password=canary", "postgres://db?sslpassword=canary"];
        for text in urls.into_iter().chain(["postgres://kt:can@ary@db", "postgres://db?pass%77ord=canary"]) {
            let error = parse(text).unwrap_err();
            assert!(error.hint().unwrap().contains("PGPASSWORD"), "{error}");
            assert!(!format!("{error:?}").contains("can"), "{error:?}");
        }
    }

    #[test]
    fn an_unknown_parameter_is_answered_with_the_known_ones() {
        let error = parse("postgres://db?ssl_mode=canary").unwrap_err();
        assert!(error.to_string().contains("ssl_mode"), "{error}");
        assert!(error.hint().unwrap().contains("sslmode, sslrootcert"), "{:?}", error.hint());
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }

    #[test]
    fn what_is_no_url_of_postgres_is_refused() {
        for text in
            ["", "postgres:", "https://db/events", "postgres://[::1", "postgres://[::1]5432", "postgres://d?host"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_text_survives() {
        for text in ["", "events", "/var/run/postgresql", "ä ö+%&", "a%20b"] {
            assert_eq!(decode(&encode(text)).unwrap(), text);
        }
        assert_eq!(decode("a+b%2fc").unwrap(), "a+b/c");
    }

    #[test]
    fn half_an_escape_is_refused() {
        for text in ["%", "%2", "%zz", "%00", "%ff", "%+1"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}
