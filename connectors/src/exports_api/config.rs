//! What the exports API source is told.

use crate::{Error, ErrorKind, Result, Secret, artifact::Syntax, spool::on_blocking_thread};
use archive_formats::catalogue::KeyColumns;
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

/// The settings of an [`ExportsApi`](super::ExportsApi).
#[derive(Debug)]
pub struct Config {
    /// The API's address, without user information, query and fragment.
    pub base: Url,
    /// Which endpoints the server has.
    pub layout: Layout,
    /// What artifacts are asked for.
    pub format: ArtifactFormat,
    /// How much more than the window is asked for on both sides, in whole seconds: it is not known whether the server
    /// filters by the time of an event or of its arrival.
    pub margin: Duration,
    /// How long a job may take until it is left for another run.
    pub job_timeout: Duration,
    /// Whether `http://` may be used with hosts that are neither loopback nor private.
    pub allow_http: bool,
    /// The names of the id and the time column.
    pub keys: KeyColumns,
    /// The token, or the file it lies in.
    pub credentials: Credentials,
}

impl Config {
    /// Checks what can be checked without the network, and cuts the margin to whole seconds.
    pub(super) fn validated(self) -> Result<Self> {
        let refuse = |why: &str| {
            Err(Error::new(ErrorKind::Configuration, format!("the source's address {why}"))
                .with_context("url", printable(&self.base)))
        };
        if !matches!(self.base.scheme(), "https" | "http") || self.base.host().is_none() {
            return refuse("is not one of the forms https://… and http://…");
        }
        if !self.base.username().is_empty() || self.base.password().is_some() {
            return refuse("holds user information").map_err(|error: Error| {
                error.with_hint(
                    "put the token into KEEPTRUSTS_API_TOKEN or into the file that KEEPTRUSTS_API_TOKEN_FILE names",
                )
            });
        }
        if self.base.query().is_some() || self.base.fragment().is_some() {
            return refuse("has a query or a fragment");
        }
        Ok(Self { margin: Duration::from_secs(self.margin.as_secs()), ..self })
    }
}

/// A URL as it may be shown: without user information, query and fragment.
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
    /// `/v1/exports`, and `/v1/exports/jobs` where a server does not have it.
    Auto,
}

/// The endpoints of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoints {
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

/// What an artifact is made of.
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

/// A token that is sent as `Authorization: Bearer …`.
#[derive(Debug)]
pub struct Credentials {
    file: Option<PathBuf>,
    current: Mutex<Option<Secret>>,
}

impl Credentials {
    /// The token itself, or else a file whose content it is. A token that is given beats a file.
    pub fn new(token: Option<Secret>, file: Option<PathBuf>) -> Result<Self> {
        let token = token.filter(|token| !token.expose().trim().is_empty());
        if token.is_none() && file.is_none() {
            return Err(Error::new(ErrorKind::Configuration, "there is no token for the exports API").with_hint(
                "set KEEPTRUSTS_API_TOKEN, or KEEPTRUSTS_API_TOKEN_FILE to the path of a file that holds the token",
            ));
        }
        let token = token.map(|token| usable(token.expose())).transpose()?;
        let file = if token.is_some() { None } else { file };
        Ok(Self { file, current: Mutex::new(token) })
    }

    /// Reads the token as a run would, and forgets it again.
    pub async fn probe(&self) -> Result<()> {
        self.current().await.map(drop)
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

    /// Another token than `refused`, if the file holds one by now: tokens are rotated while a long run goes on.
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

fn read_token(path: &Path) -> Result<Secret> {
    let refuse = |error: Error| error.with_context("path", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| {
        refuse(Error::new(ErrorKind::Configuration, "could not read the token file").with_source(error))
            .with_hint("KEEPTRUSTS_API_TOKEN_FILE names the path of a file that holds the token")
    })?;
    usable(&text).map_err(refuse)
}

fn usable(text: &str) -> Result<Secret> {
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
            keys: KeyColumns::default(),
            credentials: Credentials::new(Some(Secret::new("t".to_owned())), None).unwrap(),
        }
    }

    #[test]
    fn refuses_addresses_that_would_carry_secrets_or_nothing() {
        for base in
            ["https://user@api.example", "https://api.example?token=x", "https://api.example/#a", "ftp://a.example"]
        {
            let error = config(base).validated().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{base}");
            assert!(!error.to_string().contains("user@") && !error.to_string().contains("token"), "{error}");
        }
    }

    #[test]
    fn cuts_the_margin_to_the_seconds_that_a_request_can_name() {
        assert_eq!(config("https://api.example/kt").validated().unwrap().margin, Duration::from_secs(1));
    }

    #[test]
    fn layouts_read_back_from_their_names() {
        for layout in [Layout::Exports, Layout::ExportsJobs, Layout::Auto] {
            assert_eq!(layout.to_string().parse::<Layout>().unwrap(), layout);
        }
        assert!("jobs".parse::<Layout>().is_err());
    }

    #[test]
    fn a_missing_token_is_a_matter_of_configuration() {
        for token in [None, Some(Secret::new(" \n".to_owned()))] {
            let error = Credentials::new(token, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.hint().unwrap().contains("KEEPTRUSTS_API_TOKEN_FILE"));
        }
        let error = Credentials::new(Some(Secret::new("canary\ncanary".to_owned())), None).unwrap_err();
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[tokio::test]
    async fn a_rotated_file_gives_a_newer_token_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "first\n").unwrap();
        let credentials = Credentials::new(None, Some(path.clone())).unwrap();
        let first = credentials.current().await.unwrap();
        assert_eq!(first.expose(), "first");
        assert_eq!(credentials.newer_than(&first).await.unwrap(), None);
        std::fs::write(&path, "second").unwrap();
        assert_eq!(credentials.newer_than(&first).await.unwrap().unwrap().expose(), "second");
        assert_eq!(credentials.current().await.unwrap().expose(), "second");
    }

    #[tokio::test]
    async fn a_token_that_was_given_has_no_newer_one() {
        let given = Secret::new("given".to_owned());
        let credentials = Credentials::new(Some(given.clone()), None).unwrap();
        assert_eq!(credentials.newer_than(&given).await.unwrap(), None);
    }
}
