//! What stands for OpenTelemetry in a program that was built without the feature `otlp`: nothing.

use super::Finished;
use crate::{environment::Environment, settings::Settings};
use tracing::Span;
use tracing_subscriber::layer::Identity;

/// Traces and metrics for a collector: none.
#[derive(Debug, Default)]
pub struct Telemetry {
    is_wanted: bool,
}

impl Telemetry {
    /// Does nothing.
    pub fn begin(environment: &Environment, _allow_http: bool) -> Self {
        Self { is_wanted: environment.get("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() }
    }

    /// A layer that does nothing.
    pub const fn layer(&self) -> Option<Identity> {
        None
    }

    /// Says that the environment names a collector in vain. No warning: it often names one for every program of a host.
    pub fn explain(&self) {
        if self.is_wanted {
            tracing::info!("OTEL_EXPORTER_OTLP_ENDPOINT is ignored: this program was built without the feature otlp");
        }
    }

    /// Does nothing.
    pub const fn adopt(&self, _span: &Span) {}

    /// Does nothing.
    #[expect(clippy::unused_async, reason = "with the feature, this waits for the collector")]
    pub async fn end(self, _settings: &Settings, _finished: &Finished) {}
}
