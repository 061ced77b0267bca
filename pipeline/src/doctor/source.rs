//! Checks of the source, without creating anything there.

use super::Check;
use crate::settings::{Settings, SourceSettings};
use archive_connectors::{
    Clock, Result,
    exports_api::{self, Credentials},
    file::Files,
    postgres,
    progress::Silent,
};
use std::sync::Arc;

/// Checks the settings of the source, without contacting it.
pub(super) async fn settings(settings: &Settings) -> Vec<Check> {
    match settings.source() {
        Err(error) => vec![Check::failed("source", &error)],
        Ok(SourceSettings::Demo(_)) => vec![Check::new("source", Ok("demo: needs no server".to_owned()))],
        Ok(SourceSettings::Postgres(config)) => {
            let connections = config.connections;
            vec![Check::new("source", Ok(format!("{}, over {connections} connections", config.server.url())))]
        }
        Ok(SourceSettings::Files(config)) => {
            let files = Files::new(config.clone(), Arc::new(Silent));
            vec![Check::new("source", files.map(|files| format!("{}: {} found", config.address, files.count())))]
        }
        Ok(SourceSettings::ExportsApi(config)) => {
            vec![Check::new("token", token(&config.credentials).await)]
        }
    }
}

/// Checks the settings of the source and the server's responses.
pub(super) async fn checks(settings: &Settings, clock: &Arc<dyn Clock>) -> Vec<Check> {
    let mut checks = self::settings(settings).await;
    let probes = match &settings.source {
        Some(SourceSettings::ExportsApi(config)) => match config.credentials.probe().await {
            Ok(()) => exports_api::probe(config.as_ref().clone(), Arc::clone(clock)).await,
            Err(_) => Vec::new(),
        },
        Some(SourceSettings::Postgres(config)) => {
            postgres::probe(config.as_ref().clone(), &settings.datasets, Arc::clone(clock)).await
        }
        Some(SourceSettings::Demo(_) | SourceSettings::Files(_)) | None => Vec::new(),
    };
    checks.extend(probes.into_iter().map(Check::from));
    checks
}

/// Describes where the token comes from, if a run can read it.
async fn token(credentials: &Credentials) -> Result<String> {
    credentials.probe().await?;
    Ok(match credentials {
        Credentials::File(file) => format!("is read from {}", file.display()),
        Credentials::Token(_) | Credentials::Missing => "is set in the environment".to_owned(),
    })
}
