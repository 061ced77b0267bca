//! Other names for columns.

use serde_json::{Map, Value, json};
use std::str::FromStr;

/// Another name for a column, written `from=to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The source's name.
    pub from: String,
    /// The archive's name.
    pub to: String,
}

/// Other names for some columns. No name appears twice on the same side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming(pub Vec<Rename>);

impl FromStr for Rename {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((from, to)) if !from.is_empty() && !to.is_empty() => {
                Ok(Self { from: from.to_owned(), to: to.to_owned() })
            }
            _ => Err(format!("expected two names like old=new, not {text:?}")),
        }
    }
}

impl Renaming {
    /// The archive's name for the column that the source calls `name`.
    pub fn name_of<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.iter().find(|rename| rename.from == name).map_or(name, |rename| &rename.to)
    }

    pub(super) fn record(&self) -> Value {
        let names = self.0.iter().map(|Rename { from, to }| (from.clone(), Value::from(to.as_str())));
        json!({"name": "rename", "columns": Value::Object(names.collect::<Map<_, _>>())})
    }
}
