//! Reads what PostgreSQL's programs print to their standard error. It is in English: they run with `LC_ALL=C`.

use crate::{ErrorKind, program::Messages};

/// How the standard error of these programs is read.
pub(in crate::postgres) const MESSAGES: Messages = Messages { filter: without_values, explain };

/// Beginnings of lines that quote statements or rows, and of the lines that follow them.
const QUOTING: &[&str] = &["DETAIL:", "CONTEXT:", "QUERY:", "STATEMENT:", "LINE ", "Command was:"];

/// The lines without statements and values of rows.
fn without_values(lines: Vec<String>) -> Vec<String> {
    let mut is_quoting = false;
    let mut kept = Vec::new();
    for line in lines {
        let quotes = QUOTING.iter().any(|start| line.starts_with(start)) || line.contains(": detail: Command was:");
        is_quoting = quotes || (is_quoting && !is_of_program(&line));
        if is_quoting {
            continue;
        }
        if QUOTING_VALUES.iter().any(|message| line.contains(message)) {
            // A value may go on in the next lines.
            is_quoting = true;
            kept.push(without_quoted_values(&line));
        } else {
            kept.push(line);
        }
    }
    kept
}

/// Whether a program begins a message with `line`.
fn is_of_program(line: &str) -> bool {
    let name = line.split_once(": ").map(|(name, _)| name);
    name.is_some_and(|name| matches!(name, "pg_dump" | "pg_dumpall" | "pg_restore" | "initdb" | "HINT"))
}

/// Messages whose quoted texts may be values of rows.
const QUOTING_VALUES: &[&str] = &["COPY failed", "could not execute query"];

/// Words before a quoted name. Anything else that is quoted is a value.
const NAMED: &[&str] =
    &["relation", "constraint", "index", "column", "table", "type", "domain", "encoding", "role", "schema"];

/// The line without the values that it quotes.
fn without_quoted_values(line: &str) -> String {
    let mut shown = String::new();
    for (index, piece) in line.split('"').enumerate() {
        let is_name = index % 2 == 0 || NAMED.iter().any(|word| shown.trim_end_matches(['"', ' ']).ends_with(word));
        if index > 0 {
            shown.push('"');
        }
        shown.push_str(if is_name { piece } else { "…" });
    }
    shown
}

/// Texts by which failures are known, from the most to the least certain.
const KNOWN: &[(&str, ErrorKind, &str)] = &[
    (
        "row-level security",
        ErrorKind::Unauthorized,
        "a policy would hide rows of a table: use a role with BYPASSRLS, or a superuser",
    ),
    (
        "password authentication failed",
        ErrorKind::Unauthorized,
        "check the password: it comes from PGPASSWORD, or else from the password file (~/.pgpass)",
    ),
    (
        "no password supplied",
        ErrorKind::Unauthorized,
        "put the password into PGPASSWORD or into the password file (~/.pgpass, mode 600); a command passes it on with \
         -e PGPASSWORD",
    ),
    (
        "Docker daemon",
        ErrorKind::SourceUnavailable,
        "check that the container engine runs, and that this user may use it (group docker)",
    ),
    ("is not running", ErrorKind::SourceUnavailable, "start the container that --pg-command names"),
    (
        "permission denied",
        ErrorKind::Unauthorized,
        "grant the role what it needs: pg_read_all_data, BYPASSRLS, and the ownership of large objects; or use a superuser",
    ),
    (
        "server version mismatch",
        ErrorKind::Configuration,
        "use the programs of the server's own major version: see --pg-bin",
    ),
    ("does not support compression", ErrorKind::Configuration, "use a pg_dump that was built with zlib"),
    (
        // Since version 16.
        "ERROR:  snapshot \"",
        ErrorKind::SnapshotLost,
        "the session that held the snapshot is gone: run the same command again",
    ),
    (
        "invalid snapshot identifier",
        ErrorKind::SnapshotLost,
        "the session that held the snapshot is gone: run the same command again",
    ),
    ("No space left on device", ErrorKind::Local, "free some space, or choose another --state-dir"),
    (
        "No such container",
        ErrorKind::Configuration,
        "check the name of the container in --pg-command: `docker ps` lists them",
    ),
    (
        "server closed the connection",
        ErrorKind::SourceUnavailable,
        "the server ended the connection: its log has more about it; then run the same command again",
    ),
    (
        "terminating connection",
        ErrorKind::SourceUnavailable,
        "the server ended the connection: its log has more about it; then run the same command again",
    ),
    (
        "connection to server",
        ErrorKind::SourceUnavailable,
        "check the database's address and the network, then run the same command again",
    ),
    ("role \"", ErrorKind::Source, "a role is missing: restore the globals of the backup first"),
];

fn explain(lines: &[String]) -> Option<(ErrorKind, &'static str)> {
    let is_in = |text: &str| lines.iter().any(|line| line.contains(text));
    KNOWN.iter().find(|(text, ..)| is_in(text)).map(|(_, kind, hint)| (*kind, *hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        without_values(text.lines().map(str::to_owned).collect())
    }

    #[test]
    fn statements_and_values_are_left_out() {
        let text = "pg_restore: while PROCESSING TOC:\n\
            pg_restore: error: COPY failed for table \"t\": ERROR:  invalid input syntax for type integer: \"canary\n\
            canary\"\n\
            CONTEXT:  COPY t, line 1, column id: \"canary\n\
            of several lines\"\n\
            pg_restore: error: could not execute query: ERROR:  role \"owner\" does not exist\n\
            Command was: ALTER TABLE t\n\
            canary;\n\
            pg_dump: detail: Error message from server: ERROR:  broken\n\
            pg_dump: detail: Command was: COPY t\n\
            canary";
        let wanted = [
            "pg_restore: while PROCESSING TOC:",
            "pg_restore: error: COPY failed for table \"t\": ERROR:  invalid input syntax for type integer: \"…",
            "pg_restore: error: could not execute query: ERROR:  role \"owner\" does not exist",
            "pg_dump: detail: Error message from server: ERROR:  broken",
        ];
        assert_eq!(read(text), wanted);
    }

    #[test]
    fn names_are_kept_and_values_are_not() {
        let line = "COPY failed for table \"t\": value \"canary\" violates check constraint \"c\" of relation \"t\"";
        let wanted = "COPY failed for table \"t\": value \"…\" violates check constraint \"c\" of relation \"t\"";
        assert_eq!(read(line), [wanted]);
    }

    #[test]
    fn messages_of_other_programs_are_kept() {
        assert_eq!(
            read("Error response from daemon: No such container: db"),
            ["Error response from daemon: No such container: db"]
        );
    }

    #[test]
    fn failures_have_a_kind_and_a_hint() {
        let kind = |line: &str| explain(&[line.to_owned()]).map(|(kind, _)| kind);
        let refused = "pg_dump: error: connection to server at \"db\" failed: FATAL:  password authentication failed for user \"kt\"";
        assert_eq!(kind(refused), Some(ErrorKind::Unauthorized));
        assert_eq!(kind("pg_dump: error: aborting because of server version mismatch"), Some(ErrorKind::Configuration));
        assert_eq!(kind("server closed the connection unexpectedly"), Some(ErrorKind::SourceUnavailable));
        assert_eq!(kind("something else"), None);
    }
}
