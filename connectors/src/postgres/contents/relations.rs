//! The tables and sequences that a dump holds, from the catalogue.

use super::super::{connection::Connection, failure::lost, quote::identifier};
use crate::{Error, ErrorKind, Result};
use archive_formats::backup_manifest::SequenceState;
use tokio_postgres::{Row, SimpleQueryMessage, error::SqlState};

/// The tables and sequences that a dump of a database holds.
#[derive(Debug)]
pub(super) struct Relations(Vec<Relation>);

/// A table or a sequence.
#[derive(Debug)]
pub(super) struct Relation {
    id: u32,
    /// The file of its rows as the snapshot sees it: `TRUNCATE`, for one, takes a new one.
    file: u32,
    kind: Kind,
    schema: String,
    name: String,
    /// Bytes on the server's disk.
    pub(super) bytes: u64,
    /// Columns of a table whose values a dump holds, in the order of their names.
    columns: Vec<String>,
    /// The clause by which an extension marks rows of its table as configuration, or nothing.
    condition: String,
    /// Whether the server, as a standby, cannot read it.
    is_hidden: bool,
    /// Whether the role may read it.
    pub(super) is_readable: bool,
    /// Whether row-level security applies to the role.
    pub(super) has_policies: bool,
}

/// `pg_class.relkind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Table,
    Partitioned,
    Sequence,
}

/// As `pg_dump` chooses them: relations of extensions only if they are configuration.
const RELATIONS: &str = "\
with configuration as (
  select unnest(extconfig) as id, unnest(extcondition) as condition from pg_extension
)
select c.relkind::text, n.nspname::text, c.relname::text,
       case c.relkind when 'r' then coalesce(pg_table_size(c.oid), 0) else 0 end,
       array(select a.attname::text from pg_attribute a
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                and c.relkind = 'r'),
       coalesce(configuration.condition, ''),
       c.relpersistence = 'u' and pg_is_in_recovery(),
       has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'),
       c.relkind = 'r' and row_security_active(c.oid), c.oid, c.relfilenode
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  left join configuration on configuration.id = c.oid
 where c.relkind in ('r', 'p', 'S') and c.relpersistence <> 't'
   and left(n.nspname::text, 3) <> 'pg_' and n.nspname <> 'information_schema'
   and (configuration.id is not null
        or not exists (select from pg_depend d
                        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'))
 order by c.oid";

impl Relations {
    /// Reads those of the session's database, in the order of their identifiers, in which `pg_dump` locks them too.
    pub(super) async fn read(holder: &Connection) -> Result<Self> {
        let rows = holder.client().query(RELATIONS, &[]).await;
        let rows = rows.map_err(|error| match error.code().map(SqlState::code) {
            Some("22021") => Error::new(ErrorKind::Source, "the name of a table or a column is not UTF-8")
                .with_hint("rename it: a database without an encoding (SQL_ASCII) takes names of any bytes"),
            _ => lost("list the tables", error),
        })?;
        Ok(Self(rows.iter().map(Relation::new).collect()))
    }

    /// All of them, and the partitioned tables above the leaves.
    pub(super) fn all(&self) -> impl Iterator<Item = &Relation> {
        self.0.iter()
    }

    /// Those with rows of their own.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Relation> {
        self.of_kind(Kind::Table)
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Relation> {
        self.0.iter().filter(move |relation| relation.kind == kind)
    }

    /// Keeps the tables from being dropped, altered or truncated until the end of the transaction, as `pg_dump` does. The
    /// locks of a dump and of its readers come on top: more tables than a part of the server's room for locks stay without.
    pub(super) async fn lock(&self, holder: &Connection) -> Result<()> {
        const AT_ONCE: usize = 500;
        const ROOM: &str = "select current_setting('max_locks_per_transaction')::bigint \
            * current_setting('max_connections')::bigint / 4";
        let room = holder.ask::<usize>("room for locks", ROOM).await?;
        let tables = self.0.iter().filter(|relation| relation.kind != Kind::Sequence);
        let names = tables.map(|table| format!("only {}", table.quoted())).collect::<Vec<_>>();
        if names.len() > room {
            tracing::debug!(tables = names.len(), room, "too many tables to lock");
            return Ok(());
        }
        for names in names.chunks(AT_ONCE) {
            let statement = format!("lock table {} in access share mode", names.join(", "));
            let locked = holder.client().batch_execute(&statement).await;
            locked.map_err(|error| read_failure("lock the tables", error))?;
        }
        Ok(())
    }

    /// Fails if a table was dropped, truncated or rewritten since the snapshot was taken: a snapshot does not protect from
    /// that. `other` must be another session than the snapshot's, which may see the catalogue as it was.
    pub(super) async fn check_files(&self, other: &Connection) -> Result<()> {
        const CHANGED: &str = "select number - 1 from unnest($1::oid[], $2::oid[]) with ordinality as known (id, file, number) \
            where pg_relation_filenode(id) is distinct from file limit 1";
        let tables = self.tables().collect::<Vec<_>>();
        let (ids, files) = tables.iter().map(|table| (table.id, table.file)).unzip::<_, _, Vec<_>, Vec<_>>();
        let changed = other.client().query_opt(CHANGED, &[&ids, &files]).await;
        let changed = changed.map_err(|error| lost("compare the files of the tables", error))?;
        let Some(number) = changed.map(|row| row.get::<_, i64>(0)) else { return Ok(()) };
        let table = usize::try_from(number).ok().and_then(|number| tables.get(number));
        Err(Error::new(ErrorKind::SnapshotLost, "a table was dropped, truncated or rewritten while it was saved")
            .with_context("table", table.map(|table| table.printed()).unwrap_or_default())
            .with_hint("run the same command again, while no table is changed"))
    }

    /// The states of the sequences, now: they do not belong to a snapshot.
    pub(super) async fn sequence_states(&self, holder: &Connection) -> Result<Vec<SequenceState>> {
        const AT_ONCE: usize = 500;
        let sequences = self.of_kind(Kind::Sequence).filter(|sequence| !sequence.is_hidden).collect::<Vec<_>>();
        let mut states = Vec::new();
        for sequences in sequences.chunks(AT_ONCE) {
            let query = |sequence: &&Relation| format!("select last_value, is_called from {};", sequence.quoted());
            let rows = simple_rows(holder, &sequences.iter().map(query).collect::<String>()).await;
            let rows = rows.map_err(|error| read_failure("read the sequences", error))?;
            let state = |(sequence, row): (&&Relation, &[String])| {
                let [last_value, is_called] = row else { return None };
                let last_value = last_value.parse().ok()?;
                Some(SequenceState { name: sequence.printed(), last_value, is_called: is_called == "t", until: None })
            };
            let read = sequences.iter().zip(rows.iter().map(Vec::as_slice)).map(state).collect::<Option<Vec<_>>>();
            states.extend(read.filter(|read| read.len() == sequences.len()).ok_or_else(unexpected)?);
        }
        states.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(states)
    }
}

/// The rows of all statements of `sql`.
pub(super) async fn simple_rows(
    connection: &Connection,
    sql: &str,
) -> std::result::Result<Vec<Vec<String>>, tokio_postgres::Error> {
    let messages = connection.client().simple_query(sql).await?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|index| row.get(index).unwrap_or_default().to_owned()).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

/// The error of doing `what` with relations that another session may have changed since the snapshot was taken.
pub(super) fn read_failure(what: &str, error: tokio_postgres::Error) -> Error {
    match error.code().map(SqlState::code) {
        Some("42P01" | "3F000" | "42703") => {
            Error::new(ErrorKind::SnapshotLost, format!("could not {what}, since one was dropped or changed meanwhile"))
        }
        Some("53200") => {
            lost(what, error).with_hint("raise max_locks_per_transaction on the server, if it lacks locks")
        }
        Some("22P05") => {
            lost(what, error).with_hint("a text has a character that UTF-8 does not have: use --digests counts")
        }
        _ => lost(what, error),
    }
}

pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::Source, "the server's answer is not that of PostgreSQL")
}

impl Relation {
    fn new(row: &Row) -> Self {
        let kind = match row.get(0) {
            "S" => Kind::Sequence,
            "p" => Kind::Partitioned,
            _ => Kind::Table,
        };
        let mut columns = row.get::<_, Vec<String>>(4);
        columns.sort_unstable();
        Self {
            id: row.get(9),
            file: row.get(10),
            kind,
            schema: row.get(1),
            name: row.get(2),
            bytes: row.get::<_, i64>(3).unsigned_abs(),
            columns,
            condition: row.get(5),
            is_hidden: row.get(6),
            is_readable: row.get(7),
            has_policies: row.get(8),
        }
    }

    /// Whether a dump has no rows of it, whatever it contains.
    pub(super) const fn is_hidden(&self) -> bool {
        self.is_hidden
    }

    /// Schema and name, quoted unless plain, as manifests and errors have them.
    pub(super) fn printed(&self) -> String {
        format!("{}.{}", printed(&self.schema), printed(&self.name))
    }

    /// The schema, for SQL.
    pub(super) fn schema(&self) -> String {
        identifier(&self.schema)
    }

    /// Schema and name, for SQL.
    fn quoted(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.name))
    }

    /// The query of its rows, with these `columns`.
    fn query(&self, columns: &str) -> String {
        format!("select {columns} from only {} {}", self.quoted(), self.condition)
    }

    /// The statement that copies its rows out as they are hashed.
    pub(super) fn copy(&self, encoding: &str) -> String {
        let columns = self.columns.iter().map(|column| identifier(column)).collect::<Vec<_>>();
        format!("copy ({}) to stdout (encoding '{encoding}')", self.query(&columns.join(", ")))
    }

    /// The query that counts its rows.
    pub(super) fn count(&self) -> String {
        self.query("count(*)")
    }
}

/// An identifier, quoted unless it consists of lower-case letters, digits and underscores. Which words are keywords differs
/// by version, so that they do not count.
pub(super) fn printed(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        && !name.starts_with(|letter: char| letter.is_ascii_digit());
    if is_plain && !name.is_empty() { name.to_owned() } else { identifier(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_unless_plain() {
        assert_eq!(["plain_1", "order"].map(printed), ["plain_1", "order"]);
        assert_eq!(["Odd name", "1st", "a\"b", "é"].map(printed), ["\"Odd name\"", "\"1st\"", "\"a\"\"b\"", "\"é\""]);
    }

    #[test]
    fn rows_are_copied_by_the_names_of_their_columns() {
        let mut table = Relation {
            id: 1,
            file: 1,
            kind: Kind::Table,
            schema: "public".into(),
            name: "a\"b".into(),
            bytes: 0,
            columns: vec!["B".into(), "a".into()],
            condition: "where not built_in".into(),
            is_hidden: false,
            is_readable: true,
            has_policies: false,
        };
        let copy =
            "copy (select \"B\", \"a\" from only \"public\".\"a\"\"b\" where not built_in) to stdout (encoding 'UTF8')";
        assert_eq!(table.copy("UTF8"), copy);
        (table.columns, table.condition) = (Vec::new(), String::new());
        assert_eq!(
            table.copy("SQL_ASCII"),
            "copy (select  from only \"public\".\"a\"\"b\" ) to stdout (encoding 'SQL_ASCII')"
        );
        assert_eq!(table.count(), "select count(*) from only \"public\".\"a\"\"b\" ");
    }
}
