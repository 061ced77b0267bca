//! Reads configurations from files, from a command, and from rows of the platform's table.

use super::CommandLine;
use archive_connectors::{Error, ErrorKind, Result, error::local, postgres::configurations::ConfigurationRow};
use archive_formats::backup_manifest::ConfigurationSource;
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The largest configuration in bytes: it is held in memory.
const LARGEST: u64 = 16 << 20;

/// A configuration that was read.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) content: Vec<u8>,
    pub(super) source: ConfigurationSource,
    pub(super) gateway: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) version: Option<String>,
    pub(super) commit: Option<String>,
}

impl Found {
    fn new(name: String, content: Vec<u8>, source: ConfigurationSource) -> Self {
        Self { name, content, source, gateway: None, environment: None, version: None, commit: None }
    }

    /// The configuration of a row with this content.
    pub(super) fn from_row(row: ConfigurationRow, content: String, source: ConfigurationSource) -> Result<Self> {
        let ConfigurationRow { name, gateway, environment, version, commit, .. } = row;
        if content.len() as u64 > LARGEST {
            return Err(too_large().with_context("name", name));
        }
        Ok(Self { name, content: content.into_bytes(), source, gateway, environment, version, commit })
    }

    /// The configuration in a file.
    pub(super) fn from_file(name: String, path: &Path) -> Result<Self> {
        let unusable = |message| Error::new(ErrorKind::Configuration, message).with_context("path", path.display());
        let content = read(path)
            .map_err(|error| unusable("could not read a configuration").with_source(error))?
            .ok_or_else(|| too_large().with_context("path", path.display()))?;
        if content.is_empty() {
            return Err(unusable("the file of a configuration is empty"));
        }
        Ok(Self::new(name, content, ConfigurationSource::File { path: path.display().to_string() }))
    }

    /// The configuration that a command writes into a file below `folder`.
    pub(super) async fn from_command(name: String, command: &CommandLine<'_>, folder: &Path) -> Result<Self> {
        let place = PrivateFile::new(folder)?;
        command.template.run(&place.path, command.variables).await?;
        let failed = |message| {
            Error::new(ErrorKind::Source, message)
                .with_context("command", command.template.words().join(" "))
                .with_hint("the command has to write the file whose path takes the place of {}")
        };
        let content = match read(&place.path) {
            Ok(content) => content.ok_or_else(too_large)?,
            Err(error) => return Err(failed("the command wrote no file").with_source(error)),
        };
        if content.is_empty() {
            return Err(failed("the command wrote an empty file"));
        }
        Ok(Self::new(name, content, ConfigurationSource::Command(command.record.clone())))
    }
}

/// The names of files without extension, each with its path. Fails if a file is not there, or if two have one name.
pub(super) fn named(paths: &[PathBuf]) -> Result<Vec<(String, &Path)>> {
    let mut found = Vec::<(String, &Path)>::new();
    for path in paths {
        let unusable = |message| Error::new(ErrorKind::Configuration, message).with_context("path", path.display());
        let name = path.file_stem().and_then(|stem| stem.to_str());
        let name = name.ok_or_else(|| unusable("the file of a configuration needs a name in UTF-8"))?;
        let metadata = std::fs::metadata(path);
        let metadata = metadata.map_err(|error| unusable("could not read a configuration").with_source(error))?;
        if !metadata.is_file() {
            return Err(unusable("a configuration is a file").with_hint("name each file; --git takes a folder"));
        }
        if let Some((_, other)) = found.iter().find(|(known, _)| known == name) {
            return Err(unusable("two files have one name, which is that of their configuration")
                .with_context("other", other.display()));
        }
        found.push((name.to_owned(), path));
    }
    Ok(found)
}

/// A path for a file in a folder of its own, which no other user can open. Both are removed when this is dropped.
pub(super) struct PrivateFile {
    pub(super) folder: TempDir,
    pub(super) path: PathBuf,
}

impl PrivateFile {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let folder = TempDir::new_in(folder).map_err(local("create a folder for a configuration", folder))?;
        let path = folder.path().join("configuration.yaml");
        Ok(Self { folder, path })
    }
}

/// The content of a file; `None` if it is too large.
fn read(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= LARGEST).then_some(content))
}

fn too_large() -> Error {
    Error::new(ErrorKind::Source, "a configuration is larger than any that is known").with_context("limit", LARGEST)
}
