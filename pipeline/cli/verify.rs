//! `kt-archive verify`. Short, since the work is done by [`archive::verify`].

use super::{
    args::VerifyArgs,
    outcome::Outcome,
    session::{Session, check_range},
    signals::Signals,
};
use archive::{
    monitoring,
    verify::{self, VerifyRequest},
};
use archive_connectors::{Result, clock::SystemClock};

pub(super) async fn verify(args: VerifyArgs, session: Session) -> Result<Outcome> {
    let range = args.month.map(|month| (month, month)).or(args.from.zip(args.to));
    if let Some((from, to)) = range {
        check_range(from, to)?;
    }
    let opened = session.open_reading()?;
    let level = opened.config.level.unwrap_or_default();
    let expect_head = opened.config.expect_head.clone();
    let request = VerifyRequest { range, level, expect_head, ..VerifyRequest::default() };
    let progress = opened.screen.observer();
    let work = async {
        let report = verify::verify(&opened.settings, &request, &SystemClock, progress).await?;
        monitoring::verified(&opened.settings).await;
        Ok(report)
    };
    let report = Signals::listen()?.abort_on_signal(work).await;
    opened.screen.close();
    let report = report?;
    Ok(Outcome::new(&report, session.results))
}
