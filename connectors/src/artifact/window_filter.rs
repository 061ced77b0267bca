//! Which rows of an artifact belong to a window.

use crate::{Error, ErrorKind, Result};
use archive_formats::{EventBatch, Timestamp, Window};
use arrow_array::BooleanArray;
use std::time::Duration;

/// Keeps the events of `window`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    pub(crate) window: Window,
    /// How far outside the window an event may lie on both sides, where the source was asked for no more than that.
    pub(crate) margin: Option<Duration>,
}

/// What was kept of a batch.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The events of the window; none is `None`.
    pub(crate) batch: Option<EventBatch>,
    /// How many lie outside the window.
    pub(crate) outside: u64,
}

impl Keep {
    /// The events of `batch` that lie in the window. One that lies further out than the margin means that the server
    /// did not filter as it was asked to, and that events of the window may be missing too.
    pub(crate) fn of(&self, batch: Option<EventBatch>) -> Result<Kept> {
        let Some(batch) = batch else { return Ok(Kept::default()) };
        let times = batch.times().values().iter().map(|micros| Timestamp::from_micros(*micros));
        let inside = times.map(|time| self.judge(time)).collect::<Result<Vec<bool>>>()?;
        let count = inside.iter().filter(|inside| **inside).count();
        let outside = (inside.len() - count) as u64;
        if count == 0 {
            return Ok(Kept { batch: None, outside });
        }
        let batch = if outside == 0 { batch } else { select(&batch, inside)? };
        Ok(Kept { batch: Some(batch), outside })
    }

    fn judge(&self, time: Timestamp) -> Result<bool> {
        let Some(margin) = self.margin else { return Ok(self.window.contains(time)) };
        let asked = self.window.widen(margin);
        // It is not known whether the server's end is inclusive, so its very instant is no proof against the filter.
        if asked.contains(time) || time == asked.to() {
            return Ok(self.window.contains(time));
        }
        Err(Error::new(
            ErrorKind::Incomplete,
            "the source delivered an event from far outside the window that was asked for",
        )
        .with_context("time", time)
        .with_context("window", asked)
        .with_hint("the server does not filter by event time, or not exactly: try a larger --api-margin"))
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

    fn march(margin: u64) -> Keep {
        Keep { window: "2025-03".parse::<Month>().unwrap().window(), margin: Some(Duration::from_secs(margin)) }
    }

    #[test]
    fn the_first_instant_belongs_to_the_window_and_the_last_does_not() {
        let times = [
            "2025-02-28T23:59:59.999999Z",
            "2025-03-01T00:00:00Z",
            "2025-03-31T23:59:59.999999Z",
            "2025-04-01T00:00:00Z",
        ];
        let kept = march(3600).of(Some(batch(&times))).unwrap();
        let kept_batch = kept.batch.unwrap();
        assert_eq!((kept_batch.len(), kept.outside), (2, 2));
        assert_eq!(kept_batch.ids().bytes(0), times[1].as_bytes());
        assert_eq!(kept_batch.ids().bytes(1), times[2].as_bytes());
    }

    #[test]
    fn an_event_beyond_the_margin_stops_the_read() {
        for time in ["2025-02-28T22:59:59.999999Z", "2025-04-01T01:00:00.000001Z"] {
            let error = march(3600).of(Some(batch(&["2025-03-05T00:00:00Z", time]))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Incomplete, "{time}");
            assert!(error.hint().unwrap().contains("--api-margin"));
        }
    }

    #[test]
    fn where_nothing_was_asked_for_nothing_is_too_far_out() {
        let keep = Keep { margin: None, ..march(0) };
        let kept = keep.of(Some(batch(&["1999-12-31T00:00:00Z", "2025-03-05T00:00:00Z"]))).unwrap();
        assert_eq!((kept.batch.unwrap().len(), kept.outside), (1, 1));
    }

    #[test]
    fn a_server_with_an_inclusive_end_is_no_reason_to_stop() {
        let kept = march(0).of(Some(batch(&["2025-04-01T00:00:00Z"]))).unwrap();
        assert!(kept.batch.is_none());
        assert_eq!(kept.outside, 1);
        assert_eq!(march(0).of(None).unwrap().outside, 0);
    }
}
