//! Counts the events of record batches.

use super::counts::{DAYS, DayCounts, Days, Verdict};
use archive_formats::{EventBatch, Month};
use arrow_array::{Array as _, StringArray, cast::AsArray as _};
use std::collections::BTreeMap;

/// A day in microseconds.
const DAY: i64 = 86_400_000_000;

/// Counts the events of a month; ignores those of other months.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    column: Option<&'a str>,
    start: i64,
    counts: DayCounts,
}

impl<'a> Tally<'a> {
    /// Counts by the values of `column`, if there is one.
    pub(super) fn new(month: Month, column: Option<&'a str>) -> Self {
        Self { column, start: month.window().from().as_micros(), counts: DayCounts::default() }
    }

    pub(super) fn add(&mut self, batch: &EventBatch) {
        let column = self.column.filter(|_| !self.counts.is_unsplit());
        let verdicts = column.and_then(|column| texts(batch, column));
        // Sorted, so that the result does not depend on the order of the rows.
        let mut sums = BTreeMap::<Option<&str>, Days>::new();
        for (row, time) in batch.times().values().iter().enumerate() {
            let value = verdicts.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
            let day = usize::try_from(time.saturating_sub(self.start).div_euclid(DAY)).ok();
            if let Some(count) = day.and_then(|day| sums.entry(value).or_insert([0; DAYS]).get_mut(day)) {
                *count += 1;
            }
        }
        for (value, days) in sums {
            let verdict = verdicts.map_or(Verdict::Unsplit, |_| Verdict::from_value(value));
            days.iter().enumerate().for_each(|(day, events)| self.counts.add(&verdict, day, *events));
        }
    }

    pub(super) fn finish(self) -> DayCounts {
        self.counts
    }
}

fn texts<'a>(batch: &'a EventBatch, column: &str) -> Option<&'a StringArray> {
    let index = batch.schema().columns().iter().position(|known| known.name == column)?;
    batch.records().column(index).as_string_opt::<i32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::catalogue::{KeyColumns, text_schema};
    use arrow_array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};
    use std::sync::Arc;

    fn batch(rows: &[(&str, Option<&str>)]) -> EventBatch {
        let schema = Arc::new(text_schema(&["id", "timestamp", "decision"], &KeyColumns::default()).unwrap());
        let ids = StringArray::from_iter_values((0..rows.len()).map(|row| format!("evt_{row}")));
        let times = rows.iter().map(|(time, _)| time.parse::<archive_formats::Timestamp>().unwrap().as_micros());
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        let verdicts = rows.iter().map(|(_, verdict)| *verdict).collect::<StringArray>();
        let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(times), Arc::new(verdicts)];
        let records = RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
        EventBatch::try_new(schema, records).unwrap()
    }

    #[test]
    fn days_are_in_utc_and_other_months_are_ignored() {
        let batch = batch(&[
            ("2025-02-28T23:59:59.999999Z", Some("allowed")),
            ("2025-03-01T00:00:00Z", Some("allowed")),
            ("2025-03-31T23:59:59.999999Z", Some("allowed")),
            ("2025-03-31T12:00:00Z", None),
            ("2025-04-01T00:00:00Z", Some("allowed")),
        ]);
        let mut tally = Tally::new("2025-03".parse().unwrap(), Some("decision"));
        tally.add(&batch);
        let counts = tally.finish();
        let mut allowed = [0; DAYS];
        (allowed[0], allowed[30]) = (1, 1);
        let mut blank = [0; DAYS];
        blank[30] = 1;
        let expected = [(Verdict::from_value(Some("allowed")), allowed), (Verdict::Blank, blank)];
        assert_eq!(counts, expected.into_iter().collect());
    }

    #[test]
    fn free_text_columns_are_counted_without_verdicts() {
        let texts = (0..100).map(|number| format!("reason {number}")).collect::<Vec<_>>();
        let rows = texts.iter().map(|text| ("2025-03-02T00:00:00Z", Some(text.as_str()))).collect::<Vec<_>>();
        let mut tally = Tally::new("2025-03".parse().unwrap(), Some("decision"));
        rows.chunks(30).for_each(|rows| tally.add(&batch(rows)));
        let counts = tally.finish();
        assert!(counts.iter().map(|(verdict, days)| (verdict, days[1])).eq([(&Verdict::Unsplit, 100)]), "{counts:?}");
    }

    #[test]
    fn events_are_counted_without_a_verdict_column() {
        let mut tally = Tally::new("2025-03".parse().unwrap(), None);
        tally.add(&batch(&[("2025-03-02T00:00:00Z", Some("allowed")), ("2025-03-02T01:00:00Z", None)]));
        let counts = tally.finish();
        assert_eq!(
            counts.iter().map(|(verdict, days)| (verdict, days[1])).collect::<Vec<_>>(),
            [(&Verdict::Unsplit, 2)]
        );
    }
}
