//! From when to when the events of a file are.

use crate::{EventBatch, Timestamp};

/// The earliest and the latest time of some events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeSpan {
    ends: Option<(i64, i64)>,
}

impl TimeSpan {
    /// Adds the events of `batch`.
    pub fn extend(&mut self, batch: &EventBatch) {
        self.ends = batch.times().values().iter().fold(self.ends, |ends, &time| {
            let (first, last) = ends.unwrap_or((time, time));
            Some((first.min(time), last.max(time)))
        });
    }

    /// When the earliest event happened, or `None` when there is none.
    pub fn first(self) -> Option<Timestamp> {
        self.ends.map(|(first, _)| Timestamp::from_micros(first))
    }

    /// When the latest event happened, or `None` when there is none.
    pub fn last(self) -> Option<Timestamp> {
        self.ends.map(|(_, last)| Timestamp::from_micros(last))
    }
}
