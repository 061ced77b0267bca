//! Endpoints of traces and metrics, by the variables of the OpenTelemetry specification.
//!
//! Not the exporter's own: it reads the process environment instead of the one passed in, sends to localhost if no
//! endpoint is set, and repeats addresses in its errors.

use crate::environment::Environment;
use archive_connectors::{Error, ErrorKind, Result};
use url::Url;

/// The endpoint of each signal; `None` unless set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Endpoints {
    pub(super) traces: Option<Url>,
    pub(super) metrics: Option<Url>,
}

impl Endpoints {
    /// Reads the environment. Errors contain no address.
    pub(super) fn from_environment(environment: &Environment) -> Result<Self> {
        if environment.get("OTEL_SDK_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
            return Ok(Self::default());
        }
        let endpoints =
            Self { traces: signal_endpoint(environment, "traces")?, metrics: signal_endpoint(environment, "metrics")? };
        match unsupported_protocol(environment) {
            Some(other) if endpoints != Self::default() => {
                let message = format!("the OTLP protocol {other} is not supported");
                Err(invalid(message)
                    .with_hint("set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, and the collector's port for it"))
            }
            _ => Ok(endpoints),
        }
    }
}

const BASE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

fn signal_endpoint(environment: &Environment, signal: &str) -> Result<Option<Url>> {
    let signal_name = signal.to_ascii_uppercase();
    if environment.get(&format!("OTEL_{signal_name}_EXPORTER")) == Some("none") {
        return Ok(None);
    }
    let own = format!("OTEL_EXPORTER_OTLP_{signal_name}_ENDPOINT");
    if let Some(address) = environment.get(&own) {
        return parse(&own, address).map(Some);
    }
    let Some(address) = environment.get(BASE) else { return Ok(None) };
    let mut url = parse(BASE, address)?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["v1", signal]);
    }
    Ok(Some(url))
}

fn parse(name: &str, address: &str) -> Result<Url> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| {
        invalid(format!("{name} is not an http:// or https:// URL"))
            .with_hint("for a collector on this host: http://localhost:4318")
    })
}

/// The requested protocol, if it is not `http/protobuf`.
fn unsupported_protocol(environment: &Environment) -> Option<&str> {
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
        let Endpoints { traces, metrics } = Endpoints::from_environment(&variables.into())?;
        Ok([traces, metrics].map(|url| url.map(String::from)))
    }

    #[test]
    fn no_endpoint_by_default() {
        assert_eq!(
            endpoints([("OTEL_SERVICE_NAME", "x"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap(),
            [None, None]
        );
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
        assert_eq!(endpoints([base, ("OTEL_SDK_DISABLED", "TRUE")]).unwrap(), [None, None]);
    }

    #[test]
    fn signal_endpoint_extends_the_base_or_replaces_it() {
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
    fn errors_do_not_contain_the_address() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317");
        let error = endpoints([base, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap_err();
        assert!(error.hint().contains("http/protobuf"), "{error}");
        for wrong in ["localhost:4318/canary", "canary", "ftp://canary"] {
            let error = endpoints([("OTEL_EXPORTER_OTLP_ENDPOINT", wrong)]).unwrap_err();
            assert!(error.to_string().contains("OTLP_ENDPOINT") && !error.to_string().contains("canary"), "{error}");
        }
    }
}
