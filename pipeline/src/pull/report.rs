//! The report of `pull`.

use crate::{
    human::{count, month_ranges, size},
    provenance::EventSource,
    report::Report,
    style::Style,
};
use archive_formats::{Dataset, Month};
use serde::Serialize;

/// The report of `pull`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PullReport {
    /// Rows of the slice.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its path, as given; `None` for standard output.
    pub output: Option<String>,
    /// Path of the manifest beside it.
    pub manifest: Option<String>,
    /// The sources of the months that it was cut from, in their order.
    pub sources: Vec<EventSource>,
    /// The dataset.
    #[serde(skip)]
    pub dataset: Dataset,
    /// Events in the window, before filtering by values.
    #[serde(skip)]
    pub in_window: u64,
    /// Months of the window that are not in the archive.
    #[serde(skip)]
    pub gaps: Vec<Month>,
}

impl Report for PullReport {
    fn text(&self, style: Style) -> String {
        let Self { rows, bytes, dataset, in_window, gaps, .. } = self;
        let proof = match &self.manifest {
            Some(manifest) => format!("where they came from is in {manifest}\n"),
            None => "where they came from is on no record: only a slice in a file has one\n".to_owned(),
        };
        let place = self.output.as_ref().map_or_else(String::new, |output| format!(", in {output}"));
        let gaps = match month_ranges(gaps.iter().copied()) {
            gaps if gaps.is_empty() => String::new(),
            gaps => format!("without {dataset} of {gaps}, which the archive does not have\n"),
        };
        let invented = if self.sources.iter().any(|source| source.invented) {
            "the events are invented: their source is demo:\n"
        } else {
            ""
        };
        let of =
            if rows == in_window { String::new() } else { format!(" of {} in the range", count(*in_window, "event")) };
        let text = format!("{}{of}, {}{place}\n{gaps}{invented}{proof}", count(*rows, "event"), size(*bytes));
        text.lines().flat_map(|line| [style.fit(line), "\n".to_owned()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_two_lines_and_one_more_for_gaps() {
        let report = PullReport {
            rows: 25,
            bytes: 12_700,
            output: Some("slice.csv".to_owned()),
            manifest: Some("slice.csv.manifest.json".to_owned()),
            sources: Vec::new(),
            dataset: Dataset::default(),
            in_window: 10_000,
            gaps: Vec::new(),
        };
        let expected = "\
25 events of 10,000 events in the range, 12.4 KiB, in slice.csv
where they came from is in slice.csv.manifest.json
";
        assert_eq!(report.text(Style::plain()), expected);
        let gaps = ["2025-01", "2025-02", "2025-04"].map(|month| month.parse().unwrap()).to_vec();
        let text = PullReport { in_window: 25, gaps, ..report }.text(Style::plain());
        assert!(text.starts_with("25 events, 12.4 KiB, in slice.csv\nwithout events of 2025-01 to 2025-02, 2025-04,"));
        let unnamed = PullReport { rows: 25, bytes: 12_700, in_window: 25, ..PullReport::default() };
        let expected = "25 events, 12.4 KiB\nwhere they came from is on no record: only a slice in a file has one\n";
        assert_eq!(unnamed.text(Style::plain()), expected);
    }
}
