//! Settings -> a source.

use crate::{
    observer::Observer,
    settings::{ApiSettings, SourceSettings},
};
use archive_connectors::{
    Clock, Error, ErrorKind, Progress, Result, Source,
    demo::Demo,
    exports_api::{Config, Credentials, ExportsApi},
    file::Files,
    postgres::Postgres,
};
use std::{path::Path, sync::Arc};

/// The source that `settings` describe, for the archive with the UUID `archive`; what it must remember lies in `state`.
/// Nothing is contacted yet, but files have to be there.
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
        SourceSettings::Postgres(config) => {
            Ok(Arc::new(Postgres::new(config.as_ref().clone(), Arc::clone(clock), progress)))
        }
        SourceSettings::Files { address, path, keys } => {
            Ok(Arc::new(Files::new(address.clone(), path, keys.clone(), progress)?))
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
        keys: api.keys.clone(),
        credentials: Credentials::new(api.token.clone(), api.token_file.clone())?,
    })
}
