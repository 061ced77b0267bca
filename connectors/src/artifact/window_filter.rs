//! The events of a window, and those that a source should not have delivered.

use crate::{Error, ErrorKind, Result};
use archive_formats::{EventBatch, Timestamp, Window};
use arrow_array::BooleanArray;
use std::time::Duration;

/// Selects the events of `window`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowFilter {
    pub(crate) window: Window,
    /// How far outside the window an event may be, on both sides, if the source was asked for no more than that.
    pub(crate) margin: Option<Duration>,
}

impl WindowFilter {
    /// The events of `batch` in the window, `None` if there are none, and how many are outside. Fails on an event beyond
    /// the margin: the server did not filter as requested, and events of the window may be missing too.
    pub(crate) fn apply(&self, batch: Option<EventBatch>) -> Result<(Option<EventBatch>, u64)> {
        let Some(batch) = batch else { return Ok((None, 0)) };
        let times = batch.times().values().iter().map(|micros| Timestamp::from_micros(*micros));
        let inside = times.map(|time| self.contains(time)).collect::<Result<Vec<bool>>>()?;
        let count = inside.iter().filter(|inside| **inside).count();
        let outside = (inside.len() - count) as u64;
        if count == 0 {
            return Ok((None, outside));
        }
        let batch = if outside == 0 { batch } else { select(&batch, inside)? };
        Ok((Some(batch), outside))
    }

    fn contains(&self, time: Timestamp) -> Result<bool> {
        let Some(margin) = self.margin else { return Ok(self.window.contains(time)) };
        let asked = self.window.widen(margin);
        // The end of the server's filter may be inclusive.
        if asked.contains(time) || time == asked.to() {
            return Ok(self.window.contains(time));
        }
        Err(Error::new(ErrorKind::Incomplete, "the source delivered an event far outside the requested window")
            .with_context("time", time)
            .with_context("window", asked)
            .with_hint("the server does not filter exactly by event time: try a larger --api-margin"))
    }
}

fn select(batch: &EventBatch, inside: Vec<bool>) -> Result<EventBatch> {
    batch
        .filter(&BooleanArray::from(inside))
        .map_err(|error| Error::new(ErrorKind::Internal, "could not filter a batch").with_source(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::{Column, ColumnType, Month, Schema};
    use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    fn batch(times: &[&str]) -> EventBatch {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind, source_type: None, nullable: false };
        let columns = vec![column("id", ColumnType::Text), column("time", ColumnType::TimestampUtc)];
        let schema = Arc::new(Schema::new(columns, "id", "time").unwrap());
        let micros = times.iter().map(|time| time.parse::<Timestamp>().unwrap().as_micros()).collect::<Vec<_>>();
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values(times));
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"));
        let records = RecordBatch::try_new(schema.to_arrow(), vec![ids, times]).unwrap();
        EventBatch::try_new(schema, records).unwrap()
    }

    fn march(margin: u64) -> WindowFilter {
        WindowFilter { window: "2025-03".parse::<Month>().unwrap().window(), margin: Some(Duration::from_secs(margin)) }
    }

    #[test]
    fn a_window_has_its_first_instant_and_not_its_end() {
        let times = [
            "2025-02-28T23:59:59.999999Z",
            "2025-03-01T00:00:00Z",
            "2025-03-31T23:59:59.999999Z",
            "2025-04-01T00:00:00Z",
        ];
        let (events, outside) = march(3600).apply(Some(batch(&times))).unwrap();
        let events = events.unwrap();
        assert_eq!((events.len(), outside), (2, 2));
        assert_eq!(events.ids().bytes(0), times[1].as_bytes());
        assert_eq!(events.ids().bytes(1), times[2].as_bytes());
    }

    #[test]
    fn refuses_an_event_beyond_the_margin() {
        for time in ["2025-02-28T22:59:59.999999Z", "2025-04-01T01:00:00.000001Z"] {
            let error = march(3600).apply(Some(batch(&["2025-03-05T00:00:00Z", time]))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Incomplete, "{time}");
            assert!(error.hint().contains("--api-margin"));
        }
    }

    #[test]
    fn without_a_margin_any_event_may_be_outside() {
        let filter = WindowFilter { margin: None, ..march(0) };
        let batch = batch(&["1999-12-31T00:00:00Z", "2025-03-05T00:00:00Z"]);
        let (events, outside) = filter.apply(Some(batch)).unwrap();
        assert_eq!((events.unwrap().len(), outside), (1, 1));
    }

    #[test]
    fn accepts_an_inclusive_end_of_the_margin() {
        let (events, outside) = march(0).apply(Some(batch(&["2025-04-01T00:00:00Z"]))).unwrap();
        assert!(events.is_none());
        assert_eq!(outside, 1);
        assert_eq!(march(0).apply(None).unwrap().1, 0);
    }
}
