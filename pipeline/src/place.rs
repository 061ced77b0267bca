//! The place where an archive is, for commands that only read it.

use crate::settings::Settings;
use archive_connectors::{Error, ErrorKind, Result, Sink, sink::Location};
use archive_formats::manifest::ArchiveDocument;

/// The archive of `settings`, which must exist.
pub async fn existing(settings: &Settings) -> Result<(Sink, ArchiveDocument)> {
    let sink = Sink::open(&Location::parse(&settings.archive, &settings.clouds)?)?;
    match sink.identity().await? {
        Some(document) => Ok((sink, document)),
        None => Err(Error::new(ErrorKind::NoArchive, "no archive here")
            .with_context("archive", sink.url())
            .with_hint("check --archive; `kt-archive run` makes a new one")),
    }
}
