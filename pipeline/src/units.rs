//! Types that parse durations, sizes, counts, switches and lists. Flags, environment and file use the same syntax; the
//! file may also use numbers for counts, and booleans. Durations and sizes have a unit everywhere.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::{fmt::Display, str::FromStr, time::Duration};

/// A value that does not parse.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected {expected}, not {found:?}")]
pub struct UnitError {
    expected: &'static str,
    found: String,
}

fn error(expected: &'static str, found: &str) -> UnitError {
    UnitError { expected, found: found.to_owned() }
}

/// A duration such as `90s`, `15m`, `1h` or `2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationArg(pub Duration);

/// A century, in seconds: longer durations are typing errors, and overflow the calendar.
const MAX_DURATION: u64 = 100 * 365 * 86_400;

impl FromStr for DurationArg {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || error("a duration like 90s, 15m, 1h or 2d", text);
        let (number, unit) = split_number(text).ok_or_else(error)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(error()),
        };
        let seconds = number.checked_mul(seconds).filter(|seconds| *seconds <= MAX_DURATION);
        seconds.map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(error)
    }
}

/// A number of bytes with its unit, such as `256MiB` or `64MB`. A bare `256` would be bytes to the program, and
/// mebibytes to most users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || error("a size like 256MiB, 64MB or 1GiB", text);
        let (number, unit) = split_number(text).ok_or_else(error)?;
        let bytes: u64 = match unit.to_ascii_lowercase().as_str() {
            "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            // As coreutils, systemd and Java read a single letter.
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            _ => return Err(error()),
        };
        number.checked_mul(bytes).map(Self).ok_or_else(error)
    }
}

/// The mode of files in octal digits, such as `0640`: for the owner, perhaps the group and others, and not executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl FromStr for FileMode {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| mode & !0o666 == 0 && mode & 0o600 == 0o600);
        mode.map(Self).ok_or_else(|| error("a mode like 0640, 0600 or 0644", text))
    }
}

/// A count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u32);

impl FromStr for Count {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| error("a whole number", text))
    }
}

/// A boolean: `true` or `1`, `false` or `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch(pub bool);

impl FromStr for Switch {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "true" | "1" => Ok(Self(true)),
            "false" | "0" => Ok(Self(false)),
            _ => Err(error("true or false", text)),
        }
    }
}

/// Several values, separated by commas; in the file also an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct List<T>(pub Vec<T>);

fn split_number(text: &str) -> Option<(u64, &str)> {
    let (digits, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    digits.parse().ok().map(|number| (number, unit))
}

fn parse<T: FromStr<Err: Display>, E: serde::de::Error>(text: &str) -> Result<T, E> {
    text.parse().map_err(E::custom)
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number or a text")]
enum NumberOrText {
    Number(u64),
    Text(String),
}

/// Parses a text with a unit. A number has none: it is rejected with the message that shows the syntax.
fn with_unit<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    match NumberOrText::deserialize(deserializer)? {
        NumberOrText::Number(number) => parse(&number.to_string()),
        NumberOrText::Text(text) => parse(&text),
    }
}

impl<'de> Deserialize<'de> for DurationArg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        with_unit(deserializer)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        with_unit(deserializer)
    }
}

impl<'de> Deserialize<'de> for FileMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(&String::deserialize(deserializer)?)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(number) => u32::try_from(number).map(Self).map_err(D::Error::custom),
            NumberOrText::Text(text) => parse(&text),
        }
    }
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected true or false")]
        enum BoolOrText {
            Bool(bool),
            Text(String),
        }
        match BoolOrText::deserialize(deserializer)? {
            BoolOrText::Bool(on) => Ok(Self(on)),
            BoolOrText::Text(text) => parse(&text),
        }
    }
}

/// A list in a configuration file.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text or an array of texts")]
pub(crate) enum TextOrTexts {
    Text(String),
    Texts(Vec<String>),
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = match TextOrTexts::deserialize(deserializer)? {
            TextOrTexts::Text(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
            TextOrTexts::Texts(texts) => texts,
        };
        texts.iter().map(|text| parse(text)).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal_and_leave_the_owner_access() {
        let mode = |text: &str| text.parse::<FileMode>().map(|mode| mode.0).ok();
        assert_eq!(["0640", "600", "0664"].map(mode), [Some(0o640), Some(0o600), Some(0o664)]);
        for text in ["", "0o640", "rw", "0440", "0755", "4640", "-640", "689"] {
            assert_eq!(mode(text), None, "{text}");
        }
    }

    #[test]
    fn durations_have_a_number_and_one_unit() {
        let seconds = |text: &str| text.parse::<DurationArg>().map(|duration| duration.0.as_secs()).ok();
        assert_eq!(
            ["90s", "15m", "1h", "2d", "0s"].map(seconds),
            [Some(90), Some(900), Some(3600), Some(172_800), Some(0)]
        );
        for text in [
            "",
            "90",
            "h",
            "-1h",
            "1.5h",
            "1h30m",
            "1 h",
            "1H",
            "99999999999999999999s",
            "999999999999999999d",
            "36501d",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_have_a_decimal_or_binary_unit() {
        let bytes = |text: &str| text.parse::<Size>().map(|size| size.0).ok();
        assert_eq!(bytes("256MiB"), Some(268_435_456));
        assert_eq!(bytes("64MB"), Some(64_000_000));
        assert_eq!(bytes("1048576B"), Some(1_048_576));
        for text in ["1M", "1m", "1MiB", "1mib", "1024K", "1024KiB"] {
            assert_eq!(bytes(text), Some(1 << 20), "{text}");
        }
        for text in ["", "MiB", "1.5GiB", "-1", "12 MiB", "99999999999GiB", "1", "1048576", "1X", "1Mi", "1Mb/s"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn file_accepts_plain_numbers_booleans_and_arrays() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Values {
            count: Count,
            on: Switch,
            list: List<u8>,
        }
        let expected = Values { count: Count(2), on: Switch(true), list: List(vec![1, 2]) };
        let native = "count = 2\non = true\nlist = ['1', '2']";
        let texts = "count = '2'\non = '1'\nlist = '1, 2'";
        assert_eq!(toml::from_str::<Values>(native).unwrap(), expected);
        assert_eq!(toml::from_str::<Values>(texts).unwrap(), expected);
        assert!(toml::from_str::<Values>("count = -2\non = true\nlist = []").is_err());
    }

    #[test]
    fn numbers_in_the_file_need_a_unit_where_texts_do() {
        #[derive(Debug, Deserialize)]
        struct Values {
            size: Size,
            time: DurationArg,
        }
        let read = |text: &str| toml::from_str::<Values>(text).map(|it| (it.size.0, it.time.0.as_secs()));
        assert_eq!(read("size = '5MiB'\ntime = '2s'").unwrap(), (5 << 20, 2));
        for text in ["size = 5\ntime = '2s'", "size = '5'\ntime = '2s'", "size = '5MiB'\ntime = 2"] {
            assert!(read(text).unwrap_err().message().contains("like"), "{text}");
        }
    }
}
