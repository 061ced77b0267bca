//! Notifications to webhooks and health checks. A failed delivery is a warning.

mod message;

use super::{Attempt, Finished};
use crate::{
    exit::ExitCode,
    report::Failure,
    settings::{Recipient, RecipientKind, Settings},
};
use archive_connectors::{
    Error, ErrorKind, Result, http,
    retry::{Intervals, is_transient},
};
use futures::future::join_all;
use message::{Event, Message};
use reqwest::{RequestBuilder, Response, StatusCode, header};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

/// Limit for the first message, which is sent beside the run.
const START_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit for the last message, which delays the end of the program.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// The same after a signal: service managers kill after as little as ten seconds.
const END_TIMEOUT_AFTER_SIGNAL: Duration = Duration::from_secs(3);

/// Notifies that a run begins.
pub(super) async fn started(settings: &Settings, attempt: &Attempt) {
    send_all(settings, &Message::started(&attempt.place(settings), attempt), START_TIMEOUT).await;
}

/// Notifies how a run ended.
pub(super) async fn finished(settings: &Settings, finished: &Finished) {
    let limit = match finished.exit {
        ExitCode::Interrupted | ExitCode::Terminated => END_TIMEOUT_AFTER_SIGNAL,
        _ => END_TIMEOUT,
    };
    send_all(settings, &Message::finished(&finished.attempt.place(settings), finished), limit).await;
}

/// Sends to all recipients concurrently.
async fn send_all(settings: &Settings, message: &Message, limit: Duration) {
    let allow_http = settings.monitoring.allow_http;
    let deliveries = settings.monitoring.notify.iter().map(|recipient| async move {
        if let Err(error) = deliver(recipient, message, allow_http, limit).await {
            let Failure { message: reason, hint, .. } = Failure::from(error);
            tracing::warn!(event = ?message.event, %reason, hint, "could not notify");
        }
    });
    join_all(deliveries).await;
}

/// Sends to `recipient` within `limit`. An attempt times out after half of it; transient failures are retried in the
/// first half. Errors contain no more of the address than scheme and host.
async fn deliver(recipient: &Recipient, message: &Message, allow_http: bool, limit: Duration) -> Result<()> {
    let client = http::client(&recipient.url)?;
    let half = limit / 2;
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
    http::require_tls(&recipient.url, allow_http, ErrorKind::Configuration).await?;
    let response = request(client, recipient, message)?.send().await.map_err(without_url)?;
    check_response(recipient.kind, response).await
}

fn request(client: &reqwest::Client, recipient: &Recipient, message: &Message) -> Result<RequestBuilder> {
    match recipient.kind {
        RecipientKind::Webhook => {
            let body = serde_json::to_vec(message);
            let body = body.map_err(|error| Error::new(ErrorKind::Internal, "could not encode").with_source(error))?;
            Ok(client.post(recipient.url.clone()).header(header::CONTENT_TYPE, "application/json").body(body))
        }
        RecipientKind::HealthCheck => {
            let request = client.post(ping_url(&recipient.url, message));
            Ok(request.header(header::CONTENT_TYPE, "text/plain; charset=utf-8").body(message.details()))
        }
    }
}

/// The URL for the event: a segment below the path of the check, before its query.
fn ping_url(check: &Url, message: &Message) -> Url {
    let below = match message.event {
        Event::Started => "start".to_owned(),
        Event::Succeeded => return check.clone(),
        // 0 would mean success.
        Event::Failed => message.exit.filter(|exit| *exit != 0).map_or("fail".to_owned(), |exit| exit.to_string()),
    };
    let mut url = check.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(&below);
    }
    url
}

/// Whether the receiver accepted the message.
async fn check_response(kind: RecipientKind, response: Response) -> Result<()> {
    let status = response.status();
    if status.is_success() {
        return if kind == RecipientKind::HealthCheck { check_body(response).await } else { Ok(()) };
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

/// healthchecks.io answers 200 for a deleted check too, with the body `OK (not found)`.
async fn check_body(mut response: Response) -> Result<()> {
    const MAX_BYTES: usize = 64;
    let mut body = Vec::new();
    // The status counts even if the body is truncated.
    while let (true, Ok(Some(block))) = (body.len() < MAX_BYTES, response.chunk().await) {
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

/// Removes the URL, which reqwest's own text contains.
fn without_url(error: reqwest::Error) -> Error {
    let message = if error.is_timeout() {
        return no_answer();
    } else if error.is_connect() {
        "could not connect to the receiver"
    } else {
        "the connection to the receiver broke"
    };
    Error::new(ErrorKind::SourceUnavailable, message).with_source(error.without_url())
}

fn no_answer() -> Error {
    Error::new(ErrorKind::SourceUnavailable, "the receiver did not answer in time")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitoring::{Tier, metrics::Work};

    #[test]
    fn ping_url_extends_the_path_and_keeps_the_query() {
        let attempt = Attempt { command: "run", tier: Tier::Events, started: "2025-04-01T04:00:00Z".parse().unwrap() };
        let message = |exit| {
            let ended = attempt.started;
            Message::finished(
                "a",
                &Finished {
                    attempt: attempt.clone(),
                    ended,
                    exit,
                    error: None,
                    report: None,
                    summary: None,
                    work: Work::default(),
                },
            )
        };
        let url = |check: &str, message: &Message| String::from(ping_url(&Url::parse(check).unwrap(), message));
        for check in ["https://hc.example/uuid?create=1", "https://hc.example/uuid/?create=1"] {
            assert_eq!(url(check, &Message::started("a", &attempt)), "https://hc.example/uuid/start?create=1");
            assert_eq!(url(check, &message(ExitCode::Source)), "https://hc.example/uuid/6?create=1");
            assert_eq!(url(check, &message(ExitCode::Done)), check);
        }
        assert_eq!(url("https://hc.example", &message(ExitCode::TryLater)), "https://hc.example/75");
    }
}
