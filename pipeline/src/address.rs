//! Source and archive addresses as the operator wrote them: their kind, and whether they contain a secret.
//!
//! No message here repeats an address: invalid text may be a secret in the wrong place.

use archive_connectors::{Error, ErrorKind, Result, demo::Types as DemoTypes, nearest::nearest};
use std::path::PathBuf;
use url::Url;

/// Query keys whose value is a secret.
const SECRET_KEYS: [&str; 7] = ["password", "passwd", "sslpassword", "token", "secret", "api_key", "access_token"];

/// Hint for a secret in a database URL.
pub const PASSWORD_HINT: &str =
    "take it out, and set PGPASSWORD or write it into the password file (PGPASSFILE, else ~/.pgpass)";

/// Returns whether the address is a PostgreSQL URL.
pub fn is_postgres(address: &str) -> bool {
    let scheme = address.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("postgres" | "postgresql"))
}

/// The schemes of sources.
const SCHEMES: [&str; 6] = ["https", "http", "postgres", "postgresql", "demo", "file"];

/// The known scheme that a misspelt one before `://` probably means.
pub fn nearest_scheme(address: &str) -> Option<&'static str> {
    let (scheme, _) = address.split_once("://")?;
    nearest(&scheme.to_ascii_lowercase(), SCHEMES)
}

/// Returns whether the address contains a user, a password or a token. It need not be a valid URL.
///
/// The user of a database is not a secret; its password is.
pub fn contains_secret(address: &str) -> bool {
    let Some((_, rest)) = address.split_once("://") else { return false };
    // The user of a database is no secret when the scheme is misspelt either.
    let is_database = matches!(nearest_scheme(address), Some("postgres" | "postgresql"));
    let rest = if is_database { without_user(rest) } else { rest };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A `/` or `?` inside a password ends the authority too early; then the `@` comes later.
    let has_user = authority.contains('@') || (authority.contains(':') && rest.contains('@'));
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let mut keys = url::form_urlencoded::parse(query.as_bytes()).map(|(key, _)| key.to_ascii_lowercase());
    has_user || keys.any(|key| SECRET_KEYS.contains(&key.as_str()))
}

/// The address without a user that has no password.
fn without_user(rest: &str) -> &str {
    rest.split_once('@').filter(|(user, _)| !user.contains([':', '/', '?', '#'])).map_or(rest, |(_, rest)| rest)
}

/// Replaces every quoted or separate URL in `text` that contains a secret, except for its scheme.
pub fn redact(text: &str) -> String {
    const ENDS: [char; 4] = ['\n', '\'', '"', '`'];
    let blot = |part: &str| match part.split_once("://") {
        Some((scheme, _)) if contains_secret(part) => {
            let end = part.chars().next_back().filter(|letter| ENDS.contains(letter));
            format!("{scheme}://[secret]{}", end.map(String::from).unwrap_or_default())
        }
        _ => part.to_owned(),
    };
    text.split_inclusive(ENDS).map(blot).collect()
}

/// `text` in a form safe to print: a URL without user, password, query and fragment; other text unchanged. The user and
/// the query of a database URL are kept: both are useful, and neither contains a secret.
pub fn printable(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    if !rest.contains(['@', '?', '#']) || (is_postgres(text) && !contains_secret(text)) {
        return text.to_owned();
    }
    let hidden = || format!("{scheme}://[secret]");
    let Ok(mut url) = Url::parse(text) else { return hidden() };
    // A `?` inside a password would otherwise start the query.
    if rest.split_once(['?', '#']).is_some_and(|(_, rest)| rest.contains('@')) {
        return hidden();
    }
    url.set_query(None);
    url.set_fragment(None);
    match url.set_username("").and_then(|()| url.set_password(None)) {
        Ok(()) => url.into(),
        Err(()) if url.username().is_empty() => url.into(),
        Err(()) => hidden(),
    }
}

/// The event source, parsed from `--source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceAddress {
    /// `demo:`, with its query options.
    Demo {
        /// Events per month.
        events: u64,
        /// Seed of the generator.
        seed: u64,
        /// Columns of the events.
        types: DemoTypes,
    },
    /// Base URL of an exports API.
    ExportsApi(Url),
    /// URL of a PostgreSQL server, with optional user and parameters, but without a password.
    Postgres(String),
    /// A file path or a glob pattern.
    Files(PathBuf),
}

/// Accepted forms of sources, for hints.
const FORMS: &str = "use https://… (exports API), postgres://…, a path or pattern of files, or demo:";

const DEMO_EVENTS: u64 = 10_000;
const DEMO_SEED: u64 = 1;
/// Maximum demo events: fewer than the microseconds of a month.
const MAX_DEMO_EVENTS: u64 = 1_000_000_000;

impl SourceAddress {
    /// Parses an address.
    pub fn parse(address: &str) -> Result<Self> {
        let scheme = address.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("demo") => demo(address),
            Some("https" | "http") => exports_api(address),
            Some("postgres" | "postgresql") => postgres(address),
            Some("file") => file_url(address),
            Some("s3" | "s3a" | "gs" | "az" | "azure") => {
                Err(invalid("--source is a bucket, which cannot be a source")
                    .with_hint("copy the files here first, and give their path"))
            }
            Some(_) if address.contains("://") => {
                let error = invalid("--source has a scheme that is not known");
                Err(match nearest_scheme(address) {
                    Some("demo") => error.with_hint(format!("did you mean demo:? {FORMS}")),
                    Some(scheme) => error.with_hint(format!("did you mean {scheme}://? {FORMS}")),
                    None => error.with_hint(FORMS),
                })
            }
            _ if address.is_empty() => Err(invalid("--source is empty").with_hint(FORMS)),
            _ if is_host(address) => Err(invalid("--source looks like the name of a server, without a scheme")
                .with_hint("put https:// in front of it (http:// on a private network), or ./ if it is a file")),
            _ => Ok(SourceAddress::Files(address.into())),
        }
    }
}

/// Whether an address without a scheme looks like `api.example.com`, perhaps with a port and a path, and not like a file.
fn is_host(address: &str) -> bool {
    const FILES: [&str; 5] = [".csv", ".json", ".jsonl", ".ndjson", ".gz"];
    let lower = address.to_ascii_lowercase();
    if lower.contains(['*', '?', '[', ' ']) || FILES.iter().any(|end| lower.ends_with(end)) {
        return false;
    }
    let authority = lower.split('/').next().unwrap_or_default();
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !host.split('.').all(is_label) {
        return false;
    }
    match port {
        Some(port) => port.parse::<u16>().is_ok(),
        None => host == "localhost" || host.contains('.'),
    }
}

fn demo(address: &str) -> Result<SourceAddress> {
    let hint = "write it like demo:?events=100000&seed=7, or demo:?types=all for columns of every type";
    let (mut events, mut seed, mut types) = (DEMO_EVENTS, DEMO_SEED, DemoTypes::Api);
    let rest = address.get("demo:".len()..).unwrap_or_default();
    let query = match rest.strip_prefix('?') {
        Some(query) => query,
        None if rest.is_empty() => "",
        None => return Err(invalid("a demo source has no path").with_hint(hint)),
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let number = || {
            let error = || invalid(format!("{key} of the demo source is not a whole number")).with_hint(hint);
            value.parse::<u64>().map_err(|_| error())
        };
        match key {
            "events" => events = number()?,
            "seed" => seed = number()?,
            "types" if value == "api" => types = DemoTypes::Api,
            "types" if value == "all" => types = DemoTypes::All,
            "types" => return Err(invalid("types of the demo source is neither api nor all").with_hint(hint)),
            _ => return Err(invalid(format!("a demo source has no option {key:?}")).with_hint(hint)),
        }
    }
    if events > MAX_DEMO_EVENTS {
        return Err(invalid(format!("a demo source has at most {MAX_DEMO_EVENTS} events a month")));
    }
    Ok(SourceAddress::Demo { events, seed, types })
}

fn exports_api(address: &str) -> Result<SourceAddress> {
    let url = Url::parse(address).map_err(|error| invalid("--source is not a URL").with_source(error))?;
    if !url.username().is_empty() || url.password().is_some() || contains_secret(address) {
        return Err(invalid("--source holds a user, a password or a token")
            .with_hint("take it out, and set KEEPTRUSTS_API_TOKEN or KEEPTRUSTS_API_TOKEN_FILE instead"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("--source has a query or a fragment")
            .with_hint("give the base of the API alone, like https://api.keeptrusts.com"));
    }
    Ok(SourceAddress::ExportsApi(url))
}

fn postgres(address: &str) -> Result<SourceAddress> {
    if contains_secret(address) {
        return Err(invalid("--source holds a password").with_hint(PASSWORD_HINT));
    }
    if !address.contains("://") {
        return Err(invalid("--source is not a URL of a database")
            .with_hint("write it like postgres://user@host:5432/database?sslmode=verify-full"));
    }
    Ok(SourceAddress::Postgres(address.to_owned()))
}

fn file_url(address: &str) -> Result<SourceAddress> {
    let hint = "write it like file:///folder/events.csv; a pattern with `?` needs a plain path";
    let url = Url::parse(address).ok().filter(|url| url.query().is_none() && url.fragment().is_none());
    // `file:events.csv` would be read as `/events.csv`.
    let url = url.filter(|_| address.get("file:".len()..).is_some_and(|rest| rest.starts_with('/')));
    let path = url.filter(|_| !contains_secret(address)).and_then(|url| url.to_file_path().ok());
    path.map(SourceAddress::Files).ok_or_else(|| invalid("--source is not a URL of a file here").with_hint(hint))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_address_hides_secrets() {
        for plain in ["./archive", "demo:?events=5", "s3://bucket/a/b", "https://api.example", "a@b?c"] {
            assert_eq!(printable(plain), plain);
        }
        assert_eq!(printable("https://user:canary@api.example/x?token=canary#canary"), "https://api.example/x");
        assert_eq!(printable("file:///srv/a?canary"), "file:///srv/a");
        for odd in
            ["https://user:can?ary@api.example", "https://u:1#canary@x", "x://u:can\nary@h ost", "https://u:ca/nary@x"]
        {
            assert!(!printable(odd).contains("nary"), "{odd}: {}", printable(odd));
        }
    }

    #[test]
    fn finds_secrets_in_invalid_urls() {
        for address in [
            "https://user:canary@api.example",
            "https://canary@api.example/x",
            "postgres://u:can/ary@db/x",
            "https://u:ca nary@[bad",
            "s3://key:canary@bucket",
            "postgres://u:can@ary@db/x",
            "postgres://u:can?ary@db/x",
            "postgres://u:can#ary@db/x",
            "postgres://u@canary@db/x",
            "PostgreSQL://u:canary@db/x",
            "postgres://db/x?sslmode=require&Password=canary",
            "postgres://u@db/x?pass%77ord=canary",
            "postgres://u@db/x?sslpassword=canary",
            "https://api.example/?token=canary",
        ] {
            assert!(contains_secret(address), "{address}");
            assert!(!format!("{:?}", SourceAddress::parse(address).unwrap_err()).contains("canary"), "{address}");
        }
        for address in ["./a@b", "s3://bucket/a@b", "https://api.example:8080/x", "demo:?events=1", "/path?token=1"] {
            assert!(!contains_secret(address), "{address}");
        }
    }

    #[test]
    fn keeps_database_url_as_written_and_treats_its_user_as_public() {
        for address in [
            "postgres://",
            "postgres:///events?host=/run/postgresql",
            "postgresql://archiver@db.internal:5432/keeptrusts?sslmode=verify-full",
            "postgres://archiver@[::1]:5432,db2:5433/keeptrusts",
            "Postgres://db/x",
        ] {
            assert!(!contains_secret(address), "{address}");
            assert_eq!(printable(address), address);
            assert_eq!(SourceAddress::parse(address).ok(), Some(SourceAddress::Postgres(address.to_owned())));
        }
        assert_eq!(printable("postgres://u:canary@db/x"), "postgres://db/x");
        assert!(SourceAddress::parse("postgres:x").unwrap_err().hint().contains("postgres://"));
        let error = SourceAddress::parse("postgres://u:canary@db/x").unwrap_err();
        assert!(error.hint().contains("PGPASSWORD") && error.hint().contains(".pgpass"));
    }

    #[test]
    fn redacts_secrets_within_text() {
        let text = "unexpected argument 'https://u:cana ry@host/x' found\nhttps://host/x";
        assert_eq!(redact(text), "unexpected argument 'https://[secret]' found\nhttps://host/x");
    }

    #[test]
    fn demo_source_has_events_seed_and_types() {
        let demo = |address| SourceAddress::parse(address).ok();
        let parsed = |events, seed, types| Some(SourceAddress::Demo { events, seed, types });
        assert_eq!(demo("demo:"), parsed(10_000, 1, DemoTypes::Api));
        assert_eq!(demo("demo:?events=5&seed=7"), parsed(5, 7, DemoTypes::Api));
        assert_eq!(demo("demo:?types=all&events=5"), parsed(5, 1, DemoTypes::All));
        assert_eq!(demo("demo:?types=api"), demo("demo:"));
        for options in ["?event=5", "?events=", "?events=-1", "x", "?events=9999999999", "?types=", "?types=some"] {
            assert!(SourceAddress::parse(&format!("demo:{options}")).is_err(), "{options}");
        }
    }

    #[test]
    fn api_address_has_neither_user_nor_query() {
        assert!(SourceAddress::parse("https://api.example/base/").is_ok());
        for address in ["https://api.example?x=1", "https://api.example/#x", "https://", "http://u@h"] {
            let error = SourceAddress::parse(address).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{address}");
        }
    }

    #[test]
    fn text_that_is_not_a_url_is_a_path() {
        let files = |address| match SourceAddress::parse(address) {
            Ok(SourceAddress::Files(path)) => path.to_str().unwrap().to_owned(),
            other => panic!("{address}: {other:?}"),
        };
        for path in ["./events.csv", "events.jsonl.gz", "exports/events_*.csv", "/a b/x.csv", "a:b.csv", "a?.csv"] {
            assert_eq!(files(path), path);
        }
        assert_eq!(files("file:///a%20b/events_*.csv"), "/a b/events_*.csv");
        assert_eq!(files("FILE:///x.csv"), "/x.csv");
    }

    #[test]
    fn servers_without_a_scheme_are_not_taken_for_files() {
        for address in ["api.example.com", "api.example.com/v1", "localhost", "localhost:8080", "api:8080", "10.0.0.1"]
        {
            let error = SourceAddress::parse(address).unwrap_err();
            assert!(error.hint().contains("https://"), "{address}: {error}");
        }
        for address in ["./api.example.com", "exports", "exports/a.csv", "v1.2/a.csv", "a.b.JSONL", "../x", "a:b"] {
            assert!(SourceAddress::parse(address).is_ok(), "{address}");
        }
    }

    #[test]
    fn misspelt_schemes_suggest_the_nearest_one() {
        for (address, meant) in [
            ("postgress://archiver@db/x", "did you mean postgres://?"),
            ("postgre://db/x", "did you mean postgres://?"),
            ("htps://api.example", "did you mean https://?"),
            ("demos://x", "did you mean demo:?"),
        ] {
            let error = SourceAddress::parse(address).unwrap_err();
            assert!(error.hint().starts_with(meant), "{address}: {}", error.hint());
            assert!(!contains_secret(address), "{address}");
        }
        assert!(!SourceAddress::parse("ftp://host/x.csv").unwrap_err().hint().contains("did you mean"));
        assert!(contains_secret("postgress://archiver:canary@db/x") && contains_secret("htps://canary@host"));
    }

    #[test]
    fn rejects_other_schemes() {
        let addresses = ["postgres:x", "s3://bucket/x.csv", "gs://b/x", "ftp://host/x.csv", ""];
        let no_files = ["file:x.csv", "file://host/x.csv", "file:///x.csv?a=b", "file:///x#a", "file://u@/x.csv"];
        for address in addresses.into_iter().chain(no_files) {
            let error = SourceAddress::parse(address).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{address}");
        }
    }
}
