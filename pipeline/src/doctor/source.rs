//! The source, as far as it can be asked without making anything there.

use super::Check;
use crate::settings::{self, ApiSettings, Settings, SourceSettings};
use archive_connectors::{
    Clock, Result,
    exports_api::{self, Config},
    file::Files,
    postgres,
    progress::Silent,
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

/// What the settings say of the source.
pub(super) async fn settings(settings: &Settings) -> Vec<Check> {
    match settings.source() {
        Err(error) => vec![Check::failed("source", &error)],
        Ok(SourceSettings::Demo { .. }) => vec![Check::new("source", Ok("demo: needs no server".to_owned()))],
        Ok(SourceSettings::Postgres(config)) => {
            let connections = config.connections;
            vec![Check::new("source", Ok(format!("{}, over {connections} connections", config.server.url())))]
        }
        Ok(SourceSettings::Files { address, path, keys }) => {
            let files = Files::new(address.clone(), path, keys.clone(), Arc::new(Silent));
            vec![Check::new("source", files.map(|files| format!("{address}: {} found", files.count())))]
        }
        Ok(SourceSettings::ExportsApi(api)) => {
            let found = token(api).await.map(|(message, _)| message);
            vec![Check::new("token", found).with_hint(careless(api))]
        }
    }
}

/// The same, and what the server says.
pub(super) async fn checks(settings: &Settings, clock: &Arc<dyn Clock>) -> Vec<Check> {
    let mut checks = self::settings(settings).await;
    let probes = match &settings.source {
        Some(SourceSettings::ExportsApi(api)) => match token(api).await {
            Ok((_, config)) => exports_api::probe(config, Arc::clone(clock)).await,
            Err(_) => Vec::new(),
        },
        Some(SourceSettings::Postgres(config)) => {
            postgres::probe(config.as_ref().clone(), &settings.datasets, Arc::clone(clock)).await
        }
        Some(SourceSettings::Demo { .. } | SourceSettings::Files { .. }) | None => Vec::new(),
    };
    checks.extend(probes.into_iter().map(Check::from));
    checks
}

/// Where the token is, and the source with it.
async fn token(api: &ApiSettings) -> Result<(String, Config)> {
    let config = settings::api_config(api)?;
    config.credentials.probe().await?;
    let message = match &api.token_file {
        Some(file) => format!("is read from {}", file.display()),
        None => "is set in the environment".to_owned(),
    };
    Ok((message, config))
}

/// What to do about a token that others may read.
fn careless(api: &ApiSettings) -> Option<String> {
    let file = api.token_file.as_deref()?;
    is_open(file).then(|| format!("others may read it: chmod 600 {}", file.display()))
}

fn is_open(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}
