//! Traces and metrics for a collector of OpenTelemetry, by OTLP over HTTP. What it is, the standard `OTEL_…` variables
//! say; a collector that does not answer costs a warning and a few seconds, and nothing else.

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
    metrics::{PeriodicReader, SdkMeterProvider},
    propagation::TraceContextPropagator,
    trace::SdkTracerProvider,
};
use std::{collections::HashMap, time::Duration};
use tokio::{runtime::Handle, task::spawn_blocking, time::timeout};
use tracing::{Span, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// What a service is called that nobody gave a name.
const SERVICE: &str = "kt-archive";
/// How long the end of a run may wait for the collector.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same after a signal.
const PATIENCE_AFTER_SIGNAL: Duration = Duration::from_secs(2);

/// Traces and metrics for a collector, if the environment names one.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// What takes spans.
    pub traces: Traces,
    /// What takes numbers.
    pub metrics: Metrics,
    /// The trace that this run is a part of, as the one who started the program says.
    parent: HashMap<String, String>,
    /// Why nothing is sent although somebody wants it.
    refusal: Option<Failure>,
}

/// Spans on their way to a collector, if there is one.
#[derive(Debug, Default)]
pub struct Traces(Option<(SdkTracerProvider, Sender)>);

/// Where metrics go, if there is a collector of them.
#[derive(Debug, Default)]
pub struct Metrics(Option<Sender>);

impl Telemetry {
    /// Reads the environment, and is ready to take spans. Never fails: see [`Self::explain`].
    pub fn begin(environment: &Environment, allow_http: bool) -> Self {
        Self::new(environment, allow_http)
            .unwrap_or_else(|error| Self { refusal: Some(Failure::from(error)), ..Self::default() })
    }

    fn new(environment: &Environment, allow_http: bool) -> Result<Self> {
        let Endpoints { traces, metrics } = Endpoints::of(environment)?;
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
            refusal: None,
        })
    }

    /// Turns spans into those of OpenTelemetry, and warnings into their events.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> Option<impl Layer<S> + use<S>> {
        let layer = tracing_opentelemetry::layer().with_location(false).with_threads(false);
        let layer = layer.with_tracked_inactivity(false).with_target(false).with_level(false);
        let (tracer, _) = self.traces.0.as_ref()?;
        let tracer = tracer.tracer(env!("CARGO_PKG_NAME"));
        let ours = ["archive", "archive_connectors"].map(|target| (target, LevelFilter::WARN));
        let wanted = Targets::new().with_targets(ours).with_target(spans::TARGET, LevelFilter::INFO);
        Some(layer.with_tracer(tracer).with_filter(wanted))
    }

    /// Says why nothing is sent, if somebody wants it.
    pub fn explain(&self) {
        if let Some(Failure { message, hint, .. }) = &self.refusal {
            tracing::warn!(reason = message, hint, "sends neither traces nor metrics");
        }
    }

    /// Makes `span` a part of the trace that `TRACEPARENT` names.
    pub fn adopt(&self, span: &Span) {
        if !self.parent.is_empty() {
            // Fails for a span that nobody takes.
            drop(span.set_parent(TraceContextPropagator::new().extract(&self.parent)));
        }
    }
}

impl Traces {
    /// Sends what was not sent yet, at the end of a run that exits with `exit`. All spans must have ended.
    pub async fn end(self, exit: ExitCode) {
        let Some((tracer, sender)) = self.0 else { return };
        let patience = patience(exit);
        if timeout(patience, spawn_blocking(move || tracer.shutdown_with_timeout(patience))).await.is_err() {
            sender.give_up();
        }
    }
}

impl Metrics {
    /// Whether there is a collector.
    pub const fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Sends what is known of a run.
    pub async fn send(self, snapshot: &Snapshot<'_>) {
        let Some(sender) = self.0 else { return };
        let families = metrics::families(snapshot);
        let exporter = MetricExporter::builder().with_http().with_http_client(sender.clone());
        let exporter = exporter.with_endpoint(sender.endpoint()).with_protocol(Protocol::HttpBinary);
        let sent = match exporter.build() {
            Ok(exporter) => {
                let work = spawn_blocking(move || send_gauges(&families, exporter, resource()));
                timeout(patience(snapshot.finished.exit), work).await.is_ok()
            }
            Err(_) => false,
        };
        if !sent {
            sender.give_up();
        }
    }
}

const fn patience(exit: ExitCode) -> Duration {
    match exit {
        ExitCode::Interrupted | ExitCode::Terminated => PATIENCE_AFTER_SIGNAL,
        _ => PATIENCE,
    }
}

fn tracer(sender: Sender) -> Result<(SdkTracerProvider, Sender)> {
    let exporter = SpanExporter::builder().with_http().with_http_client(sender.clone());
    let exporter = exporter.with_endpoint(sender.endpoint()).with_protocol(Protocol::HttpBinary);
    let exporter = exporter.build().map_err(|error| unusable(&error))?;
    Ok((SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build(), sender))
}

/// What `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say, with a name where they give none.
fn resource() -> Resource {
    let said = Resource::builder().build();
    let name = said.get(&Key::from_static_str("service.name")).map(|name| name.as_str().into_owned());
    let is_named = name.is_some_and(|name| !name.starts_with("unknown_service"));
    if is_named { said } else { Resource::builder().with_service_name(SERVICE).build() }
}

/// The cause may repeat addresses and headers.
fn unusable(_: &dyn std::error::Error) -> Error {
    Error::new(ErrorKind::Configuration, "the OTEL_EXPORTER_OTLP_… variables cannot be used")
}

/// Sends `families` once. Blocks until they are sent, or cannot be.
fn send_gauges(families: &[Family], exporter: MetricExporter, resource: Resource) {
    // What it collects is known before it begins: the only collection is the one of the end.
    const NEVER: Duration = Duration::from_secs(24 * 60 * 60);
    let reader = PeriodicReader::builder(exporter).with_interval(NEVER).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build();
    let meter = provider.meter(env!("CARGO_PKG_NAME"));
    for Family { name, help, samples } in families {
        let gauge = meter.f64_gauge(*name).with_description(*help).build();
        for Sample { labels, value } in samples {
            let labels = labels.iter().map(|(name, value)| KeyValue::new(*name, value.clone())).collect::<Vec<_>>();
            gauge.record(value.as_f64(), &labels);
        }
    }
    // What failed was told by the one who sent it.
    drop(provider.shutdown());
}
