//! Leaving repetitions out.

use archive_connectors::{Error, ErrorKind, Result};
use archive_formats::EventBatch;
use arrow_array::BooleanArray;

/// The events that the last read of a month leaves out, by ordinal.
#[derive(Clone, Debug, Default)]
pub struct Repetitions {
    ordinals: Vec<u64>,
    next: usize,
    ordinal: u64,
}

impl Repetitions {
    /// Leaves the events with these ordinals out.
    pub fn new(mut ordinals: Vec<u64>) -> Self {
        ordinals.sort_unstable();
        Self { ordinals, next: 0, ordinal: 0 }
    }

    /// How many events are left out.
    pub fn len(&self) -> u64 {
        self.ordinals.len() as u64
    }

    /// Whether all events stay.
    pub fn is_empty(&self) -> bool {
        self.ordinals.is_empty()
    }

    /// The next events without the repetitions among them.
    pub fn leave_out(&mut self, batch: EventBatch) -> Result<EventBatch> {
        let start = self.ordinal;
        self.ordinal += batch.len() as u64;
        let here = self.ordinals[self.next..].partition_point(|ordinal| *ordinal < self.ordinal);
        if here == 0 {
            return Ok(batch);
        }
        let mut keep = vec![true; batch.len()];
        for ordinal in &self.ordinals[self.next..self.next + here] {
            if let Some(keep) = usize::try_from(ordinal - start).ok().and_then(|row| keep.get_mut(row)) {
                *keep = false;
            }
        }
        self.next += here;
        let kept = batch.filter(&BooleanArray::from(keep));
        kept.map_err(|error| Error::new(ErrorKind::Internal, "could not leave repetitions out").with_source(error))
    }
}
