//! Settings of transforms, validated before any column is known.

use super::invalid;
use crate::{
    config::Config,
    transform::{Key, Pseudonyms, Rename, Renaming, Selection, Transforms},
    units::List,
};
use archive_connectors::{Error, Result, secret::read_secret_file};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// The requested transforms. The pseudonym key is not read yet: only commands that archive need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransformSettings {
    truncates_times: bool,
    selection: Option<Selection>,
    pseudonymise: Vec<String>,
    key_file: Option<PathBuf>,
    plain_types: bool,
    renaming: Option<Renaming>,
}

impl TransformSettings {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let settings = Self {
            truncates_times: config.truncate_times.is_some(),
            selection: selection(config)?,
            pseudonymise: names("--pseudonymise", config.pseudonymise.as_ref())?.unwrap_or_default(),
            key_file: config.pseudonym_key_file.clone(),
            plain_types: config.parquet_compat.is_some_and(|on| on.0),
            renaming: config.rename.as_ref().map(renaming).transpose()?,
        };
        match (settings.pseudonymise.is_empty(), settings.key_file.is_none()) {
            (true, false) => Err(invalid("there is a key for pseudonyms, but no column to pseudonymise")
                .with_hint("name the columns with --pseudonymise")),
            (false, true) => Err(invalid("there is no key for the pseudonyms").with_hint(
                "name a file that holds one with --pseudonym-key-file, such as `openssl rand -hex 32` makes",
            )),
            _ => settings.check_that_changed_columns_stay(),
        }
    }

    /// Reads the key, if one is configured.
    pub fn load(&self) -> Result<Transforms> {
        let key = self.key_file.as_deref().map(read_key).transpose()?;
        let pseudonyms = key.map(|key| Pseudonyms { columns: self.pseudonymise.clone(), key: Key::new(&key) });
        Ok(Transforms {
            truncates_times: self.truncates_times,
            selection: self.selection.clone(),
            pseudonyms,
            plain_types: self.plain_types,
            renaming: self.renaming.clone(),
        })
    }

    /// Returns whether values of the source are kept out of the archive.
    pub(crate) fn hides_values(&self) -> bool {
        self.selection.is_some() || !self.pseudonymise.is_empty()
    }

    /// A dropped column cannot be changed: one of the two options is a mistake.
    fn check_that_changed_columns_stay(self) -> Result<Self> {
        let renamed = self.renaming.iter().flat_map(|it| &it.0).map(|rename| &rename.from);
        let mut changed = self.pseudonymise.iter().chain(renamed);
        let gone = changed.find(|name| self.selection.as_ref().is_some_and(|selection| !selection.keeps(name)));
        match gone {
            Some(name) => Err(invalid(format!("column {name:?} is to be changed, but not archived"))
                .with_hint("see --columns and --drop, and --pseudonymise and --rename")),
            None => Ok(self),
        }
    }
}

fn selection(config: &Config) -> Result<Option<Selection>> {
    let (columns, drop) = (names("--columns", config.columns.as_ref())?, names("--drop", config.drop.as_ref())?);
    match (columns, drop) {
        (Some(_), Some(_)) => Err(invalid("--columns and --drop exclude each other")
            .with_hint("name the columns that stay, or those that go")),
        (columns, drop) => Ok(columns.map(Selection::Columns).or(drop.map(Selection::Drop))),
    }
}

/// The names of a list, without duplicates; `whose` names the list in messages.
pub(super) fn names(whose: &str, list: Option<&List<String>>) -> Result<Option<Vec<String>>> {
    let Some(List(list)) = list else { return Ok(None) };
    if list.is_empty() || list.iter().any(String::is_empty) {
        return Err(invalid(format!("{whose} names no column, or one without a name")));
    }
    let mut seen = HashSet::new();
    Ok(Some(list.iter().filter(|name| seen.insert(*name)).cloned().collect()))
}

fn renaming(List(renames): &List<Rename>) -> Result<Renaming> {
    let (mut old, mut new) = (HashSet::new(), HashSet::new());
    for Rename { from, to } in renames {
        if from == to || !old.insert(from) || !new.insert(to) {
            return Err(invalid(format!("--rename {from}={to} contradicts itself or another one"))
                .with_hint("name each column once, and give each a name of its own"));
        }
        if to.eq_ignore_ascii_case("month") {
            return Err(invalid("no column can be called \"month\", as the folders of an archive are")
                .with_hint("choose another name with --rename"));
        }
    }
    if renames.is_empty() { Err(invalid("--rename names no column")) } else { Ok(Renaming(renames.clone())) }
}

/// Minimum key length in bytes: shorter keys are easier to guess than the digest is to break.
const MIN_KEY_BYTES: usize = 32;

/// The content of the file at `path`, without a final line break.
fn read_key(path: &Path) -> Result<Vec<u8>> {
    let refuse = |error: Error| error.with_context("path", path.display());
    let hint = "--pseudonym-key-file names a file that holds the key: `(umask 077 && openssl rand -hex 32 > FILE)`";
    let mut key = read_secret_file(path, "the key of the pseudonyms", hint)?;
    if key.ends_with(b"\n") {
        key.pop();
        if key.ends_with(b"\r") {
            key.pop();
        }
    }
    if key.is_empty() {
        return Err(refuse(invalid("the key of the pseudonyms is empty")));
    }
    if key.len() < MIN_KEY_BYTES {
        tracing::warn!(path = %path.display(), "the key of the pseudonyms is shorter than {MIN_KEY_BYTES} bytes: it can be guessed");
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_connectors::ErrorKind;
    use std::os::unix::fs::PermissionsExt as _;

    fn settings(toml: &str) -> Result<TransformSettings> {
        TransformSettings::new(&toml::from_str(toml).unwrap())
    }

    #[test]
    fn rejects_contradictory_transforms() {
        for toml in [
            "columns = 'a'\ndrop = 'b'",
            "columns = []",
            "drop = 'a,'",
            "pseudonymise = 'a'",
            "pseudonym-key-file = '/key'",
            "drop = 'a'\npseudonymise = 'a'\npseudonym-key-file = '/key'",
            "columns = 'a'\nrename = 'b=c'",
            "rename = []",
            "rename = 'a=b,a=c'",
            "rename = 'a=c,b=c'",
            "rename = 'a=a'",
            "rename = 'a=Month'",
        ] {
            assert!(settings(toml).is_err(), "{toml}");
        }
        assert_eq!(settings("").unwrap(), TransformSettings::default());
    }

    #[test]
    fn names_are_deduplicated_and_only_removed_values_are_hidden() {
        let drop = settings("drop = 'a,b,a'").unwrap();
        assert_eq!(drop.selection, Some(Selection::Drop(vec!["a".to_owned(), "b".to_owned()])));
        let pseudonymise = settings("pseudonymise = 'a'\npseudonym-key-file = '/key'").unwrap();
        let rename = settings("rename = 'month=source_month, a=b'").unwrap();
        assert_eq!([drop, pseudonymise, rename].map(|it| it.hides_values()), [true, true, false]);
    }

    fn outcome(content: &[u8], mode: u32) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        read_key(&path)
    }

    #[test]
    fn final_line_break_is_not_part_of_the_key() {
        for (content, key) in
            [("k", "k"), ("k\n", "k"), ("k\r\n", "k"), ("k\n\n", "k\n"), ("k\r", "k\r"), (" k \n", " k ")]
        {
            assert_eq!(outcome(content.as_bytes(), 0o600).unwrap(), key.as_bytes(), "{content:?}");
        }
        assert_eq!(outcome(b"\xff\0", 0o400).unwrap(), b"\xff\0");
    }

    #[test]
    fn rejects_a_key_accessible_to_other_users() {
        for mode in [0o604, 0o620, 0o602, 0o610, 0o644] {
            let error = outcome(b"canary", mode).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.hint().starts_with("chmod 600 /"), "{error:?}");
            assert!(!format!("{error:?}").contains("canary"));
        }
    }

    #[test]
    fn rejects_an_empty_key() {
        for content in ["", "\n", "\r\n"] {
            assert_eq!(outcome(content.as_bytes(), 0o600).unwrap_err().kind(), ErrorKind::Configuration);
        }
        assert_eq!(read_key(Path::new("/no/such/file")).unwrap_err().kind(), ErrorKind::Configuration);
    }
}
