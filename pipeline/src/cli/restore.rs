//! `kt-archive restore`.

use super::{
    args::RestoreArgs,
    numbers::count,
    outcome::Outcome,
    session::{Opened, Session},
    signals::Signals,
};
use crate::{
    address,
    report::{Failure, RestoreReport},
    restore::{self, RestoreRequest},
};
use archive_connectors::{Error, ErrorKind, Result, postgres::Server};
use archive_formats::{Dataset, Month};

pub(super) async fn restore(args: RestoreArgs, session: Session) -> Result<Outcome> {
    let month = args.month;
    let opened = session.open_reading(args.into())?;
    let request = request(&opened, &session, month)?;
    let work = restore::restore(&opened.settings, &request, opened.screen.observer());
    // What was restored until then, the server takes back once we are gone.
    let report = Signals::listen()?.give_up(Box::pin(work)).await;
    opened.screen.close();
    let report = report?;
    let outcome = Outcome::reported(report.exit(), &report, text(&report));
    Ok(Outcome { error: failure(&report), ..outcome })
}

fn request(opened: &Opened, session: &Session, month: Month) -> Result<RestoreRequest> {
    let invalid = |message: &str, hint: &str| Err(Error::new(ErrorKind::Configuration, message).with_hint(hint));
    let form = "write it like --into postgres://user@host/database";
    let into = match opened.config.into.as_deref().filter(|into| !into.is_empty()) {
        None => return invalid("there is no database to restore into", form),
        Some(into) if !address::is_postgres(into) => {
            return invalid("a month can be restored into a PostgreSQL database alone", form);
        }
        Some(into) => into,
    };
    let dataset = match opened.settings.datasets.as_slice() {
        [] => Dataset::default(),
        [only] => only.clone(),
        _ => {
            return invalid("one dataset is restored at a time, and several are named", "name one with --dataset");
        }
    };
    let server = Server::new(into, &|name| session.environment.get(name).map(str::to_owned))?;
    let drill = opened.config.drill.is_some_and(|on| on.0);
    Ok(RestoreRequest { dataset, month, server, table: opened.config.table.clone(), drill })
}

fn failure(report: &RestoreReport) -> Option<Failure> {
    if report.is_equal() {
        return None;
    }
    let RestoreReport { rows, rows_back, table, .. } = report;
    let columns = report.differing().collect::<Vec<_>>().join(", ");
    let what = match columns.as_str() {
        _ if rows != rows_back => {
            format!("the archive has {}, and {table} gave back {rows_back}", count(*rows, "event"))
        }
        columns => format!("{table} gave back other values than the archive has (columns: {columns})"),
    };
    let message = format!("{what}: nothing was restored");
    let hint = "look for triggers, defaults and types of the table; --drill restores into a table that has none";
    Some(Failure { message, hint: Some(hint.to_owned()), exit: report.exit() })
}

fn text(report: &RestoreReport) -> String {
    let RestoreReport { dataset, month, into, table, rows, columns, drill, notes, .. } = report;
    if !report.is_equal() {
        return String::new();
    }
    if columns.is_empty() {
        return format!("{dataset} {month} has no events: there is nothing to restore\n");
    }
    let columns = count(u64::try_from(columns.len()).unwrap_or(u64::MAX), "column");
    let (done, left) = if *drill {
        ("could be restored", "; nothing of it was left there".to_owned())
    } else {
        ("is restored", format!(" as {table}"))
    };
    let notes = notes.iter().flat_map(|note| ["note: ", note, "\n"]).collect::<String>();
    format!(
        "{dataset} {month} {done} into {into}{left}\n{}: {columns} compared, all equal to the archive\n{notes}",
        count(*rows, "event")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{exit::ExitCode, report::RestoredColumn};
    use archive_formats::Sha256;

    fn report(drill: bool, equal: bool) -> RestoreReport {
        let column = |name: &str, equal| RestoredColumn {
            name: name.to_owned(),
            kind: "text".to_owned(),
            sha256: Sha256::of(b""),
            equal,
        };
        RestoreReport {
            dataset: Dataset::default(),
            month: "2025-03".parse().unwrap(),
            into: "postgres://db/restored".to_owned(),
            table: "public.events".to_owned(),
            rows: 10_000,
            columns: vec![column("id", true), column("model", equal)],
            drill,
            notes: Vec::new(),
            rows_back: 10_000,
        }
    }

    #[test]
    fn a_good_restore_is_told_in_two_lines() {
        let counted = "10,000 events: 2 columns compared, all equal to the archive\n";
        let restored = "events 2025-03 is restored into postgres://db/restored as public.events\n";
        assert_eq!(text(&report(false, true)), format!("{restored}{counted}"));
        let drilled = "events 2025-03 could be restored into postgres://db/restored; nothing of it was left there\n";
        assert_eq!(text(&report(true, true)), format!("{drilled}{counted}"));
        assert_eq!(failure(&report(false, true)), None);
    }

    #[test]
    fn a_difference_names_its_columns_or_the_rows() {
        let differs = failure(&report(false, false)).unwrap();
        assert_eq!(differs.exit, ExitCode::Damaged);
        let expected =
            "public.events gave back other values than the archive has (columns: model): nothing was restored";
        assert_eq!(differs.message, expected);
        let short = RestoreReport { rows_back: 9_999, ..report(true, false) };
        assert!(
            failure(&short).unwrap().message.starts_with("the archive has 10,000 events, and public.events gave back")
        );
        assert_eq!(text(&short), "");
    }
}
