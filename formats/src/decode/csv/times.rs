//! The times of rows, without anything else of them.

use super::{
    layout::CsvLayout,
    records::{Record, Records},
};
use crate::{
    Timestamp,
    decode::{
        survey::{Survey, Surveyor},
        value::timestamp,
    },
};

impl CsvLayout {
    /// What the times in a chunk of whole records are; several times as fast as [`Self::decode`].
    pub fn survey(&self, chunk: &[u8]) -> Survey {
        let (times, mut surveyor) = (Times::of(self), Surveyor::default());
        let mut records = times.records(chunk);
        while let Some(record) = records.next_record() {
            surveyor.count(times.time(&record));
        }
        surveyor.finish(records.line_feeds())
    }

    /// The time of the row of a [`Reject`](crate::Reject), if it is not that which is wrong. Where the fields of a row
    /// cannot be told apart, none of them is its time for certain.
    pub fn time_of(&self, row: &[u8]) -> Option<Timestamp> {
        let times = Times::of(self);
        times.records(row).next_record().and_then(|record| times.time(&record))
    }
}

/// Where in a row its time is.
struct Times {
    index: usize,
    columns: usize,
}

impl Times {
    fn of(layout: &CsvLayout) -> Self {
        let schema = layout.schema();
        Self { index: schema.time_index(), columns: schema.columns().len() }
    }

    fn records<'a>(&self, bytes: &'a [u8]) -> Records<'a> {
        Records::new(bytes, self.index + 1)
    }

    #[inline]
    fn time(&self, record: &Record<'_>) -> Option<Timestamp> {
        if record.has_stray_quote || record.field_count != self.columns {
            return None;
        }
        let field = record.fields().nth(self.index)?;
        let text = if let [b'"', text @ .., b'"'] = field { text } else { field };
        timestamp::parse(text).ok().map(Timestamp::from_micros)
    }
}
