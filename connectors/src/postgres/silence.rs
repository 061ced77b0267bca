//! How long a server may owe an answer without sending anything. Keepalives notice a dead peer, and the server itself ends a
//! long statement; neither helps where a proxy or a firewall keeps the connection and passes nothing on.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// The limit of a session, which has none until it is set.
#[derive(Clone, Debug, Default)]
pub(super) struct SilenceLimit(Arc<OnceLock<Duration>>);

impl SilenceLimit {
    /// Sets the limit once: later calls change nothing.
    pub(super) fn set(&self, limit: Duration) {
        self.0.get_or_init(|| limit);
    }
}

/// The silence of a server.
#[derive(Debug)]
pub(super) struct Silence {
    limit: SilenceLimit,
    /// Whether the server has yet to answer.
    is_owed: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    pub(super) const fn new(limit: SilenceLimit) -> Self {
        Self { limit, is_owed: false, timer: None }
    }

    /// Bytes were sent, which ask for an answer.
    pub(super) fn sent(&mut self) {
        self.is_owed = true;
        self.timer = None;
    }

    /// Bytes came.
    pub(super) fn received(&mut self) {
        self.timer = None;
    }

    /// The server is ready for the next statement, or waits for rows.
    pub(super) fn answered(&mut self) {
        self.is_owed = false;
        self.timer = None;
    }

    /// Fails once the silence was too long. To be polled while the connection has nothing to read.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Some(limit) = self.limit.0.get().filter(|_| self.is_owed) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(*limit)));
        ready!(timer.as_mut().poll(context));
        let message = format!("the server has sent nothing for {} seconds", limit.as_secs());
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, message))
    }
}
