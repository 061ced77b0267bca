//! The JSON Schema of the configuration file.

use super::options::{Documented, documented};
use crate::config::{self, Spelling};
use serde_json::{Map, Value, json};

/// The schema. Keys and spellings are those of the code that reads the file, descriptions and defaults those of `--help`.
pub(super) fn schema() -> Value {
    let documented = documented();
    let properties = config::keys().iter().map(|key| ((*key).to_owned(), property(key, documented.get(key))));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of kt-archive",
        "type": "object",
        "additionalProperties": false,
        "properties": properties.collect::<Map<_, _>>(),
        "$defs": {
            "variable": {"type": "string", "pattern": r"\$\{", "description": "${NAME}: a variable of the environment"},
        },
    })
}

fn property(key: &'static str, documented: Option<&Documented>) -> Value {
    let mut property = Map::new();
    if let Some(documented) = documented {
        let sentence = documented.default.as_ref().filter(|_| documented.default_value(key).is_none());
        let sentence = sentence.map(|sentence| format!(" [default: {sentence}]")).unwrap_or_default();
        property.insert("description".to_owned(), format!("{}{sentence}", documented.description).into());
        if let Some(default) = documented.default_value(key) {
            property.insert("default".to_owned(), json!(default));
        }
    }
    property.extend(values(&config::spelling(key)));
    Value::Object(property)
}

fn values(spelling: &Spelling) -> Map<String, Value> {
    let word = if spelling.words.is_empty() {
        json!({"type": "string"})
    } else {
        json!({"anyOf": [{"enum": spelling.words}, {"$ref": "#/$defs/variable"}]})
    };
    let Spelling { integer, boolean, array, .. } = spelling;
    let others = [
        integer.then(|| json!({"type": "integer", "minimum": 0})),
        boolean.then(|| json!({"type": "boolean"})),
        // One text may hold several, with commas.
        array.then(|| json!({"type": "array", "items": word})),
        array.then(|| json!({"type": "string"})),
    ];
    let mut forms = others.into_iter().flatten().collect::<Vec<_>>();
    if !array {
        forms.push(word);
    }
    match (forms.pop(), forms.is_empty()) {
        (Some(Value::Object(only)), true) => only,
        (last, _) => Map::from_iter([("anyOf".to_owned(), forms.into_iter().chain(last).collect())]),
    }
}
