//! Which variables a job needs, and which of them hold secrets.

use super::{Place, SourceKind};
use archive::{address, environment::Environment};
use archive_connectors::sink::Location;
use std::collections::{BTreeMap, BTreeSet};

/// The variables of a cloud. The connectors know schemes and prefixes too, but not which values may be printed.
/// [`Location::is_option`] decides which variables count.
struct Cloud {
    scheme: &'static str,
    prefix: &'static str,
    /// Variables that hold no secret.
    public: &'static [&'static str],
    /// Credentials that it needs if the environment has none.
    usual: &'static [&'static str],
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
        usual: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    },
    Cloud {
        scheme: "gs",
        prefix: "GOOGLE_",
        public: &["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"],
        usual: &["GOOGLE_SERVICE_ACCOUNT_KEY"],
    },
    Cloud {
        scheme: "az",
        prefix: "AZURE_",
        public: &["AZURE_ALLOW_HTTP", "AZURE_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_STORAGE_ACCOUNT_NAME"],
        usual: &["AZURE_STORAGE_ACCOUNT_KEY"],
    },
];

/// Variables of libpq that hold no secret. `PGPASSFILE` has a place of its own.
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

/// Variables of other programs.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// With their values.
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
    places: &(impl Iterator<Item = &'a Place> + Clone),
    environment: &Environment,
) -> Variables {
    let mut found = Variables::default();
    if source == SourceKind::Postgres {
        let set = POSTGRES.iter().filter_map(|name| Some(((*name).to_owned(), environment.get(name)?.to_owned())));
        found.public.extend(set);
    }
    for name in NETWORK {
        // A proxy may be named without a scheme.
        if let Some(value) = environment.get(name) {
            found.add(name, value, !value.contains('@'));
        }
    }
    for (name, value) in environment.with_prefix("OTEL_") {
        found.add(name, value, !name.contains("HEADERS"));
    }
    let uses = |cloud: &&Cloud| places.clone().any(|place| place.scheme() == Some(cloud.scheme));
    for cloud in CLOUDS.iter().filter(uses) {
        for (name, value) in environment.with_prefix(cloud.prefix).filter(|(name, _)| Location::is_option(name)) {
            found.add(name, value, cloud.public.contains(&name));
        }
        let has_credentials = found.secret.iter().any(|name| name.starts_with(cloud.prefix))
            || found.public.keys().any(|name| name.starts_with(cloud.prefix) && is_path(name));
        if !has_credentials {
            found.secret.extend(cloud.usual.iter().map(|name| (*name).to_owned()));
        }
    }
    found
}

/// Variables that hold the path of a file.
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

/// Variables that a platform gives its processes, so that a cloud knows them. Another platform has its own.
const IDENTITY: [&str; 4] = [
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
];

/// Whether the variable tells a cloud who a process of this host is, and would tell it nothing elsewhere.
pub(super) fn is_of_host(name: &str) -> bool {
    IDENTITY.contains(&name) || (is_path(name) && CLOUDS.iter().any(|cloud| name.starts_with(cloud.prefix)))
}

/// Whether the variable may be a key of a cloud, which a process that the cloud knows does without.
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

    fn of(source: SourceKind, place: &str, set: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let set = set.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let environment = Environment::from_os(set).unwrap();
        let place = Place::new(place, None, "/");
        let Variables { public, secret } = variables(source, &[place].iter(), &environment);
        (public.into_iter().map(|(name, value)| format!("{name}={value}")).collect(), secret.into_iter().collect())
    }

    #[test]
    fn variables_that_may_hold_a_secret_are_known_by_name_alone() {
        let set = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT", "https://u:canary@minio.example"),
            ("AWS_SECRET_ACCESS_KEY", "canary"),
            ("AWS_PAGER", "less"),
            ("PGPASSWORD", "canary"),
            ("PGUSER", "ada"),
        ];
        let (public, secret) = of(SourceKind::Postgres, "s3://bucket", &set);
        assert_eq!(public, ["AWS_REGION=eu-central-1", "PGUSER=ada"]);
        assert_eq!(secret, ["AWS_ENDPOINT", "AWS_SECRET_ACCESS_KEY"]);
        assert_eq!(of(SourceKind::Demo, "/srv/archive", &set), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_bucket_without_credentials_is_told_which_ones_it_takes() {
        assert_eq!(of(SourceKind::Demo, "gs://b", &[]).1, ["GOOGLE_SERVICE_ACCOUNT_KEY"]);
        assert_eq!(of(SourceKind::Demo, "gs://b", &[("GOOGLE_SERVICE_ACCOUNT", "/key.json")]).1, [] as [&str; 0]);
        assert_eq!(
            of(SourceKind::Demo, "az://b", &[("AZURE_STORAGE_ACCOUNT_NAME", "a")]).1,
            ["AZURE_STORAGE_ACCOUNT_KEY"]
        );
    }

    #[test]
    fn what_the_network_and_a_collector_need_goes_along_and_their_secrets_do_not() {
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
        let (public, secret) = of(SourceKind::Demo, "s3://b", &set);
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
    fn every_variable_of_a_cloud_is_one_that_its_client_reads() {
        for cloud in &CLOUDS {
            let names = cloud.public.iter().chain(cloud.usual);
            let unknown = names.filter(|name| !name.starts_with(cloud.prefix) || !Location::is_option(name));
            assert_eq!(unknown.collect::<Vec<_>>(), [] as [&&str; 0]);
        }
        assert!(IDENTITY.into_iter().all(Location::is_option));
    }
}
