//! Settings -> a source.

use crate::{
    observer::Observer,
    settings::{ApiSettings, SourceSettings},
};
use archive_connectors::{
    Clock, Error, ErrorKind, Progress, Result, Source,
    demo::Demo,
    exports_api::{Config, Credentials, ExportsApi},
};
use archive_formats::catalogue::KeyColumns;
use std::{path::Path, sync::Arc};

/// The source that `settings` describe, for the archive with the UUID `archive`; what it must remember lies in `state`.
/// Nothing is contacted yet.
pub fn connect(
    settings: &SourceSettings,
    archive: &str,
    state: &Path,
    clock: &Arc<dyn Clock>,
    observer: &Arc<dyn Observer>,
) -> Result<Arc<dyn Source>> {
    let progress = Arc::clone(observer) as Arc<dyn Progress>;
    match settings {
        SourceSettings::Demo { events, seed } => Ok(Arc::new(Demo::new(*events, *seed).with_progress(progress))),
        SourceSettings::ExportsApi(api) => {
            let archive = archive.parse().map_err(|error| {
                Error::new(ErrorKind::BrokenChain, "the archive's identity is not a UUID").with_source(error)
            })?;
            Ok(Arc::new(ExportsApi::new(config(api)?, Arc::clone(clock), progress, state, archive)?))
        }
    }
}

/// How the exports API is used.
pub fn config(api: &ApiSettings) -> Result<Config> {
    Ok(Config {
        base: api.base.clone(),
        layout: api.layout,
        format: api.format,
        margin: api.margin,
        job_timeout: api.job_timeout,
        allow_http: api.allow_http,
        keys: KeyColumns { id: api.id_column.clone(), time: api.time_column.clone() },
        credentials: Credentials::new(api.token.clone(), api.token_file.clone())?,
    })
}
