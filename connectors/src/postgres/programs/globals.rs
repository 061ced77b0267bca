//! Roles and tablespaces, which a dump of a database does not hold.

use super::{
    super::{config::Server, connect::connect, connection::Session, failure::failure},
    environment::database_argument,
    find::{ProgramName, Programs},
    statements::statements,
};
use crate::{Error, ErrorKind, Result};
use archive_formats::backup_manifest::ProgramRecord;
use std::collections::BTreeSet;
use tokio_postgres::Client;

/// The roles and tablespaces of a server, as a script.
#[derive(Clone, Debug)]
pub struct Globals {
    /// The script, of at most 64 MiB.
    pub script: String,
    /// The run of `pg_dumpall`.
    pub program: ProgramRecord,
}

/// Dumps the globals of `server`, with the hashes of the passwords if `with_passwords`: only superusers may read them.
pub async fn dump_globals(programs: &Programs, server: &Server, with_passwords: bool) -> Result<Globals> {
    const LIMIT: usize = 64 << 20;
    let found = programs.client(ProgramName::DumpAll).await?;
    let mut arguments = ["--globals-only", "--no-password", "--encoding=UTF8"].map(str::to_owned).to_vec();
    if !with_passwords {
        arguments.push("--no-role-passwords".to_owned());
    }
    // Every role may connect to its own database, but not to `postgres`.
    let database = format!("--database={}", database_argument(server.database()));
    let program = found.program.clone().arguments(&arguments).argument(database);
    let program = if found.is_behind_command {
        server.connect_behind_command(program).await?
    } else {
        server.connect_program(program).await?
    };
    let (script, warnings) = program.output(LIMIT).await?;
    let script = String::from_utf8(script).map_err(|_| Error::new(ErrorKind::Source, "the globals are not UTF-8"))?;
    // The comment that `pg_dumpall` writes last.
    if !script.contains("database cluster dump complete") {
        return Err(Error::new(ErrorKind::Source, "the globals have no end").with_hint("run the same command again"));
    }
    Ok(Globals { script, program: found.record(arguments, warnings) })
}

/// What became of the statements of globals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Statements that were run.
    pub done: usize,
    /// Roles and tablespaces that existed before. Their other statements were run.
    pub existing: usize,
}

/// Where the tablespaces of globals are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tablespaces {
    /// In the folders that the script names, which exist on the server's host.
    AsNamed,
    /// Within the server's data. Needs a superuser, and version 15 or a minor version of 12 to 14 since August 2022.
    InPlace,
}

/// Runs the statements of globals on `server`, each in a transaction of its own. Roles that exist stay, and get the
/// attributes of the script.
pub async fn apply_globals(server: &Server, script: &str, tablespaces: Tablespaces) -> Result<Applied> {
    apply(server, script, tablespaces, |_, _| true).await
}

/// Runs the statements that make what `server` lacks. Roles and tablespaces that exist stay as they are: other databases use
/// them.
pub async fn apply_missing_globals(server: &Server, script: &str) -> Result<Applied> {
    apply(server, script, Tablespaces::AsNamed, |statement, existing| {
        // The grantee decides: a role of the server must not get rights by a restore.
        subject(statement).is_none_or(|subject| !existing.contains(subject))
    })
    .await
}

/// Runs the statements that `is_wanted` accepts, given what was found to exist.
async fn apply(
    server: &Server,
    script: &str,
    tablespaces: Tablespaces,
    is_wanted: impl Fn(&str, &BTreeSet<&str>) -> bool + Send,
) -> Result<Applied> {
    let connection = connect(server, &Session::WRITING).await?;
    let client = connection.client();
    let (mut applied, mut existing) = (Applied::default(), BTreeSet::new());
    let (of_tablespaces, of_roles) =
        statements(script).partition::<Vec<_>, _>(|statement| is_about_tablespace(statement));
    // All roles or none: a second try would take those of the first for roles that were there before.
    run(client, "begin").await?;
    for statement in of_roles {
        if !creates(statement) && !is_wanted(statement, &existing) {
            continue;
        }
        run(client, "savepoint kt_archive").await?;
        match client.batch_execute(statement).await {
            Ok(()) => {
                applied.done += 1;
                run(client, "release savepoint kt_archive").await?;
            }
            Err(error) if is_known(statement, &error) => {
                applied.existing += 1;
                existing.extend(subject(statement));
                run(client, "rollback to savepoint kt_archive").await?;
            }
            Err(error) => return Err(refused(statement, error)),
        }
    }
    run(client, "commit").await?;
    for statement in of_tablespaces {
        if !creates(statement) && !is_wanted(statement, &existing) {
            continue;
        }
        let moved = match tablespaces {
            Tablespaces::AsNamed => None,
            Tablespaces::InPlace => moved_tablespace(statement),
        };
        if moved.is_some() {
            run(client, "set allow_in_place_tablespaces = on").await?;
        }
        match client.batch_execute(moved.as_deref().unwrap_or(statement)).await {
            Ok(()) => applied.done += 1,
            Err(error) if is_known(statement, &error) => {
                applied.existing += 1;
                existing.extend(subject(statement));
            }
            // A restore that needs it fails; the dump may not.
            Err(error) if tablespaces == Tablespaces::AsNamed => {
                let error = refused(statement, error);
                tracing::warn!(%error, "a tablespace was not made");
            }
            Err(error) => return Err(refused(statement, error)),
        }
    }
    connection.close().await;
    Ok(applied)
}

async fn run(client: &Client, statement: &str) -> Result<()> {
    client.batch_execute(statement).await.map_err(|error| failure("apply the globals", error))
}

/// Whether a statement failed since what it creates exists.
fn is_known(statement: &str, error: &tokio_postgres::Error) -> bool {
    creates(statement) && error.code().is_some_and(|code| code.code() == "42710")
}

/// The error of a statement, whose rest may hold the hash of a password.
fn refused(statement: &str, error: tokio_postgres::Error) -> Error {
    let what = statement.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    failure("apply the globals", error)
        .with_context("statement", what)
        .with_hint("connect as a superuser: roles and tablespaces belong to the whole server")
}

/// Whether a statement makes or changes a tablespace, which no transaction may do, or needs one.
fn is_about_tablespace(statement: &str) -> bool {
    ["CREATE TABLESPACE ", "ALTER TABLESPACE ", "COMMENT ON TABLESPACE "].iter().any(|word| statement.starts_with(word))
        || statement.contains(" ON TABLESPACE ")
}

/// The role or tablespace that a statement makes, changes, comments on, or grants a role to; `None` for settings.
fn subject(statement: &str) -> Option<&str> {
    const BEFORE: [&str; 6] = [
        "CREATE ROLE ",
        "ALTER ROLE ",
        "COMMENT ON ROLE ",
        "CREATE TABLESPACE ",
        "ALTER TABLESPACE ",
        "COMMENT ON TABLESPACE ",
    ];
    const LABELLED: [&str; 2] = [" ON ROLE ", " ON TABLESPACE "];
    if let Some(rest) = BEFORE.iter().find_map(|before| statement.strip_prefix(before)) {
        return Some(name(rest));
    }
    if statement.starts_with("SECURITY LABEL ") {
        return LABELLED.iter().find_map(|on| statement.split_once(on)).map(|(_, rest)| name(rest));
    }
    let (_, grantee) =
        statement.strip_prefix("GRANT ").or_else(|| statement.strip_prefix("REVOKE "))?.split_once(" TO ")?;
    Some(name(grantee))
}

/// The name at the beginning of `text`, as it is written.
pub(super) fn name(text: &str) -> &str {
    let mut is_quoted = false;
    let end = text.find(|letter: char| {
        is_quoted ^= letter == '"';
        !is_quoted && letter.is_whitespace()
    });
    &text[..end.unwrap_or(text.len())]
}

fn creates(statement: &str) -> bool {
    statement.starts_with("CREATE ROLE ") || is_tablespace(statement)
}

fn is_tablespace(statement: &str) -> bool {
    statement.starts_with("CREATE TABLESPACE ")
}

/// The statement that creates the tablespace of `statement` within the server's data; `None` for other statements.
fn moved_tablespace(statement: &str) -> Option<String> {
    const LOCATION: &str = " LOCATION ";
    let (before, _) = statement.rsplit_once(LOCATION).filter(|_| is_tablespace(statement))?;
    Some(format!("{before}{LOCATION}''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_about_a_role() {
        for (statement, expected) in [
            ("CREATE ROLE a", Some("a")),
            ("ALTER ROLE \"b c\" WITH NOSUPERUSER", Some("\"b c\"")),
            ("ALTER ROLE \"d\"\" e\" SET work_mem TO '1MB'", Some("\"d\"\" e\"")),
            ("GRANT a TO \"b c\" WITH INHERIT TRUE GRANTED BY postgres", Some("\"b c\"")),
            ("CREATE TABLESPACE t OWNER a LOCATION '/srv'", Some("t")),
            ("SECURITY LABEL FOR p ON ROLE a IS 'x'", Some("a")),
            ("SET client_encoding = 'UTF8'", None),
        ] {
            assert_eq!(subject(statement), expected, "{statement}");
        }
    }

    #[test]
    fn tablespaces_are_moved_into_the_data() {
        let moved = moved_tablespace("CREATE TABLESPACE \"a LOCATION b\" OWNER c LOCATION '/srv/d''e'");
        assert_eq!(moved.as_deref(), Some("CREATE TABLESPACE \"a LOCATION b\" OWNER c LOCATION ''"));
        assert_eq!(moved_tablespace("COMMENT ON ROLE a IS 'CREATE TABLESPACE b LOCATION c'"), None);
    }
}
