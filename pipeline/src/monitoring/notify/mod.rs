//! Webhooks and health checks. What cannot be delivered is a warning, and nothing more: a run is what it is, whoever
//! hears of it.

mod message;

use super::{Attempt, Finished};
use crate::{
    address,
    exit::ExitCode,
    report::Failure,
    settings::{Recipient, RecipientKind, Settings},
};
use archive_connectors::{
    Error, ErrorKind, Result, http, plain_http,
    retry::{Intervals, is_transient},
};
use futures::future::join_all;
use message::{Event, Message};
use reqwest::{RequestBuilder, Response, StatusCode, header};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

/// How long the first message may take, beside the run.
const FIRST: Duration = Duration::from_secs(5);
/// How long the last message may keep the program from ending.
const LAST: Duration = Duration::from_secs(10);
/// The same after a signal: whoever sent it waits, often no longer than ten seconds.
const LAST_AFTER_SIGNAL: Duration = Duration::from_secs(3);

/// Tells that a run begins.
pub(super) async fn started(settings: &Settings, attempt: &Attempt) {
    tell(settings, &Message::started(&address::printable(settings.archive.url()), attempt), FIRST).await;
}

/// Tells how a run ended.
pub(super) async fn finished(settings: &Settings, finished: &Finished) {
    let patience = match finished.exit {
        ExitCode::Interrupted | ExitCode::Terminated => LAST_AFTER_SIGNAL,
        _ => LAST,
    };
    tell(settings, &Message::finished(&address::printable(settings.archive.url()), finished), patience).await;
}

/// Tells all recipients at the same time.
async fn tell(settings: &Settings, message: &Message, patience: Duration) {
    let allow_http = settings.monitoring.allow_http;
    let told = settings.monitoring.notify.iter().map(|recipient| async move {
        if let Err(error) = deliver(recipient, message, allow_http, patience).await {
            let Failure { message: reason, hint, .. } = Failure::from(error);
            tracing::warn!(event = ?message.event, %reason, hint, "could not notify");
        }
    });
    join_all(told).await;
}

/// Tells `recipient`, within `patience`. A try that gets no answer takes half of it; tries that are refused are repeated
/// in the other half. No error holds more of the address than scheme and host.
async fn deliver(recipient: &Recipient, message: &Message, allow_http: bool, patience: Duration) -> Result<()> {
    let client = http::client(&recipient.url)?;
    let half = patience / 2;
    let last_try = Instant::now() + half;
    let mut intervals = Intervals::steady(Duration::from_millis(250), Duration::from_secs(2));
    loop {
        let attempt = attempt(&client, recipient, message, allow_http);
        let outcome = timeout(half, attempt).await.unwrap_or_else(|_| Err(no_answer()));
        let next_try = Instant::now() + intervals.next_wait();
        match outcome {
            Err(error) if is_transient(error.kind()) && next_try <= last_try => sleep_until(next_try).await,
            outcome => return outcome.map_err(|error| error.with_context("to", recipient.origin())),
        }
    }
}

async fn attempt(client: &reqwest::Client, recipient: &Recipient, message: &Message, allow_http: bool) -> Result<()> {
    plain_http::check(&recipient.url, allow_http, ErrorKind::Configuration).await?;
    let response = request(client, recipient, message)?.send().await.map_err(broken)?;
    accepted(recipient.kind, response).await
}

fn request(client: &reqwest::Client, recipient: &Recipient, message: &Message) -> Result<RequestBuilder> {
    match recipient.kind {
        RecipientKind::Webhook => {
            let body = serde_json::to_vec(message);
            let body = body.map_err(|error| Error::new(ErrorKind::Internal, "could not encode").with_source(error))?;
            Ok(client.post(recipient.url.clone()).header(header::CONTENT_TYPE, "application/json").body(body))
        }
        RecipientKind::HealthCheck => {
            let request = client.post(ping(&recipient.url, message));
            Ok(request.header(header::CONTENT_TYPE, "text/plain; charset=utf-8").body(message.details()))
        }
    }
}

/// Where a health check is told of the event: below its path, before its query.
fn ping(check: &Url, message: &Message) -> Url {
    let below = match message.event {
        Event::Started => "start".to_owned(),
        Event::Succeeded => return check.clone(),
        // Never 0, which would be a success.
        Event::Failed => message.exit.filter(|exit| *exit != 0).map_or("fail".to_owned(), |exit| exit.to_string()),
    };
    let mut url = check.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(&below);
    }
    url
}

/// Whether the answer means that the message arrived.
async fn accepted(kind: RecipientKind, response: Response) -> Result<()> {
    let status = response.status();
    if status.is_success() {
        return if kind == RecipientKind::HealthCheck { known(response).await } else { Ok(()) };
    }
    let refused = |kind, message: &str| Err(Error::new(kind, message).with_context("status", status.as_u16()));
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            refused(ErrorKind::SourceUnavailable, "the receiver is busy")
        }
        _ if status.is_server_error() => refused(ErrorKind::SourceUnavailable, "the receiver failed"),
        _ if status.is_redirection() => refused(ErrorKind::Source, "the receiver redirects, which is not followed"),
        _ => refused(ErrorKind::Source, "the receiver refused the message"),
    }
}

/// healthchecks.io answers 200 to a check that it does not have any more, and says `OK (not found)` in the body.
async fn known(mut response: Response) -> Result<()> {
    const ENOUGH: usize = 64;
    let mut body = Vec::new();
    // A body that breaks off changes nothing about the status.
    while let (true, Ok(Some(block))) = (body.len() < ENOUGH, response.chunk().await) {
        body.extend_from_slice(&block);
    }
    match body.as_slice() {
        body if body.starts_with(b"OK (not found)") => {
            Err(Error::new(ErrorKind::Source, "the receiver has no such health check"))
        }
        body if body.starts_with(b"OK (rate limited)") => {
            Err(Error::new(ErrorKind::SourceUnavailable, "the receiver is busy"))
        }
        _ => Ok(()),
    }
}

/// The HTTP library's own text would hold the whole address.
fn broken(error: reqwest::Error) -> Error {
    let message = if error.is_timeout() {
        return no_answer();
    } else if error.is_connect() {
        "could not connect to the receiver"
    } else {
        "the exchange with the receiver broke off"
    };
    Error::new(ErrorKind::SourceUnavailable, message).with_source(error.without_url())
}

fn no_answer() -> Error {
    Error::new(ErrorKind::SourceUnavailable, "the receiver did not answer in time")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitoring::metrics::Work;

    #[test]
    fn pings_lie_below_the_path_and_before_the_query() {
        let attempt = Attempt { command: "run", started: "2025-04-01T04:00:00Z".parse().unwrap() };
        let message = |exit| {
            let ended = attempt.started;
            Message::finished(
                "a",
                &Finished { attempt: attempt.clone(), ended, exit, error: None, report: None, work: Work::default() },
            )
        };
        let told = |check: &str, message: &Message| String::from(ping(&Url::parse(check).unwrap(), message));
        for check in ["https://hc.example/uuid?create=1", "https://hc.example/uuid/?create=1"] {
            assert_eq!(told(check, &Message::started("a", &attempt)), "https://hc.example/uuid/start?create=1");
            assert_eq!(told(check, &message(ExitCode::Source)), "https://hc.example/uuid/6?create=1");
            assert_eq!(told(check, &message(ExitCode::Done)), check);
        }
        assert_eq!(told("https://hc.example", &message(ExitCode::TryLater)), "https://hc.example/75");
    }
}
