//! Dataset names.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// A kind of record that is archived on its own: `events`, `traces`, `escalations`, `audit-log`, or a table. Its name is
/// the name of a folder of the archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dataset(String);

/// The name cannot be a dataset's.
#[derive(Debug, thiserror::Error)]
#[error("not a dataset name: {0:?} (lower-case letters, digits, - and _, and not \"manifests\")")]
pub struct DatasetError(String);

impl Dataset {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `events`.
impl Default for Dataset {
    fn default() -> Self {
        Self("events".to_owned())
    }
}

impl FromStr for Dataset {
    type Err = DatasetError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut letters = name.bytes();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let valid =
            letters.next().is_some_and(plain) && letters.all(|byte| plain(byte) || byte == b'-' || byte == b'_');
        if valid && name != "manifests" { Ok(Self(name.to_owned())) } else { Err(DatasetError(name.to_owned())) }
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for Dataset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Dataset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_that_are_not_folders() {
        for name in ["", "manifests", "Events", "../events", "-events", "a b", "événements"] {
            assert!(name.parse::<Dataset>().is_err(), "{name}");
        }
        assert_eq!("audit-log".parse::<Dataset>().unwrap().as_str(), "audit-log");
    }
}
