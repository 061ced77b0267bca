//! The interface of `otlp` for builds without that feature: every operation does nothing.

#![expect(clippy::unused_self, reason = "the signatures are those of the program with the feature")]

use super::metrics::Snapshot;
use crate::{environment::Environment, exit::ExitCode};
use std::future::{Ready, ready};
use tracing::Span;
use tracing_subscriber::layer::Identity;

/// No telemetry.
#[derive(Debug, Default)]
pub struct Telemetry {
    pub(crate) traces: Traces,
    pub(crate) metrics: Metrics,
    is_requested: bool,
}

/// Discards spans.
#[derive(Debug, Default)]
pub(crate) struct Traces;

/// Discards metrics.
#[derive(Debug, Default)]
pub(crate) struct Metrics;

impl Telemetry {
    /// Notes whether the environment names a collector.
    pub fn from_environment(environment: &Environment, _allow_http: bool) -> Self {
        let is_requested = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT").is_some();
        Self { is_requested, ..Self::default() }
    }

    /// No layer.
    pub const fn layer(&self) -> Option<Identity> {
        None
    }

    /// Logs that the collector of the environment is ignored. Not a warning: such variables are often set for a whole
    /// host.
    pub fn warn_if_unusable(&self) {
        if self.is_requested {
            tracing::info!("OTEL_EXPORTER_OTLP_ENDPOINT is ignored: this program was built without the feature otlp");
        }
    }

    /// Does nothing.
    pub const fn set_parent(&self, _span: &Span) {}
}

impl Traces {
    pub(crate) fn flush(self, _exit: ExitCode) -> Ready<()> {
        ready(())
    }
}

impl Metrics {
    pub(crate) const fn is_enabled(&self) -> bool {
        false
    }

    pub(crate) fn send(self, _snapshot: &Snapshot<'_>) -> Ready<()> {
        ready(())
    }
}
