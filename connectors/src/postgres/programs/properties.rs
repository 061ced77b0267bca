//! The owner, the settings and the privileges of a database itself, which a restore without `--create` leaves out.

use super::{
    super::{config::Server, connect::connect, connection::Session, failure::failure, quote::identifier},
    find::{ProgramName, Programs},
    globals::name,
    statements::statements,
};
use crate::{
    Error, ErrorKind, Result,
    error::local,
    program::{Pipes, Program},
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use std::{io::Write as _, path::Path, pin::pin};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The statements of a dump about the database itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseProperties {
    /// Each with the name of the database that was dumped, after `DATABASE `.
    statements: Vec<String>,
    /// That name, quoted where SQL needs quotes.
    name: String,
}

/// Bytes of the list of a dump: some hundred thousand tables.
const LIST: u64 = 64 << 20;

impl DatabaseProperties {
    /// Reads them from a dump, whose blocks `open` yields from the beginning each time. `folder` is a private local one.
    pub async fn read<S>(programs: &Programs, folder: &Path, open: impl Fn() -> Result<S>) -> Result<Self>
    where
        S: Stream<Item = Result<Bytes>> + Send,
    {
        let restore = programs.local(ProgramName::Restore).await?.program.arguments(["--format=custom", "--create"]);
        let list = print(restore.clone().argument("--list"), open()?).await?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(local("create a file for the list", folder))?;
        // In the encoding of the database.
        let lines = list.split_inclusive(|byte| *byte == b'\n');
        let entries = lines.filter(|line| is_of_database(&String::from_utf8_lossy(line))).collect::<Vec<_>>().concat();
        let written = file.write_all(&entries);
        written.map_err(local("write the list", file.path()))?;
        let script = restore.argument("--use-list").argument(file.path()).argument("--file=-");
        let script = print(script, open()?).await?;
        let properties = Self::parse(&String::from_utf8_lossy(&script));
        if properties.statements.iter().any(|statement| statement.contains(char::REPLACEMENT_CHARACTER)) {
            return Err(Error::new(ErrorKind::Source, "the database's owner, settings or rights are not UTF-8")
                .with_hint("restore with PostgreSQL's own programs: docs/backups.md has the commands"));
        }
        Ok(properties)
    }

    fn parse(script: &str) -> Self {
        let create = statements(script).find_map(|statement| statement.strip_prefix("CREATE DATABASE "));
        let name = create.map(name).unwrap_or_default().to_owned();
        let is_property = |statement: &&str| {
            let grants = ["GRANT ", "REVOKE "].iter().any(|word| statement.starts_with(word));
            let alters = ["ALTER DATABASE ", "ALTER ROLE "].iter().any(|word| statement.starts_with(word));
            (alters || grants) && statement.contains(&format!("DATABASE {name}"))
        };
        Self { statements: statements(script).filter(is_property).map(str::to_owned).collect(), name }
    }

    /// Gives them to the database of `server`, in one transaction.
    pub async fn apply(&self, server: &Server) -> Result<()> {
        let connection = connect(server, &Session::WRITING).await?;
        let own = format!("DATABASE {}", identifier(server.database()));
        for statement in &self.statements {
            let moved = statement.replacen(&format!("DATABASE {}", self.name), &own, 1);
            connection.client().batch_execute(&moved).await.map_err(|error| {
                // The rest may hold the value of a setting.
                let what = statement.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
                failure("give the database its owner, settings and privileges", error).with_context("statement", what)
            })?;
        }
        connection.close().await;
        Ok(())
    }
}

/// Whether a line of the list of a dump is about the database itself: `3352; 0 0 ACL - DATABASE shop postgres`.
fn is_of_database(line: &str) -> bool {
    let entry = line.split_once("; ").and_then(|(_, rest)| rest.splitn(3, ' ').nth(2));
    entry.is_some_and(|entry| ["DATABASE ", "ACL - DATABASE "].iter().any(|start| entry.starts_with(start)))
}

/// What a program prints while it reads a dump, of which it may need the beginning alone.
async fn print(program: Program, blocks: impl Stream<Item = Result<Bytes>> + Send) -> Result<Vec<u8>> {
    let mut running = program.start(Pipes { input: true, output: true })?;
    let no_pipe = || Error::new(ErrorKind::Internal, "a program without a pipe");
    let (mut input, output) = (running.input.take().ok_or_else(no_pipe)?, running.output.take().ok_or_else(no_pipe)?);
    let feed = async {
        let mut blocks = pin!(blocks);
        while let Some(block) = blocks.next().await {
            if input.write_all(&block?).await.is_err() {
                break;
            }
        }
        drop(input);
        Ok(())
    };
    let read = async {
        let mut printed = Vec::new();
        let read = output.take(LIST).read_to_end(&mut printed).await;
        read.map_err(|error| Error::new(ErrorKind::Source, "could not read the list of the dump").with_source(error))?;
        Ok(printed)
    };
    let ((), printed) = futures::future::try_join(feed, read).await?;
    running.finish().await?;
    Ok(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_the_database_are_chosen() {
        for line in [
            "3350; 1262 16467 DATABASE - shop postgres",
            "3353; 0 0 DATABASE PROPERTIES - shop postgres",
            "3352; 0 0 ACL - DATABASE shop postgres",
        ] {
            assert!(is_of_database(line), "{line}");
        }
        for line in [
            ";     dbname: DATABASE",
            "214; 1259 16468 TABLE public DATABASE postgres",
            "3; 0 0 COMMENT - DATABASE a b",
        ] {
            assert!(!is_of_database(line), "{line}");
        }
    }

    #[test]
    fn statements_about_the_database_are_kept() {
        let script = "SET a = 1;\nCREATE DATABASE \"a shop\" WITH TEMPLATE = template0;\nALTER DATABASE \"a shop\" OWNER TO b;\n\
            \\connect x\nALTER DATABASE \"a shop\" SET work_mem TO '8MB';\nALTER ROLE c IN DATABASE \"a shop\" SET d TO 'e';\n\
            GRANT CONNECT ON DATABASE \"a shop\" TO PUBLIC;\nGRANT ALL ON TABLE x TO y;";
        let properties = DatabaseProperties::parse(script);
        assert_eq!(properties.name, "\"a shop\"");
        assert_eq!(properties.statements.len(), 4, "{properties:?}");
    }
}
