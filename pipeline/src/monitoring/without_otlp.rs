//! What stands for OpenTelemetry in a program that was built without the feature `otlp`: nothing.

#![expect(clippy::unused_self, reason = "the signatures are those of the program with the feature")]

use super::metrics::Snapshot;
use crate::{environment::Environment, exit::ExitCode};
use std::future::{Ready, ready};
use tracing::Span;
use tracing_subscriber::layer::Identity;

/// Traces and metrics for a collector: none.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// What takes spans.
    pub traces: Traces,
    /// What takes numbers.
    pub metrics: Metrics,
    is_wanted: bool,
}

/// Spans that nobody takes.
#[derive(Debug, Default)]
pub struct Traces;

/// Numbers that nobody takes.
#[derive(Debug, Default)]
pub struct Metrics;

impl Telemetry {
    /// Does nothing.
    pub fn begin(environment: &Environment, _allow_http: bool) -> Self {
        let is_wanted = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT").is_some();
        Self { is_wanted, ..Self::default() }
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
}

impl Traces {
    /// Does nothing.
    pub fn end(self, _exit: ExitCode) -> Ready<()> {
        ready(())
    }
}

impl Metrics {
    /// No.
    pub const fn is_wanted(&self) -> bool {
        false
    }

    /// Does nothing.
    pub fn send(self, _snapshot: &Snapshot<'_>) -> Ready<()> {
        ready(())
    }
}
