//! `kt-archive restore`. Short, since the work is done by [`archive::restore`].

use super::{
    outcome::Outcome,
    session::{Opened, Session},
    signals::Signals,
};
use archive::{
    address,
    restore::{self, RestoreRequest},
};
use archive_connectors::{Error, ErrorKind, Result, postgres::Server};
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
    let form = "write it like --into postgres://user@host/database";
    let into = match opened.config.into.as_deref().filter(|into| !into.is_empty()) {
        None => return invalid("there is no database to restore into", form),
        Some(into) if !address::is_postgres(into) => {
            let meant = address::nearest_scheme(into).filter(|scheme| scheme.starts_with("postgres"));
            let hint = meant.map_or_else(|| form.to_owned(), |scheme| format!("did you mean {scheme}://? {form}"));
            return invalid("--into is not a PostgreSQL database", &hint);
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
