//! The report of `restore`.

use crate::{
    exit::ExitCode,
    human::count,
    report::{Failure, Report},
    style::Style,
};
use archive_formats::{Dataset, Month, Sha256, printable};
use serde::Serialize;

/// The report of `restore`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RestoreReport {
    /// The dataset.
    pub dataset: Option<Dataset>,
    /// The month.
    pub month: Option<Month>,
    /// The database, without user, password and query.
    pub into: Option<String>,
    /// The table, as quoted in SQL.
    pub table: Option<String>,
    /// Events of the month in the archive.
    pub rows: u64,
    /// The columns; empty without events.
    pub columns: Vec<RestoredColumn>,
    /// Whether the load was rolled back in any case.
    pub drill: bool,
    /// Differences from the source's table.
    pub notes: Vec<String>,
    /// Rows of the month read back from the table.
    #[serde(skip)]
    pub rows_back: u64,
}

/// A restored column.
#[derive(Clone, Debug, Serialize)]
pub struct RestoredColumn {
    /// Its name.
    pub name: String,
    /// Its type in the table.
    #[serde(rename = "type")]
    pub kind: String,
    /// Digest of its values in the archive.
    pub sha256: Sha256,
    /// Whether the table has the same digest.
    pub equal: bool,
}

impl RestoreReport {
    /// The columns whose digests differ.
    pub fn differing(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|column| !column.equal).map(|column| column.name.as_str())
    }

    /// Returns whether the table has the same rows as the archive.
    pub(crate) fn is_equal(&self) -> bool {
        self.rows == self.rows_back && self.columns.iter().all(|column| column.equal)
    }
}

impl Report for RestoreReport {
    fn exit(&self) -> ExitCode {
        if self.is_equal() { ExitCode::Done } else { ExitCode::Damaged }
    }

    fn text(&self, style: Style) -> String {
        let Self { rows, columns, drill, notes, .. } = self;
        let (Some(dataset), Some(month), Some(into), Some(table)) =
            (&self.dataset, self.month, &self.into, &self.table)
        else {
            return String::new();
        };
        if !self.is_equal() {
            return String::new();
        }
        if columns.is_empty() {
            return format!("{dataset} {month} has no events: there is nothing to restore\n");
        }
        let columns = count(u64::try_from(columns.len()).unwrap_or(u64::MAX), "column");
        let (done, left) = if *drill {
            ("could be restored", "; nothing of it was left there".to_owned())
        } else {
            ("is restored", format!(" as {}", printable(table)))
        };
        let notes = notes.iter().flat_map(|note| ["note: ".into(), printable(note), "\n".into()]).collect::<String>();
        let text = format!(
            "{dataset} {month} {done} into {into}{left}\n{}: {columns} compared, all equal to the archive\n{notes}",
            count(*rows, "event")
        );
        text.lines().flat_map(|line| [style.fit(line), "\n".to_owned()]).collect()
    }

    fn failure(&self) -> Option<Failure> {
        if self.is_equal() {
            return None;
        }
        let Self { rows, rows_back, .. } = self;
        let table = self.table.as_deref().unwrap_or_default();
        let columns = self.differing().collect::<Vec<_>>().join(", ");
        let what = match columns.as_str() {
            _ if rows != rows_back => {
                format!("the archive has {}, and {table} gave back {rows_back}", count(*rows, "event"))
            }
            columns => format!("{table} gave back other values than the archive has (columns: {columns})"),
        };
        let message = format!("{what}: nothing was restored");
        let hint = "look for triggers, defaults and types of the table; --drill restores into a table that has none";
        Some(Failure { message, hint: hint.to_owned(), exit: self.exit() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(drill: bool, equal: bool) -> RestoreReport {
        let column = |name: &str, equal| RestoredColumn {
            name: name.to_owned(),
            kind: "text".to_owned(),
            sha256: Sha256::digest(b""),
            equal,
        };
        RestoreReport {
            dataset: Some(Dataset::default()),
            month: "2025-03".parse().ok(),
            into: Some("postgres://db/restored".to_owned()),
            table: Some("public.events".to_owned()),
            rows: 10_000,
            columns: vec![column("id", true), column("model", equal)],
            drill,
            notes: Vec::new(),
            rows_back: 10_000,
        }
    }

    #[test]
    fn successful_restore_prints_two_lines() {
        let counted = "10,000 events: 2 columns compared, all equal to the archive\n";
        let restored = "events 2025-03 is restored into postgres://db/restored as public.events\n";
        assert_eq!(report(false, true).text(Style::plain()), format!("{restored}{counted}"));
        let drilled = "events 2025-03 could be restored into postgres://db/restored; nothing of it was left there\n";
        assert_eq!(report(true, true).text(Style::plain()), format!("{drilled}{counted}"));
        assert_eq!(report(false, true).failure(), None);
    }

    #[test]
    fn difference_names_columns_or_row_counts() {
        let differs = report(false, false).failure().unwrap();
        assert_eq!(differs.exit, ExitCode::Damaged);
        let expected =
            "public.events gave back other values than the archive has (columns: model): nothing was restored";
        assert_eq!(differs.message, expected);
        let short = RestoreReport { rows_back: 9_999, ..report(true, false) };
        assert!(
            short.failure().unwrap().message.starts_with("the archive has 10,000 events, and public.events gave back")
        );
        assert_eq!(short.text(Style::plain()), "");
    }
}
