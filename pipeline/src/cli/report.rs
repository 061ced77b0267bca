//! `kt-archive report`.

use super::{
    args::ReportArgs,
    flags,
    numbers::{count, size},
    outcome::Outcome,
    session::{Session, check_open_range},
    signals::Signals,
};
use crate::{
    config::Config,
    exit::ExitCode,
    page::{self, PageRequest},
    report::{Failure, PageReport},
    status::StatusRequest,
};
use archive_connectors::{Error, ErrorKind, Result, clock::SystemClock};

pub(super) async fn report(args: ReportArgs, session: Session) -> Result<Outcome> {
    let (from, to) = (args.standing.from, args.standing.to);
    check_open_range(from, to)?;
    let (output, force) = (args.output, flags::switch(args.force));
    let opened = session.open_reading(Config { output, force, ..args.standing.into() })?;
    let named = opened.config.output.clone().filter(|path| !path.as_os_str().is_empty());
    let output = named.ok_or_else(|| {
        let error = Error::new(ErrorKind::Configuration, "no output was given");
        error.with_hint("name the page to write with --output, such as report.html")
    })?;
    let status = StatusRequest { from, to, datasets: opened.settings.datasets.clone() };
    let request = PageRequest { status, output, force: opened.config.force.is_some_and(|on| on.0) };
    let work = page::write(&opened.settings, &request, &SystemClock, opened.screen.observer());
    let report = Signals::listen()?.give_up(work).await;
    opened.screen.close();
    let report = report?;
    let outcome = Outcome::reported(report.exit(), &report, text(&report));
    Ok(Outcome { error: failure(&report), ..outcome })
}

fn failure(report: &PageReport) -> Option<Failure> {
    let exit = report.exit();
    let damaged = report.unread.iter().filter(|month| month.error.exit == exit).count() as u64;
    (exit != ExitCode::Done).then(|| Failure {
        message: format!(
            "{} could not be counted, since files are missing or damaged; the page names them",
            count(damaged, "month")
        ),
        hint: Some("run `kt-archive verify` to see all that is damaged".to_owned()),
        exit,
    })
}

fn text(report: &PageReport) -> String {
    let unread = report
        .unread
        .iter()
        .map(|unread| format!("without the days of {} {}: {}\n", unread.dataset, unread.month, unread.error.message));
    format!("{}wrote {}, {}\n", unread.collect::<String>(), report.output, size(report.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::UnreadMonth;

    fn report(exits: &[ExitCode]) -> PageReport {
        let unread = exits.iter().map(|exit| UnreadMonth {
            dataset: "events".parse().unwrap(),
            month: "2025-03".parse().unwrap(),
            error: Failure { message: "other bytes".to_owned(), hint: None, exit: *exit },
        });
        let unread = unread.collect();
        PageReport { output: "r.html".to_owned(), bytes: 12_700, archive: "./archive".to_owned(), head: None, unread }
    }

    #[test]
    fn what_the_page_lacks_is_said() {
        let damaged = report(&[ExitCode::Damaged]);
        assert_eq!(text(&damaged), "without the days of events 2025-03: other bytes\nwrote r.html, 12.4 KiB\n");
        assert_eq!(failure(&damaged).map(|failure| failure.exit), Some(ExitCode::Damaged));
    }

    #[test]
    fn a_month_in_no_countable_format_is_no_failure() {
        assert_eq!(failure(&report(&[ExitCode::Incomplete])), None);
        assert_eq!(failure(&report(&[])), None);
    }
}
