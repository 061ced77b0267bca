//! Accepted syntax of each key's values, obtained from the deserializers, so that it cannot diverge from them.

use super::{Config, DatasetEntry, layer::read_entry};
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

/// What to write instead of a number that lacks its unit; `None` for every other value.
pub fn missing_unit(key: &str, value: &Value) -> Option<String> {
    const UNITS: [&str; 7] = ["KiB", "MiB", "GiB", "s", "m", "h", "d"];
    let number = match value {
        Value::Integer(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || is_value(key, value.clone()) {
        return None;
    }
    let spelled = UNITS.map(|unit| format!("{number}{unit}")).into_iter();
    // `m` is a size too, which is better written `MiB`.
    let has_sizes = is_value(key, format!("{number}MiB"));
    let spelled = spelled.filter(|text| is_value(key, text.as_str()) && has_sizes == text.ends_with('B'));
    let spelled = spelled.collect::<Vec<_>>();
    (!spelled.is_empty()).then(|| format!("add the unit: {}", spelled.join(", ")))
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
        let hint = |key, value: Value| missing_unit(key, &value);
        assert_eq!(hint("part-size", 64.into()).unwrap(), "add the unit: 64KiB, 64MiB, 64GiB");
        assert_eq!(hint("grace", "90".into()).unwrap(), "add the unit: 90s, 90m, 90h, 90d");
        assert_eq!((hint("jobs", 2.into()), hint("level", "1".into()), hint("grace", "1h".into())), (None, None, None));
    }
}
