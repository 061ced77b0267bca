//! Which variables a job needs, and which of them hold secrets.

use super::{Place, SourceKind};
use crate::{address, environment::Environment};
use archive_connectors::sink::Location;
use std::collections::{BTreeMap, BTreeSet};

/// What a cloud is told by its variables.
struct Cloud {
    scheme: &'static str,
    prefix: &'static str,
    /// Variables that hold no secret.
    public: &'static [&'static str],
    /// What it takes when the environment says nothing.
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
        public: &["AZURE_ALLOW_HTTP", "AZURE_ENDPOINT", "AZURE_STORAGE_ACCOUNT_NAME"],
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

/// Variables of others than this program.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// With their values.
    pub(super) public: BTreeMap<String, String>,
    /// Names of those that hold secrets.
    pub(super) secret: BTreeSet<String>,
}

/// What the source and the places take out of `environment`.
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
    let uses = |cloud: &&Cloud| places.clone().any(|place| place.scheme() == Some(cloud.scheme));
    for cloud in CLOUDS.iter().filter(uses) {
        for (name, value) in environment.with_prefix(cloud.prefix).filter(|(name, _)| Location::is_option(name)) {
            if cloud.public.contains(&name) && address::printable(value) == value {
                found.public.insert(name.to_owned(), value.to_owned());
            } else {
                found.secret.insert(name.to_owned());
            }
        }
        let has_credentials = found.secret.iter().any(|name| name.starts_with(cloud.prefix))
            || found.public.keys().any(|name| is_path(name));
        if !has_credentials {
            found.secret.extend(cloud.usual.iter().map(|name| (*name).to_owned()));
        }
    }
    found
}

/// Variables that hold the path of a file.
const FILES: [&str; 6] = [
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
];

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
        let place = super::super::folders::kind(place);
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
}
