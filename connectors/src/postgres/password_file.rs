//! libpq's password file.

use super::{
    config::Server,
    conninfo::{Host, HostKind, default_socket_directory},
};
use crate::{Result, Secret, secret::is_private, spool::on_blocking_thread};
use std::{fs, io, path::Path};

/// The password for `server` at `host`. The file is read for each connection, since passwords change during
/// long runs.
pub(super) async fn password(server: &Server, host: &Host) -> Result<Option<Secret>> {
    let Some(path) = server.password_file.clone().filter(|_| server.password.is_none()) else {
        return Ok(server.password.clone());
    };
    let text = on_blocking_thread(move || Ok(read(&path))).await?;
    Ok(text.and_then(|text| find(&text, server, host)))
}

/// The text of the file at `path`, or `None` if it is missing or unsafe: the connection may need no password.
fn read(path: &Path) -> Option<String> {
    match read_private(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the password file is ignored");
            None
        }
    }
}

fn read_private(path: &Path) -> io::Result<String> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if !is_private(&metadata) {
        return Err(io::Error::other("other users may read it: chmod 600"));
    }
    fs::read_to_string(path)
}

/// The password of the first line that matches `host`.
fn find(text: &str, server: &Server, host: &Host) -> Option<Secret> {
    // Only the default socket directory matches localhost, as in libpq.
    let name = match &host.kind {
        HostKind::SocketDirectory(path) if path != default_socket_directory() => path.to_str()?,
        HostKind::SocketDirectory(_) | HostKind::Tcp { .. } => host.name(),
    };
    let port = host.port.to_string();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut entries = lines.filter_map(|line| fields(line).try_into().ok());
    let password = entries.find_map(|[host_field, port_field, database, user, password]: [Field; 5]| {
        (host_field.matches(name)
            && port_field.matches(&port)
            && database.matches(&server.database)
            && user.matches(&server.user))
        .then_some(password)
    });
    password.map(|password| Secret::new(password.text))
}

/// A field between colons.
#[derive(Default)]
struct Field {
    text: String,
    /// Whether it is an unescaped `*`.
    any: bool,
}

impl Field {
    fn matches(&self, wanted: &str) -> bool {
        self.any || self.text == wanted
    }
}

/// The first five fields of a line. A backslash escapes the next character.
fn fields(line: &str) -> Vec<Field> {
    let mut fields = vec![Field::default()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, fields.len()) {
            (':', 5) => break,
            (':', _) => fields.push(Field::default()),
            _ => {
                let Some(field) = fields.last_mut() else { break };
                field.any = character == '*' && field.text.is_empty();
                let next = (character == '\\').then(|| characters.next()).flatten();
                field.text.push(next.unwrap_or(character));
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_finds(text: &str, url: &str, wanted: Option<&str>) {
        let server = Server::new(url, &|_| None).unwrap();
        let found = find(text, &server, &server.hosts[0]);
        assert_eq!(found.as_ref().map(Secret::expose), wanted, "{text:?}");
    }

    const URL: &str = "postgres://kt@db:7/events";

    #[test]
    fn first_matching_line_wins() {
        assert_finds("db:7:events:other:no\ndb:7:events:kt:yes\n*:*:*:*:late", URL, Some("yes"));
        assert_finds("*:*:*:*:any\ndb:7:events:kt:late", URL, Some("any"));
        assert_finds("db:8:*:*:no\nDB:*:*:*:no", URL, None);
    }

    #[test]
    fn comments_and_broken_lines_are_skipped() {
        assert_finds("# db:7:events:kt:no\n\n:\ndb:7:events:kt\r\ndb:7:events:kt:yes\r\n", URL, Some("yes"));
    }

    #[test]
    fn backslash_escapes_a_character() {
        assert_finds(r"d\b:7:events:kt:a\:b\\c", URL, Some(r"a:b\c"));
        assert_finds(r"\*:7:events:kt:no", URL, None);
        assert_finds(r"d*:7:events:kt:no", URL, None);
        assert_finds(r"\:\:1:7:events:kt:six", "postgres://kt@[::1]:7/events", Some("six"));
        assert_finds("*:*:*:*:a:b", URL, Some("a"));
    }

    #[test]
    fn default_socket_matches_localhost_and_others_their_directory() {
        let url = "postgres://kt@%2Frun%2Fpg/events";
        assert_finds("localhost:*:*:*:no\n/run/pg:5432:events:kt:yes", url, Some("yes"));
        assert_finds("/tmp:*:*:*:no", url, None);
        assert_finds("localhost:5432:events:kt:yes", "postgres://kt@/events", Some("yes"));
    }

    #[test]
    fn files_that_others_may_read_are_ignored() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgpass");
        assert_eq!(read(&path), None);
        fs::write(&path, "*:*:*:*:secret").unwrap();
        for (mode, read_it) in [(0o600, true), (0o400, true), (0o620, false), (0o604, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path).is_some(), read_it, "{mode:o}");
        }
        assert_eq!(read(folder.path()), None);
    }
}
