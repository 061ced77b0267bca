//! The platform's configurations, from its table.
//!
//! The platform documents the table's name and none of its columns, so that these are found in the catalogue by the names that
//! such columns have.

use super::{
    catalogue::{Relation, listed},
    config::Table,
    connection::Connection,
    contents::{Access, BEGIN},
    failure::{configuration, lost},
};
use crate::{Error, ErrorKind, Result};
use archive_formats::Dataset;

/// The table, unless another is named.
const TABLE: &str = "configurations";

/// Names of columns, the likeliest first.
const CONTENT: &[&str] = &[
    "content",
    "configuration",
    "config",
    "config_yaml",
    "yaml",
    "yaml_content",
    "config_content",
    "config_data",
    "raw",
    "raw_config",
    "body",
    "document",
    "definition",
    "spec",
    "policy",
    "policies",
    "data",
];
const NAME: &[&str] = &["name", "slug", "title", "key"];
const ID: &[&str] = &["id", "configuration_id", "config_id", "uuid"];
const GATEWAY: &[&str] = &["gateway", "gateway_name", "gateway_id"];
const ENVIRONMENT: &[&str] = &["environment", "environment_name", "env", "environment_id"];
const VERSION: &[&str] = &["config_version", "version", "version_number", "revision"];
const COMMIT: &[&str] = &["git_commit", "git_commit_sha", "commit_sha", "git_sha", "commit_hash", "commit"];

/// The columns of a table: name, quoted name, type, and whether its values are text or JSON.
const COLUMNS: &str = "\
select a.attname::text, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
       t.typcategory = 'S' or t.oid in (114, 3802)
  from pg_attribute a join pg_type t on t.oid = a.atttypid
 where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
 order by a.attnum";

/// The rows of the table in one snapshot, read one at a time.
#[derive(Debug)]
pub struct ConfigurationTable {
    connection: Connection,
    name: String,
}

/// A configuration of the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigurationRow {
    /// Its name, with its id where several rows have the name; the id where it has none.
    pub name: String,
    /// The content as text; `None` if the table has none.
    pub content: Option<String>,
    /// The gateway that it is for.
    pub gateway: Option<String>,
    /// The environment that it is for.
    pub environment: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The Git commit that it came from.
    pub commit: Option<String>,
}

impl ConfigurationTable {
    /// Finds the table `table`, by default `configurations`, and the columns that it has. Fails with
    /// [`ErrorKind::Configuration`] if it has no content, or nothing that names a row.
    pub async fn open(access: &Access, table: Option<&str>) -> Result<Self> {
        let connection = access.open().await?;
        let client = connection.client();
        client.batch_execute(BEGIN).await.map_err(|error| lost("begin a transaction", error))?;
        let table = Table { name: Some(table.unwrap_or(TABLE).to_owned()), ..Table::default() };
        let relation = Relation::find(client, &Dataset::default(), &table).await?;
        let rows = client.query(COLUMNS, &[&relation.oid]).await;
        let rows = rows.map_err(|error| lost("read the catalogue", error))?;
        let columns = rows.iter().map(|row| Column {
            name: row.get(0),
            quoted: row.get(1),
            kind: row.get(2),
            is_document: row.get(3),
        });
        let columns = columns.collect::<Vec<_>>();
        let select = select(&columns, &relation.name)?;
        let cursor = format!("declare kt_archive_rows no scroll cursor for {select}");
        client.batch_execute(&cursor).await.map_err(|error| lost("read the configurations", error))?;
        Ok(Self { connection, name: relation.name })
    }

    /// Schema and name, quoted where SQL needs quotes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next row; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<ConfigurationRow>> {
        let row = self.connection.client().query_opt("fetch 1 from kt_archive_rows", &[]).await;
        let Some(row) = row.map_err(|error| lost("read the configurations", error))? else { return Ok(None) };
        let text = |index: usize| row.get::<_, Option<String>>(index);
        let (name, id, version) = (text(0), text(1), text(5));
        let is_repeated = row.get::<_, i64>(7) > 1;
        let name = match (name, id.or_else(|| version.clone())) {
            (Some(name), _) if !is_repeated => name,
            (Some(name), Some(id)) => format!("{name}-{id}"),
            (None, Some(id)) => id,
            (name, None) => {
                let error = Error::new(ErrorKind::Incomplete, "several configurations have one name, or none");
                return Err(error
                    .with_context("table", &self.name)
                    .with_context("name", name.unwrap_or_default())
                    .with_hint(format!("the table needs a column that tells its rows apart: {}", ID.join(", "))));
            }
        };
        let (content, gateway, environment, commit) = (text(2), text(3), text(4), text(6));
        Ok(Some(ConfigurationRow { name, content, gateway, environment, version, commit }))
    }

    /// Ends the session.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

struct Column {
    name: String,
    quoted: String,
    kind: String,
    /// Whether its values are text or JSON.
    is_document: bool,
}

/// The query of the rows: name, id, content, gateway, environment, version, commit, and how many rows have the name.
fn select(columns: &[Column], table: &str) -> Result<String> {
    let find = |names: &[&str], is_fit: fn(&Column) -> bool| {
        let found = |name: &&str| columns.iter().find(|column| column.name == *name && is_fit(column));
        names.iter().find_map(found).map(|column| format!("{}::text", column.quoted))
    };
    let or_null = |names| find(names, |_| true).unwrap_or_else(|| "null::text".to_owned());
    let content = find(CONTENT, |column| column.is_document);
    let (name, id) = (or_null(NAME), or_null(ID));
    let Some(content) = content.filter(|_| find(NAME, |_| true).or_else(|| find(ID, |_| true)).is_some()) else {
        let lacks = "the table has no column that is known to hold configurations, or none that names them";
        let kinds = columns.iter().map(|column| format!("{} {}", column.name, column.kind)).collect::<Vec<_>>();
        return Err(configuration(lacks).with_context("table", table).with_hint(format!(
            "it has {}; known are, of type text, json or jsonb: {}; as a name: {}; make a view with such columns, and name it",
            listed(kinds.iter().map(String::as_str)),
            CONTENT.join(", "),
            [NAME, ID].concat().join(", "),
        )));
    };
    let [gateway, environment, version, commit] = [GATEWAY, ENVIRONMENT, VERSION, COMMIT].map(or_null);
    Ok(format!(
        "select {name}, {id}, {content}, {gateway}, {environment}, {version}, {commit}, \
         count(*) over (partition by {name}) from {table} order by 1, 2, 6"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[(&str, bool)]) -> Vec<Column> {
        let column = |(name, is_document): &(&str, bool)| Column {
            name: (*name).to_owned(),
            quoted: (*name).to_owned(),
            kind: "text".to_owned(),
            is_document: *is_document,
        };
        names.iter().map(column).collect()
    }

    #[test]
    fn the_likeliest_columns_are_read() {
        let found = columns(&[("data", true), ("config", true), ("id", false), ("slug", true), ("env", true)]);
        let query = select(&found, "public.configurations").unwrap();
        let expected =
            "select slug::text, id::text, config::text, null::text, env::text, null::text, null::text, count(*)";
        assert!(query.starts_with(expected), "{query}");
    }

    #[test]
    fn content_must_be_text() {
        for names in [&[("name", true), ("content", false)][..], &[("content", true)], &[("name", true)], &[]] {
            let error = select(&columns(names), "public.configurations").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            let first = names.first().map_or("none", |(name, _)| name);
            assert!(error.hint().starts_with(&format!("it has {first}")), "{}", error.hint());
        }
    }
}
