//! The known columns of API artifacts: the id, the time, and those whose type holds every value exactly.
//!
//! The platform's documentation shows six versions of an event record, some names of the other datasets, and no column
//! list of the CSV export. In CSV, unknown columns are text, and so are nested values, whose encoding is undocumented.
//! In JSON, unknown members share the column [`EXTRA`].

use crate::{Column, ColumnType, Schema, schema::SchemaError};

/// Names of the id column, best first.
const ID_COLUMNS: [&str; 3] = ["event_id", "id", "eventId"];

/// Names of the time column, best first. Records with both `timestamp` and `created_at` use the latter for the time of
/// insertion.
const TIME_COLUMNS: [&str; 4] = ["timestamp", "created_at", "occurred_at", "time"];

/// Names of instants.
const INSTANTS: [&str; 4] = ["timestamp", "created_at", "occurred_at", "updated_at"];

const COUNTS: [&str; 5] = ["input_tokens", "output_tokens", "total_tokens", "latency_ms", "duration_ms"];

/// Documented as NUMERIC(12,6) and as plain numbers; 18 decimals hold both without rounding.
const COSTS: [&str; 6] = [
    "cost_usd",
    "cost",
    "total_cost_usd",
    "total_cost",
    "event_cost_attribution.total_cost_usd",
    "event_cost_attribution.total_cost",
];

/// Names of text in events, escalations, traces and the audit log. Objects and lists are not text.
const TEXTS: [&str; 45] = [
    // Events.
    "id",
    "event_id",
    "eventId",
    "time",
    "event_type",
    "type",
    "verdict",
    "decision",
    "action",
    "policy_outcome",
    "policy_decision",
    "outcome",
    "reason",
    "reason_code",
    "policy_name",
    "provider",
    "model",
    "route",
    "api_shape",
    "gateway_id",
    "agent_id",
    "user_id",
    "user",
    "consumer",
    "team_id",
    "consumer_group",
    "org_id",
    "organization",
    "project_id",
    "config_version",
    "config_id",
    "config_name",
    "request_id",
    "request_source",
    "batch_id",
    "source_spend_log_id",
    "event_cost_attribution.source_spend_log_id",
    "output_preview",
    // Escalations, traces, audit log.
    "status",
    "severity",
    "trace_id",
    "span_id",
    "traceparent",
    "actor",
    "target",
];

/// Names of nested values, kept as JSON.
const DOCUMENTS: [&str; 16] = [
    "policies_evaluated",
    "policies_triggered",
    "policy_results",
    "metadata",
    "request_metadata",
    "response_metadata",
    "safety_settings",
    "safety_response",
    "citations",
    "redactions",
    "quality_scores",
    "event_cost_attribution",
    "timeline",
    "before",
    "after",
    "diff",
];

/// Names of booleans.
const FLAGS: [&str; 1] = ["degraded_mode"];

/// The column of a JSON artifact for the members without a column, as one JSON object for each event.
pub const EXTRA: &str = "extra";

/// The type of every cost column of an API artifact.
pub const COST: ColumnType = ColumnType::Decimal { precision: 38, scale: 18 };

/// The configured names of the two columns that every event must have; `None` means the first known alias.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyColumns {
    /// Name of the id column.
    pub id: Option<String>,
    /// Name of the time column.
    pub time: Option<String>,
}

/// The header is not one of events.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HeaderError {
    /// There is no column with a known name, or with the configured one.
    #[error("there is no {role} column: looked for {wanted}, found {found}")]
    NoKey {
        /// `id` or `time`.
        role: &'static str,
        /// The names looked for.
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
    let keys = Keys::find(names, keys)?;
    let columns = names.iter().map(|name| {
        let name = name.as_ref();
        keys.column(name, || exact_type(name).unwrap_or(ColumnType::Text))
    });
    Ok(Schema::new(columns.collect(), keys.id, keys.time)?)
}

/// The names of the id and the time column among `names`, in this order.
pub fn find_keys<'a, S: AsRef<str>>(names: &'a [S], keys: &KeyColumns) -> Result<(&'a str, &'a str), HeaderError> {
    let Keys { id, time } = Keys::find(names, keys)?;
    Ok((id, time))
}

/// Whether the values are costs from an artifact, which have fewer decimals than their type.
pub(crate) fn is_cost_of_artifact(column: &Column) -> bool {
    column.kind == COST && column.source_type.is_none()
}

/// Whether `name` is a known column of events, which may be missing in some months.
pub fn knows(name: &str) -> bool {
    json_type(name).is_some()
}

/// The schema of a JSON artifact whose records have members of these `names`: a column for each known name, and
/// [`EXTRA`] when there are others or `has_extra` is set.
pub(crate) fn json_schema<S: AsRef<str>>(
    names: &[S],
    has_extra: bool,
    keys: &KeyColumns,
) -> Result<Schema, HeaderError> {
    let keys = Keys::find(names, keys)?;
    let known = names.iter().map(AsRef::as_ref).filter_map(|name| {
        let kind = json_type(name);
        (kind.is_some() || keys.has(name)).then(|| keys.column(name, || kind.unwrap_or(ColumnType::Text)))
    });
    let mut columns = known.collect::<Vec<_>>();
    if has_extra || columns.len() < names.len() {
        columns.push(Column { name: EXTRA.to_owned(), kind: ColumnType::Json, source_type: None, nullable: true });
    }
    Ok(Schema::new(columns, keys.id, keys.time)?)
}

/// The type that holds every value of the column exactly, in any format of artifact.
fn exact_type(name: &str) -> Option<ColumnType> {
    match name {
        _ if INSTANTS.contains(&name) => Some(ColumnType::TimestampUtc),
        _ if COUNTS.contains(&name) => Some(ColumnType::Int64),
        _ if COSTS.contains(&name) => Some(COST),
        _ => None,
    }
}

/// The type of a member of a JSON record; `None` for an unknown name.
pub(crate) fn json_type(name: &str) -> Option<ColumnType> {
    exact_type(name).or_else(|| match name {
        _ if TEXTS.contains(&name) => Some(ColumnType::Text),
        _ if DOCUMENTS.contains(&name) => Some(ColumnType::Json),
        _ if FLAGS.contains(&name) => Some(ColumnType::Bool),
        _ => None,
    })
}

/// The names of the two columns that every event must have.
struct Keys<'a> {
    id: &'a str,
    time: &'a str,
}

impl<'a> Keys<'a> {
    fn find<S: AsRef<str>>(names: &'a [S], keys: &KeyColumns) -> Result<Self, HeaderError> {
        let id = key_column("id", keys.id.as_deref(), &ID_COLUMNS, names)?;
        let time = key_column("time", keys.time.as_deref(), &TIME_COLUMNS, names)?;
        Ok(Self { id, time })
    }

    fn has(&self, name: &str) -> bool {
        name == self.id || name == self.time
    }

    /// The column `name`, of the type that `other` returns unless it is one of the two.
    fn column(&self, name: &str, other: impl FnOnce() -> ColumnType) -> Column {
        let kind = match name {
            _ if name == self.time => ColumnType::TimestampUtc,
            _ if name == self.id => ColumnType::Text,
            _ => other(),
        };
        Column { name: name.to_owned(), kind, source_type: None, nullable: !self.has(name) }
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

/// The first names of a header, short enough for an error on one line even when the header is a page of HTML.
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
    fn finds_the_keys_of_every_documented_version() {
        assert_eq!(schema(&["timestamp", "id", "verdict"]).id(), "id");
        assert_eq!(schema(&["event_id", "timestamp", "action"]).id(), "event_id");
        let analytics = schema(&["id", "created_at", "timestamp", "decision"]);
        assert_eq!((analytics.id(), analytics.time()), ("id", "timestamp"));
        assert_eq!(schema(&["id", "created_at"]).time(), "created_at");
    }

    #[test]
    fn unknown_columns_are_text() {
        let schema = schema(&["id", "timestamp", "cost_usd", "input_tokens", "config_version", "surprise"]);
        let types = schema.columns().iter().map(|column| column.kind.to_string()).collect::<Vec<_>>();
        assert_eq!(types, ["text", "timestamp(us,UTC)", "decimal(38,18)", "int64", "text", "text"]);
    }

    #[test]
    fn unknown_json_names_share_a_column() {
        let columns = |names: &[&str], has_extra| {
            let schema = json_schema(names, has_extra, &KeyColumns::default()).unwrap();
            schema.columns().iter().map(|column| format!("{} {}", column.name, column.kind)).collect::<Vec<_>>()
        };
        let known = ["metadata json", "id text", "created_at timestamp(us,UTC)", "cost decimal(38,18)"];
        assert_eq!(columns(&["metadata", "id", "created_at", "cost"], false), known);
        assert_eq!(
            columns(&["metadata", "x", "id", "created_at", "cost"], false),
            [&known[..], &["extra json"]].concat()
        );
        assert_eq!(columns(&["metadata", "id", "created_at", "cost"], true), [&known[..], &["extra json"]].concat());
        assert_eq!(columns(&["extra", "id", "time"], false), ["id text", "time timestamp(us,UTC)", "extra json"]);
    }

    #[test]
    fn every_documented_name_is_known_once() {
        let names = [&TEXTS[..], &DOCUMENTS, &FLAGS, &INSTANTS, &COUNTS, &COSTS].concat();
        let distinct = names.iter().collect::<std::collections::HashSet<_>>();
        assert_eq!(distinct.len(), names.len());
        assert!(names.iter().all(|name| json_type(name).is_some() && *name != EXTRA));
        assert!(ID_COLUMNS.iter().chain(&TIME_COLUMNS).all(|name| json_type(name).is_some()));
    }

    #[test]
    fn configured_names_take_precedence() {
        let keys = KeyColumns { id: Some("ref".to_owned()), time: Some("seen".to_owned()) };
        let schema = text_schema(&["id", "timestamp", "ref", "seen"], &keys).unwrap();
        assert_eq!((schema.id(), schema.time()), ("ref", "seen"));
        assert_eq!(find_keys(&["id", "timestamp", "ref", "seen"], &keys), Ok(("ref", "seen")));
    }

    #[test]
    fn keys_have_columns_of_their_own_whatever_their_names() {
        let keys = KeyColumns { id: Some("latency_ms".to_owned()), time: Some("seen".to_owned()) };
        let schema = json_schema(&["latency_ms", "seen", "cost", "other"], false, &keys).unwrap();
        let columns = schema.columns().iter().map(|it| (it.name.as_str(), it.kind.to_string(), it.nullable));
        let expected = [
            ("latency_ms", "text", false),
            ("seen", "timestamp(us,UTC)", false),
            ("cost", "decimal(38,18)", true),
            ("extra", "json", true),
        ];
        assert_eq!(columns.collect::<Vec<_>>(), expected.map(|(name, kind, null)| (name, kind.to_owned(), null)));
    }

    #[test]
    fn costs_of_a_database_are_not_costs_of_an_artifact() {
        let column = |kind, source_type: Option<&str>| {
            let source_type = source_type.map(str::to_owned);
            Column { name: "cost".to_owned(), kind, source_type, nullable: true }
        };
        assert!(is_cost_of_artifact(&column(COST, None)));
        assert!(!is_cost_of_artifact(&column(COST, Some("numeric"))));
        assert!(!is_cost_of_artifact(&column(ColumnType::Decimal { precision: 12, scale: 6 }, None)));
    }

    #[test]
    fn names_of_the_documentation_are_known() {
        assert!(["eventId", "time", "cost", "metadata", "degraded_mode"].into_iter().all(knows));
        assert!(["", "extra", "ref"].into_iter().all(|name| !knows(name)));
    }

    #[test]
    fn missing_keys_are_named_in_the_error() {
        let error = text_schema(&["<html>"], &KeyColumns::default()).unwrap_err();
        assert!(error.to_string().contains("event_id, id, eventId"), "{error}");
        let found = |names: usize| excerpt(&vec!["a".repeat(41); names]);
        let eight = format!("{:?}", vec!["a".repeat(40); 8]);
        assert_eq!((found(8), found(9)), (eight.clone(), format!("{eight}, …")));
    }
}
