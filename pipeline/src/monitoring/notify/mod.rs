//! Webhooks and health checks. What cannot be delivered is a warning, and nothing more: a run is what it is, whoever
//! hears of it.

mod delivery;
mod message;

use super::{Attempt, Finished};
use crate::{address, exit::ExitCode, report::Failure, settings::Settings};
use futures::future::join_all;
use message::Message;
use std::time::Duration;

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
        if let Err(error) = delivery::deliver(recipient, message, allow_http, patience).await {
            let Failure { message: reason, hint, .. } = Failure::from(error);
            tracing::warn!(event = ?message.event, %reason, hint, "could not notify");
        }
    });
    join_all(told).await;
}
