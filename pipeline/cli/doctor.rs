//! `kt-archive doctor`. Short, since the checks are in [`archive::doctor`].

use super::{
    outcome::Outcome,
    session::Session,
    signals::{Signals, stopped},
};
use archive::doctor::{self, Check, DoctorReport};
use archive_connectors::{Clock, Result, clock::SystemClock};
use std::sync::Arc;

pub(super) async fn doctor(session: Session) -> Result<Outcome> {
    let opened = match session.open_all() {
        Ok((opened, _)) => opened,
        Err(error) => {
            let report = DoctorReport::new(vec![Check::failed("settings", &error)], session.names().get());
            return Ok(Outcome::new(&report, session.results));
        }
    };
    let signals = Signals::listen()?;
    let stop = signals.stop();
    let clock = Arc::new(SystemClock) as Arc<dyn Clock>;
    // The first signal must not leave a test object in a store.
    let guarded = signals.finish_on_signal(Box::pin(doctor::doctor(&opened.settings, &clock, &stop))).await;
    if let Some(signal) = guarded.signal {
        return Err(stopped(signal));
    }
    let mut checks = vec![Check::new("settings", Ok("can be used".to_owned()))];
    checks.extend(guarded.output.unwrap_or_default());
    Ok(Outcome::new(&DoctorReport::new(checks, session.names().get()), session.results))
}
