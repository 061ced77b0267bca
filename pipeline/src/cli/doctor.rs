//! `kt-archive doctor`.

use super::{
    args::DoctorArgs,
    checks,
    outcome::Outcome,
    session::Session,
    signals::{Signals, stopped},
};
use crate::{
    config::Config,
    doctor,
    report::{Check, DoctorReport},
};
use archive_connectors::{Clock, Result, clock::SystemClock};
use std::sync::Arc;

pub(super) async fn doctor(args: DoctorArgs, session: Session) -> Result<Outcome> {
    let opened = match session.open_all(Config::from(args.source)) {
        Ok((opened, _)) => opened,
        Err(error) => return Ok(outcome(vec![Check::failed("settings", &error)], &session)),
    };
    let signals = Signals::listen()?;
    let stop = signals.stop();
    let clock = Arc::new(SystemClock) as Arc<dyn Clock>;
    // An object that was written to try a store is removed, whatever signal comes.
    let guarded = signals.let_finish(Box::pin(doctor::doctor(&opened.settings, &clock, &stop))).await;
    if let Some(signal) = guarded.signal {
        return Err(stopped(signal));
    }
    let mut checks = vec![Check::new("settings", Ok("can be used".to_owned()))];
    checks.extend(guarded.output.unwrap_or_default());
    Ok(outcome(checks, &session))
}

/// The outcome of checks, of which each failed one is told on stdout already.
pub(super) fn outcome(checks: Vec<Check>, session: &Session) -> Outcome {
    let report = DoctorReport { checks };
    let outcome = Outcome::reported(report.exit(), &report, checks::text(&report.checks, session.results));
    Outcome { error: checks::failure(&report), ..outcome }
}
