//! `kt-archive replicate`. Short, since the work is done by [`archive::replicate`].

use super::{outcome::Outcome, session::Session, signals::Signals};
use archive::replicate;
use archive_connectors::Result;

pub(super) async fn replicate(session: Session) -> Result<Outcome> {
    let opened = session.open_reading_replicas()?;
    let repair = opened.config.repair.is_some_and(|on| on.0);
    let signals = Signals::listen()?;
    let work = replicate::replicate(&opened.settings, repair, opened.screen.observer(), signals.stop());
    let guarded = signals.finish_on_signal(work).await;
    opened.screen.close();
    let (report, stopped) = guarded.into_report()?;
    Ok(Outcome::new(&report, session.results).stopped(stopped))
}
