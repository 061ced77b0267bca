//! Where traces and metrics go, as the variables of OpenTelemetry's specification say it.

use crate::environment::Environment;
use archive_connectors::{Error, ErrorKind, Result};
use url::Url;

/// Where each signal goes; nowhere unless somebody said so.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Endpoints {
    pub(super) traces: Option<Url>,
    pub(super) metrics: Option<Url>,
}

impl Endpoints {
    /// What the environment says. No error repeats an address.
    pub(super) fn of(environment: &Environment) -> Result<Self> {
        if environment.get("OTEL_SDK_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
            return Ok(Self::default());
        }
        let endpoints = Self { traces: of_signal(environment, "traces")?, metrics: of_signal(environment, "metrics")? };
        match protocol(environment) {
            Some(other) if endpoints != Self::default() => {
                let message = format!("a collector is to be told by {other}, which this program does not speak");
                Err(invalid(message).with_hint("set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf and the port for it"))
            }
            _ => Ok(endpoints),
        }
    }
}

const BASE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

fn of_signal(environment: &Environment, signal: &str) -> Result<Option<Url>> {
    let signal_name = signal.to_ascii_uppercase();
    if environment.get(&format!("OTEL_{signal_name}_EXPORTER")) == Some("none") {
        return Ok(None);
    }
    let own = format!("OTEL_EXPORTER_OTLP_{signal_name}_ENDPOINT");
    if let Some(address) = environment.get(&own) {
        return read(&own, address).map(Some);
    }
    let Some(address) = environment.get(BASE) else { return Ok(None) };
    let mut url = read(BASE, address)?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["v1", signal]);
    }
    Ok(Some(url))
}

fn read(name: &str, address: &str) -> Result<Url> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| {
        invalid(format!("{name} is neither http://… nor https://…"))
            .with_hint("such as http://localhost:4318 for a collector on this host")
    })
}

/// The protocol that is asked for, if it is another one than ours.
fn protocol(environment: &Environment) -> Option<&str> {
    let names =
        ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
    names.iter().filter_map(|name| environment.get(name)).find(|protocol| *protocol != "http/protobuf")
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints<const N: usize>(variables: [(&str, &str); N]) -> Result<[Option<String>; 2]> {
        let Endpoints { traces, metrics } = Endpoints::of(&variables.into())?;
        Ok([traces, metrics].map(|url| url.map(String::from)))
    }

    #[test]
    fn nothing_is_sent_unless_somebody_says_where() {
        assert_eq!(
            endpoints([("OTEL_SERVICE_NAME", "x"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap(),
            [None, None]
        );
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
        assert_eq!(endpoints([base, ("OTEL_SDK_DISABLED", "TRUE")]).unwrap(), [None, None]);
    }

    #[test]
    fn a_signal_goes_below_the_base_or_where_its_own_variable_says() {
        let below = |path: &str| Some(format!("http://localhost:4318{path}"));
        for base in ["http://localhost:4318", "http://localhost:4318/"] {
            let found = endpoints([("OTEL_EXPORTER_OTLP_ENDPOINT", base)]).unwrap();
            assert_eq!(found, [below("/v1/traces"), below("/v1/metrics")]);
        }
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318/base");
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://localhost:4318/own");
        assert_eq!(endpoints([base, own]).unwrap(), [below("/own"), below("/base/v1/metrics")]);
        assert_eq!(endpoints([own]).unwrap(), [below("/own"), None]);
        assert_eq!(endpoints([base, ("OTEL_METRICS_EXPORTER", "none")]).unwrap(), [below("/base/v1/traces"), None]);
    }

    #[test]
    fn what_cannot_be_sent_is_told_without_the_address() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317");
        let error = endpoints([base, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap_err();
        assert!(error.hint().unwrap().contains("http/protobuf"), "{error}");
        for wrong in ["localhost:4318/canary", "canary", "ftp://canary"] {
            let error = endpoints([("OTEL_EXPORTER_OTLP_ENDPOINT", wrong)]).unwrap_err();
            assert!(error.to_string().contains("OTLP_ENDPOINT") && !error.to_string().contains("canary"), "{error}");
        }
    }
}
