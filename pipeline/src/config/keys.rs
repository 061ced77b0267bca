//! Known configuration keys, and suggestions for unknown ones.

use super::{Config, DatasetEntry};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Visitor, value::Error},
    forward_to_deserialize_any,
};

/// Every key of the configuration file, as derived by serde: a hand-written list could be incomplete.
pub fn all() -> &'static [&'static str] {
    fields::<Config>()
}

/// Every key of a `[[dataset]]` table.
pub(super) fn dataset() -> &'static [&'static str] {
    fields::<DatasetEntry>()
}

fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // Always an error: the deserializer only records the field names.
    drop(T::deserialize(FieldNames(&mut names)));
    names
}

/// The `known` key with the smallest edit distance from `key`.
pub(super) fn nearest(key: &str, known: &[&'static str]) -> &'static str {
    let key = key.to_ascii_lowercase().replace('_', "-");
    known.iter().min_by_key(|known| edits(&key, known)).copied().unwrap_or_default()
}

/// Levenshtein distance, computed row by row.
pub(crate) fn edits(from: &str, to: &str) -> usize {
    let mut row = (0..=to.chars().count()).collect::<Vec<_>>();
    for (index, letter) in from.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (above, other) in row.iter_mut().skip(1).zip(to.chars()) {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = *above;
            left = replaced.min(left + 1).min(*above + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("only the names were wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("not a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_config_fields() {
        assert!(all().contains(&"state-dir") && all().contains(&"expect-head") && !all().contains(&"json"));
        assert_eq!(dataset(), ["name", "table", "id-column", "time-column", "columns"]);
        assert!(dataset()[1..].iter().all(|key| all().contains(key)), "each is explained by the option of its name");
    }

    #[test]
    fn nearest_key_has_the_smallest_edit_distance() {
        assert_eq!(nearest("part_size", all()), "part-size");
        assert_eq!(nearest("datasets", all()), "dataset");
        assert_eq!(nearest("achive", all()), "archive");
        assert_eq!(nearest("id_colum", dataset()), "id-column");
        assert_eq!((edits("", "abc"), edits("kitten", "sitting"), edits("same", "same")), (3, 3, 0));
    }
}
