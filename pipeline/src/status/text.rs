//! The text output of `status`.

use super::{
    calendar::{LEGEND, MONTHS, Year, letter, years},
    report::{DatasetStatus, Layout, MonthStatus, Presence, PruneDeadline, StatusReport, Totals, Urgency},
};
use crate::{
    backup::BackupStatus,
    human::{bytes_an_event, count, date, extent, head, month_ranges, size, thousands, to_one},
    replicate::report::{ReplicaState, ReplicaStatus},
    style::{Style, Tone},
    table::{Align, Cell, Table},
    verify::paragraph,
    wrap::{WIDTH, wrap},
};
use archive_formats::{Dataset, Timestamp, printable};

/// The report for people.
pub(super) fn text(report: &StatusReport, style: Style) -> String {
    match report.layout {
        Layout::Calendar => calendars(report, style),
        Layout::List => listed(report, style),
    }
}

/// A line for each month, then the sums.
fn listed(report: &StatusReport, style: Style) -> String {
    let totals = report
        .datasets
        .iter()
        .flat_map(|dataset| [style.fit(&totals(dataset)), "\n".to_owned(), sources(dataset, style)]);
    let totals = totals.collect::<String>();
    format!("{}{totals}{}", list(&report.datasets, style), ending(report, style))
}

/// A calendar for each dataset.
fn calendars(report: &StatusReport, style: Style) -> String {
    let datasets = report.datasets.iter().map(|dataset| {
        let calendar = calendar(&dataset.months, style);
        format!("{}{calendar}{}\n", wrapped(&totals(dataset), style), remarks(dataset, style))
    });
    let datasets = datasets.collect::<String>();
    let legend = legend(report.datasets.iter().flat_map(|dataset| &dataset.months), style);
    format!("{datasets}{legend}{}", ending(report, style))
}

fn ending(report: &StatusReport, style: Style) -> String {
    let backups = report.backups.iter().flat_map(BackupStatus::sentences);
    let backups = backups.map(|(tone, text)| painted((tone, printable(&text).into_owned()), style)).collect::<String>();
    if report.archive.is_none() {
        return backups;
    }
    let ending = style.beside(&head(report.head.as_ref()), &format!("archive {}", report.archive()));
    format!("{}{}{backups}{ending}\n", replicas(&report.replicas, style), evidence(report, style))
}

/// The last verification, and the known damage.
fn evidence(report: &StatusReport, style: Style) -> String {
    let verified = report.verification.as_ref().map_or_else(
        || (Tone::Warn, "not verified yet on this host: `kt-archive verify` does that".to_owned()),
        |last| {
            let found = match (last.damage, last.warnings) {
                (0, 0) => "no findings".to_owned(),
                (0, warnings) => count(warnings, "warning"),
                (damage, _) => format!("{} of damage", count(damage, "finding")),
            };
            let tone = if last.damage > 0 { Tone::Bad } else { Tone::Plain };
            (tone, format!("verified on {}, {}: {found}", date(last.finished_at), extent(last.level, last.range)))
        },
    );
    let unlooked = report.unlooked.as_ref();
    let unlooked = unlooked.map(|failure| (Tone::Bad, format!("the files were not looked at: {}", failure.message)));
    let damage = report.is_damaged().then(|| {
        let number = count(report.damage.len() as u64, "object");
        (Tone::Bad, format!("DAMAGED: {number}; `kt-archive verify` shows all of it"))
    });
    let first = report.damage.iter().take(LISTED).map(|finding| paragraph(finding, style));
    [Some(verified), unlooked, damage].into_iter().flatten().map(|line| painted(line, style)).chain(first).collect()
}

/// Sums over the months, and the missing ones.
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

/// Lines below a dataset's calendar: rejected rows, compression, late months, and the platform's deadline.
fn remarks(status: &DatasetStatus, style: Style) -> String {
    let rejected = rejects(status);
    let compression = compression(&status.totals()).map(|text| (Tone::Plain, text));
    let late = (status.late > 0).then(|| {
        let (months, are) = (count(status.late, "month"), if status.late == 1 { "is" } else { "are" });
        (Tone::Bad, format!("{months} {are} late: over for three days, and not archived"))
    });
    let prune = status.prune.as_ref().map(deadline);
    let lines = [rejected, compression, late, prune].into_iter().flatten();
    sources(status, style) + &lines.map(|line| painted(line, style)).collect::<String>()
}

/// How many rejected rows are kept, and of which months.
fn rejects(status: &DatasetStatus) -> Option<(Tone, String)> {
    let rows = status.totals().rejected;
    let months = status.months.iter().filter(|month| month.rejected.is_some_and(|rows| rows > 0));
    let months = month_ranges(months.map(|month| month.month));
    let are = if rows == 1 { "is" } else { "are" };
    (rows > 0).then(|| (Tone::Warn, format!("{} could not become events and {are} kept: {months}", count(rows, "row"))))
}

fn sources(status: &DatasetStatus, style: Style) -> String {
    let sources = status.sources.iter().map(|source| {
        let tone = if source.invented { Tone::Warn } else { Tone::Plain };
        (tone, format!("source {}", source.source.sentence()))
    });
    sources.map(|line| painted(line, style)).collect()
}

/// A paragraph. Coloured line by line: escape sequences have no width.
fn painted((tone, text): (Tone, String), style: Style) -> String {
    wrapped(&text, style).lines().flat_map(|line| [style.paint(tone, line), "\n".to_owned()]).collect()
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

/// A line per replica, and one per failure; empty without replicas.
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
    let reasons = failed.map(|(url, error)| wrapped(&format!("replica {url}: {}", error.message), style));
    format!("{}{}", table.render(style), reasons.collect::<String>())
}

/// The months of all datasets; nothing without any.
fn list(datasets: &[DatasetStatus], style: Style) -> String {
    let mut table = Table::new([
        ("DATASET", Align::Left),
        ("MONTH", Align::Left),
        ("STATE", Align::Left),
        ("EVENTS", Align::Right),
        ("SIZE", Align::Right),
        ("REJECTED", Align::Right),
        ("COMMITTED", Align::Left),
    ]);
    for dataset in datasets {
        for month in &dataset.months {
            table.push(row(&dataset.dataset, month));
        }
    }
    table.render(style)
}

fn row(dataset: &Dataset, month: &MonthStatus) -> [Cell; 7] {
    let state = match month.state {
        _ if month.damaged => Cell::toned("DAMAGED", Tone::Bad),
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
        month.rejected.map_or_else(|| "-".into(), rejected),
        or_dash(month.committed_at.map(Timestamp::to_seconds_string)),
    ]
}

fn rejected(rows: u64) -> Cell {
    Cell::toned(thousands(rows), if rows > 0 { Tone::Warn } else { Tone::Plain })
}

/// Damaged objects that are shown by themselves.
const LISTED: usize = 5;

/// The columns of a calendar.
#[derive(Clone, Copy, Debug)]
struct Columns {
    /// Of a month.
    month: usize,
    /// Of the number of events, and of the size.
    sums: [usize; 2],
    /// Blanks between them; `None` if they follow on a line of their own.
    gap: Option<usize>,
}

const YEAR: usize = 4;
const TITLES: [&str; 2] = ["EVENTS", "SIZE"];

impl Columns {
    /// The widest columns that fit.
    fn new(sums: &[[String; 2]], style: Style) -> Self {
        let sums = [0, 1].map(|at| sums.iter().map(|sum| sum[at].len()).fold(TITLES[at].len(), usize::max));
        let width = style.width().unwrap_or(WIDTH);
        let fits = |month, gap| YEAR + 12 * month + 2 + sums[0] + gap + sums[1] <= width;
        let choices = [(4, 2), (4, 1), (3, 2), (3, 1)];
        match choices.into_iter().find(|(month, gap)| fits(*month, *gap)) {
            Some((month, gap)) => Self { month, sums, gap: Some(gap) },
            None => Self { month: if YEAR + 12 * 4 <= width { 4 } else { 3 }, sums, gap: None },
        }
    }

    /// The end of a line with the sums of a year, or with their titles.
    fn sums(self, [events, bytes]: [&str; 2]) -> String {
        match self.gap {
            Some(gap) => format!("  {events:>0$}{blank:gap$}{bytes:>1$}", self.sums[0], self.sums[1], blank = ""),
            None => String::new(),
        }
    }
}

/// The calendar, each line with its line feed; nothing without months.
fn calendar(months: &[MonthStatus], style: Style) -> String {
    let years = years(months);
    if years.is_empty() {
        return String::new();
    }
    let sums = years.iter().map(|year| [thousands(year.events()), size(year.bytes())]).collect::<Vec<_>>();
    let columns = Columns::new(&sums, style);
    // Three letters and a blank, or two and a blank.
    let heads = MONTHS.map(|month| format!(" {}", month.get(..columns.month - 1).unwrap_or(month))).concat();
    let mut text = style.paint(Tone::Faint, &format!("{:YEAR$}{heads}{}", "", columns.sums(TITLES)));
    text.push('\n');
    for (year, [events, bytes]) in years.iter().zip(&sums) {
        let row = year_row(year, columns, style);
        text.extend([&*row, &columns.sums([events, bytes]), "\n"]);
        if columns.gap.is_none() {
            text.extend([&*" ".repeat(YEAR + 2), events, " events, ", bytes, "\n"]);
        }
    }
    text
}

fn year_row(year: &Year<'_>, columns: Columns, style: Style) -> String {
    let after = columns.month - 3;
    let cells = year.months.iter().map(|month| match month {
        Some(month) => format!("  {}{:after$}", style.paint(tone(month), &letter(month).to_string()), ""),
        None => " ".repeat(columns.month),
    });
    format!("{:04}{}", year.year, cells.collect::<String>())
}

const fn tone(month: &MonthStatus) -> Tone {
    match month.state {
        _ if month.damaged => Tone::Bad,
        Presence::Archived => Tone::Good,
        Presence::Missing => Tone::Bad,
        Presence::Open => Tone::Faint,
    }
}

/// The meaning of the letters of these months, in one line.
fn legend<'a>(months: impl Iterator<Item = &'a MonthStatus>, style: Style) -> String {
    let letters = months.map(|month| (letter(month), tone(month))).collect::<Vec<_>>();
    let used = LEGEND.iter().filter_map(|(known, meaning)| {
        let (_, tone) = letters.iter().find(|(letter, _)| letter == known)?;
        Some(format!("{} {meaning}", style.paint(*tone, &known.to_string())))
    });
    let used = used.collect::<Vec<_>>().join("   ");
    if used.is_empty() { used } else { format!("{used}\n") }
}

/// `text` in lines of at most 80 columns, or those of the terminal, the later ones indented.
fn wrapped(text: &str, style: Style) -> String {
    wrap(text, style.width().unwrap_or(WIDTH), 0, "  ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Level,
        exit::ExitCode,
        report::{Failure, Report as _},
        status::{
            LastVerification,
            testing::{dataset, month},
        },
        style::COLORED,
        verify::{Code, Severity},
    };
    use archive_formats::{Head, Month, Sha256, manifest::SourceIdentity};

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
        let events = DatasetStatus { late: 3, ..dataset(months) };
        StatusReport { archive: Some("./archive".to_owned()), datasets: vec![events], ..StatusReport::default() }
    }

    #[test]
    fn list_shows_gaps_and_rejects_and_names_them_below() {
        let expected = "\
DATASET  MONTH    STATE     EVENTS     SIZE  REJECTED  COMMITTED
events   2024-11  archived  10,000  1.0 MiB         0  2025-05-01T02:03:04Z
events   2024-12  MISSING        -        -         -  -
events   2025-01  MISSING        -        -         -  -
events   2025-02  archived  10,000  1.0 MiB     1,234  2025-05-01T02:03:04Z
events   2025-03  MISSING        -        -         -  -
events: 2 months, 20,000 events, 2.0 MiB, missing 2024-12 to 2025-01, 2025-03
not verified yet on this host: `kt-archive verify` does that
head none  archive ./archive
";
        let mut months = months();
        (months[0].rejected, months[3].rejected) = (Some(0), Some(1_234));
        assert_eq!(listed(&report(months), Style::plain()), expected);
    }

    #[test]
    fn calendar_shows_missing_months_rejects_compression_and_deadline() {
        let mut months = months();
        months[0].source_bytes = Some(5 << 20);
        (months[0].rejected, months[3].rejected) = (Some(5), Some(2));
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
7 rows could not become events and are kept: 2024-11, 2025-02
104.8 bytes an event; 5.0 MiB delivered are 1.0 MiB here, 5.0 : 1
3 months are late: over for three days, and not archived
the platform begins to prune 2024-12 on 2025-12-01, 12 days from now

A archived   ! MISSING
not verified yet on this host: `kt-archive verify` does that
head 2:ba7816bf8f01cfea…  archive ./archive
";
        assert_eq!(calendars(&report, Style::plain()), expected);
    }

    #[test]
    fn replicas_show_how_far_they_are_behind_or_the_error() {
        let failure = Failure { message: "no answer".to_owned(), hint: "do this".to_owned(), exit: ExitCode::Store };
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
    fn damage_jumps_out_and_decides_the_exit_code_of_a_check() {
        let mut report = StatusReport { is_check: true, ..report(months()) };
        assert_eq!(report.exit(), ExitCode::Incomplete, "months are late");
        report.datasets[0].late = 0;
        assert_eq!((report.exit(), report.failure()), (ExitCode::Done, None));
        report.datasets[0].months[0].damaged = true;
        report.damage = vec![crate::verify::Finding {
            code: Code::Digest,
            severity: Severity::Damage,
            path: "events/parquet/month=2024-11/part".to_owned(),
            message: "the object has other bytes".to_owned(),
        }];
        report.verification = Some(LastVerification {
            finished_at: "2025-04-10T03:00:00Z".parse().unwrap(),
            level: Level::Quick,
            range: None,
            damage: 0,
            warnings: 0,
        });
        assert_eq!(report.exit(), ExitCode::Damaged);
        let text = calendars(&report, Style::plain());
        for line in [
            "2024                                          D   !   10,000  1.0 MiB",
            "verified on 2025-04-10, chain, names and sizes of every month: no findings",
            "DAMAGED: 1 object; `kt-archive verify` shows all of it",
            "      events/parquet/month=2024-11/part",
            "      the object has other bytes",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        assert_eq!(StatusReport { is_check: false, ..report }.exit(), ExitCode::Done);
    }

    #[test]
    fn sources_are_named_and_invented_events_are_marked() {
        let mut report = report(months());
        let source = SourceIdentity { kind: "demo".to_owned(), url: "demo:".to_owned(), organisation: None };
        report.datasets[0].sources = vec![source.into()];
        assert!(calendars(&report, Style::plain()).contains("\nsource demo: (invented events)\n"));
    }

    #[test]
    fn long_names_and_many_gaps_fit_into_80_columns() {
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
    fn archive_without_months_is_one_line() {
        let empty = StatusReport { datasets: Vec::new(), ..report(Vec::new()) };
        let expected = "not verified yet on this host: `kt-archive verify` does that\nhead none  archive ./archive\n";
        assert_eq!(calendars(&empty, Style::plain()), expected);
    }

    fn range(first: &str, last: &str, state: Presence) -> impl Iterator<Item = MonthStatus> {
        Month::range(first.parse().unwrap(), last.parse().unwrap()).map(move |at| month(&at.to_string(), state))
    }

    fn history() -> Vec<MonthStatus> {
        let archived = |first, last| range(first, last, Presence::Archived);
        let missing = |first, last| range(first, last, Presence::Missing);
        let months = archived("2023-11", "2024-04").chain(missing("2024-05", "2024-06"));
        months.chain(archived("2024-07", "2025-02")).chain([month("2025-03", Presence::Open)]).collect()
    }

    #[test]
    fn gaps_jump_out_of_the_calendar() {
        let mut months = history();
        months[1].events = Some(0);
        let expected = "    \x20Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec   EVENTS      SIZE
2023                                          A   0    10,000   2.0 MiB
2024  A   A   A   A   !   !   A   A   A   A   A   A   100,000  10.0 MiB
2025  A   A   .                                        20,000   2.0 MiB
";
        assert_eq!(calendar(&months, Style::plain()), expected);
        let legend = legend(months.iter(), Style::plain());
        assert_eq!(legend, "A archived   0 archived, no events   ! MISSING   . not over\n");
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let strip = |text: String| {
            ["\x1b[32m", "\x1b[1;31m", "\x1b[2m", "\x1b[0m"].iter().fold(text, |text, code| text.replace(code, ""))
        };
        let months = history();
        assert!(calendar(&months, COLORED).contains("\x1b[1;31m!\x1b[0m"));
        assert_eq!(strip(calendar(&months, COLORED)), calendar(&months, Style::plain()));
        assert_eq!(strip(legend(months.iter(), COLORED)), legend(months.iter(), Style::plain()));
    }

    #[test]
    fn months_of_ten_digits_fit_into_80_columns() {
        let months = range("2024-01", "2024-12", Presence::Archived).map(|month| MonthStatus {
            events: Some(9_999_999_999),
            bytes: Some(1_098_437_885_952 / 12),
            ..month
        });
        let text = calendar(&months.collect::<Vec<_>>(), Style::plain());
        assert!(text.contains("A   119,999,999,988 1023.0 GiB\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH && line.is_ascii()), "{text}");
    }

    #[test]
    fn calendar_fits_into_60_columns() {
        let narrow = Style::plain().with_width(Some(60));
        let expected = "    \x20Ja Fe Ma Ap Ma Ju Ju Au Se Oc No De   EVENTS      SIZE
2023                                A  0   10,000   2.0 MiB
2024  A  A  A  A  !  !  A  A  A  A  A  A  100,000  10.0 MiB
2025  A  A  .                              20,000   2.0 MiB
";
        let mut months = history();
        months[1].events = Some(0);
        assert_eq!(calendar(&months, narrow), expected);
        let large = range("2024-01", "2024-12", Presence::Archived)
            .map(|month| MonthStatus { events: Some(9_999_999_999), ..month });
        let mut report = report(large.collect());
        report.head = Some(Head { sequence: 2, sha256: Sha256::digest(b"abc") });
        report.archive = Some("s3://my-bucket/keeptrusts/archive".to_owned());
        let text = report.text(narrow);
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(text.contains("\n      119,999,999,988 events, 12.0 MiB\n"), "{text}");
    }
}
