//! Settings of the exports API, its token among them.

use crate::{
    ArtifactRules, Error, ErrorKind, Result, Secret, artifact::Syntax, secret::read_secret_file,
    spool::on_blocking_thread,
};
use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use url::Url;

/// Settings of an [`ExportsApi`](super::ExportsApi).
#[derive(Clone, Debug)]
pub struct Config {
    /// The base of the API, without `/v1`, user information, query and fragment.
    pub base: Url,
    /// Which endpoints to use.
    pub layout: Layout,
    /// The format of artifacts.
    pub format: ArtifactFormat,
    /// How far the requested window extends beyond the one that is read, on both sides, in whole seconds; fractions are
    /// ignored. The server may filter by the time of an event or of its arrival.
    pub margin: Duration,
    /// How long to wait for a job, and again for its download, before both are left to another run.
    pub job_timeout: Duration,
    /// Whether `http://` is allowed for hosts that are neither loopback nor private.
    pub allow_http: bool,
    /// How artifacts are read.
    pub rules: ArtifactRules,
    /// The token, or the file that holds it.
    pub credentials: Credentials,
}

impl Config {
    /// Checks what needs no network, and cuts the margin to whole seconds.
    pub(super) fn validated(self) -> Result<Self> {
        let refuse = |why: &str| {
            Err(Error::new(ErrorKind::Configuration, format!("the source's address {why}"))
                .with_context("url", printable(&self.base)))
        };
        if !matches!(self.base.scheme(), "https" | "http") || self.base.host().is_none() {
            return refuse("is neither https://… nor http://…");
        }
        if !self.base.username().is_empty() || self.base.password().is_some() {
            return refuse("holds user information")
                .map_err(|error: Error| error.with_hint(format!("take it out, and {SET_TOKEN}")));
        }
        if self.base.query().is_some() || self.base.fragment().is_some() {
            return refuse("has a query or a fragment");
        }
        Ok(Self { margin: Duration::from_secs(self.margin.as_secs()), ..self })
    }
}

impl Config {
    /// The base URL as manifests record it: without user, password and query.
    pub fn url(&self) -> String {
        printable(&self.base)
    }
}

/// `url` without user information, query and fragment, which may hold secrets.
pub(super) fn printable(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for URLs that cannot have user information.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.into()
}

/// Which endpoints to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `/v1/exports`.
    #[default]
    Exports,
    /// `/v1/exports/jobs`.
    ExportsJobs,
    /// `/v1/exports`, or `/v1/exports/jobs` if the server does not have it.
    Auto,
}

/// The endpoints of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Endpoints {
    /// `/v1/exports`, `/v1/exports/{id}`, `/v1/exports/{id}/artifact`.
    Exports,
    /// `/v1/exports/jobs`, `/v1/exports/jobs/{id}`, `/v1/exports/jobs/{id}/download`.
    ExportsJobs,
}

impl Layout {
    /// The endpoints to try, in this order.
    pub(super) const fn candidates(self) -> &'static [Endpoints] {
        match self {
            Self::Exports => &[Endpoints::Exports],
            Self::ExportsJobs => &[Endpoints::ExportsJobs],
            Self::Auto => &[Endpoints::Exports, Endpoints::ExportsJobs],
        }
    }
}

impl FromStr for Layout {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "exports" => Ok(Self::Exports),
            "exports-jobs" => Ok(Self::ExportsJobs),
            "auto" => Ok(Self::Auto),
            _ => Err(Error::new(ErrorKind::Configuration, format!("there is no API layout {text:?}"))
                .with_hint("use exports, exports-jobs or auto")),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Exports => "exports",
            Self::ExportsJobs => "exports-jobs",
            Self::Auto => "auto",
        })
    }
}

/// The format of artifacts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactFormat {
    /// RFC 4180, with a header.
    #[default]
    Csv,
    /// An array, an envelope around one, or an object per line.
    Json,
}

impl ArtifactFormat {
    pub(super) const fn syntax(self) -> Syntax {
        match self {
            Self::Csv => Syntax::Csv,
            Self::Json => Syntax::Json,
        }
    }
}

/// Where the token comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// There is none: [`ExportsApi::new`](super::ExportsApi::new) and [`probe`](super::probe()) fail.
    #[default]
    Missing,
    /// The token itself.
    Token(Secret),
    /// A file that holds the token. It is read again when the server refuses the token, since tokens are rotated.
    File(PathBuf),
}

impl Credentials {
    /// Reads the token as a run would.
    pub async fn probe(&self) -> Result<()> {
        BearerToken::new(self.clone())?.current().await.map(drop)
    }
}

/// The token that is sent as `Authorization: Bearer …`.
#[derive(Debug)]
pub(super) struct BearerToken {
    file: Option<PathBuf>,
    current: Mutex<Option<Secret>>,
}

impl BearerToken {
    /// Fails if there is no token; a file is read at the first use.
    pub(super) fn new(credentials: Credentials) -> Result<Self> {
        let (token, file) = match credentials {
            Credentials::Token(token) => (Some(parse_token(token.expose())?), None),
            Credentials::File(file) => (None, Some(file)),
            Credentials::Missing => {
                return Err(
                    Error::new(ErrorKind::Configuration, "there is no token for the exports API").with_hint(SET_TOKEN)
                );
            }
        };
        Ok(Self { file, current: Mutex::new(token) })
    }

    /// The token to send.
    pub(super) async fn current(&self) -> Result<Secret> {
        let known = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (known, &self.file) {
            (Some(token), _) => Ok(token),
            (None, Some(file)) => self.load(file).await,
            (None, None) => Err(Error::new(ErrorKind::Internal, "credentials without a token and without a file")),
        }
    }

    /// The token in the file, if it is another than `refused` by now.
    pub(super) async fn newer_than(&self, refused: &Secret) -> Result<Option<Secret>> {
        let Some(file) = &self.file else { return Ok(None) };
        let token = self.load(file).await?;
        Ok((token != *refused).then_some(token))
    }

    async fn load(&self, file: &Path) -> Result<Secret> {
        let path = file.to_owned();
        let token = on_blocking_thread(move || read_token(&path)).await?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }
}

/// The `Authorization` header for `token`, which logs of the HTTP library do not show.
pub(super) fn bearer(token: &Secret) -> Result<HeaderValue> {
    let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
    let mut value = value.map_err(|_| not_a_token())?;
    value.set_sensitive(true);
    Ok(value)
}

const SET_TOKEN: &str =
    "set KEEPTRUSTS_API_TOKEN, or KEEPTRUSTS_API_TOKEN_FILE to the path of a file that holds the token";

const NAME_TOKEN_FILE: &str = "KEEPTRUSTS_API_TOKEN_FILE names the path of a file that holds the token";

fn read_token(path: &Path) -> Result<Secret> {
    let refuse = |error: Error| error.with_context("path", path.display());
    let content = read_secret_file(path, "the token file", NAME_TOKEN_FILE)?;
    std::str::from_utf8(&content).map_err(|_| not_a_token()).and_then(parse_token).map_err(refuse)
}

fn parse_token(text: &str) -> Result<Secret> {
    let token = text.trim();
    let plain = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { Ok(Secret::new(token.to_owned())) } else { Err(not_a_token()) }
}

fn not_a_token() -> Error {
    Error::new(ErrorKind::Configuration, "the token for the exports API is empty or holds spaces or control characters")
        .with_hint("check KEEPTRUSTS_API_TOKEN, or the file that KEEPTRUSTS_API_TOKEN_FILE names")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(base: &str) -> Config {
        Config {
            base: Url::parse(base).unwrap(),
            layout: Layout::default(),
            format: ArtifactFormat::Csv,
            margin: Duration::from_millis(1500),
            job_timeout: Duration::from_secs(3600),
            allow_http: false,
            rules: ArtifactRules::default(),
            credentials: Credentials::Token(Secret::new("t".to_owned())),
        }
    }

    #[test]
    fn refuses_addresses_with_secrets_or_without_a_host() {
        for base in
            ["https://user@api.example", "https://api.example?token=x", "https://api.example/#a", "ftp://a.example"]
        {
            let error = config(base).validated().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{base}");
            assert!(!error.to_string().contains("user@") && !error.to_string().contains("token"), "{error}");
        }
    }

    #[test]
    fn cuts_the_margin_to_whole_seconds() {
        assert_eq!(config("https://api.example/kt").validated().unwrap().margin, Duration::from_secs(1));
    }

    #[test]
    fn layouts_parse_from_their_names() {
        for layout in [Layout::Exports, Layout::ExportsJobs, Layout::Auto] {
            assert_eq!(layout.to_string().parse::<Layout>().unwrap(), layout);
        }
        assert!("jobs".parse::<Layout>().is_err());
    }

    #[test]
    fn a_missing_token_is_a_configuration_error() {
        for credentials in [Credentials::Missing, Credentials::Token(Secret::new(" \n".to_owned()))] {
            let error = BearerToken::new(credentials).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.hint().contains("KEEPTRUSTS_API_TOKEN_FILE"));
        }
        let error = BearerToken::new(Credentials::Token(Secret::new("canary\ncanary".to_owned()))).unwrap_err();
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[tokio::test]
    async fn a_rotated_file_gives_a_newer_token_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "first\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let bearer = BearerToken::new(Credentials::File(path.clone())).unwrap();
        let first = bearer.current().await.unwrap();
        assert_eq!(first.expose(), "first");
        assert_eq!(bearer.newer_than(&first).await.unwrap(), None);
        std::fs::write(&path, "second").unwrap();
        assert_eq!(bearer.newer_than(&first).await.unwrap().unwrap().expose(), "second");
        assert_eq!(bearer.current().await.unwrap().expose(), "second");
    }

    #[tokio::test]
    async fn a_token_without_a_file_has_no_newer_one() {
        let token = Secret::new("given".to_owned());
        let bearer = BearerToken::new(Credentials::Token(token.clone())).unwrap();
        assert_eq!(bearer.newer_than(&token).await.unwrap(), None);
    }
}
