//! The metrics of a run as gauges of OpenTelemetry.

use super::super::metrics::{Family, Sample};
use opentelemetry::{KeyValue, metrics::MeterProvider as _};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
};
use std::time::Duration;

/// Sends `families` once. Blocks until they are sent, or cannot be.
pub(super) fn send(families: &[Family], exporter: MetricExporter, resource: Resource) {
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
