//! What a scratch server may reach: short, since the rules are in `program`.

use super::place::Place;
use crate::program::{Confinement, Program};
use std::path::{Path, PathBuf};

/// Libraries of the system.
const LIBRARIES: &[&str] =
    &["/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/nix/store", "/gnu/store"];

/// Data that the server and its libraries read: locales, time zones, dictionaries, names of users.
const DATA: &[&str] = &[
    "/usr/share",
    "/var/cache/postgresql",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/locale.alias",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/ssl/openssl.cnf",
    "/dev/random",
    "/dev/urandom",
];

/// Devices that the server writes to.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero"];

/// The limits of the server `program`: its installation, the system's libraries and data, and the folders of its cluster.
pub(super) fn confinement(program: &Program, place: &Place) -> Confinement {
    let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    let (mut readable, mut executable, mut writable) = (paths(DATA), paths(LIBRARIES), paths(DEVICES));
    let postgres = program.path();
    let postgres = postgres.canonicalize().unwrap_or_else(|_| postgres.to_owned());
    if let Some(installation) = postgres.parent().and_then(Path::parent) {
        readable.push(installation.join("share"));
        executable.extend(["lib", "lib32", "lib64"].map(|name| installation.join(name)));
    }
    executable.push(postgres);
    executable.extend(program.library_folders());
    writable.extend([place.root(), place.socket()].map(Path::to_owned));
    Confinement { readable, executable, writable }
}
