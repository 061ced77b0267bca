//! `kt-archive verify`.

use super::{
    args::VerifyArgs,
    numbers::{count, size},
    outcome::Outcome,
    session::{Session, check_range},
    signals::Signals,
    style::{Style, Tone},
    table::{Align, Cell, Table},
};
use crate::{
    config::Config,
    exit::ExitCode,
    report::{Code, Failure, Finding, Level, Severity, VerifyReport},
    verify::{self, VerifyRequest},
};
use archive_connectors::{Result, clock::SystemClock};

pub(super) async fn verify(args: VerifyArgs, session: Session) -> Result<Outcome> {
    let range = args.month.map(|month| (month, month)).or(args.from.zip(args.to));
    if let Some((from, to)) = range {
        check_range(from, to)?;
    }
    let flags = Config { level: args.level, expect_head: args.expect_head, ..Config::default() };
    let opened = session.open_reading(flags)?;
    let level = opened.config.level.unwrap_or_default();
    let request = VerifyRequest { range, level, expect_head: opened.config.expect_head.clone() };
    let progress = opened.screen.observer();
    let work = verify::verify(&opened.settings, &request, &SystemClock, progress);
    let report = Signals::listen()?.give_up(work).await;
    opened.screen.close();
    let report = report?;
    let outcome = Outcome::reported(report.exit(), &report, text(&report, session.results));
    Ok(Outcome { error: failure(&report), ..outcome })
}

fn failure(report: &VerifyReport) -> Option<Failure> {
    let exit = report.exit();
    let (message, hint) = match exit {
        ExitCode::Done => return None,
        ExitCode::Incomplete => {
            ("the archive lacks months of the range", "archive them with `kt-archive backfill --from … --to …`")
        }
        _ if is_only_unnamed(report) => (
            "the archive is damaged: it holds files that no manifest names",
            "find out whose they are, and move them out of the archive",
        ),
        _ => (
            "the archive is damaged",
            "keep it as it is; a whole replica mends it: `kt-archive replicate --repair` with the replica as --archive",
        ),
    };
    Some(Failure { message: message.to_owned(), hint: Some(hint.to_owned()), exit })
}

/// Whether nothing is wrong but files that somebody put where they do not belong. Those no repair removes.
fn is_only_unnamed(report: &VerifyReport) -> bool {
    let mut damage = report.findings.iter().filter(|finding| finding.severity == Severity::Damage);
    damage.all(|finding| finding.code == Code::Unnamed)
}

fn text(report: &VerifyReport, style: Style) -> String {
    let mut table =
        Table::new([("CODE", Align::Left), ("SEVERITY", Align::Left), ("PATH", Align::Left), ("MESSAGE", Align::Left)]);
    for finding in &report.findings {
        table.push(row(finding));
    }
    let parts = [
        count(report.manifests, "manifest"),
        count(report.files, "file"),
        count(report.events, "event"),
        size(report.bytes),
    ];
    let level = match report.level {
        Level::Quick => " by name and size",
        Level::Full => "",
    };
    format!("{}verified {}{level}: {}\n", table.render(style), parts.join(", "), findings(&report.findings))
}

fn row(finding: &Finding) -> [Cell; 4] {
    let severity = match finding.severity {
        Severity::Damage => Cell::toned("damage", Tone::Bad),
        Severity::Warning => Cell::from("warning"),
    };
    [finding.code.as_str().into(), severity, finding.path.as_str().into(), finding.message.as_str().into()]
}

fn findings(findings: &[Finding]) -> String {
    let number = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    match (number(Severity::Damage), number(Severity::Warning)) {
        (0, 0) => "no findings".to_owned(),
        (0, warnings) => count(whole(warnings), "warning"),
        (damages, 0) => format!("{} of damage", count(whole(damages), "finding")),
        (damages, warnings) => {
            format!("{} of damage, {}", count(whole(damages), "finding"), count(whole(warnings), "warning"))
        }
    }
}

fn whole(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(findings: Vec<Finding>) -> VerifyReport {
        let bytes = 12_897_485;
        VerifyReport { level: Level::Full, head: None, manifests: 3, files: 5, events: 30_000, bytes, findings }
    }

    fn finding(code: Code, severity: Severity) -> Finding {
        Finding { code, severity, path: "events/x".to_owned(), message: "other bytes".to_owned() }
    }

    #[test]
    fn a_sound_archive_is_one_line() {
        let expected = "verified 3 manifests, 5 files, 30,000 events, 12.3 MiB: no findings\n";
        assert_eq!(text(&report(Vec::new()), Style::plain()), expected);
        assert_eq!(failure(&report(Vec::new())), None);
    }

    #[test]
    fn findings_are_listed_before_they_are_counted() {
        let found = vec![finding(Code::Digest, Severity::Damage), finding(Code::Unnamed, Severity::Warning)];
        let expected = "\
CODE  SEVERITY  PATH      MESSAGE
V012  damage    events/x  other bytes
V015  warning   events/x  other bytes
verified 3 manifests, 5 files, 30,000 events, 12.3 MiB: 1 finding of damage, 1 warning
";
        assert_eq!(text(&report(found.clone()), Style::plain()), expected);
        assert_eq!(failure(&report(found)).map(|failure| failure.exit), Some(ExitCode::Damaged));
    }

    #[test]
    fn no_repair_is_advised_for_a_file_too_many() {
        let hint = |code| failure(&report(vec![finding(code, Severity::Damage)])).and_then(|failure| failure.hint);
        assert!(hint(Code::Digest).unwrap().contains("--repair"));
        assert!(!hint(Code::Unnamed).unwrap().contains("--repair"));
    }
}
