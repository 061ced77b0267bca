//! What is known of the columns of API artifacts: which identify an event, which say when it happened, and which have
//! a type that holds every value exactly.
//!
//! The platform's pages show six versions of an event record and no column list of the CSV export, so a name that is
//! not in this table is text, as it came.

use crate::{Column, ColumnType, Schema, schema::SchemaError};

/// Names of the id column, best first.
const ID_COLUMNS: [&str; 3] = ["event_id", "id", "eventId"];

/// Names of the time column, best first. `created_at` comes after `timestamp` because records that have both use it for
/// the time of insertion.
const TIME_COLUMNS: [&str; 4] = ["timestamp", "created_at", "occurred_at", "time"];

/// Columns that hold an instant wherever they appear.
const INSTANTS: [&str; 4] = ["timestamp", "created_at", "occurred_at", "updated_at"];

const COUNTS: [&str; 5] = ["input_tokens", "output_tokens", "total_tokens", "latency_ms", "duration_ms"];

/// Costs are documented as NUMERIC(12,6) and as bare numbers; 18 decimals hold either without rounding.
const COSTS: [&str; 6] = [
    "cost_usd",
    "cost",
    "total_cost_usd",
    "total_cost",
    "event_cost_attribution.total_cost_usd",
    "event_cost_attribution.total_cost",
];

/// The type of every cost column of an API artifact.
pub const COST: ColumnType = ColumnType::Decimal { precision: 38, scale: 18 };

/// The names that the operator gave for the two columns that every event must have; `None` means the first known alias.
#[derive(Clone, Debug, Default)]
pub struct KeyColumns {
    /// Name of the id column.
    pub id: Option<String>,
    /// Name of the time column.
    pub time: Option<String>,
}

/// Why a header cannot be one of events.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HeaderError {
    /// None of the known names of the id or time column appears, or not the one that was asked for.
    #[error("there is no {role} column: looked for {wanted}, found {found}")]
    NoKey {
        /// `id` or `time`.
        role: &'static str,
        /// The names that were looked for.
        wanted: String,
        /// The first names of the header.
        found: String,
    },
    /// The columns contradict each other.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// The schema of a text artifact (CSV) with these column `names`.
pub fn text_schema<S: AsRef<str>>(names: &[S], keys: &KeyColumns) -> Result<Schema, HeaderError> {
    let id = key_column("id", keys.id.as_deref(), &ID_COLUMNS, names)?;
    let time = key_column("time", keys.time.as_deref(), &TIME_COLUMNS, names)?;
    let columns = names.iter().map(|name| {
        let name = name.as_ref();
        let is_key = name == id || name == time;
        let kind = if name == time { ColumnType::TimestampUtc } else { text_column_type(name, name == id) };
        Column { name: name.to_owned(), kind, source_type: None, nullable: !is_key }
    });
    Ok(Schema::new(columns.collect(), id, time)?)
}

/// Whether events are known to have a column `name`, and so may lack it in one month or another.
pub fn knows(name: &str) -> bool {
    let known = [&ID_COLUMNS[..], &TIME_COLUMNS, &INSTANTS, &COUNTS, &COSTS];
    known.into_iter().flatten().any(|known| *known == name)
}

fn text_column_type(name: &str, is_id: bool) -> ColumnType {
    match name {
        _ if is_id => ColumnType::Text,
        _ if INSTANTS.contains(&name) => ColumnType::TimestampUtc,
        _ if COUNTS.contains(&name) => ColumnType::Int64,
        _ if COSTS.contains(&name) => COST,
        _ => ColumnType::Text,
    }
}

fn key_column<'a, S: AsRef<str>>(
    role: &'static str,
    wanted: Option<&str>,
    aliases: &[&str],
    names: &'a [S],
) -> Result<&'a str, HeaderError> {
    let candidates = wanted.map_or_else(|| aliases.to_vec(), |name| vec![name]);
    let find = |candidate: &&str| names.iter().map(AsRef::as_ref).find(|name| name == candidate);
    candidates.iter().find_map(find).ok_or_else(|| HeaderError::NoKey {
        role,
        wanted: candidates.join(", "),
        found: excerpt(names),
    })
}

/// The first names of a header, short enough for one line of an error: a page of HTML is a header too.
fn excerpt<S: AsRef<str>>(names: &[S]) -> String {
    const NAMES: usize = 8;
    const LETTERS: usize = 40;
    let first = names.iter().take(NAMES).map(|name| name.as_ref().chars().take(LETTERS).collect::<String>());
    let more = if names.len() > NAMES { ", …" } else { "" };
    format!("{:?}{more}", first.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(names: &[&str]) -> Schema {
        text_schema(names, &KeyColumns::default()).unwrap()
    }

    #[test]
    fn finds_the_key_columns_of_every_documented_version() {
        assert_eq!(schema(&["timestamp", "id", "verdict"]).id, "id");
        assert_eq!(schema(&["event_id", "timestamp", "action"]).id, "event_id");
        let analytics = schema(&["id", "created_at", "timestamp", "decision"]);
        assert_eq!((analytics.id.as_str(), analytics.time.as_str()), ("id", "timestamp"));
        assert_eq!(schema(&["id", "created_at"]).time, "created_at");
    }

    #[test]
    fn types_only_what_is_known() {
        let schema = schema(&["id", "timestamp", "cost_usd", "input_tokens", "config_version", "surprise"]);
        let types = schema.columns.iter().map(|column| column.kind.to_string()).collect::<Vec<_>>();
        assert_eq!(types, ["text", "timestamp(us,UTC)", "decimal(38,18)", "int64", "text", "text"]);
    }

    #[test]
    fn the_operators_choice_beats_the_aliases() {
        let keys = KeyColumns { id: Some("ref".to_owned()), time: Some("seen".to_owned()) };
        let schema = text_schema(&["id", "timestamp", "ref", "seen"], &keys).unwrap();
        assert_eq!((schema.id.as_str(), schema.time.as_str()), ("ref", "seen"));
    }

    #[test]
    fn a_header_without_keys_names_what_was_looked_for() {
        let error = text_schema(&["<html>"], &KeyColumns::default()).unwrap_err();
        assert!(error.to_string().contains("event_id, id, eventId"), "{error}");
    }
}
