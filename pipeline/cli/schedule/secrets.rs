//! The environment variables that a job needs, and which of them hold secrets.

use super::{SourceKind, StoreLocation};
use archive::{address, environment::Environment};
use archive_connectors::sink::Location;
use std::collections::{BTreeMap, BTreeSet};

/// The variables of a cloud. The connectors decide which variables they read ([`Location::is_option`]), and this table
/// which values may be printed.
struct Cloud {
    scheme: &'static str,
    prefix: &'static str,
    /// Variables without secrets.
    public: &'static [&'static str],
    /// Credentials to ask for if the environment has none.
    credentials: &'static [&'static str],
}

const CLOUDS: [Cloud; 3] = [
    Cloud {
        scheme: "s3",
        prefix: "AWS_",
        public: &[
            "AWS_ALLOW_HTTP",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT",
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_S3",
            "AWS_REGION",
            "AWS_ROLE_ARN",
            "AWS_ROLE_SESSION_NAME",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
        ],
        credentials: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    },
    Cloud {
        scheme: "gs",
        prefix: "GOOGLE_",
        public: &["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"],
        credentials: &["GOOGLE_SERVICE_ACCOUNT_KEY"],
    },
    Cloud {
        scheme: "az",
        prefix: "AZURE_",
        public: &["AZURE_ALLOW_HTTP", "AZURE_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_STORAGE_ACCOUNT_NAME"],
        credentials: &["AZURE_STORAGE_ACCOUNT_KEY"],
    },
];

/// Variables of libpq without secrets. `PGPASSFILE` is [`super::Job::password_file`].
const POSTGRES: [&str; 13] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGCHANNELBINDING",
    "PGCONNECT_TIMEOUT",
    "PGOPTIONS",
    "PGTARGETSESSIONATTRS",
];

/// Variables of HTTP and TLS clients.
const NETWORK: [&str; 10] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Variables that are not `KT_ARCHIVE_…`.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// Values by name.
    pub(super) public: BTreeMap<String, String>,
    /// Names of those that hold secrets.
    pub(super) secret: BTreeSet<String>,
}

impl Variables {
    fn add(&mut self, name: &str, value: &str, is_public: bool) {
        if is_public && address::printable(value) == value {
            self.public.insert(name.to_owned(), value.to_owned());
        } else {
            self.secret.insert(name.to_owned());
        }
    }
}

/// The variables of the network, the source and the locations in `environment`.
pub(super) fn variables<'a>(
    source: SourceKind,
    locations: &(impl Iterator<Item = &'a StoreLocation> + Clone),
    environment: &Environment,
) -> Variables {
    let mut found = Variables::default();
    if source == SourceKind::Postgres {
        let set = POSTGRES.iter().filter_map(|name| Some(((*name).to_owned(), environment.get(name)?.to_owned())));
        found.public.extend(set);
    }
    for name in NETWORK {
        // A proxy without a scheme is no URL, so `@` alone marks credentials.
        if let Some(value) = environment.get(name) {
            found.add(name, value, !value.contains('@'));
        }
    }
    for (name, value) in environment.with_prefix("OTEL_") {
        found.add(name, value, !name.contains("HEADERS"));
    }
    let uses = |cloud: &&Cloud| locations.clone().any(|location| location.scheme() == Some(cloud.scheme));
    for cloud in CLOUDS.iter().filter(uses) {
        for (name, value) in environment.with_prefix(cloud.prefix).filter(|(name, _)| Location::is_option(name)) {
            found.add(name, value, cloud.public.contains(&name));
        }
        let has_credentials = found.secret.iter().any(|name| name.starts_with(cloud.prefix))
            || found.public.keys().any(|name| name.starts_with(cloud.prefix) && is_path(name));
        if !has_credentials {
            found.secret.extend(cloud.credentials.iter().map(|name| (*name).to_owned()));
        }
    }
    found
}

/// Variables that hold a path.
const FILES: [&str; 11] = [
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AZURE_FEDERATED_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// Variables of the cloud identity that a platform assigns to its processes.
const IDENTITY: [&str; 4] = [
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
];

/// Whether the variable belongs to the cloud identity of this host, which is not valid elsewhere.
pub(super) fn is_of_host(name: &str) -> bool {
    IDENTITY.contains(&name) || (is_path(name) && CLOUDS.iter().any(|cloud| name.starts_with(cloud.prefix)))
}

/// Whether the variable may be a cloud key, which a process with a cloud identity does not need.
pub(super) fn is_cloud_key(name: &str) -> bool {
    CLOUDS.iter().any(|cloud| name.starts_with(cloud.prefix) && !cloud.public.contains(&name))
}

/// Whether the variable holds a path of this host.
pub(super) fn is_path(name: &str) -> bool {
    FILES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: SourceKind, location: &str, set: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let set = set.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let environment = Environment::from_os(set).unwrap();
        let location = StoreLocation::new(location, None, "/");
        let Variables { public, secret } = variables(source, &[location].iter(), &environment);
        (public.into_iter().map(|(name, value)| format!("{name}={value}")).collect(), secret.into_iter().collect())
    }

    #[test]
    fn values_of_secret_variables_are_not_printed() {
        let set = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT", "https://u:canary@minio.example"),
            ("AWS_SECRET_ACCESS_KEY", "canary"),
            ("AWS_PAGER", "less"),
            ("PGPASSWORD", "canary"),
            ("PGUSER", "ada"),
        ];
        let (public, secret) = found(SourceKind::Postgres, "s3://bucket", &set);
        assert_eq!(public, ["AWS_REGION=eu-central-1", "PGUSER=ada"]);
        assert_eq!(secret, ["AWS_ENDPOINT", "AWS_SECRET_ACCESS_KEY"]);
        assert_eq!(found(SourceKind::Demo, "/srv/archive", &set), (Vec::new(), Vec::new()));
    }

    #[test]
    fn bucket_without_credentials_asks_for_them() {
        assert_eq!(found(SourceKind::Demo, "gs://b", &[]).1, ["GOOGLE_SERVICE_ACCOUNT_KEY"]);
        assert_eq!(found(SourceKind::Demo, "gs://b", &[("GOOGLE_SERVICE_ACCOUNT", "/key.json")]).1, [] as [&str; 0]);
        assert_eq!(
            found(SourceKind::Demo, "az://b", &[("AZURE_STORAGE_ACCOUNT_NAME", "a")]).1,
            ["AZURE_STORAGE_ACCOUNT_KEY"]
        );
    }

    #[test]
    fn network_and_telemetry_variables_are_passed_without_secrets() {
        let set = [
            ("HTTPS_PROXY", "http://proxy.example:3128"),
            ("http_proxy", "ada:canary@proxy.example"),
            ("ALL_PROXY", "http://ada:canary@proxy.example"),
            ("NO_PROXY", "localhost,.example"),
            ("SSL_CERT_FILE", "ca.pem"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=canary"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://u:canary@collector.example"),
        ];
        let (public, secret) = found(SourceKind::Demo, "s3://b", &set);
        let expected = [
            "HTTPS_PROXY=http://proxy.example:3128",
            "NO_PROXY=localhost,.example",
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.example:4318",
            "SSL_CERT_FILE=ca.pem",
        ];
        assert_eq!(public, expected);
        let expected = [
            "ALL_PROXY",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
            "http_proxy",
        ];
        assert_eq!(secret, expected, "a certificate is no key of a bucket");
    }

    #[test]
    fn cloud_variables_are_options_of_the_connectors() {
        for cloud in &CLOUDS {
            let names = cloud.public.iter().chain(cloud.credentials);
            let unknown = names.filter(|name| !name.starts_with(cloud.prefix) || !Location::is_option(name));
            assert_eq!(unknown.collect::<Vec<_>>(), [] as [&&str; 0]);
        }
        assert!(IDENTITY.into_iter().all(Location::is_option));
    }
}
