//! Unknown keys: what is called so elsewhere, and which key was probably meant.

use super::{
    OPTIONS,
    layer::{PREFIX, variable},
};
use archive_connectors::nearest::nearest;

/// Names of other programs, and what to set here instead. The first match counts.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (
        &[
            "token",
            "api-token",
            "api-key",
            "apikey",
            "access-token",
            "auth",
            "bearer",
            "secret",
            "keeptrusts-api-token",
        ],
        "set KEEPTRUSTS_API_TOKEN_FILE, or KEEPTRUSTS_API_TOKEN, in the environment: the configuration file holds no \
         secrets",
    ),
    (
        &["token-file", "api-token-file", "keeptrusts-api-token-file", "secret-file"],
        "set KEEPTRUSTS_API_TOKEN_FILE in the environment",
    ),
    (
        &[
            "password",
            "passwd",
            "pass",
            "db-password",
            "pgpassword",
            "password-file",
            "passfile",
            "pgpass",
            "pgpassfile",
        ],
        "set PGPASSFILE, or PGPASSWORD, in the environment: the configuration file holds no secrets",
    ),
    (
        &[
            "user",
            "username",
            "host",
            "hostname",
            "port",
            "database",
            "dbname",
            "db",
            "sslmode",
            "postgres",
            "postgresql",
        ],
        "write it into the source: source = \"postgres://user@host:5432/database?sslmode=verify-full\"",
    ),
    (
        &["url", "uri", "api-url", "base-url", "server", "api", "dsn", "database-url", "keeptrusts-api-url", "input"],
        "the key is \"source\": https://… (exports API), postgres://…, or a path of files",
    ),
    (
        &["bucket", "prefix", "s3", "s3-bucket", "container", "gcs", "azure", "storage"],
        "write it into the archive: archive = \"s3://bucket/prefix\", gs://bucket/prefix or az://container/prefix",
    ),
    (&["region", "s3-region", "aws-region"], "set AWS_REGION in the environment"),
    (&["endpoint", "endpoint-url", "s3-endpoint", "aws-endpoint"], "set AWS_ENDPOINT in the environment"),
    (
        &[
            "access-key",
            "access-key-id",
            "secret-key",
            "secret-access-key",
            "credentials",
            "profile",
            "aws",
            "account-key",
        ],
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_SERVICE_ACCOUNT, or AZURE_STORAGE_ACCOUNT_KEY, in the \
         environment: the configuration file holds no secrets",
    ),
    (
        &[
            "path",
            "dir",
            "directory",
            "folder",
            "destination",
            "dest",
            "target",
            "location",
            "root",
            "out",
            "output-dir",
        ],
        "the key is \"archive\"; that of the program's own files is \"state-dir\"",
    ),
    (&["mirror", "mirrors", "replicas", "copy", "copies", "backup"], "the key is \"replica\""),
    (&["datasets", "export-type", "export-types", "type", "types"], "the key is \"dataset\""),
    (&["formats", "file-format", "output-format"], "the key is \"format\""),
    (
        &["month", "from", "to", "since", "until", "start", "end", "json", "config"],
        "give it on the command line: months, times, --json and --config are not in the file",
    ),
    (
        &["threads", "workers", "parallel", "parallelism", "concurrency", "max-workers"],
        "the key is \"jobs\" for months at the same time, and \"connections\" for those to PostgreSQL",
    ),
    (
        &["timeout", "request-timeout", "http-timeout", "deadline"],
        "the key is \"job-timeout\" for an export job, \"statement-timeout\" and \"lock-timeout\" for PostgreSQL",
    ),
    (&["retention", "retention-days", "keep", "ttl"], "the key is \"platform-retention\", such as \"365d\""),
    (
        &["webhook", "webhook-url", "slack", "notification", "notifications", "alert", "healthcheck", "email", "mail"],
        "the key is \"notify\": https://… for a webhook, healthcheck+https://… for a health check",
    ),
    (&["metrics", "prometheus", "textfile", "metrics-path"], "the key is \"metrics-file\""),
    (&["log-level", "loglevel", "debug", "log", "logging", "trace"], "the key is \"verbose\": 1, or 2 for more"),
    (
        &["chunk-size", "file-size", "max-file-size", "partition-size", "batch-size", "row-group-size", "size"],
        "the key is \"part-size\", such as \"256MiB\"",
    ),
    (&["tmp", "tmpdir", "temp-dir", "temp", "work-dir", "cache", "cache-dir", "staging"], "the key is \"state-dir\""),
    (&["org", "org-id", "tenant", "tenant-id", "where"], "the key is \"where-org\", for a PostgreSQL source"),
    (&["mask", "redact", "anonymize", "anonymise", "hash", "pseudonymize"], "the key is \"pseudonymise\", or \"drop\""),
    (&["exclude", "exclude-columns", "drop-columns"], "the key is \"drop\""),
    (&["include", "include-columns", "fields", "select"], "the key is \"columns\""),
    (&["schedule", "cron", "interval"], "`kt-archive schedule` prints a job with these settings"),
    (
        &["retries", "retry", "max-retries", "attempts", "compression", "compress", "gzip"],
        "there is no such setting: retries and compression are built in",
    ),
];

/// What to do about the unknown key `key`: where that setting is here, else the key with a similar name.
pub(super) fn remedy(key: &str, known: &[&'static str]) -> String {
    let key = key.to_ascii_lowercase().replace('_', "-");
    // A misspelt `type` of a table is nearer to a key of the table than to another program.
    if let Some(nearest) = nearest(&key, known.iter().copied()).filter(|_| !is_elsewhere(&key)) {
        return format!("did you mean {nearest:?}? {LIST}");
    }
    let elsewhere = ELSEWHERE.iter().find(|(names, _)| names.contains(&key.as_str()));
    elsewhere.map_or_else(|| LIST.to_owned(), |(_, remedy)| (*remedy).to_owned())
}

/// What to do about the variable `name`, which is no option.
pub fn variable_remedy(name: &str) -> String {
    let key = name.trim_start_matches(PREFIX).to_ascii_lowercase().replace('_', "-");
    let known = OPTIONS.iter().map(|option| option.key).collect::<Vec<_>>();
    match nearest(&key, known.iter().copied()).filter(|_| !is_elsewhere(&key)) {
        Some(nearest) => format!("did you mean {}?", variable(nearest)),
        None => remedy(&key, &known),
    }
}

const LIST: &str = "`kt-archive config schema` lists every key";

fn is_elsewhere(key: &str) -> bool {
    ELSEWHERE.iter().any(|(names, _)| names.contains(&key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::option;

    fn hint(key: &str) -> String {
        remedy(key, &OPTIONS.iter().map(|option| option.key).collect::<Vec<_>>())
    }

    #[test]
    fn misspelt_keys_suggest_the_nearest_one() {
        for (typed, meant) in [
            ("part_size", "part-size"),
            ("datset", "dataset"),
            ("achive", "archive"),
            ("id_colum", "id-column"),
            ("sorce", "source"),
            ("pseudonymise-key-file", "pseudonym-key-file"),
            ("Grace", "grace"),
        ] {
            assert!(hint(typed).starts_with(&format!("did you mean {meant:?}?")), "{typed}: {}", hint(typed));
        }
    }

    #[test]
    fn names_of_other_programs_lead_to_the_setting_of_the_same_kind() {
        for (typed, meant) in [
            ("token", "KEEPTRUSTS_API_TOKEN_FILE"),
            ("API_TOKEN", "KEEPTRUSTS_API_TOKEN_FILE"),
            ("password", "PGPASSFILE"),
            ("bucket", "s3://bucket/prefix"),
            ("region", "AWS_REGION"),
            ("endpoint", "AWS_ENDPOINT"),
            ("secret_access_key", "AWS_SECRET_ACCESS_KEY"),
            ("url", "\"source\""),
            ("workers", "\"jobs\""),
            ("webhook", "\"notify\""),
            ("log-level", "\"verbose\""),
            ("path", "\"archive\""),
        ] {
            assert!(hint(typed).contains(meant) && !hint(typed).contains("did you mean"), "{typed}: {}", hint(typed));
        }
    }

    #[test]
    fn misspelt_variables_suggest_the_nearest_one() {
        assert_eq!(variable_remedy("KT_ARCHIVE_PART_SZIE"), "did you mean KT_ARCHIVE_PART_SIZE?");
        assert!(variable_remedy("KT_ARCHIVE_TOKEN").starts_with("set KEEPTRUSTS_API_TOKEN_FILE"));
    }

    #[test]
    fn unlike_names_suggest_nothing() {
        for typed in ["colour", "x", "frobnicate", "quick"] {
            assert_eq!(hint(typed), LIST, "{typed}");
        }
    }

    #[test]
    fn keys_that_hints_name_exist_and_names_of_other_programs_do_not() {
        for (names, remedy) in ELSEWHERE {
            assert!(names.iter().all(|name| option(name).is_none()), "{names:?}");
            let quoted = remedy.split("key is ").skip(1).filter_map(|rest| rest.split('"').nth(1));
            assert!(quoted.clone().all(|key| option(key).is_some()), "{remedy}");
        }
        let mut all = ELSEWHERE.iter().flat_map(|(names, _)| *names).collect::<Vec<_>>();
        let number = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), number, "a name has two hints");
    }
}
