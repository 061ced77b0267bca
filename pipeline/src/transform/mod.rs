//! Transforms of events between the source and the archive: drop columns, pseudonymise values, write types as text, rename
//! columns. Always in this order, and always by the source's names.
//!
//! Pure functions over batches. Manifests record the transforms, and that of times, which the source truncates while it
//! reads. The id and the time of an event are not changed otherwise: every proof of an archive depends on them. An id that
//! becomes text has the same text.

mod plain;
mod pseudonymise;

use archive_connectors::{Error, ErrorKind, Result};
use archive_formats::{Column, ColumnType, EventBatch, Schema, catalogue, schema::SchemaError};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
pub(crate) use pseudonymise::{Key, Pseudonyms};
use serde_json::{Map, Value, json};
use std::{collections::HashMap, fmt, str::FromStr, sync::Arc};

/// Transforms, for every month.
#[derive(Clone, Debug, Default)]
pub struct Transforms {
    /// Whether the source cut times to microseconds.
    pub truncates_times: bool,
    /// The columns to keep.
    pub selection: Option<Selection>,
    /// The columns to pseudonymise.
    pub pseudonyms: Option<Pseudonyms>,
    /// Whether UUIDs, JSON and times of day become text.
    pub plain_types: bool,
    /// The columns to rename.
    pub renaming: Option<Renaming>,
}

/// Transforms bound to the columns of one month.
#[derive(Debug)]
pub struct Bound {
    schema: Arc<Schema>,
    arrow: SchemaRef,
    outputs: Vec<Output>,
}

/// A column of the archive.
#[derive(Debug)]
struct Output {
    /// Its index at the source.
    position: usize,
    /// The column at the source.
    column: Column,
    change: Change,
}

/// What is done to the values of a column.
#[derive(Debug)]
enum Change {
    Nothing,
    Pseudonymise(Key),
    ToPlainType,
}

impl Change {
    /// The type of the changed values of type `kind`.
    fn kind(&self, kind: &ColumnType) -> ColumnType {
        match self {
            Self::Nothing => kind.clone(),
            Self::Pseudonymise(_) => ColumnType::Text,
            Self::ToPlainType => plain::plain(kind),
        }
    }
}

impl Transforms {
    /// The transforms as recorded in manifests, in order of application.
    pub fn records(&self) -> Vec<Value> {
        let truncation = self.truncates_times.then(|| json!({"name": "truncate-times", "unit": "us"}));
        let selection = self.selection.iter().map(Selection::record);
        let pseudonyms = self.pseudonyms.iter().map(Pseudonyms::record);
        truncation
            .into_iter()
            .chain(selection)
            .chain(pseudonyms)
            .chain(self.plain_types.then(plain::record))
            .chain(self.renaming.iter().map(Renaming::record))
            .collect()
    }

    /// Binds the transforms to the columns of a month. Rejects names that the month does not have: a misspelled name
    /// would archive values that should be hidden. Names of known event columns may be absent.
    pub fn bind(&self, source: &Schema) -> Result<Bound> {
        self.check_names(source)?;
        let is_key = |name: &str| name == source.id() || name == source.time();
        let keeps = |name: &str| self.selection.as_ref().is_none_or(|it| is_key(name) || it.keeps(name));
        let kept = source.columns().iter().enumerate().filter(|(_, column)| keeps(&column.name));
        let outputs =
            kept.map(|(position, column)| Output { position, column: column.clone(), change: self.change(column) });
        let outputs = outputs.collect::<Vec<_>>();
        let archived = outputs.iter().map(|Output { column, change, .. }| Column {
            name: self.renaming.as_ref().map_or(column.name.as_str(), |it| it.name_of(&column.name)).to_owned(),
            kind: change.kind(&column.kind),
            ..column.clone()
        });
        let schema = Schema::new(archived.collect(), source.id(), source.time());
        let schema = schema.map_err(|error| {
            refused("the renamed columns collide").with_source(error).with_hint("give each column a name of its own")
        })?;
        check_folders(&schema)?;
        warn_of_names_that_differ_in_case(&schema);
        Ok(Bound { arrow: schema.to_arrow(), schema: Arc::new(schema), outputs })
    }

    fn change(&self, column: &Column) -> Change {
        if let Some(pseudonyms) = self.pseudonyms.as_ref().filter(|it| it.columns.contains(&column.name)) {
            return Change::Pseudonymise(pseudonyms.key.clone());
        }
        if self.plain_types && plain::plain(&column.kind) != column.kind {
            Change::ToPlainType
        } else {
            Change::Nothing
        }
    }

    fn check_names(&self, source: &Schema) -> Result<()> {
        let dropped = self.selection.iter().filter(|it| matches!(it, Selection::Drop(_))).flat_map(Selection::names);
        let pseudonyms = self.pseudonyms.iter().flat_map(|it| &it.columns);
        let renamed = self.renaming.iter().flat_map(|it| &it.0).map(|rename| &rename.from);
        let changed = dropped.chain(pseudonyms).chain(renamed);
        if let Some(key) = changed.clone().find(|name| **name == source.id() || **name == source.time()) {
            let message = format!("column {key:?} is the id or the time of events, and cannot be changed");
            return Err(refused(message).with_hint("leave it out of --drop, --pseudonymise and --rename"));
        }
        let selected = self.selection.iter().flat_map(Selection::names);
        for name in selected.chain(changed).filter(|name| !has(source, name)) {
            if !catalogue::knows(name) {
                return Err(refused(format!("there is no column {name:?}")).with_hint(choice(source)));
            }
            tracing::warn!(column = name, "the month does not have a column that was named");
        }
        Ok(())
    }
}

impl Bound {
    /// The archived columns.
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Transforms the events of `batch`, which must have the bound columns.
    pub fn apply(&self, batch: &EventBatch) -> Result<EventBatch> {
        let columns = self.outputs.iter().map(|output| output.take_from(batch.records()));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let records = RecordBatch::try_new(Arc::clone(&self.arrow), columns).map_err(failed)?;
        EventBatch::try_new(Arc::clone(&self.schema), records).map_err(failed)
    }
}

impl Output {
    fn take_from(&self, records: &RecordBatch) -> Result<ArrayRef> {
        let values = records.column(self.position);
        match &self.change {
            Change::Nothing => Ok(Arc::clone(values)),
            Change::Pseudonymise(key) => key.pseudonyms(&self.column, values).map_err(failed),
            Change::ToPlainType => plain::to_plain(&self.column, values).map_err(failed),
        }
    }
}

/// Returns whether two manifest records are equal, ignoring the order of column names.
pub(crate) fn is_same(one: &Value, other: &Value) -> bool {
    let unordered = |record: &Value| {
        let mut record = record.clone();
        if let Some(columns) = record.get_mut("columns").and_then(Value::as_array_mut) {
            columns.sort_by_key(Value::to_string);
        }
        record
    };
    unordered(one) == unordered(other)
}

fn has(schema: &Schema, name: &str) -> bool {
    schema.columns().iter().any(|column| column.name == name)
}

/// Such columns are two to this archive, and one to Spark, Athena and others.
fn warn_of_names_that_differ_in_case(schema: &Schema) {
    let mut seen = HashMap::new();
    for Column { name, .. } in schema.columns() {
        if let Some(other) = seen.insert(name.to_lowercase(), name) {
            tracing::warn!(
                column = name,
                other,
                "two columns differ in case alone: Spark and others cannot read both; --rename gives one another name"
            );
        }
    }
}

fn check_folders(schema: &Schema) -> Result<()> {
    schema.check_folders().map_err(|collision| {
        let error = Error::new(ErrorKind::Source, "the events cannot lie in the folders of an archive");
        let hint = match &collision {
            SchemaError::Month(name) => {
                format!("archive it as --rename {name}=source_month, or leave it out with --drop")
            }
            _ => "have the columns mended at the source".to_owned(),
        };
        error.with_source(collision).with_hint(hint)
    })
}

/// The available columns, for hints.
fn choice(schema: &Schema) -> String {
    const MOST: usize = 100;
    let names = schema.columns().iter().take(MOST).map(|column| column.name.as_str()).collect::<Vec<_>>();
    let more = if schema.columns().len() > MOST { ", …" } else { "" };
    format!("the month has the columns {}{more}", names.join(", "))
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

fn failed(error: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, "could not transform events").with_source(error.to_string())
}

#[cfg(test)]
mod tests;

/// A rename of a column, written `from=to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// Name at the source.
    pub from: String,
    /// Name in the archive.
    pub to: String,
}

/// Renames of columns. No name appears twice on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming(pub Vec<Rename>);

impl FromStr for Rename {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once('=') {
            Some((from, to)) if !from.is_empty() && !to.is_empty() => {
                Ok(Self { from: from.to_owned(), to: to.to_owned() })
            }
            _ => Err(format!("expected two names like old=new, not {text:?}")),
        }
    }
}

impl Renaming {
    /// The archive's name for the source column `name`.
    pub fn name_of<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.iter().find(|rename| rename.from == name).map_or(name, |rename| &rename.to)
    }

    pub(super) fn record(&self) -> Value {
        let names = self.0.iter().map(|Rename { from, to }| (from.clone(), Value::from(to.as_str())));
        json!({"name": "rename", "columns": Value::Object(names.collect::<Map<_, _>>())})
    }
}

/// The columns to keep, besides the id and the time, in the order of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Only these.
    Columns(Vec<String>),
    /// All except these.
    Drop(Vec<String>),
}

impl Selection {
    /// The named columns.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Columns(names) | Self::Drop(names) => names,
        }
    }

    /// Returns whether a column is kept.
    pub fn keeps(&self, name: &str) -> bool {
        match self {
            Self::Columns(names) => names.iter().any(|kept| kept == name),
            Self::Drop(names) => names.iter().all(|dropped| dropped != name),
        }
    }

    pub(super) fn record(&self) -> Value {
        match self {
            Self::Columns(names) => json!({"name": "columns", "columns": names}),
            Self::Drop(names) => json!({"name": "drop", "columns": names}),
        }
    }
}
