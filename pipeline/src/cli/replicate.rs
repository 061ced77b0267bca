//! `kt-archive replicate`, and how replicas are told of.

use super::{
    args::ReplicateArgs,
    flags, numbers,
    outcome::Outcome,
    session::Session,
    signals::Signals,
    style::{Style, Tone},
    table::{Align, Cell, Table},
};
use crate::{
    config::Config,
    replicate,
    report::{Failure, ReplicaReport, ReplicaState, ReplicateReport},
};
use archive_connectors::Result;

pub(super) async fn replicate(args: ReplicateArgs, session: Session) -> Result<Outcome> {
    let flags = Config { replica: flags::list(args.replica), repair: flags::switch(args.repair), ..Config::default() };
    let opened = session.open_reading(flags)?;
    let repair = opened.config.repair.is_some_and(|on| on.0);
    let signals = Signals::listen()?;
    let work = replicate::replicate(&opened.settings, repair, opened.screen.observer(), signals.stop());
    let guarded = signals.let_finish(work).await;
    opened.screen.close();
    let (report, stopped) = guarded.into_report()?;
    let outcome = Outcome::reported(report.exit(), &report, table(&report.replicas, session.results));
    let details = failures(&report.replicas).collect::<Vec<_>>();
    Ok(Outcome { error: summary(&report, &details), details, ..outcome }.stopped(stopped))
}

/// The failed replicas, each with its name.
pub(super) fn failures(replicas: &[ReplicaReport]) -> impl Iterator<Item = Failure> {
    let failed = replicas.iter().filter_map(|replica| replica.error.as_ref().map(|error| (replica, error)));
    failed.map(|(replica, error)| Failure {
        message: format!("replica {}: {}", replica.url, error.message),
        ..error.clone()
    })
}

/// All failures in one sentence.
fn summary(report: &ReplicateReport, failures: &[Failure]) -> Option<Failure> {
    let (first, exit) = (failures.first()?, report.exit());
    let message = match failures.len() {
        1 => first.message.clone(),
        failed => format!("{failed} of {} replicas failed; the first: {}", report.replicas.len(), first.message),
    };
    Some(Failure { message, hint: first.hint.clone(), exit })
}

/// A line for each replica; nothing where there is none.
pub(super) fn table(replicas: &[ReplicaReport], style: Style) -> String {
    let titles = [("STATE", Align::Left), ("COPIED", Align::Right), ("MENDED", Align::Right), ("REPLICA", Align::Left)];
    let mut table = Table::new(titles);
    for replica in replicas {
        let state = match replica.state {
            ReplicaState::Current => Tone::Good,
            ReplicaState::Behind => Tone::Plain,
            ReplicaState::Failed => Tone::Bad,
        };
        table.push([
            Cell::toned(replica.state.to_string(), state),
            numbers::count(replica.copied, "month").into(),
            replica.mended.map_or_else(|| "-".to_owned(), |mended| numbers::count(mended, "object")).into(),
            replica.url.as_str().into(),
        ]);
    }
    table.render(style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;

    fn replica(url: &str, exit: Option<ExitCode>) -> ReplicaReport {
        let error = exit.map(|exit| Failure { message: "no answer".to_owned(), hint: None, exit });
        let state = if error.is_some() { ReplicaState::Failed } else { ReplicaState::Current };
        ReplicaReport { url: url.to_owned(), state, error, copied: 12, mended: Some(1) }
    }

    #[test]
    fn every_replica_is_a_line_and_failures_are_summed_up() {
        let replicas = vec![replica("/b", None), replica("s3://b/x", Some(ExitCode::Store))];
        let expected = "\
STATE       COPIED    MENDED  REPLICA
current  12 months  1 object  /b
failed   12 months  1 object  s3://b/x
";
        assert_eq!(table(&replicas, Style::plain()), expected);
        let report = ReplicateReport { replicas };
        let sentence = summary(&report, &failures(&report.replicas).collect::<Vec<_>>()).unwrap();
        assert_eq!((sentence.message.as_str(), sentence.exit), ("replica s3://b/x: no answer", ExitCode::Partial));
    }

    #[test]
    fn bad_replicas_alone_give_the_gravest_code() {
        let replicas = vec![replica("/b", Some(ExitCode::Store)), replica("/c", Some(ExitCode::Damaged))];
        assert_eq!(ReplicateReport { replicas }.exit(), ExitCode::Damaged);
    }
}
