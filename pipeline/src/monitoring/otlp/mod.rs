//! Traces and metrics for an OpenTelemetry collector, by OTLP over HTTP, configured by the standard `OTEL_…` variables.
//! An unreachable collector causes a warning and a delay of a few seconds.

mod endpoints;
mod http;

use super::{
    metrics::{self, Family, Sample, Snapshot},
    spans,
};
use crate::{environment::Environment, exit::ExitCode, report::Failure};
use archive_connectors::{Error, ErrorKind, Result};
use endpoints::Endpoints;
use http::Sender;
use opentelemetry::{
    Key, KeyValue, metrics::MeterProvider as _, propagation::TextMapPropagator as _, trace::TracerProvider as _,
};
use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    metrics::{PeriodicReader, SdkMeterProvider},
    propagation::TraceContextPropagator,
    trace::SdkTracerProvider,
};
use std::{collections::HashMap, time::Duration};
use tokio::{runtime::Handle, task::spawn_blocking, time::timeout};
use tracing::{Span, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// Default of `service.name`.
const SERVICE: &str = "kt-archive";
/// The instrumentation scope: the name of the package of the program.
const SCOPE: &str = "keeptrusts-archive";
/// Limit for sending at the end of a run.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The same after a signal.
const TIMEOUT_AFTER_SIGNAL: Duration = Duration::from_secs(2);

/// Traces and metrics for a collector, if the environment names one.
#[derive(Debug, Default)]
pub struct Telemetry {
    pub(crate) traces: Traces,
    pub(crate) metrics: Metrics,
    /// The trace context of the caller, by the names of the W3C headers.
    parent: HashMap<String, String>,
    /// Why the configuration of the environment cannot be used.
    failure: Option<Failure>,
}

/// The pipeline of spans, if there is a collector for them.
#[derive(Debug, Default)]
pub(crate) struct Traces(Option<(SdkTracerProvider, Sender)>);

/// The sender of metrics, if there is a collector for them.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Option<Sender>);

impl Telemetry {
    /// Reads the environment and prepares the exporters. Never fails: see [`Self::warn_if_unusable`].
    pub fn from_environment(environment: &Environment, allow_http: bool) -> Self {
        Self::new(environment, allow_http)
            .unwrap_or_else(|error| Self { failure: Some(Failure::from(error)), ..Self::default() })
    }

    fn new(environment: &Environment, allow_http: bool) -> Result<Self> {
        let Endpoints { traces, metrics } = Endpoints::from_environment(environment)?;
        if traces.is_none() && metrics.is_none() {
            return Ok(Self::default());
        }
        let runtime = Handle::try_current().map_err(|error| unusable(&error))?;
        let sender = |endpoint| Sender::new(endpoint, allow_http, runtime.clone());
        let names = [("traceparent", "TRACEPARENT"), ("tracestate", "TRACESTATE")];
        let parent =
            names.into_iter().filter_map(|(key, name)| Some((key.to_owned(), environment.get(name)?.to_owned())));
        Ok(Self {
            traces: Traces(traces.map(|endpoint| tracer(sender(endpoint)?)).transpose()?),
            metrics: Metrics(metrics.map(sender).transpose()?),
            parent: parent.collect(),
            failure: None,
        })
    }

    /// The layer that exports spans, with warnings as their events.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> Option<impl Layer<S> + use<S>> {
        let layer = tracing_opentelemetry::layer().with_location(false).with_threads(false);
        let layer = layer.with_tracked_inactivity(false).with_target(false).with_level(false);
        let (tracer, _) = self.traces.0.as_ref()?;
        let tracer = tracer.tracer(SCOPE);
        let ours = ["archive", "archive_connectors"].map(|target| (target, LevelFilter::WARN));
        let filter = Targets::new().with_targets(ours).with_target(spans::TARGET, LevelFilter::INFO);
        Some(layer.with_tracer(tracer).with_filter(filter))
    }

    /// Warns if the environment asks for telemetry that cannot be sent.
    pub fn warn_if_unusable(&self) {
        if let Some(Failure { message, hint, .. }) = &self.failure {
            tracing::warn!(reason = message, hint, "sends neither traces nor metrics");
        }
    }

    /// Makes `span` a child of the trace in `TRACEPARENT`.
    pub fn set_parent(&self, span: &Span) {
        if !self.parent.is_empty() {
            // Fails for a disabled span.
            drop(span.set_parent(TraceContextPropagator::new().extract(&self.parent)));
        }
    }
}

impl Traces {
    /// Sends the remaining spans of a run that exits with `exit`. All spans must have ended.
    pub(crate) async fn flush(self, exit: ExitCode) {
        let Some((tracer, sender)) = self.0 else { return };
        let limit = time_limit(exit);
        // The exporter's own limit may pass first: its error is a timeout, too.
        let sent = timeout(limit, spawn_blocking(move || tracer.shutdown_with_timeout(limit))).await;
        if !matches!(sent, Ok(Ok(Ok(())))) {
            sender.warn_timeout();
        }
    }
}

impl Metrics {
    /// Whether there is a collector.
    pub(crate) const fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Sends the metrics of a run.
    pub(crate) async fn send(self, snapshot: &Snapshot<'_>) {
        let Some(sender) = self.0 else { return };
        let families = metrics::families(snapshot);
        let exporter = MetricExporter::builder().with_http().with_http_client(sender.clone());
        let exporter = exporter.with_endpoint(sender.endpoint()).with_protocol(Protocol::HttpBinary);
        let sent = match exporter.build() {
            Ok(exporter) => {
                let work = spawn_blocking(move || send_gauges(&families, exporter, resource()));
                matches!(timeout(time_limit(snapshot.finished.exit), work).await, Ok(Ok(Ok(()))))
            }
            Err(_) => false,
        };
        if !sent {
            sender.warn_timeout();
        }
    }
}

const fn time_limit(exit: ExitCode) -> Duration {
    match exit {
        ExitCode::Interrupted | ExitCode::Terminated => TIMEOUT_AFTER_SIGNAL,
        _ => TIMEOUT,
    }
}

fn tracer(sender: Sender) -> Result<(SdkTracerProvider, Sender)> {
    let exporter = SpanExporter::builder().with_http().with_http_client(sender.clone());
    let exporter = exporter.with_endpoint(sender.endpoint()).with_protocol(Protocol::HttpBinary);
    let exporter = exporter.build().map_err(|error| unusable(&error))?;
    Ok((SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build(), sender))
}

/// The resource of `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, with a default name.
fn resource() -> Resource {
    let resource = Resource::builder().build();
    let name = resource.get(&Key::from_static_str("service.name")).map(|name| name.as_str().into_owned());
    let is_named = name.is_some_and(|name| !name.starts_with("unknown_service"));
    if is_named { resource } else { Resource::builder().with_service_name(SERVICE).build() }
}

/// Drops the cause, which may contain addresses and headers.
fn unusable(_: &dyn std::error::Error) -> Error {
    Error::new(ErrorKind::Configuration, "the OTEL_EXPORTER_OTLP_… variables cannot be used")
}

/// Sends `families` once. Blocks until that succeeds or fails.
fn send_gauges(families: &[Family], exporter: MetricExporter, resource: Resource) -> OTelSdkResult {
    // All values are known, so the only collection is the one at shutdown.
    const NEVER: Duration = Duration::from_secs(24 * 60 * 60);
    let reader = PeriodicReader::builder(exporter).with_interval(NEVER).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build();
    let meter = provider.meter(SCOPE);
    for Family { name, help, samples } in families {
        let gauge = meter.f64_gauge(*name).with_description(*help).build();
        for Sample { labels, value } in samples {
            let labels = labels.iter().map(|(name, value)| KeyValue::new(*name, value.clone())).collect::<Vec<_>>();
            gauge.record(value.as_f64(), &labels);
        }
    }
    // The sender has logged the failure.
    provider.shutdown()
}
