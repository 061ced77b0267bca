//! The databases of a server: made for a restore, compared, renamed into place, dropped.

use super::{
    config::Server,
    connect::connect,
    connection::{Connection, Session},
    failure::{configuration, failure},
    quote::{identifier, literal},
};
use crate::{Error, ErrorKind, Result};
use archive_formats::backup_manifest::Locale;
use tokio_postgres::error::SqlState;

/// The databases of one server, by a session with one that always exists.
#[derive(Debug)]
pub struct Databases {
    connection: Connection,
}

impl Databases {
    /// Connects to the server, by a database that every server has.
    pub async fn connect(server: &Server) -> Result<Self> {
        Self::connect_beside(server, "").await
    }

    /// Connects to the server, but not to the database `other`, so that it can be renamed.
    pub async fn connect_beside(server: &Server, other: &str) -> Result<Self> {
        if other == "postgres" {
            return Ok(Self { connection: connect(&server.with_database("template1"), &Session::WRITING).await? });
        }
        let connection = match connect(&server.with_database("postgres"), &Session::WRITING).await {
            // A server may have dropped it.
            Err(error) if error.kind() == ErrorKind::Configuration => {
                connect(&server.with_database("template1"), &Session::WRITING).await?
            }
            connected => connected?,
        };
        Ok(Self { connection })
    }

    /// Connects to the database that `server` names, so that it has a session.
    pub async fn hold(server: &Server) -> Result<Self> {
        Ok(Self { connection: connect(server, &Session::WRITING).await? })
    }

    /// The version of the server, as the server prints it.
    pub fn version(&self) -> &str {
        self.connection.version().1
    }

    /// Creates an empty database.
    pub async fn create(&self, name: &str, encoding: &str, locale: &Locale) -> Result<()> {
        let Locale { collate, ctype, provided } = locale;
        let [encoding, collate, ctype] = [encoding, collate, ctype].map(literal);
        let provider = provided.as_deref().map(|locale| {
            let provider = locale_provider(locale);
            format!(" locale_provider {provider} {provider}_locale {}", literal(locale))
        });
        let statement = format!(
            "create database {} template template0 encoding {encoding} lc_collate {collate} lc_ctype {ctype}{}",
            identifier(name),
            provider.unwrap_or_default()
        );
        let created = self.connection.client().batch_execute(&statement).await;
        created.map_err(|error| match error.code().map(SqlState::code) {
            Some("42P04") => configuration("the database exists, and a restore makes a new one")
                .with_context("database", name)
                .with_hint("choose a name that is free: a database that exists is never overwritten"),
            // Wrong object type: the server's host does not have the locale.
            Some("42809" | "22023") => configuration("the server does not have the locale of the database")
                .with_source(error)
                .with_hint("generate the locale on the server's host (Debian: locales, locale-gen)"),
            Some("42501") => failure("create a database", error)
                .with_hint("connect as a superuser: a restore gives tables to their owners"),
            _ => failure("create a database", error),
        })
    }

    /// Drops a database, if it exists. Its sessions are ended.
    pub async fn drop(&self, name: &str) -> Result<()> {
        let statement = format!("drop database if exists {} with (force)", identifier(name));
        self.connection.client().batch_execute(&statement).await.map_err(|error| failure("drop a database", error))
    }

    /// Whether there is such a database, and its comment.
    pub async fn comment(&self, name: &str) -> Result<Option<String>> {
        let query = "select coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '') \
            from pg_catalog.pg_database where datname = $1::text::name";
        let row = self.connection.client().query_opt(query, &[&name]).await;
        Ok(row.map_err(|error| failure("look for a database", error))?.map(|row| row.get(0)))
    }

    /// Gives a database a comment.
    pub async fn set_comment(&self, name: &str, comment: &str) -> Result<()> {
        let statement = format!("comment on database {} is {}", identifier(name), literal(comment));
        self.connection.client().batch_execute(&statement).await.map_err(|error| failure("mark a database", error))
    }

    /// The databases that no session uses, whose comment begins with `mark`, or that have none, and a name of `prefix` and
    /// twelve hexadecimal digits: of a process that was killed before it made the comment.
    pub async fn unused(&self, mark: &str, prefix: &str) -> Result<Vec<String>> {
        let query = "select datname::text from pg_catalog.pg_database d, \
            pg_catalog.shobj_description(oid, 'pg_database') comment \
            where (pg_catalog.starts_with(comment, $1) or (comment is null and datname::text ~ $2)) \
            and not exists (select from pg_catalog.pg_stat_activity a where a.datid = d.oid)";
        let name = format!("^{prefix}_[0-9a-f]{{12}}$");
        let rows = self.connection.client().query(query, &[&mark, &name]).await;
        Ok(rows.map_err(|error| failure("list the databases", error))?.iter().map(|row| row.get(0)).collect())
    }

    /// The sessions of a database: the name of the application, or that of the role.
    pub async fn sessions(&self, name: &str) -> Result<Vec<String>> {
        let query = "select coalesce(nullif(application_name, ''), usename::text, 'unnamed') \
            from pg_catalog.pg_stat_activity where datname = $1::text::name and backend_type = 'client backend' order by 1";
        let rows = self.connection.client().query(query, &[&name]).await;
        Ok(rows.map_err(|error| failure("list the sessions", error))?.iter().map(|row| row.get(0)).collect())
    }

    /// Gives `restored` the name `live`, and what had it the name `kept`, both or neither. Fails while one of them is used.
    pub async fn switch(&self, restored: &str, live: &str, kept: Option<&str>) -> Result<()> {
        let [from, to] = [restored, live].map(identifier);
        let away = kept.map(|kept| format!("alter database {to} rename to {}; ", identifier(kept)));
        let away = away.unwrap_or_default();
        let statements = format!("begin; {away}alter database {from} rename to {to}; commit");
        let switched = self.connection.client().batch_execute(&statements).await;
        if let Err(error) = switched {
            // The transaction has failed, and nothing was renamed.
            drop(self.connection.client().batch_execute("rollback").await);
            return Err(match error.code().map(SqlState::code) {
                Some("55006") => Error::new(ErrorKind::Configuration, "sessions use the database: nothing was renamed")
                    .with_source(error)
                    .with_hint("stop what uses it, and run the same command again: `kt-archive recover plan` lists it"),
                _ => failure("rename the databases", error),
            });
        }
        Ok(())
    }

    /// Ends the session.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

/// The provider of a locale that is not of the C library. The provider `builtin` has these three names alone.
pub(super) fn locale_provider(locale: &str) -> &'static str {
    if matches!(locale, "C" | "C.UTF-8" | "PG_UNICODE_FAST") { "builtin" } else { "icu" }
}
