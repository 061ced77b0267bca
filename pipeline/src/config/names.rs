//! The names under which settings were given. Messages name options by their flags; where a variable or the file set the
//! option, that is what has to be changed.

use super::{Layers, Origin, check, file::in_file, spelling};
use std::collections::BTreeMap;

/// The options that the environment or the file set, with their names there.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeMap<&'static str, String>);

impl Names {
    /// The names of the settings in `layers`.
    pub fn new(layers: &Layers) -> Self {
        let named = layers.settings().into_iter().filter_map(|setting| match setting.from {
            Origin::Variable(name) => Some((setting.key, name)),
            Origin::File => Some((setting.key, in_file(setting.key))),
            Origin::Flag | Origin::Default => None,
        });
        Self(named.collect())
    }

    /// Adds an option that another variable set.
    #[must_use]
    pub fn with(mut self, key: &'static str, name: &str) -> Self {
        self.0.insert(key, name.to_owned());
        self
    }

    /// `text` with the names of these options instead of their flags. A flag with a value is advice, and a command in
    /// backticks is to be copied: both stay, since flags take precedence.
    pub fn spell(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let parts = text.split('`').enumerate();
        let parts = parts.map(|(index, part)| if index % 2 == 0 { self.spell_prose(part) } else { part.to_owned() });
        parts.collect::<Vec<_>>().join("`")
    }

    fn spell_prose(&self, text: &str) -> String {
        let (mut spelled, mut rest) = (String::with_capacity(text.len()), text);
        while let Some((before, after)) = rest.split_once("--") {
            let end = after.find(|letter: char| !letter.is_ascii_lowercase() && letter != '-').unwrap_or(after.len());
            let (key, following) = after.split_at(end);
            spelled.push_str(before);
            match self.0.get_key_value(key) {
                Some((key, name)) if !before.ends_with(" as ") && !begins_with_value(following, key) => {
                    spelled.push_str(name);
                }
                _ => spelled.extend(["--", key]),
            }
            rest = following;
        }
        spelled + rest
    }
}

/// Whether the text after a flag begins with a value for it.
fn begins_with_value(following: &str, key: &'static str) -> bool {
    let Some(following) = following.strip_prefix(' ') else { return following.starts_with('=') };
    let word = following.split([' ', ',', ';', ')']).next().unwrap_or_default();
    let syntax = spelling(key);
    let is_free_text = check(key, "any text").is_ok();
    match () {
        () if syntax.boolean => false,
        () if is_free_text => word.contains(['/', '=', '.', ':', '…']),
        () => check(key, word).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Layer, environment::Environment};

    fn spelled(text: &str) -> String {
        let variables = [("KT_ARCHIVE_GRACE", "2h"), ("KT_ARCHIVE_CSV_SAFE", "1"), ("KT_ARCHIVE_DROP", "a")];
        let environment = Environment::from(variables);
        let layers = Layers {
            flags: Layer::from_flags(toml::Table::from_iter([("drop".to_owned(), "b".into())]), &environment).unwrap(),
            environment: Layer::from_environment(&environment).unwrap().0,
            file: Layer::from_toml("format = 'csv'\narchive = '/a'", &environment).unwrap(),
        };
        Names::new(&layers).with("source", "KEEPTRUSTS_API_URL").spell(text)
    }

    #[test]
    fn options_have_the_names_under_which_they_were_set() {
        for (text, expected) in [
            ("shorten --grace", "shorten KT_ARCHIVE_GRACE"),
            ("leave artifact out of --format", "leave artifact out of \"format\" in the configuration file"),
            ("leave --csv-safe out", "leave KT_ARCHIVE_CSV_SAFE out"),
            ("check --archive; or --source", "check \"archive\" in the configuration file; or KEEPTRUSTS_API_URL"),
        ] {
            assert_eq!(spelled(text), expected);
        }
    }

    #[test]
    fn flags_unset_options_advice_and_commands_stay() {
        for text in [
            "leave --drop out",
            "replace it with --force",
            "use --format csv, or --grace 1h",
            "use --source demo: to try it out",
            "`kt-archive replicate --archive` mends it",
            "give the replica as --archive",
            "no option -- here",
            "--",
        ] {
            assert_eq!(spelled(text), text);
        }
    }
}
