//! Locations of archives: paths and URLs, with the options from the environment.

use super::{
    Root,
    cloud::{Bucket, CLOUDS, is_option, variable_names},
};
use crate::{Error, ErrorKind, Result, nearest::nearest};
use object_store::path::Path;
use std::{collections::BTreeMap, path::PathBuf};
use url::Url;

/// The forms of archive URLs, for hints.
const FORMS: &str =
    "an archive is a path, file:///path, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix";

/// The schemes of archive URLs.
const SCHEMES: [&str; 6] = ["file", "s3", "s3a", "gs", "az", "azure"];

/// The parsed location of an archive, which need not exist yet.
#[derive(Clone, Debug)]
pub struct Location {
    url: String,
    kind: LocationKind,
    file_mode: u32,
}

/// The kinds of locations.
#[derive(Clone, Debug)]
pub(super) enum LocationKind {
    /// An absolute path.
    Directory(PathBuf),
    /// The objects below a prefix of a bucket.
    Bucket { bucket: Bucket, prefix: Path },
}

impl Location {
    /// The mode of files in a directory, unless another is set: events are for the owner and the group.
    pub const FILE_MODE: u32 = 0o640;

    /// The prefixes of the variables that [`Location::parse`] reads.
    pub const VARIABLES: [&str; CLOUDS.len()] =
        [CLOUDS[0].names.prefix, CLOUDS[1].names.prefix, CLOUDS[2].names.prefix];

    /// Whether [`Location::parse`] reads the variable `name`.
    pub fn is_option(name: &str) -> bool {
        is_option(name)
    }

    /// Parses a path, or a URL with the scheme `file`, `s3`, `gs` or `az`. Every `AWS_…`, `GOOGLE_…` or `AZURE_…`
    /// variable in `environment` that `object_store` knows becomes an option of the bucket; others are ignored.
    ///
    /// Refuses URLs with a user, a password or a query, and does not repeat them in the error: secrets belong into the
    /// environment. Relative paths start at the current directory.
    pub fn parse(text: &str, environment: &BTreeMap<String, String>) -> Result<Self> {
        let kind = match scheme(text) {
            None => directory(text)?,
            Some(scheme) => from_url(scheme, text, environment)?,
        };
        Ok(Self { url: text.to_owned(), kind, file_mode: Self::FILE_MODE })
    }

    /// The location as the user wrote it, which never holds a password or a query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A text that is the same for all spellings of this location, and another for every other one. Never printed: the
    /// address of a server may hold a secret.
    pub fn place(&self) -> String {
        match &self.kind {
            LocationKind::Directory(path) => {
                std::fs::canonicalize(path).unwrap_or_else(|_| path.clone()).to_string_lossy().into_owned()
            }
            LocationKind::Bucket { bucket, prefix } => {
                let Root { store, prefix } = bucket.root(prefix);
                format!("{store}/{prefix} {}", bucket.endpoint().unwrap_or_default())
            }
        }
    }

    /// The locations that contain this one, from the nearest to the root.
    pub fn above(&self) -> Vec<Self> {
        let at = |kind| Self { url: self.url.clone(), kind, file_mode: self.file_mode };
        match &self.kind {
            LocationKind::Directory(path) => {
                path.ancestors().skip(1).map(|folder| at(LocationKind::Directory(folder.to_owned()))).collect()
            }
            LocationKind::Bucket { bucket, prefix } => {
                let parts = prefix.parts().collect::<Vec<_>>();
                let prefixes = (0..parts.len()).rev().map(|length| parts[..length].iter().cloned().collect::<Path>());
                prefixes.map(|prefix| at(LocationKind::Bucket { bucket: bucket.clone(), prefix })).collect()
            }
        }
    }

    /// Sets the mode of files in a directory, less the umask. Who may read the files may search the folders.
    #[must_use]
    pub fn with_file_mode(self, file_mode: u32) -> Self {
        Self { file_mode, ..self }
    }

    pub(super) const fn file_mode(&self) -> u32 {
        self.file_mode
    }

    /// The absolute path, if the location is a directory.
    pub fn directory(&self) -> Option<&std::path::Path> {
        match &self.kind {
            LocationKind::Directory(path) => Some(path),
            LocationKind::Bucket { .. } => None,
        }
    }

    pub(super) fn kind(&self) -> &LocationKind {
        &self.kind
    }
}

/// The scheme of `text`, unless it is a path. `s3:bucket` counts as a mistyped URL.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let others = ["http", "https"];
    (rest.starts_with("//") || SCHEMES.contains(&scheme) || others.contains(&scheme)).then_some(scheme)
}

fn checked(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|error| unusable("not an archive URL").with_context("cause", error))?;
    if authority(text).contains('@') {
        let error = Error::new(ErrorKind::Configuration, "an archive URL must not hold a user or a password");
        let credentials = variable_names(text).credentials;
        return Err(error.with_hint(format!("set {credentials} in the environment")));
    }
    if url.query().is_some() || url.fragment().is_some() {
        let error = Error::new(ErrorKind::Configuration, "an archive URL must not hold a query or a fragment");
        let prefix = variable_names(text).prefix;
        return Err(error.with_hint(format!("options of the store are {prefix}… variables of the environment")));
    }
    Ok(url)
}

/// The text between `//` and the path, including an empty user, which a parsed URL drops.
fn authority(text: &str) -> &str {
    let (_, rest) = text.split_once("://").unwrap_or_default();
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

fn from_url(scheme: &str, text: &str, environment: &BTreeMap<String, String>) -> Result<LocationKind> {
    let url = checked(text)?;
    match scheme {
        // `file:archive` would be parsed as `/archive`.
        "file" if !text.starts_with("file:/") => Err(unusable("a file URL needs an absolute path")),
        "file" => {
            let path = url.to_file_path().map_err(|()| unusable("a file URL needs an absolute path on this host"))?;
            directory(path)
        }
        _ => {
            let name = url.host_str().unwrap_or_default();
            let bucket = Bucket::new(scheme, name, environment).ok_or_else(|| unknown_scheme(scheme))?;
            if name.is_empty() {
                return Err(unusable("the URL names no bucket"));
            }
            let prefix = Path::from_url_path(url.path()).map_err(|_| unusable("not a prefix of a bucket"))?;
            Ok(LocationKind::Bucket { bucket, prefix })
        }
    }
}

fn directory(path: impl AsRef<std::path::Path>) -> Result<LocationKind> {
    let absolute = std::path::absolute(path).map_err(|error| unusable("not a path").with_source(error))?;
    Ok(LocationKind::Directory(absolute))
}

fn unknown_scheme(scheme: &str) -> Error {
    let error = unusable("not an archive URL");
    match nearest(scheme, SCHEMES) {
        Some(nearest) if nearest != scheme => error.with_hint(format!("did you mean {nearest}://? {FORMS}")),
        _ => error,
    }
}

fn unusable(message: &'static str) -> Error {
    Error::new(ErrorKind::Configuration, message).with_hint(FORMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Location> {
        Location::parse(text, &BTreeMap::new())
    }

    #[test]
    fn options_are_the_variables_that_clients_know() {
        let options = ["AWS_REGION", "AWS_SECRET_ACCESS_KEY", "GOOGLE_SERVICE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_KEY"];
        assert!(options.into_iter().all(Location::is_option));
        assert!(!["AWS_CA_BUNDLE", "AWS_PAGER", "GOOGLE_X", "PATH", "AWS"].into_iter().any(Location::is_option));
    }

    #[test]
    fn parses_paths_and_file_urls_as_directories() {
        let current = std::env::current_dir().unwrap();
        assert_eq!(parse("./archive").unwrap().directory(), Some(current.join("archive").as_path()));
        assert_eq!(parse("a:b").unwrap().directory(), Some(current.join("a:b").as_path()));
        for text in ["/srv/a b", "file:///srv/a%20b", "file://localhost/srv/a%20b"] {
            let location = parse(text).unwrap();
            assert_eq!(location.directory(), Some(std::path::Path::new("/srv/a b")), "{text}");
            assert_eq!(location.url(), text);
        }
    }

    #[test]
    fn parses_the_prefix_of_a_bucket() {
        for (text, expected) in [
            ("s3://my-bucket", ""),
            ("s3://my-bucket/", ""),
            ("s3://my-bucket/a/b%20c/", "a/b c"),
            ("gs://my_bucket/a", "a"),
        ] {
            match parse(text).unwrap().kind() {
                LocationKind::Bucket { prefix, .. } => assert_eq!(prefix.as_ref(), expected),
                LocationKind::Directory(path) => panic!("{text} became {}", path.display()),
            }
        }
    }

    #[test]
    fn misspelt_schemes_suggest_the_nearest_one() {
        for (text, meant) in [("s4://bucket", "s3://"), ("flie:///srv", "file://"), ("azur://box", "azure://")] {
            let error = parse(text).unwrap_err();
            assert!(error.hint().starts_with(&format!("did you mean {meant}?")), "{text}: {}", error.hint());
        }
        assert!(parse("https://host/x").unwrap_err().hint().starts_with("an archive is"));
    }

    #[test]
    fn refuses_invalid_locations() {
        for text in [
            "",
            "s3:bucket",
            "s3:///prefix",
            "file:archive",
            "gs:///prefix",
            "azure://box",
            "https://host/x",
            "file://other/x",
            "x://y",
        ] {
            assert_eq!(parse(text).unwrap_err().kind(), ErrorKind::Configuration, "{text}");
        }
    }

    #[test]
    fn buckets_without_an_account_are_refused_when_they_are_opened() {
        let location = parse("az://box-of-no-account").unwrap();
        assert_eq!(crate::Sink::open(&location).unwrap_err().kind(), ErrorKind::Configuration);
    }

    #[test]
    fn refuses_secrets_without_repeating_them() {
        for text in
            ["s3://key:hunter2@bucket/x", "az://hunter2@box", "gs://bucket/x?secret=hunter2", "file:///x?hunter2"]
        {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{text}");
            assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("hunter2"), "{error:?}");
        }
    }
}
