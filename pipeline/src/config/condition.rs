//! Conditions on column values.

use crate::units::TextOrTexts;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::str::FromStr;

/// A column and one of its accepted values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Name of the column.
    pub column: String,
    /// The value's text in the archive's CSV files; empty for NULL and for empty text.
    pub value: String,
}

/// Text that is not a condition. The message omits it, since it may contain an event's value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected COLUMN=VALUE")]
pub struct ConditionError;

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (column, value) = text.split_once('=').filter(|(column, _)| !column.is_empty()).ok_or(ConditionError)?;
        Ok(Self { column: column.to_owned(), value: value.to_owned() })
    }
}

/// Several conditions. Unlike other lists, they are not split at commas: values may contain commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions(pub Vec<Condition>);

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = match TextOrTexts::deserialize(deserializer)? {
            TextOrTexts::Text(text) => vec![text],
            TextOrTexts::Texts(texts) => texts,
        };
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_the_first_equals_sign() {
        let read = |text: &str| text.parse::<Condition>().map(|it| (it.column, it.value));
        let pair = |column: &str, value: &str| Ok((column.to_owned(), value.to_owned()));
        assert_eq!(read("note=a=b, c"), pair("note", "a=b, c"));
        assert_eq!(read("note="), pair("note", ""));
        assert_eq!(read("a b= c "), pair("a b", " c "));
        assert_eq!(
            (read("note"), read("=x"), read("")),
            (Err(ConditionError), Err(ConditionError), Err(ConditionError))
        );
    }
}
