//! `kt-archive restore`. Short, since the work is done by [`archive::restore`].

use super::{
    outcome::Outcome,
    session::{Opened, Session},
    signals::Signals,
};
use archive::{
    restore::{self, RestoreRequest},
    settings,
};
use archive_connectors::{Error, ErrorKind, Result};
use archive_formats::{Dataset, Month};

pub(super) async fn restore(month: Month, session: Session) -> Result<Outcome> {
    let opened = session.open_reading()?;
    let request = request(&opened, &session, month)?;
    let work = restore::restore(&opened.settings, &request, opened.screen.observer());
    // The server rolls the transaction back when the connection closes.
    let report = Signals::listen()?.abort_on_signal(Box::pin(work)).await;
    opened.screen.close();
    let report = report?;
    Ok(Outcome::new(&report, session.results))
}

fn request(opened: &Opened, session: &Session, month: Month) -> Result<RestoreRequest> {
    let invalid = |message: &str, hint: &str| Err(Error::new(ErrorKind::Configuration, message).with_hint(hint));
    let Some(into) = opened.config.into.as_deref().filter(|into| !into.is_empty()) else {
        return invalid("there is no database to restore into", "write it like --into postgres://user@host/database");
    };
    let server = settings::server("--into", into, &session.environment)?;
    let dataset = match opened.settings.datasets.as_slice() {
        [] => Dataset::default(),
        [only] => only.clone(),
        _ => {
            return invalid("one dataset is restored at a time, and several are named", "name one with --dataset");
        }
    };
    let drill = opened.config.drill.is_some_and(|on| on.0);
    Ok(RestoreRequest { dataset, month, server, table: opened.config.table.clone(), drill })
}
