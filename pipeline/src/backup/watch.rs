//! Progress of the reading of a database's contents. Short: the connector counts, and an observer is called.

use archive_connectors::{
    Progress, Result,
    postgres::contents::ReadAmounts,
    progress::{Step, Subject},
};
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// How often an observer gets the amounts.
const INTERVAL: Duration = Duration::from_millis(200);

/// Awaits the reading that `read` begins, and reports how many tables are read, as of `name`.
pub(super) async fn watch_tables<T, F: Future<Output = Result<T>>>(
    progress: &Arc<dyn Progress>,
    name: &str,
    read: impl FnOnce(Arc<ReadAmounts>) -> F,
) -> Result<T> {
    let (amounts, subject) = (Arc::new(ReadAmounts::default()), Subject::Backup(name.to_owned()));
    let mut reading = pin!(read(Arc::clone(&amounts)));
    let (mut done, mut total) = (0, 0);
    let read = loop {
        tokio::select! {
            biased;
            read = &mut reading => break read,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let all = amounts.all_tables.load(Ordering::Relaxed);
        if all != total {
            total = all;
            progress.step(&subject, Step::Digest, Some(total));
        }
        let tables = amounts.tables.load(Ordering::Relaxed);
        progress.advance(&subject, tables.saturating_sub(done));
        done = tables;
    };
    progress.finish(&subject);
    read
}
