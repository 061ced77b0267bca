//! The report of the command `report`.

use archive::{
    exit::ExitCode,
    human::{count, size},
    report::{Failure, Report},
    style::Style,
    verify::Finding,
};
use archive_formats::{Dataset, Head, Month};
use serde::Serialize;

/// The report of the command `report`.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PageReport {
    /// The path of the page; null if it was not written.
    pub output: Option<String>,
    /// The size of the page in bytes.
    pub bytes: u64,
    /// The archive's URL, printable.
    pub archive: Option<String>,
    /// The last manifest; null if there is none.
    pub head: Option<Head>,
    /// The months whose events could not be counted. The page names them.
    pub unread: Vec<UnreadMonth>,
    /// The damage that was known before the events were counted.
    pub damage: Vec<Finding>,
    /// Whether any damage is known.
    #[serde(skip)]
    pub is_damaged: bool,
    /// What was promised of backups (`--rpo`, `--rto`) and is not kept.
    pub missed: Vec<String>,
}

/// A month whose events could not be counted.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UnreadMonth {
    pub dataset: Dataset,
    pub month: Month,
    /// The reason.
    pub error: Failure,
}

impl Report for PageReport {
    /// Damage fails the command although the page is written. A month in no countable format is not damage.
    fn exit(&self) -> ExitCode {
        if self.is_damaged {
            ExitCode::Damaged
        } else if self.missed.is_empty() {
            ExitCode::Done
        } else {
            ExitCode::Incomplete
        }
    }

    fn text(&self, _: Style) -> String {
        let unread = self.unread.iter().map(|unread| {
            format!("without the days of {} {}: {}\n", unread.dataset, unread.month, unread.error.message)
        });
        format!(
            "{}wrote {}, {}\n",
            unread.collect::<String>(),
            self.output.as_deref().unwrap_or_default(),
            size(self.bytes)
        )
    }

    fn failure(&self) -> Option<Failure> {
        let exit = self.exit();
        if exit == ExitCode::Incomplete {
            let hint = "back up or drill again: the page has the times".to_owned();
            return Some(Failure { message: self.missed.join("; "), hint, exit });
        }
        let damaged = self.unread.iter().filter(|month| month.error.exit == exit).count() as u64;
        let message = if damaged > 0 {
            let months = count(damaged, "month");
            format!("{months} could not be counted, since files are missing or damaged; the page names them")
        } else {
            "the archive is known to be damaged; the page names what".to_owned()
        };
        (exit != ExitCode::Done).then(|| Failure {
            message,
            hint: "run `kt-archive verify` to see all that is damaged".to_owned(),
            exit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(exits: &[ExitCode]) -> PageReport {
        let unread = exits.iter().map(|exit| UnreadMonth {
            dataset: "events".parse().unwrap(),
            month: "2025-03".parse().unwrap(),
            error: Failure { message: "other bytes".to_owned(), hint: "do this".to_owned(), exit: *exit },
        });
        let unread = unread.collect();
        PageReport {
            missed: Vec::new(),
            output: Some("r.html".to_owned()),
            bytes: 12_700,
            archive: Some("./archive".to_owned()),
            head: None,
            is_damaged: exits.contains(&ExitCode::Damaged),
            unread,
            damage: Vec::new(),
        }
    }

    #[test]
    fn uncounted_months_are_reported() {
        let damaged = report(&[ExitCode::Damaged]);
        assert_eq!(
            damaged.text(Style::plain()),
            "without the days of events 2025-03: other bytes\nwrote r.html, 12.4 KiB\n"
        );
        assert_eq!(damaged.failure().map(|failure| failure.exit), Some(ExitCode::Damaged));
    }

    #[test]
    fn known_damage_fails_the_command() {
        let known = PageReport { is_damaged: true, ..report(&[]) };
        assert_eq!(known.failure().map(|failure| failure.exit), Some(ExitCode::Damaged));
    }

    #[test]
    fn month_in_no_countable_format_is_no_failure() {
        assert_eq!(report(&[ExitCode::Incomplete]).failure(), None);
        assert_eq!(report(&[]).failure(), None);
    }
}
