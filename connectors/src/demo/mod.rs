//! Invented events for any month, for trying things out and for benches.
//!
//! An event depends on seed, dataset, month and its number in the month alone, so that a month that is read twice, in
//! whatever batches, is the same month. The columns are those of an API artifact, and so are their types.

mod columns;
mod event;
mod random;

use crate::{
    Error, ErrorKind, EventStream, Progress, Result, Source, SourceItem, SourceReport,
    progress::{Meter, Silent, Step},
};
use archive_formats::{Dataset, EventBatch, Month, Timestamp, Window};
use columns::Columns;
use event::Month as DemoMonth;
use futures::{StreamExt as _, stream};
use serde_json::json;
use std::sync::Arc;

/// Events of one batch: enough to amortise a batch's cost, and some megabytes in memory.
const BATCH: u64 = 8192;

/// A source that invents its events.
#[derive(Clone, Debug)]
pub struct Demo {
    scale: Scale,
    progress: Arc<dyn Progress>,
}

/// What all months of a source have in common.
#[derive(Clone, Copy, Debug)]
struct Scale {
    events: u64,
    seed: u64,
}

impl Demo {
    /// A source with `events` events in every month; fewer than a month has microseconds.
    pub fn new(events: u64, seed: u64) -> Self {
        Self { scale: Scale { events, seed }, progress: Arc::new(Silent) }
    }

    /// The same, and `progress` is told of every batch.
    #[must_use]
    pub fn with_progress(self, progress: Arc<dyn Progress>) -> Self {
        Self { progress, ..self }
    }
}

impl Source for Demo {
    fn kind(&self) -> &'static str {
        "demo"
    }

    fn url(&self) -> String {
        "demo:".to_owned()
    }

    fn read(&self, dataset: &Dataset, window: Window) -> EventStream {
        let reading = Some(Reading::start(self.clone(), dataset, window));
        let items = stream::try_unfold(reading, |reading| async {
            match reading {
                Some(reading) => reading.next().await,
                None => Ok(None),
            }
        });
        items.boxed()
    }

    fn settle(&self, _: &Dataset, _: Window) {}
}

/// How far a `read` has come. `None` in its place means that the report was yielded.
#[derive(Debug)]
struct Reading {
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

impl Reading {
    fn start(demo: Demo, dataset: &Dataset, window: Window) -> Self {
        let whole = Month::containing(window.from()).map_or(window, Month::window);
        let month = DemoMonth::new(demo.scale, dataset, whole);
        let next = month.slot(window.from());
        // The last slot may reach over the end of the window: its event is invented, and left out when it is not inside.
        let end = month.slot(window.to()).saturating_add(1).min(demo.scale.events);
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
            let (month, window) = (Arc::clone(&self.month), self.window);
            let batch = tokio::task::spawn_blocking(move || invent(&month, numbers, window));
            let batch = batch.await.map_err(|error| bug("inventing events was cut short").with_source(error))??;
            if !batch.is_empty() {
                self.read = self.read.saturating_add(u64::try_from(batch.len()).unwrap_or(u64::MAX));
                return Ok(Some((SourceItem::Batch(batch), Some(self))));
            }
        }
        Ok(Some((SourceItem::Report(self.report()), None)))
    }

    fn report(&self) -> SourceReport {
        let whole = self.window == self.month.window();
        SourceReport {
            read: self.read,
            source_count: Some(if whole { self.demo.scale.events } else { self.read }),
            detail: json!({"events": self.demo.scale.events, "seed": self.demo.scale.seed}),
            ..SourceReport::default()
        }
    }
}

fn invent(month: &DemoMonth, numbers: std::ops::Range<u64>, window: Window) -> Result<EventBatch> {
    let mut columns = Columns::default();
    for event in numbers.map(|number| month.event(number)) {
        if window.contains(Timestamp::from_micros(event.timestamp)) {
            columns.push(&event);
        }
    }
    columns.finish()
}

fn bug(message: &str) -> Error {
    Error::new(ErrorKind::Internal, message)
}

#[cfg(test)]
mod tests;
