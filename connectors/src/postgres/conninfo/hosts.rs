//! Where a server may be: several places, which are tried in order.

use super::{Settings, encode, refused};
use crate::Result;
use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

/// What libpq takes when nothing names a port.
const PORT: u16 = 5432;

/// One of the places where a server may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Host {
    pub(in super::super) place: Place,
    pub(in super::super) port: u16,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Place {
    /// By the sockets in a folder.
    Folder(PathBuf),
    /// By TCP. An address spares the look-up of the name, which certificates and the password file still go by.
    Name { name: String, address: Option<IpAddr> },
}

impl Host {
    /// The name that certificates and the password file go by.
    pub(in super::super) fn name(&self) -> &str {
        match &self.place {
            Place::Folder(_) => "localhost",
            Place::Name { name, .. } => name,
        }
    }
}

impl fmt::Display for Host {
    /// As it stands in a URL.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.place {
            Place::Folder(path) => write!(formatter, "{}:{port}", encode(&path.to_string_lossy())),
            Place::Name { name, .. } if name.contains(':') => write!(formatter, "[{name}]:{port}"),
            Place::Name { name, .. } => write!(formatter, "{}:{port}", encode(name)),
        }
    }
}

/// The places that `host`, `hostaddr` and `port` name.
pub(in super::super) fn hosts(settings: &Settings) -> Result<Vec<Host>> {
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

fn place(name: String, address: &str) -> Result<Place> {
    if !address.is_empty() {
        let parsed = address.parse::<IpAddr>().map_err(|_| refused("hostaddr holds something other than addresses"))?;
        let name = if name.is_empty() { address.to_owned() } else { name };
        return Ok(Place::Name { name, address: Some(parsed) });
    }
    Ok(match name.parse() {
        _ if name.is_empty() => Place::Folder(default_folder().to_owned()),
        _ if name.starts_with('/') => Place::Folder(name.into()),
        Ok(address) => Place::Name { name, address: Some(address) },
        Err(_) => Place::Name { name, address: None },
    })
}

/// Where servers of distributions put their sockets, and where PostgreSQL does by itself.
pub(in super::super) fn default_folder() -> &'static Path {
    let distributions = Path::new("/var/run/postgresql");
    if distributions.is_dir() { distributions } else { Path::new("/tmp") }
}

fn read_port(text: &str) -> Result<u16> {
    let port = if text.is_empty() { Some(PORT) } else { text.trim().parse().ok().filter(|port| *port > 0) };
    port.ok_or_else(|| refused("a port is not a number from 1 to 65535").with_hint("see the URL, and PGPORT"))
}
