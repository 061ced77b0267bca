//! Datasets, and their descriptions in the configuration file.

use super::Config;
use crate::units::List;
use archive_formats::Dataset;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::collections::HashSet;
use toml::Value;

/// Datasets in order: text with commas, or in the file also an array of names and tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Datasets(pub Vec<DatasetEntry>);

/// A dataset, and its location in a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "expected the name of a dataset or a table")]
pub struct DatasetEntry {
    /// Its name.
    pub name: Dataset,
    /// Its table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Its id column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_column: Option<String>,
    /// Its time column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_column: Option<String>,
    /// The columns to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<List<String>>,
}

impl Datasets {
    /// The same datasets, each with its description from `file`, without keys that a higher layer sets for all
    /// datasets.
    pub(super) fn described_by(self, file: Option<&Self>, above: &Config) -> Self {
        let described = |entry: DatasetEntry| {
            let known = file.and_then(|file| file.0.iter().find(|known| known.name == entry.name));
            let DatasetEntry { name, table, id_column, time_column, columns } = known.cloned().unwrap_or(entry);
            DatasetEntry {
                name,
                table: table.filter(|_| above.table.is_none()),
                id_column: id_column.filter(|_| above.id_column.is_none()),
                time_column: time_column.filter(|_| above.time_column.is_none()),
                columns,
            }
        };
        Self(self.0.into_iter().map(described).collect())
    }

    /// The datasets as a TOML array of tables, if any has more than a name.
    pub(super) fn tables(&self) -> Option<Value> {
        let is_described = self.0.iter().any(|entry| entry.first_key().is_some());
        is_described.then(|| Value::try_from(&self.0).ok()).flatten()
    }
}

impl DatasetEntry {
    /// The keys of a `[[dataset]]` table, the required one first. Each is explained by the option of its name.
    pub(super) const KEYS: [&str; 5] = ["name", "table", "id-column", "time-column", "columns"];

    /// The first key that is set besides the name.
    pub(crate) fn first_key(&self) -> Option<&'static str> {
        let Self { name: _, table, id_column, time_column, columns } = self;
        let keys = [
            ("table", table.is_some()),
            ("id-column", id_column.is_some()),
            ("time-column", time_column.is_some()),
            ("columns", columns.is_some()),
        ];
        keys.into_iter().find(|(_, is_set)| *is_set).map(|(key, _)| key)
    }
}

impl From<Dataset> for DatasetEntry {
    fn from(name: Dataset) -> Self {
        Self { name, table: None, id_column: None, time_column: None, columns: None }
    }
}

impl From<Vec<Dataset>> for Datasets {
    fn from(names: Vec<Dataset>) -> Self {
        Self(names.into_iter().map(DatasetEntry::from).collect())
    }
}

impl<'de> Deserialize<'de> for Datasets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let datasets = match Value::deserialize(deserializer)? {
            Value::Array(values) if values.iter().any(Value::is_table) => {
                values.into_iter().map(entry).collect::<Result<_, _>>().and_then(reject_duplicates)
            }
            Value::Table(_) => Err(toml::de::Error::custom("a table of datasets begins with [[dataset]]")),
            names => List::deserialize(names).map(|List(names)| Vec::into(names)),
        };
        datasets.map_err(|error| D::Error::custom(error.message()))
    }
}

/// Rejects two entries with one name: one of them would be ignored.
fn reject_duplicates(entries: Vec<DatasetEntry>) -> Result<Datasets, toml::de::Error> {
    let mut names = HashSet::new();
    match entries.iter().find(|entry| !names.insert(&entry.name)) {
        Some(entry) => Err(toml::de::Error::custom(format!("two datasets have the name {:?}", entry.name.as_str()))),
        None => Ok(Datasets(entries)),
    }
}

fn entry(value: Value) -> Result<DatasetEntry, toml::de::Error> {
    match value {
        name @ Value::String(_) => Dataset::deserialize(name).map(DatasetEntry::from),
        other => DatasetEntry::deserialize(other),
    }
}
