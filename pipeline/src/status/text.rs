//! The status as people read it.

use super::{
    DatasetStatus, MonthStatus, Presence, PruneDeadline, StatusReport, Totals,
    calendar::{calendar, legend, wrapped},
    report::Urgency,
};
use crate::{
    human::{bytes_an_event, count, head, month_ranges, size, thousands, to_one},
    replicate::{ReplicaState, ReplicaStatus},
    style::{Style, Tone},
    table::{Align, Cell, Table},
};
use archive_formats::{Dataset, Timestamp};

/// A line for each month, then the sums.
pub(super) fn listed(report: &StatusReport, style: Style) -> String {
    let totals = report.datasets.iter().flat_map(|dataset| [totals(dataset), "\n".to_owned()]).collect::<String>();
    format!("{}{totals}{}", list(&report.datasets, style), ending(report, style))
}

/// A calendar for each dataset.
pub(super) fn calendars(report: &StatusReport, style: Style) -> String {
    let datasets = report.datasets.iter().map(|dataset| {
        let calendar = calendar(&dataset.months, style);
        format!("{}{calendar}{}\n", wrapped(&totals(dataset)), remarks(dataset, style))
    });
    let datasets = datasets.collect::<String>();
    let legend = legend(report.datasets.iter().flat_map(|dataset| &dataset.months), style);
    format!("{datasets}{legend}{}", ending(report, style))
}

fn ending(report: &StatusReport, style: Style) -> String {
    let head = head(report.head.as_ref());
    format!("{}{head}  archive {}\n", replicas(&report.replicas, style), report.archive())
}

/// What the months add up to, and which are missing.
fn totals(status: &DatasetStatus) -> String {
    if status.months.is_empty() {
        return format!("{}: nothing of it is archived in this range", status.dataset);
    }
    let Totals { archived, events, bytes, .. } = status.totals();
    let gaps = month_ranges(status.missing());
    let missing = if gaps.is_empty() { "no gaps".to_owned() } else { format!("missing {gaps}") };
    let (months, events) = (count(archived, "month"), count(events, "event"));
    format!("{}: {months}, {events}, {}, {missing}", status.dataset, size(bytes))
}

/// Lines below the calendar of a dataset: compression, late months, and the platform's deadline.
fn remarks(status: &DatasetStatus, style: Style) -> String {
    let compression = compression(&status.totals()).map(|text| (Tone::Plain, text));
    let late = (status.late > 0).then(|| {
        let (months, are) = (count(status.late, "month"), if status.late == 1 { "is" } else { "are" });
        (Tone::Bad, format!("{months} {are} late: over for three days, and not archived"))
    });
    let prune = status.prune.as_ref().map(deadline);
    let lines = [compression, late, prune].into_iter().flatten();
    // Painted line by line: escape sequences have no width.
    let painted = |(tone, text): (Tone, String)| {
        wrapped(&text).lines().flat_map(|line| [style.paint(tone, line), "\n".to_owned()]).collect::<String>()
    };
    lines.map(painted).collect()
}

fn deadline(prune: &PruneDeadline) -> (Tone, String) {
    let tone = match prune.urgency() {
        Urgency::Past => Tone::Bad,
        Urgency::Soon => Tone::Warn,
        Urgency::Later => Tone::Plain,
    };
    (tone, prune.sentence("from now"))
}

fn compression(totals: &Totals) -> Option<String> {
    let an_event = bytes_an_event(totals.bytes, totals.events)?;
    let delivered = totals.delivered.map_or_else(String::new, |(delivered, archived)| {
        format!("; {} delivered are {} here, {}", size(delivered), size(archived), to_one(delivered, archived))
    });
    Some(an_event + &delivered)
}

/// A line for each replica, and one for each that could not be asked; nothing where there is none.
fn replicas(replicas: &[ReplicaStatus], style: Style) -> String {
    let mut table = Table::new([("STATE", Align::Left), ("BEHIND", Align::Right), ("REPLICA", Align::Left)]);
    for replica in replicas {
        let tone = match replica.state {
            ReplicaState::Current => Tone::Good,
            ReplicaState::Behind => Tone::Warn,
            ReplicaState::Failed => Tone::Bad,
        };
        table.push([
            Cell::toned(replica.state.to_string(), tone),
            replica.behind.map_or_else(|| "-".to_owned(), |behind| count(behind, "commit")).into(),
            replica.url.as_str().into(),
        ]);
    }
    let failed = replicas.iter().filter_map(|replica| replica.error.as_ref().map(|error| (&replica.url, error)));
    let reasons = failed.map(|(url, error)| wrapped(&format!("replica {url}: {}", error.message)));
    format!("{}{}", table.render(style), reasons.collect::<String>())
}

/// The months of all datasets; nothing without any.
pub(super) fn list(datasets: &[DatasetStatus], style: Style) -> String {
    let mut table = Table::new([
        ("DATASET", Align::Left),
        ("MONTH", Align::Left),
        ("STATE", Align::Left),
        ("EVENTS", Align::Right),
        ("SIZE", Align::Right),
        ("COMMITTED", Align::Left),
    ]);
    for dataset in datasets {
        for month in &dataset.months {
            table.push(row(&dataset.dataset, month));
        }
    }
    table.render(style)
}

fn row(dataset: &Dataset, month: &MonthStatus) -> [Cell; 6] {
    let state = match month.state {
        Presence::Archived => Cell::toned("archived", Tone::Good),
        Presence::Missing => Cell::toned("MISSING", Tone::Bad),
        Presence::Open => Cell::toned("open", Tone::Faint),
    };
    let or_dash = |text: Option<String>| Cell::from(text.unwrap_or_else(|| "-".to_owned()));
    [
        dataset.to_string().into(),
        month.month.to_string().into(),
        state,
        or_dash(month.events.map(thousands)),
        or_dash(month.bytes.map(size)),
        or_dash(month.committed_at.map(Timestamp::to_seconds_string)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{exit::ExitCode, report::Failure, status::testing::month};
    use archive_formats::{Head, Sha256};

    fn months() -> Vec<MonthStatus> {
        vec![
            month("2024-11", Presence::Archived),
            month("2024-12", Presence::Missing),
            month("2025-01", Presence::Missing),
            month("2025-02", Presence::Archived),
            month("2025-03", Presence::Missing),
        ]
    }

    fn report(months: Vec<MonthStatus>) -> StatusReport {
        let events =
            DatasetStatus { dataset: "events".parse().unwrap(), months, late: 3, prune: None, complete_until: None };
        StatusReport { archive: Some("./archive".to_owned()), datasets: vec![events], ..StatusReport::default() }
    }

    #[test]
    fn gaps_are_seen_in_the_list_and_named_below_it() {
        let expected = "\
DATASET  MONTH    STATE     EVENTS     SIZE  COMMITTED
events   2024-11  archived  10,000  1.0 MiB  2025-05-01T02:03:04Z
events   2024-12  MISSING        -        -  -
events   2025-01  MISSING        -        -  -
events   2025-02  archived  10,000  1.0 MiB  2025-05-01T02:03:04Z
events   2025-03  MISSING        -        -  -
events: 2 months, 20,000 events, 2.0 MiB, missing 2024-12 to 2025-01, 2025-03
head none  archive ./archive
";
        assert_eq!(listed(&report(months()), Style::plain()), expected);
    }

    #[test]
    fn a_calendar_says_what_is_missing_how_small_it_is_and_how_long_there_is_time() {
        let mut months = months();
        months[0].source_bytes = Some(5 << 20);
        let mut report = report(months);
        report.head = Some(Head { sequence: 2, sha256: Sha256::digest(b"abc") });
        let month = "2024-12".parse().unwrap();
        let at = "2025-12-01T00:00:00Z".parse().unwrap();
        report.datasets[0].prune = Some(PruneDeadline { month, at, days: 12 });
        let expected = "\
events: 2 months, 20,000 events, 2.0 MiB, missing 2024-12 to 2025-01, 2025-03
     Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec  EVENTS     SIZE
2024                                          A   !   10,000  1.0 MiB
2025  !   A   !                                       10,000  1.0 MiB
104.8 bytes an event; 5.0 MiB delivered are 1.0 MiB here, 5.0 : 1
3 months are late: over for three days, and not archived
the platform begins to prune 2024-12 on 2025-12-01, 12 days from now

A archived   ! MISSING
head 2 ba7816bf8f01cfea…  archive ./archive
";
        assert_eq!(calendars(&report, Style::plain()), expected);
    }

    #[test]
    fn replicas_say_how_far_they_are_behind_or_why_nobody_knows() {
        let failure = Failure { message: "no answer".to_owned(), hint: None, exit: ExitCode::Store };
        let replica = |url: &str, state, behind, error| ReplicaStatus { url: url.to_owned(), state, behind, error };
        let all = [
            replica("/mnt/nas", ReplicaState::Current, Some(0), None),
            replica("s3://b/x", ReplicaState::Behind, Some(1), None),
            replica("s3://c", ReplicaState::Failed, None, Some(failure)),
        ];
        let expected = "\
STATE       BEHIND  REPLICA
current  0 commits  /mnt/nas
behind    1 commit  s3://b/x
failed           -  s3://c
replica s3://c: no answer
";
        assert_eq!(replicas(&all, Style::plain()), expected);
    }

    #[test]
    fn long_names_and_many_gaps_stay_within_80_columns() {
        let every_other = (1..=12).map(|number| {
            month(&format!("2024-{number:02}"), if number % 2 == 0 { Presence::Missing } else { Presence::Archived })
        });
        let mut report = report(every_other.collect());
        report.datasets[0].dataset = format!("ai-decision-events-of-{}", "a".repeat(30)).parse().unwrap();
        let text = calendars(&report, Style::plain());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("2024-12\n"), "{text}");
    }

    #[test]
    fn an_archive_without_months_is_a_line() {
        let empty = StatusReport { datasets: Vec::new(), ..report(Vec::new()) };
        assert_eq!(calendars(&empty, Style::plain()), "head none  archive ./archive\n");
    }
}
