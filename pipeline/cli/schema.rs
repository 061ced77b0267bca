//! The JSON Schema of the configuration file.

use archive::config::{self, OPTIONS, Spelling};
use serde_json::{Map, Value, json};

/// The schema. Types come from the reader of the file.
pub(super) fn schema() -> Value {
    let properties = OPTIONS.iter().map(|option| (option.key.to_owned(), property(option.key)));
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

fn property(key: &'static str) -> Value {
    let mut property = Map::new();
    if let Some(option) = config::option(key) {
        let default = option.default_value();
        let sentence = option.default.filter(|_| default.is_none());
        let sentence = sentence.map(|sentence| format!(" [default: {sentence}]")).unwrap_or_default();
        property.insert("description".to_owned(), format!("{}{sentence}", option.help).into());
        if let Some(default) = default {
            property.insert("default".to_owned(), json!(default));
        }
    }
    property.extend(values(&config::spelling(key)));
    Value::Object(property)
}

/// A table as a value of a key. Its keys have the descriptions of the options of the same names.
fn table(keys: &[&'static str]) -> Value {
    let properties = keys.iter().map(|key| ((*key).to_owned(), property(key)));
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": keys.first().map_or(&[][..], std::slice::from_ref),
        "properties": properties.collect::<Map<_, _>>(),
    })
}

fn values(spelling: &Spelling) -> Map<String, Value> {
    let word = if spelling.words.is_empty() {
        json!({"type": "string"})
    } else {
        json!({"anyOf": [{"enum": spelling.words}, {"$ref": "#/$defs/variable"}]})
    };
    let Spelling { integer, boolean, array, tables, .. } = spelling;
    let item = if tables.is_empty() { word.clone() } else { json!({"anyOf": [word, table(tables)]}) };
    let others = [
        integer.then(|| json!({"type": "integer", "minimum": 0})),
        boolean.then(|| json!({"type": "boolean"})),
        // A list may be one string with commas.
        array.then(|| json!({"type": "array", "items": item})),
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
