//! Counts the tries that are repeated by what is logged of them: `object_store` tells of its own in no other way.

use super::RetryCounts;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::Context,
};

/// The one place that repeats calls to sources, which logs nothing else.
const SOURCE: &str = "archive_connectors::retry";
/// The one that repeats calls to stores.
const STORE: &str = "object_store::client::retry";

/// Counts retries; its clones count together.
#[derive(Clone, Debug, Default)]
pub struct Retries {
    source: Arc<AtomicU64>,
    store: Arc<AtomicU64>,
}

impl Retries {
    /// What was counted so far.
    pub fn counts(&self) -> RetryCounts {
        RetryCounts { source: self.source.load(Ordering::Relaxed), store: self.store.load(Ordering::Relaxed) }
    }

    /// The events that are counted, and no others: whoever adds the layer adds this filter.
    pub fn filter() -> Targets {
        Targets::new().with_target(SOURCE, LevelFilter::WARN).with_target(STORE, LevelFilter::INFO)
    }
}

impl<S: Subscriber> Layer<S> for Retries {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        match event.metadata().target() {
            SOURCE => self.source.fetch_add(1, Ordering::Relaxed),
            STORE => self.store.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::{fmt, layer::SubscriberExt as _};

    #[test]
    fn retries_are_counted_however_little_is_logged() {
        let retries = Retries::default();
        let quiet = fmt::layer().with_writer(std::io::sink).with_filter(LevelFilter::ERROR);
        let subscriber =
            tracing_subscriber::registry().with(quiet).with(retries.clone().with_filter(Retries::filter()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "archive_connectors::retry", "waiting for another try");
            tracing::info!(target: "object_store::client::retry", "backing off");
            tracing::info!(target: "object_store::client::retry", "backing off");
            tracing::debug!(target: "object_store::client::retry", "something else");
            tracing::error!(target: "archive_connectors::exports_api", "something else");
        });
        assert_eq!(retries.counts(), RetryCounts { source: 1, store: 2 });
    }
}
