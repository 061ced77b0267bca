//! The user of a scratch server.

use super::super::failure::configuration;
use crate::{Result, error::local, program::User};
use std::{fs, path::Path};

/// The users that the server may run as, best first. One of its own keeps other programs out, which `nobody` may have.
/// `postgres` is none of them: code in a dump could read the data of production.
const USERS: [&str; 2] = ["kt-archive-drill", "nobody"];

/// The user of the server, if this process is root.
pub(super) fn server_user() -> Result<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let path = Path::new("/etc/passwd");
    let text = fs::read_to_string(path).map_err(local("read the users of this host", path))?;
    choose(&text).map(Some).ok_or_else(|| {
        configuration(
            "a scratch server cannot run as root, and this host has neither a user kt-archive-drill nor nobody",
        )
        .with_hint("make the user: useradd --system --user-group --no-create-home kt-archive-drill")
    })
}

/// The user of the server among those of a file such as `/etc/passwd`.
fn choose(text: &str) -> Option<User> {
    USERS.into_iter().find_map(|name| find_user(text, name)).filter(|user| user.uid != 0)
}

/// The user with this name.
fn find_user(text: &str, name: &str) -> Option<User> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (found, _password, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        (found == name).then_some(User { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTGRES: &str =
        "root:x:0:0:root:/root:/bin/bash\n# comment\npostgres:x:101:104::/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn users_are_found_by_their_names() {
        assert_eq!(find_user(POSTGRES, "postgres"), Some(User { uid: 101, gid: 104 }));
        assert_eq!(find_user(POSTGRES, "post"), None);
    }

    #[test]
    fn server_never_runs_as_the_user_of_production() {
        assert_eq!(choose(POSTGRES), None);
        let with_nobody = format!("{POSTGRES}nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
        assert_eq!(choose(&with_nobody), Some(User { uid: 65534, gid: 65534 }));
        let with_own = format!("{with_nobody}kt-archive-drill:x:990:991::/nonexistent:/usr/sbin/nologin\n");
        assert_eq!(choose(&with_own), Some(User { uid: 990, gid: 991 }));
    }
}
