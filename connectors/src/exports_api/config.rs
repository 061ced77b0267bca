//! What the exports API source is told.

use super::credentials::Credentials;
use crate::{Error, ErrorKind, Result, artifact::Syntax};
use archive_formats::catalogue::KeyColumns;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

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
}
