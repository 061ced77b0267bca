//! Selects the commits and files that a slice is cut from.

use crate::{human, provenance};
use archive_connectors::{Error, ErrorKind, Result};
use archive_formats::{
    Chain, Dataset, Entry, FileFormat, Manifest, Month, Schema, Timestamp, Window,
    manifest::{CommitKind, DataFile, SourceIdentity},
};
use std::{collections::BTreeSet, time::Duration};

/// Formats that a slice can be cut from, by preference: Parquet allows partial decoding.
const READABLE: [FileFormat; 2] = [FileFormat::Parquet, FileFormat::Csv];

/// The months of a window.
#[derive(Debug)]
pub(super) struct Months<'a> {
    /// Their commits, by month, ascending.
    pub entries: Vec<&'a Entry>,
    /// The months without a commit.
    pub gaps: Vec<Month>,
}

impl<'a> Months<'a> {
    pub(super) fn from_chain(chain: &'a Chain, dataset: &Dataset, window: Window) -> Result<Self> {
        let month = |at: Timestamp| {
            Month::containing(at).map_err(|error| {
                Error::new(ErrorKind::Configuration, "the range leaves the calendar").with_source(error)
            })
        };
        let (first, last) = (month(window.from())?, month(window.to().minus(Duration::from_micros(1)))?);
        let of_range =
            |entry: &&Entry| entry.manifest.dataset == *dataset && (first..=last).contains(&entry.manifest.month);
        let mut entries = chain.entries().iter().filter(of_range).collect::<Vec<_>>();
        entries.sort_by_key(|entry| entry.manifest.month);
        let whole = entries.iter().filter(|entry| entry.manifest.kind == CommitKind::Month);
        let committed = whole.map(|entry| entry.manifest.month).collect::<BTreeSet<_>>();
        let gaps = Month::range(first, last).filter(|month| !committed.contains(month)).collect();
        Ok(Self { entries, gaps })
    }

    /// The sources of the months, each once.
    pub(super) fn sources(&self) -> Vec<SourceIdentity> {
        provenance::of(self.entries.iter().copied())
    }

    /// Rejects gaps.
    pub(super) fn whole(&self, dataset: &Dataset) -> Result<()> {
        let (Some(first), Some(last)) = (self.gaps.first(), self.gaps.last()) else { return Ok(()) };
        let gaps = human::month_ranges(self.gaps.iter().copied());
        let wanted = if *dataset == Dataset::default() { String::new() } else { format!(" --dataset {dataset}") };
        Err(Error::new(ErrorKind::Incomplete, format!("{dataset} is not archived in all of the range"))
            .with_context("missing", gaps)
            .with_hint(format!(
                "archive it with `kt-archive backfill --from {first} --to {last}{wanted}`, or take what there is with --allow-gaps"
            )))
    }

    /// The columns of the months; for a range without months, the latest columns of the dataset.
    pub(super) fn schemas(&self, chain: &'a Chain, dataset: &Dataset) -> Result<Vec<&'a Schema>> {
        let schemas = self.entries.iter().filter_map(|entry| entry.manifest.schema.as_ref()).collect::<Vec<_>>();
        if !schemas.is_empty() {
            return Ok(schemas);
        }
        chain.last_schema(dataset).map(|schema| vec![schema]).ok_or_else(|| {
            Error::new(ErrorKind::Incomplete, format!("the archive has no event of {dataset}"))
                .with_hint("`kt-archive status` shows what there is")
        })
    }
}

/// The files of a commit that may contain events of `window`, all in one format.
pub(crate) fn files(manifest: &Manifest, window: Window) -> Result<Vec<&DataFile>> {
    let Manifest { dataset, month, .. } = manifest;
    let damaged = |message: String| {
        Error::new(ErrorKind::BrokenChain, message)
            .with_context("month", format!("{dataset} {month}"))
            .with_hint("run `kt-archive verify` to see all that is damaged")
    };
    manifest.check_balance().map_err(|imbalance| damaged(format!("a manifest contradicts itself: {imbalance}")))?;
    let formats = manifest.formats();
    let Some(format) = READABLE.into_iter().find(|format| formats.contains(format)) else {
        return if manifest.events.archived == 0 { Ok(Vec::new()) } else { Err(unreadable(manifest)) };
    };
    if manifest.schema.is_none() {
        return Err(damaged("a manifest names event files and no columns".to_owned()));
    }
    let overlaps = |file: &&DataFile| {
        file.first.is_none_or(|first| first < window.to()) && file.last.is_none_or(|last| last >= window.from())
    };
    Ok(manifest.files.iter().filter(|file| file.format == format).filter(overlaps).collect())
}

fn unreadable(manifest: &Manifest) -> Error {
    let Manifest { dataset, month, .. } = manifest;
    let formats = manifest.formats().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Error::new(ErrorKind::Incomplete, format!("{dataset} {month} is archived neither as parquet nor as csv"))
        .with_context("it has", formats)
        .with_hint("archive the month as parquet into another place, from its artifacts or from the source")
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::{CommitRecord as _, Sha256};
    use serde_json::{Value, json};

    /// A commit of an event at noon on the 15th, in files of these formats.
    fn manifest(chain: &Chain, month: &str, kind: &str, formats: &[&str]) -> Manifest {
        let (from, to, noon) =
            (format!("{month}-01T00:00:00Z"), format!("{month}-28T00:00:00Z"), format!("{month}-15T12:00:00Z"));
        let count = u64::from(!formats.is_empty());
        let digest = Sha256::digest(b"").to_string();
        let time = (count > 0).then_some(&noon);
        let files = formats.iter().map(|format| {
            let path = format!("events/{format}/month={month}/part");
            json!({"path": path, "format": format, "rows": 1, "bytes": 1, "sha256": digest, "first": noon, "last": noon})
        });
        let column = |name, kind| json!({"name": name, "type": kind, "source_type": null, "nullable": false});
        let document = json!({
            "format": "keeptrusts-archive/1", "archive": "a", "sequence": chain.next_sequence(),
            "previous": chain.head(), "kind": kind, "dataset": "events", "month": month,
            "window": {"from": from, "to": to}, "committed_at": to, "source_clock": null,
            "tool": {"name": "kt-archive", "version": "0"},
            "source": {"type": "demo", "url": "demo:", "detail": null},
            "schema": (count > 0).then(|| json!({"sha256": digest, "id": "id", "time": "t",
                "columns": [column("id", "text"), column("t", "timestamp(us,UTC)")]})),
            "transforms": [],
            "events": {"read": count, "archived": count, "outside_window": 0, "duplicates": 0, "conflicts": 0,
                "rejected": 0, "source_count": null, "first": time, "last": time},
            "files": Value::Array(files.collect()),
        });
        Manifest::from_bytes(document.to_string().as_bytes()).unwrap()
    }

    fn chain(commits: &[(&str, &str)]) -> Chain {
        let mut chain = Chain::new("a".to_owned());
        for (month, kind) in commits {
            let manifest = manifest(&chain, month, kind, &["parquet"]);
            chain.push(Entry { sha256: Sha256::digest(&manifest.to_bytes()), manifest }).unwrap();
        }
        chain
    }

    fn window(from: &str, to: &str) -> Window {
        Window::new(Timestamp::parse_lenient(from).unwrap(), Timestamp::parse_lenient(to).unwrap()).unwrap()
    }

    /// Sequence numbers of the commits of a range, and its gaps.
    fn months(commits: &[(&str, &str)], from: &str, to: &str) -> (Vec<u64>, String) {
        let chain = chain(commits);
        let months = Months::from_chain(&chain, &Dataset::default(), window(from, to)).unwrap();
        let numbers = months.entries.iter().map(|entry| entry.manifest.sequence).collect();
        (numbers, human::month_ranges(months.gaps))
    }

    #[test]
    fn range_selects_exactly_the_months_it_overlaps() {
        let commits = [("2025-03", "month"), ("2025-01", "month"), ("2025-02", "month")];
        assert_eq!(months(&commits, "2025-01-31T23:59:59.999999Z", "2025-03-01"), (vec![2, 3], String::new()));
        assert_eq!(months(&commits, "2025-02", "2025-03-01T00:00:00.000001Z"), (vec![3, 1], String::new()));
        assert_eq!(months(&commits, "2025-03-30", "2025-05-02"), (vec![1], "2025-04 to 2025-05".to_owned()));
    }

    #[test]
    fn late_commits_belong_to_their_month_but_do_not_create_it() {
        let commits = [("2025-01", "month"), ("2025-02", "month"), ("2025-01", "addendum"), ("2025-03", "addendum")];
        assert_eq!(months(&commits, "2025-01", "2025-04"), (vec![1, 3, 2, 4], "2025-03".to_owned()));
    }

    #[test]
    fn prefers_parquet_over_csv_and_ignores_artifacts() {
        let empty = Chain::new("a".to_owned());
        let read = |formats: &[&str]| {
            let manifest = manifest(&empty, "2025-03", "month", formats);
            files(&manifest, window("2025-03", "2025-04"))
                .map(|files| files.iter().map(|file| file.format.to_string()).collect::<Vec<_>>())
                .map_err(|error| error.kind())
        };
        assert_eq!(read(&["csv", "parquet"]), Ok(vec!["parquet".to_owned()]));
        assert_eq!(read(&["csv", "artifact"]), Ok(vec!["csv".to_owned()]));
        assert_eq!(read(&["artifact"]), Err(ErrorKind::Incomplete));
        assert_eq!(read(&[]), Ok(Vec::new()));
    }

    #[test]
    fn skips_files_without_events_in_the_range() {
        let manifest = manifest(&Chain::new("a".to_owned()), "2025-03", "month", &["parquet"]);
        let count = |from, to| files(&manifest, window(from, to)).unwrap().len();
        assert_eq!(count("2025-03-15T12:00:00Z", "2025-03-16"), 1);
        assert_eq!(count("2025-03-01", "2025-03-15T12:00:00Z"), 0);
        assert_eq!(count("2025-03-15T12:00:00.000001Z", "2025-04"), 0);
    }

    #[test]
    fn rejects_a_manifest_with_inconsistent_counts() {
        let mut manifest = manifest(&Chain::new("a".to_owned()), "2025-03", "month", &["parquet"]);
        manifest.events.archived = 2;
        let error = files(&manifest, window("2025-03", "2025-04")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenChain);
    }
}
