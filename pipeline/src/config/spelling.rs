//! Accepted syntax of each key's values, obtained from the deserializers, so that it cannot diverge from them.

use super::{Config, ConfigOption, DatasetEntry, layer::read_entry, option};
use archive_connectors::nearest::nearest;
use archive_formats::FileFormat;
use serde::{
    Deserialize, Deserializer,
    de::{
        Error as _, IntoDeserializer, Visitor,
        value::{Error, MapDeserializer},
    },
    forward_to_deserialize_any,
};
use toml::{Table, Value};

/// The syntax that a key accepts, besides free text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spelling {
    /// The accepted words, if limited to a list; empty otherwise.
    pub words: Vec<&'static str>,
    /// Accepts integers.
    pub integer: bool,
    /// Accepts `true` and `false`.
    pub boolean: bool,
    /// Accepts several values.
    pub array: bool,
    /// Keys of the tables accepted among several values, the required one first; empty if tables are not accepted.
    pub tables: &'static [&'static str],
}

/// Checks that `key` accepts `value`. The error is a message.
pub fn check(key: &str, value: impl Into<Value>) -> Result<(), String> {
    read_entry(key, value.into()).map(drop)
}

/// Returns whether `key` accepts `value`.
pub(crate) fn is_value(key: &str, value: impl Into<Value>) -> bool {
    check(key, value).is_ok()
}

/// What to write instead of a value that `key` does not accept, if it is known: a number with its unit, or the nearest of
/// the words. The hint repeats nothing of `value` but numbers and units.
pub fn correction(key: &str, value: &Value) -> Option<String> {
    // Free text is never corrected: `5MiB` would be a good name too.
    if is_value(key, value.clone()) || is_value(key, "anything") {
        return None;
    }
    let text = match value {
        Value::Integer(number) => number.to_string(),
        Value::String(text) => text.split_whitespace().collect(),
        _ => return None,
    };
    let number = text.bytes().take_while(|byte| byte.is_ascii_digit() || b".,".contains(byte)).count();
    match text.split_at(number) {
        ("", _) => nearest(&text, words(key)).map(|word| format!("did you mean {word}?")),
        (number, "") => missing_unit(key, number),
        (number, unit) => whole_number(key, number, unit),
    }
}

/// The number with each unit that `key` accepts.
fn missing_unit(key: &str, number: &str) -> Option<String> {
    const UNITS: [&str; 7] = ["KiB", "MiB", "GiB", "s", "m", "h", "d"];
    let spelled = UNITS.map(|unit| format!("{number}{unit}")).into_iter();
    // `m` is a size too, which is better written `MiB`.
    let has_sizes = is_value(key, format!("{number}MiB"));
    let spelled = spelled.filter(|text| is_value(key, text.as_str()) && has_sizes == text.ends_with('B'));
    let spelled = spelled.collect::<Vec<_>>();
    (!spelled.is_empty()).then(|| format!("add the unit: {}", spelled.join(", ")))
}

/// The number with its unit, without a blank between them; one with decimals in the next smaller unit.
fn whole_number(key: &str, number: &str, unit: &str) -> Option<String> {
    /// A unit in lower case, the next smaller one, and how many of it are one.
    const SMALLER: [(&str, &str, f64); 11] = [
        ("gib", "MiB", 1024.0),
        ("g", "MiB", 1024.0),
        ("mib", "KiB", 1024.0),
        ("m", "KiB", 1024.0),
        ("kib", "B", 1024.0),
        ("k", "B", 1024.0),
        ("gb", "MB", 1000.0),
        ("mb", "KB", 1000.0),
        ("d", "h", 24.0),
        ("h", "m", 60.0),
        ("m", "s", 60.0),
    ];
    let decimal = number.replace(',', ".").parse::<f64>().ok();
    let smaller = SMALLER.iter().filter(|(name, ..)| unit.eq_ignore_ascii_case(name));
    let smaller = smaller.filter_map(|(_, smaller, factor)| Some(format!("{:.0}{smaller}", decimal? * factor)));
    let mut candidates =
        [format!("{number}{unit}"), format!("{number}{}", unit.to_ascii_lowercase())].into_iter().chain(smaller);
    candidates
        .find(|text| is_value(key, text.as_str()))
        .map(|text| format!("write a whole number and its unit: {text}"))
}

/// The words that `key` accepts, if it is limited to a list.
fn words(key: &str) -> Vec<&'static str> {
    option(key).map_or_else(Vec::new, |option| spelling(option.key).words)
}

/// What `key` expects instead of a TOML value of this type; `None` if it accepts values of the type.
pub(super) fn wrong_type(key: &'static str, value: &Value) -> Option<String> {
    let Spelling { integer, boolean, array, .. } = spelling(key);
    let (is_accepted, found) = match value {
        Value::String(_) => (true, "a text"),
        Value::Integer(_) => (integer || correction(key, value).is_some(), "a number"),
        Value::Boolean(_) => (boolean, "true or false"),
        // The deserializer explains the tables of datasets.
        Value::Array(values) => {
            (array && (values.iter().all(Value::is_str) || values.iter().any(Value::is_table)), "an array")
        }
        Value::Table(_) => (key == "dataset", "a table"),
        Value::Float(_) => (false, "a number with decimals"),
        Value::Datetime(_) => (false, "a date or a time"),
    };
    let expected = match () {
        () if array => "a text or an array of texts",
        () if integer => "a whole number",
        () if boolean => "true or false",
        () => "a text",
    };
    let found = if found == "an array" && array { "an array of other values" } else { found };
    (!is_accepted).then(|| format!("expected {expected}, not {found}"))
}

/// A line of the configuration file that sets `option`.
pub(super) fn example(option: &ConfigOption) -> String {
    let ConfigOption { key, value_name, .. } = *option;
    let syntax = spelling(key);
    let text = match (key, value_name.unwrap_or_default()) {
        ("source", _) => "https://api.keeptrusts.example",
        ("into", _) => "postgres://user@host/database",
        ("notify", _) => "https://hooks.example/archive",
        ("output", _) => "slice.csv",
        ("file-mode", _) => "0640",
        ("expect-head", _) => "42:3f2a9c0d5b1e7788",
        (_, "URL") => "s3://bucket/prefix",
        (_, "DIR") => "/srv/folder",
        (_, "FILE") => "/srv/file",
        (_, "DURATION") => "365d",
        (_, "OLD=NEW") => "old=new",
        (_, "COLUMN=VALUE") => "model=gpt-4o",
        (_, "SCHEMA.NAME") => "public.events",
        _ => "name",
    };
    let value = match option.default_value() {
        _ if syntax.boolean => true.into(),
        Some(default) => default,
        None if syntax.integer => 2.into(),
        None => Value::from(syntax.words.first().copied().unwrap_or(text)),
    };
    let value = if syntax.array && !value.is_array() { Value::Array(vec![value]) } else { value };
    format!("{key} = {value}")
}

/// The syntax of the values of `key`.
pub fn spelling(key: &'static str) -> Spelling {
    let mut words = variants(key).to_vec();
    if key == "format" {
        // Formats are parsed by `FromStr`, so serde has no list of them.
        words = FileFormat::ALL.iter().map(|format| format.as_str()).filter(|word| is_value(key, *word)).collect();
    }
    let name = Value::Table(Table::from_iter([("name".to_owned(), "x".into())]));
    Spelling {
        words,
        integer: is_value(key, 1),
        boolean: is_value(key, true),
        array: is_value(key, Value::Array(Vec::new())),
        tables: if is_value(key, vec![name]) { &DatasetEntry::KEYS } else { &[] },
    }
}

/// The variant names of the enum that `key` accepts.
fn variants(key: &'static str) -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    let entry = MapDeserializer::<_, Error>::new(std::iter::once((key, VariantNames(&mut names))));
    // Always an error: the deserializer only records the names.
    drop(Config::deserialize(entry));
    names
}

struct VariantNames<'a>(&'a mut &'static [&'static str]);

impl IntoDeserializer<'_, Error> for VariantNames<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for VariantNames<'_> {
    type Error = Error;

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = variants;
        Err(Error::custom("only the names were wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("not an enum"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OPTIONS;

    #[test]
    fn deserializers_report_their_syntax() {
        assert_eq!(spelling("progress").words, ["auto", "always", "never"]);
        assert_eq!(spelling("archive"), Spelling::default());
        assert_eq!(spelling("grace"), Spelling::default());
        assert_eq!(spelling("part-size"), Spelling::default());
        assert_eq!(spelling("jobs"), Spelling { integer: true, ..Spelling::default() });
        assert_eq!(spelling("quiet"), Spelling { boolean: true, ..Spelling::default() });
        assert_eq!(spelling("replica"), Spelling { array: true, ..Spelling::default() });
        assert_eq!(spelling("dataset"), Spelling { array: true, tables: &DatasetEntry::KEYS, ..Spelling::default() });
        assert!(spelling("format").array && spelling("format").words.starts_with(&["parquet", "csv"]));
    }

    #[test]
    fn a_number_without_its_unit_is_shown_with_each() {
        let hint = |key, value: Value| correction(key, &value);
        assert_eq!(hint("part-size", 64.into()).unwrap(), "add the unit: 64KiB, 64MiB, 64GiB");
        assert_eq!(hint("grace", "90".into()).unwrap(), "add the unit: 90s, 90m, 90h, 90d");
        for (key, value) in [("jobs", 2.into()), ("level", "1".into()), ("grace", "1h".into()), ("archive", 5.into())] {
            assert_eq!(hint(key, value), None, "{key}");
        }
        assert_eq!((hint("dataset", 5.into()), hint("state-dir", 5.into())), (None, None));
    }

    #[test]
    fn decimals_and_blanks_are_corrected() {
        for (key, value, right) in [
            ("part-size", "1,5GiB", "1536MiB"),
            ("part-size", "1.5 GB", "1500MB"),
            ("part-size", "1 GiB", "1GiB"),
            ("part-size", "1,5m", "1536KiB"),
            ("grace", "1,5h", "90m"),
            ("grace", "1.5m", "90s"),
            ("grace", "1 h", "1h"),
            ("grace", "2H", "2h"),
        ] {
            let hint = correction(key, &value.into());
            assert_eq!(hint, Some(format!("write a whole number and its unit: {right}")), "{value}");
        }
        assert_eq!((correction("part-size", &"1.5.5GiB".into()), correction("grace", &"soon".into())), (None, None));
    }

    #[test]
    fn misspelt_words_suggest_the_nearest_one() {
        assert_eq!(correction("rejects", &"keeep".into()).unwrap(), "did you mean keep?");
        assert_eq!(correction("rejects", &"drop".into()), None);
    }

    #[test]
    fn every_option_has_an_example_that_it_accepts() {
        for option in OPTIONS {
            let line = example(option);
            let value = line.parse::<Table>().unwrap_or_else(|error| panic!("{line}: {error}")).remove(option.key);
            assert!(check(option.key, value.unwrap()).is_ok(), "{line}");
        }
    }

    #[test]
    fn values_of_another_type_are_named() {
        assert_eq!(wrong_type("archive", &5.into()).unwrap(), "expected a text, not a number");
        assert_eq!(
            wrong_type("jobs", &Value::from(1.5)).unwrap(),
            "expected a whole number, not a number with decimals"
        );
        assert_eq!(wrong_type("quiet", &3.into()).unwrap(), "expected true or false, not a number");
        assert_eq!(
            wrong_type("replica", &true.into()).unwrap(),
            "expected a text or an array of texts, not true or false"
        );
        for (key, value) in [("jobs", 5.into()), ("part-size", 5.into()), ("format", Value::from(vec!["csv"]))] {
            assert_eq!(wrong_type(key, &value), None, "{key}");
        }
    }
}
