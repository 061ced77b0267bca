//! `kt-archive status`.

use super::{
    args::StatusArgs,
    flags,
    numbers::{count, size, thousands},
    outcome::Outcome,
    run::head,
    session::{Session, check_range},
    signals::Signals,
    style::{Style, Tone},
    table::{Align, Cell, Table},
};
use crate::{
    config::Config,
    exit::ExitCode,
    month_ranges,
    report::{DatasetStatus, MonthStatus, Presence, StatusReport},
    status::{self, StatusRequest},
};
use archive_connectors::{Result, clock::SystemClock};
use archive_formats::Dataset;

pub(super) async fn status(args: StatusArgs, session: Session) -> Result<Outcome> {
    if let Some((from, to)) = args.from.zip(args.to) {
        check_range(from, to)?;
    }
    let opened = session.open_reading(Config {
        dataset: flags::datasets(args.dataset),
        replica: flags::list(args.replica),
        platform_retention: args.platform_retention,
        ..Config::default()
    })?;
    let request = StatusRequest { from: args.from, to: args.to, datasets: opened.settings.datasets.clone() };
    let work = status::status(&opened.settings, &request, &SystemClock);
    let report = Signals::listen()?.give_up(work).await?;
    Ok(Outcome::reported(ExitCode::Done, &report, text(&report, session.results)))
}

fn text(report: &StatusReport, style: Style) -> String {
    let mut table = Table::new([
        ("DATASET", Align::Left),
        ("MONTH", Align::Left),
        ("STATE", Align::Left),
        ("EVENTS", Align::Right),
        ("SIZE", Align::Right),
        ("COMMITTED", Align::Left),
    ]);
    for dataset in &report.datasets {
        for month in &dataset.months {
            table.push(row(&dataset.dataset, month));
        }
    }
    let totals = report.datasets.iter().map(totals).collect::<String>();
    format!("{}{totals}{}\n", table.render(style), head(report.head.as_ref()))
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
        or_dash(month.committed_at.map(archive_formats::Timestamp::to_seconds_string)),
    ]
}

fn totals(status: &DatasetStatus) -> String {
    let events = status.months.iter().filter_map(|month| month.events).fold(0, u64::saturating_add);
    let bytes = status.months.iter().filter_map(|month| month.bytes).fold(0, u64::saturating_add);
    let archived = status.months.iter().filter(|month| month.state == Presence::Archived).count();
    let archived = count(u64::try_from(archived).unwrap_or(u64::MAX), "month");
    let missing = status.months.iter().filter(|month| month.state == Presence::Missing).map(|month| month.month);
    let gaps = month_ranges::spell(missing);
    let missing = if gaps.is_empty() { "no gaps".to_owned() } else { format!("missing {gaps}") };
    format!("{}: {archived}, {}, {}, {missing}\n", status.dataset, count(events, "event"), size(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(month: &str, state: Presence) -> MonthStatus {
        let archived = state == Presence::Archived;
        MonthStatus {
            month: month.parse().unwrap(),
            state,
            events: archived.then_some(10_000),
            bytes: archived.then_some(1 << 20),
            rejected: None,
            source_bytes: None,
            committed_at: archived.then(|| "2025-05-01T02:03:04.567890Z".parse().unwrap()),
            sequence: archived.then_some(1),
        }
    }

    #[test]
    fn gaps_are_seen_in_the_table_and_named_below_it() {
        let months = vec![
            month("2024-11", Presence::Archived),
            month("2024-12", Presence::Missing),
            month("2025-01", Presence::Missing),
            month("2025-02", Presence::Archived),
            month("2025-03", Presence::Missing),
        ];
        let events =
            DatasetStatus { dataset: "events".parse().unwrap(), months, late: 3, complete_until: None, prune: None };
        let report =
            StatusReport { archive: "./archive".to_owned(), head: None, datasets: vec![events], replicas: Vec::new() };
        let expected = "\
DATASET  MONTH    STATE     EVENTS     SIZE  COMMITTED
events   2024-11  archived  10,000  1.0 MiB  2025-05-01T02:03:04Z
events   2024-12  MISSING        -        -  -
events   2025-01  MISSING        -        -  -
events   2025-02  archived  10,000  1.0 MiB  2025-05-01T02:03:04Z
events   2025-03  MISSING        -        -  -
events: 2 months, 20,000 events, 2.0 MiB, missing 2024-12 to 2025-01, 2025-03
head none
";
        assert_eq!(text(&report, Style::plain()), expected);
    }
}
