//! Generated events for any month, for trials and benches.
//!
//! An event depends on seed, dataset, month and its number in the month alone, so that two reads of a month are equal,
//! also if one reads parts. The columns and their types are those of an API artifact, or those of a table with a column of
//! every type.

mod columns;
mod event;
mod random;
mod typed;

use crate::{
    EventStream, Progress, Result, Source, SourceItem, SourceReport,
    progress::{Meter, Silent, Step},
};
use archive_formats::{Dataset, EventBatch, Month, Timestamp, Window, manifest::INVENTED};
use columns::{Columns, bug};
use event::Month as DemoMonth;
use futures::{StreamExt as _, stream};
use serde_json::json;
use std::sync::Arc;
use typed::TypedColumns;

/// Events of one batch: enough to amortise the cost of a batch, and some megabytes in memory.
const BATCH: u64 = 8192;

/// Settings of [`Demo`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Events of each month; fewer than a month has microseconds.
    pub events: u64,
    /// Other seeds give other events.
    pub seed: u64,
    /// The columns.
    pub types: Types,
}

/// The columns of generated events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Types {
    /// Those of an API artifact: text, numbers, decimals and times.
    #[default]
    Api,
    /// Of every type that a database gives.
    All,
}

/// A source that generates its events.
#[derive(Clone, Debug)]
pub struct Demo {
    config: Config,
    progress: Arc<dyn Progress>,
}

impl Demo {
    /// A source with `events` events in each month and the columns of an API artifact, as in [`Config`].
    pub fn new(events: u64, seed: u64) -> Self {
        Self::from_config(Config { events, seed, types: Types::Api })
    }

    /// The source that `config` describes.
    pub fn from_config(config: Config) -> Self {
        Self { config, progress: Arc::new(Silent) }
    }

    /// The same source, with `progress` reported for each batch.
    #[must_use]
    pub fn with_progress(self, progress: Arc<dyn Progress>) -> Self {
        Self { progress, ..self }
    }
}

impl Source for Demo {
    fn kind(&self) -> &'static str {
        INVENTED
    }

    fn url(&self) -> String {
        "demo:".to_owned()
    }

    fn read(&self, dataset: &Dataset, window: Window) -> EventStream {
        let read = Some(WindowRead::start(self.clone(), dataset, window));
        let items = stream::try_unfold(read, |read| async {
            match read {
                Some(read) => read.next().await,
                None => Ok(None),
            }
        });
        items.boxed()
    }

    fn on_committed(&self, _: &Dataset, _: Window) {}
}

/// The state of a read between two items. `None` in its place means that the report was yielded.
#[derive(Debug)]
struct WindowRead {
    demo: Demo,
    meter: Meter,
    month: Arc<DemoMonth>,
    window: Window,
    /// Number of the next event.
    next: u64,
    /// First number after the window.
    end: u64,
    read: u64,
}

impl WindowRead {
    fn start(demo: Demo, dataset: &Dataset, window: Window) -> Self {
        let whole = Month::containing(window.from()).map_or(window, Month::window);
        let month = DemoMonth::new(demo.config.events, demo.config.seed, dataset, whole);
        let next = month.slot(window.from());
        // The last slot may extend beyond the window: its event is generated, and left out if it is outside.
        let end = month.slot(window.to()).saturating_add(1).min(demo.config.events);
        let meter = Meter::new(Arc::clone(&demo.progress), dataset, window);
        meter.step(Step::Decode, Some(end.saturating_sub(next)));
        Self { demo, meter, month: Arc::new(month), window, next, end, read: 0 }
    }

    async fn next(mut self) -> Result<Option<(SourceItem, Option<Self>)>> {
        while self.next < self.end {
            let numbers = self.next..self.end.min(self.next.saturating_add(BATCH));
            self.next = numbers.end;
            let amount = numbers.end - numbers.start;
            self.meter.advance(amount);
            let (month, window, types) = (Arc::clone(&self.month), self.window, self.demo.config.types);
            let batch = tokio::task::spawn_blocking(move || generate(&month, numbers, window, types));
            let batch =
                batch.await.map_err(|error| bug("the generation of events was cut short").with_source(error))??;
            if !batch.is_empty() {
                self.read += batch.len() as u64;
                return Ok(Some((SourceItem::Batch(batch), Some(self))));
            }
        }
        Ok(Some((SourceItem::Report(self.report()), None)))
    }

    fn report(&self) -> SourceReport {
        let Config { events, seed, types } = self.demo.config;
        let whole = self.window == self.month.window();
        SourceReport {
            read: self.read,
            source_count: Some(if whole { events } else { self.read }),
            detail: match types {
                Types::Api => json!({"events": events, "seed": seed}),
                Types::All => json!({"events": events, "seed": seed, "types": "all"}),
            },
            ..SourceReport::default()
        }
    }
}

fn generate(month: &DemoMonth, numbers: std::ops::Range<u64>, window: Window, types: Types) -> Result<EventBatch> {
    let events = numbers.map(|number| month.event(number));
    let events = events.filter(|event| window.contains(Timestamp::from_micros(event.timestamp)));
    match types {
        Types::Api => {
            let mut columns = Columns::default();
            events.for_each(|event| columns.push(&event));
            columns.finish()
        }
        Types::All => {
            let mut columns = TypedColumns::default();
            events.for_each(|event| columns.push(&event));
            columns.finish()
        }
    }
}

#[cfg(test)]
mod tests;
