//! The plan of a run: computed from months, the chain and the current time, without I/O.

use crate::transform;
use archive_connectors::{Error, ErrorKind, Result};
use archive_formats::{Chain, Dataset, Entry, FileFormat, Manifest, Month, Timestamp};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

/// The requested months.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// The last calendar month, and every gap since the first archived month.
    Due,
    /// One month, requested explicitly.
    Month(Month),
    /// Every month of a range that is not archived yet, requested explicitly.
    Backfill {
        /// First month.
        from: Month,
        /// Last month, inclusive; by default the last one whose grace period is over.
        to: Option<Month>,
        /// Plan only, and archive nothing.
        dry_run: bool,
    },
}

/// The plan for one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The dataset.
    pub dataset: Dataset,
    /// The month.
    pub month: Month,
    /// The action.
    pub action: Action,
}

/// The action for a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read and commit it.
    Archive,
    /// Already committed.
    Nothing,
    /// It is not over, or is within the grace period.
    Wait,
}

/// Planning rules, the same for all months.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Formats that every requested month must have.
    pub formats: BTreeSet<FileFormat>,
    /// Transforms that every requested month must have, as recorded in manifests.
    pub transforms: Vec<Value>,
    /// How long a month must be over before it is archived: events may arrive late.
    pub grace: Duration,
    /// The current time.
    pub now: Timestamp,
}

impl Rules {
    /// Returns whether `month` ended and its grace period is over.
    pub(crate) fn is_closed(&self, month: Month) -> bool {
        month.window().to().plus(self.grace) <= self.now
    }

    /// The last calendar month.
    fn last_month(&self) -> Result<Month> {
        let current = Month::containing(self.now);
        let current =
            current.map_err(|error| Error::new(ErrorKind::TryLater, "the clock is not set").with_source(error))?;
        Ok(current.previous())
    }

    /// The last month that [`Rules::is_closed`].
    pub(crate) fn last_closed(&self) -> Result<Month> {
        let last = self.last_month()?;
        Ok(if self.is_closed(last) { last } else { last.previous() })
    }
}

/// Plans every requested month of `dataset`, oldest first; `chain` is `None` if there is no archive yet. Fails, before
/// anything is read, if an explicitly requested month cannot be archived as requested.
pub fn plan(request: Request, dataset: &Dataset, chain: Option<&Chain>, rules: &Rules) -> Result<Vec<Planned>> {
    let months = match request {
        Request::Due => due(dataset, chain, rules)?,
        Request::Month(month) => vec![month],
        Request::Backfill { from, to, .. } => {
            let to = to.map_or_else(|| rules.last_closed(), Ok)?;
            if from > to {
                return Err(not_over(from, rules));
            }
            Month::range(from, to).collect()
        }
    };
    let by_name = request != Request::Due;
    let planned = months.into_iter().map(|month| {
        let action = match chain.and_then(|chain| chain.month(dataset, month)) {
            Some(entry) => already(entry, rules)?,
            None if rules.is_closed(month) => Action::Archive,
            None if by_name => return Err(not_over(month, rules)),
            None => Action::Wait,
        };
        Ok(Planned { dataset: dataset.clone(), month, action })
    });
    planned.collect()
}

/// The gaps between the first archived month and the last calendar month, and that month itself.
fn due(dataset: &Dataset, chain: Option<&Chain>, rules: &Rules) -> Result<Vec<Month>> {
    let last = rules.last_month()?;
    let Some(chain) = chain else { return Ok(vec![last]) };
    let first = chain.span(dataset).map_or(last, |(first, _)| first.min(last));
    let wanted = |month: &Month| *month == last || chain.month(dataset, *month).is_none();
    Ok(Month::range(first, last).filter(wanted).collect())
}

/// A committed month is never committed again, so a missing format or transform cannot be added.
fn already(entry: &Entry, rules: &Rules) -> Result<Action> {
    let manifest = &entry.manifest;
    if manifest.events.archived == 0 {
        return Ok(Action::Nothing);
    }
    let has = manifest.formats().into_iter().filter(|format| *format != FileFormat::Rejects).collect::<BTreeSet<_>>();
    let lacking = rules.formats.difference(&has).collect::<Vec<_>>();
    if !lacking.is_empty() {
        let hint = format!("ask for --format {}", list(&has, ","));
        return Err(lacks(manifest, "the format", &list(lacking, ", "), &list(&has, ", "), &hint));
    }
    let done = |wanted: &&Value| manifest.transforms.iter().any(|done| transform::is_same(done, wanted));
    let lacking = rules.transforms.iter().filter(|wanted| !done(wanted)).collect::<Vec<_>>();
    if !lacking.is_empty() {
        let has = list(&manifest.transforms, ", ");
        return Err(lacks(manifest, "the transform", &list(lacking, ", "), &has, "ask for the transforms that it has"));
    }
    Ok(Action::Nothing)
}

fn lacks(manifest: &Manifest, what: &str, lacking: &str, has: &str, hint: &str) -> Error {
    let Manifest { dataset, month, .. } = manifest;
    let has = if has.is_empty() { "none" } else { has };
    Error::new(ErrorKind::Configuration, format!("{dataset} {month} is archived without {what} {lacking}"))
        .with_context("it has", has)
        .with_hint(format!("{hint}, or archive into a new place with --archive"))
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>, separator: &str) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(separator)
}

/// The error for an explicitly requested month that is not over.
fn not_over(month: Month, rules: &Rules) -> Error {
    let end = month.window().to();
    let state = if end > rules.now { "is not over yet" } else { "ended too recently" };
    Error::new(ErrorKind::Configuration, format!("{month} {state}"))
        .with_context("now", rules.now)
        .with_hint(format!("it can be archived from {} on", end.plus(rules.grace).to_seconds_string()))
}

/// The error for a due month that must wait.
pub fn wait(month: Month, rules: &Rules) -> Error {
    let from = month.window().to().plus(rules.grace).to_seconds_string();
    Error::new(ErrorKind::TryLater, format!("{month} ended too recently, events may still arrive"))
        .with_context("now", rules.now)
        .with_hint(format!("run again after {from}, or shorten --grace"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::{
        CommitRecord as _, Sha256,
        manifest::{CommitKind, DataFile, EventCounts, FORMAT, SourceRecord, Tool},
    };

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    fn events() -> Dataset {
        "events".parse().unwrap()
    }

    fn rules(now: &str) -> Rules {
        let formats = [FileFormat::Parquet].into();
        Rules { formats, transforms: Vec::new(), grace: Duration::from_secs(3600), now: now.parse().unwrap() }
    }

    fn backfill(from: &str, to: &str) -> Request {
        Request::Backfill { from: month(from), to: Some(month(to)), dry_run: false }
    }

    /// A chain with these months of events, committed as Parquet.
    fn chain(months: &[&str]) -> Chain {
        let mut chain = Chain::new("a".to_owned());
        for name in months {
            let manifest = Manifest {
                format: FORMAT.to_owned(),
                archive: "a".to_owned(),
                archive_sha256: None,
                sequence: chain.next_sequence(),
                previous: chain.link(),
                kind: CommitKind::Month,
                dataset: events(),
                month: month(name),
                window: month(name).window(),
                committed_at: month(name).window().to(),
                source_clock: None,
                tool: Tool { name: "kt-archive".to_owned(), version: "0".to_owned() },
                source: SourceRecord {
                    kind: "demo".to_owned(),
                    url: "demo:".to_owned(),
                    changed_from: None,
                    detail: Value::Null,
                },
                schema: None,
                transforms: Vec::new(),
                events: EventCounts { read: 1, archived: 1, ..EventCounts::default() },
                files: vec![DataFile {
                    path: "p".to_owned(),
                    format: FileFormat::Parquet,
                    rows: 1,
                    bytes: 1,
                    sha256: Sha256::digest(b""),
                    first: None,
                    last: None,
                    ranges: None,
                }],
            };
            chain.push(Entry { sha256: Sha256::digest(&manifest.to_bytes()), manifest }).unwrap();
        }
        chain
    }

    fn planned(request: Request, committed: &[&str], now: &str) -> Vec<(String, Action)> {
        let planned = plan(request, &events(), Some(&chain(committed)), &rules(now)).unwrap();
        planned.into_iter().map(|planned| (planned.month.to_string(), planned.action)).collect()
    }

    #[test]
    fn first_run_archives_the_last_calendar_month() {
        for (now, expected) in [
            ("2025-03-30T12:00:00Z", "2025-02"),
            ("2025-03-31T23:59:59Z", "2025-02"),
            ("2025-05-31T12:00:00Z", "2025-04"),
            ("2025-01-01T04:00:00Z", "2024-12"),
            ("2024-03-29T00:00:00Z", "2024-02"),
        ] {
            assert_eq!(planned(Request::Due, &[], now), [(expected.to_owned(), Action::Archive)], "at {now}");
        }
    }

    #[test]
    fn run_closes_gaps_since_the_first_archived_month() {
        let plan = planned(Request::Due, &["2025-01", "2025-03"], "2025-06-02T00:00:00Z");
        let expected = ["2025-02", "2025-04", "2025-05"].map(|month| (month.to_owned(), Action::Archive));
        assert_eq!(plan, expected);
    }

    #[test]
    fn run_reports_an_already_archived_last_month() {
        let plan = planned(Request::Due, &["2025-01", "2025-02"], "2025-03-02T00:00:00Z");
        assert_eq!(plan, [("2025-02".to_owned(), Action::Nothing)]);
    }

    #[test]
    fn due_month_within_the_grace_period_waits() {
        let plan = planned(Request::Due, &[], "2025-03-01T00:59:59Z");
        assert_eq!(plan, [("2025-02".to_owned(), Action::Wait)]);
        let plan = planned(Request::Due, &[], "2025-03-01T01:00:00Z");
        assert_eq!(plan, [("2025-02".to_owned(), Action::Archive)]);
    }

    #[test]
    fn rejects_a_requested_month_that_is_not_over() {
        for (name, now, state) in [
            ("2025-02", "2025-03-01T00:30:00Z", "ended too recently"),
            ("2025-02", "2025-03-01T00:00:00Z", "ended too recently"),
            ("2025-03", "2025-03-01T00:30:00Z", "is not over yet"),
            ("2030-01", "2025-03-01T00:30:00Z", "is not over yet"),
        ] {
            let request = Request::Month(month(name));
            let error = plan(request, &events(), Some(&chain(&[])), &rules(now)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{name}");
            assert!(error.to_string().contains(state), "{error}");
        }
        let range = backfill("2025-01", "2025-02");
        assert!(plan(range, &events(), Some(&chain(&[])), &rules("2025-02-15T00:00:00Z")).is_err());
    }

    #[test]
    fn backfill_plans_only_missing_months() {
        let range = backfill("2025-01", "2025-03");
        let actions = planned(range, &["2025-02"], "2025-05-01T00:00:00Z").into_iter().map(|(_, action)| action);
        assert_eq!(actions.collect::<Vec<_>>(), [Action::Archive, Action::Nothing, Action::Archive]);
    }

    #[test]
    fn backfill_may_be_of_one_month() {
        let plan = planned(backfill("2025-02", "2025-02"), &[], "2025-05-01T00:00:00Z");
        assert_eq!(plan, [("2025-02".to_owned(), Action::Archive)]);
    }

    #[test]
    fn backfill_without_an_end_ends_with_the_last_closed_month() {
        let range = |from| Request::Backfill { from: month(from), to: None, dry_run: false };
        let months = |now| planned(range("2025-01"), &[], now).into_iter().map(|(month, _)| month).collect::<Vec<_>>();
        assert_eq!(months("2025-04-01T01:00:00Z"), ["2025-01", "2025-02", "2025-03"]);
        assert_eq!(months("2025-04-01T00:59:59Z"), ["2025-01", "2025-02"]);
        let rules = rules("2025-04-01T00:59:59Z");
        let error = plan(range("2025-03"), &events(), Some(&chain(&[])), &rules).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("2025-03 ended too recently"), "{error}");
    }

    #[test]
    fn names_the_format_that_a_committed_month_lacks() {
        let rules = Rules { formats: [FileFormat::Parquet, FileFormat::Csv].into(), ..rules("2025-05-01T00:00:00Z") };
        let error = plan(Request::Month(month("2025-02")), &events(), Some(&chain(&["2025-02"])), &rules).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("without the format csv"), "{error}");
    }

    #[test]
    fn names_the_transform_that_a_committed_month_lacks() {
        let transforms = ["drop", "rename"].map(|name| serde_json::json!({"name": name, "columns": ["a", "b"]}));
        let mut rules = Rules { transforms: transforms[..1].to_vec(), ..rules("2025-05-01T00:00:00Z") };
        let mut chain = chain(&[]);
        let mut manifest = self::chain(&["2025-02"]).entries()[0].manifest.clone();
        manifest.transforms = transforms[..1].to_vec();
        chain.push(Entry { sha256: Sha256::digest(b""), manifest }).unwrap();
        let plan = |rules: &Rules| plan(Request::Month(month("2025-02")), &events(), Some(&chain), rules);
        assert_eq!(plan(&rules).unwrap()[0].action, Action::Nothing);
        rules.transforms = transforms.to_vec();
        let error = plan(&rules).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("without the transform") && error.to_string().contains("rename"), "{error}");
    }

    #[test]
    fn a_month_without_events_lacks_nothing() {
        let mut chain = chain(&[]);
        let mut manifest = self::chain(&["2025-02"]).entries()[0].manifest.clone();
        (manifest.events, manifest.files) = (EventCounts::default(), Vec::new());
        chain.push(Entry { sha256: Sha256::digest(b""), manifest }).unwrap();
        let rules = rules("2025-05-01T00:00:00Z");
        let plan = plan(Request::Month(month("2025-02")), &events(), Some(&chain), &rules).unwrap();
        assert_eq!(plan[0].action, Action::Nothing);
    }
}
