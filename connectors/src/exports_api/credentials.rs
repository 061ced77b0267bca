//! The token, and where a newer one comes from.

use crate::{Error, ErrorKind, Result, Secret, spool::on_blocking_thread};
use reqwest::header::HeaderValue;
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

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
