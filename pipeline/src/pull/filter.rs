//! Filters events by time and by column values.

use super::Condition;
use archive_formats::{EventBatch, Timestamp, Window, encode::Texts};
use arrow_array::BooleanArray;
use arrow_schema::ArrowError;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Selects the events of the window in which each named column has one of its values.
#[derive(Debug)]
pub(super) struct Filter {
    window: Window,
    columns: Vec<(String, BTreeSet<Vec<u8>>)>,
}

/// The result of filtering a batch.
#[derive(Debug)]
pub(super) struct Kept {
    /// Number of events in the window.
    pub in_window: u64,
    /// Those of them that match the conditions.
    pub batch: EventBatch,
}

impl Filter {
    pub(super) fn new(window: Window, conditions: &[Condition]) -> Self {
        let mut columns: Vec<(String, BTreeSet<Vec<u8>>)> = Vec::new();
        for Condition { column, value } in conditions {
            let value = value.clone().into_bytes();
            match columns.iter_mut().find(|(name, _)| name == column) {
                Some((_, values)) => drop(values.insert(value)),
                None => columns.push((column.clone(), BTreeSet::from([value]))),
            }
        }
        Self { window, columns }
    }

    pub(super) const fn window(&self) -> Window {
        self.window
    }

    /// Names of the filtered columns, besides the time.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// The conditions as recorded in a slice manifest.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let texts = |values: &BTreeSet<Vec<u8>>| {
            Value::from(values.iter().map(|value| String::from_utf8_lossy(value)).collect::<Vec<_>>())
        };
        self.columns.iter().map(|(name, values)| (name.clone(), texts(values))).collect()
    }

    /// Selects the matching events of `batch`. A missing column matches no value.
    pub(super) fn apply(&self, batch: &EventBatch) -> Result<Kept, ArrowError> {
        let times = batch.times().values().iter();
        let mut keep = times.map(|time| self.window.contains(Timestamp::from_micros(*time))).collect::<Vec<_>>();
        let in_window = keep.iter().filter(|keep| **keep).count() as u64;
        let mut text = Vec::new();
        for (name, values) in &self.columns {
            let columns = batch.schema().columns().iter().zip(batch.records().columns());
            let Some((column, array)) = columns.into_iter().find(|(column, _)| column.name == *name) else {
                keep.fill(false);
                break;
            };
            let texts = Texts::new(column, array);
            for (row, keep) in keep.iter_mut().enumerate().filter(|(_, keep)| **keep) {
                *keep = values.contains(texts.get(row, &mut text)?);
            }
        }
        Ok(Kept { in_window, batch: batch.filter(&BooleanArray::from(keep))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::{catalogue::KeyColumns, decode::csv::CsvLayout};

    const CSV: &str = "\
id,timestamp,model,cost_usd,note
a,1970-01-01T00:00:00.000001Z,one,0.50,
b,1970-01-01T00:00:00.000002Z,two,0.5,x
c,1970-01-01T00:00:00.000003Z,one,1,\"x,=y\"
d,1970-01-01T00:00:00.000004Z,three,,x
";

    /// Ids of the matching events between the instants, and how many events are between them.
    fn kept(from: i64, to: i64, conditions: &[&str]) -> (Vec<String>, u64) {
        let (layout, header) = CsvLayout::from_header(CSV.as_bytes(), &KeyColumns::default()).unwrap();
        let batch = layout.decode(&CSV.as_bytes()[header..]).batch.unwrap();
        let window = Window::new(Timestamp::from_micros(from), Timestamp::from_micros(to)).unwrap();
        let conditions = conditions.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        let kept = Filter::new(window, &conditions).apply(&batch).unwrap();
        let ids = (0..kept.batch.len()).map(|row| String::from_utf8(kept.batch.ids().bytes(row).to_vec()).unwrap());
        (ids.collect(), kept.in_window)
    }

    #[track_caller]
    fn assert_kept(conditions: &[&str], expected: &[&str]) {
        assert_eq!(kept(0, 9, conditions).0, expected, "{conditions:?}");
    }

    #[test]
    fn window_includes_its_start_but_not_its_end() {
        assert_eq!(kept(2, 4, &[]), (vec!["b".to_owned(), "c".to_owned()], 2));
        assert_eq!(kept(5, 9, &[]), (Vec::new(), 0));
    }

    #[test]
    fn combines_values_with_or_and_columns_with_and() {
        assert_kept(&["model=one"], &["a", "c"]);
        assert_kept(&["model=one", "model=two"], &["a", "b", "c"]);
        assert_kept(&["model=one", "note=x,=y", "model=three"], &["c"]);
        assert_kept(&["model=one", "note=x"], &[]);
        assert_eq!(kept(0, 9, &["model=nobody"]), (Vec::new(), 4));
    }

    #[test]
    fn values_match_the_exact_csv_text() {
        assert_kept(&["cost_usd=0.5"], &["a", "b"]);
        assert_kept(&["cost_usd=0.50"], &[]);
        assert_kept(&["timestamp=1970-01-01T00:00:00.000003Z"], &["c"]);
        assert_kept(&["model=One"], &[]);
    }

    #[test]
    fn empty_value_matches_null_and_empty_text_but_no_missing_column() {
        assert_kept(&["cost_usd="], &["d"]);
        assert_kept(&["note="], &["a"]);
        assert_kept(&["other="], &[]);
    }
}
