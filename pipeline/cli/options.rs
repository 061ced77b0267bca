//! Configuration keys as command-line options: their help texts, and which of them were typed.

use super::args::Arguments;
use archive::config;
use clap::{ArgMatches, Command, CommandFactory as _, parser::ValueSource};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The help text of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Documented {
    pub(super) description: String,
    /// The default: a value, or a sentence.
    pub(super) default: Option<String>,
}

impl Documented {
    /// The default, if it is a value of `key` and not a sentence.
    pub(super) fn default_value(&self, key: &'static str) -> Option<Value> {
        let spelling = config::spelling(key);
        match &self.default {
            None if spelling.boolean => Some(false.into()),
            Some(text) if !text.contains([' ', '$']) => {
                let number = text.parse::<i64>().ok().filter(|_| spelling.integer).map(Value::from);
                let value = number.unwrap_or_else(|| text.as_str().into());
                config::is_value(key, value.clone()).then_some(value)
            }
            _ => None,
        }
    }
}

/// The help of every key. If several commands have an option of that name, the first one counts.
pub(super) fn documented() -> BTreeMap<&'static str, Documented> {
    let command = Arguments::command();
    let keys = config::keys().iter();
    keys.filter_map(|key| Some((*key, split(&help(&command, &key.replace('-', "_"))?)))).collect()
}

fn help(command: &Command, id: &str) -> Option<String> {
    let own = command.get_arguments().find(|argument| argument.get_id() == id);
    let own = own.and_then(|argument| argument.get_long_help().or_else(|| argument.get_help()));
    own.map(ToString::to_string).or_else(|| command.get_subcommands().find_map(|below| help(below, id)))
}

/// Splits `description [default: value]`.
fn split(help: &str) -> Documented {
    let (description, default) = match help.strip_suffix(']').and_then(|help| help.rsplit_once("[default: ")) {
        Some((description, default)) => (description, Some(default.to_owned())),
        None => (help, None),
    };
    Documented { description: description.trim().to_owned(), default }
}

/// The options that were typed, in the notation of the configuration file.
pub(super) fn typed(matches: &ArgMatches) -> Table {
    let mut words = matches.subcommand().map(|(_, below)| typed(below)).unwrap_or_default();
    for key in config::keys() {
        let id = key.replace('-', "_");
        let is_known = matches.try_contains_id(&id).is_ok();
        if is_known && matches.value_source(&id) == Some(ValueSource::CommandLine) {
            words.entry(*key).or_insert_with(|| value(matches, key, &id));
        }
    }
    words
}

fn value(matches: &ArgMatches, key: &'static str, id: &str) -> Value {
    let raw = matches.get_raw(id).into_iter().flatten().map(|text| text.to_string_lossy().into_owned());
    let texts = raw.collect::<Vec<_>>();
    let spelling = config::spelling(key);
    match texts.as_slice() {
        _ if spelling.boolean => true.into(),
        _ if spelling.array => texts.into(),
        [.., last] if spelling.integer => last.parse::<i64>().map_or_else(|_| last.as_str().into(), Value::from),
        [.., last] => last.as_str().into(),
        [] => "".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive::{config::Config, environment::Environment, settings::Settings};

    fn typed_in(line: &str) -> Table {
        typed(&Arguments::command().try_get_matches_from(line.split(' ')).unwrap())
    }

    #[test]
    fn every_key_is_documented() {
        let documented = documented();
        let missing = config::keys().iter().filter(|key| !documented.contains_key(*key)).collect::<Vec<_>>();
        assert_eq!(missing, [] as [&&str; 0], "no option has their name");
    }

    #[test]
    fn documented_defaults_equal_the_effective_ones() {
        let documented = documented();
        let defaults = config::keys().iter().filter_map(|key| {
            let value = documented.get(key)?.default_value(key)?;
            Some(((*key).to_owned(), value))
        });
        let mut defaults = defaults.collect::<Table>();
        assert!(defaults.contains_key("grace") && defaults.contains_key("allow-http"), "{defaults}");
        assert_eq!(defaults.remove("dataset"), Some("events".into()));
        let documented = defaults.try_into::<Config>().unwrap();
        let environment = Environment::from([("HOME", "/home/ada"), ("KEEPTRUSTS_API_TOKEN", "t")]);
        let settings = |config: Config| {
            let config = Config { source: Some("https://api.example".to_owned()), ..config };
            format!("{:?}", Settings::new(config, &environment).unwrap())
        };
        assert_eq!(settings(documented), settings(Config::default()));
    }

    #[test]
    fn typed_options_have_the_notation_of_the_file() {
        let typed = typed_in("kt-archive --quiet config show --format csv --format parquet --grace 2h --state-dir /s");
        let expected = "quiet = true\nformat = ['csv', 'parquet']\ngrace = '2h'\nstate-dir = '/s'";
        assert_eq!(typed, expected.parse::<Table>().unwrap());
        assert_eq!(typed_in("kt-archive run -vv"), "verbose = 2".parse::<Table>().unwrap());
        assert_eq!(typed_in("kt-archive verify"), Table::new());
    }
}
