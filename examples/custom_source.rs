//! Archives events from a custom source: `cargo run --example custom_source`.

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use archive::{ArchiveRoot, month::MonthPipeline};
use archive_connectors::{Clock as _, clock::SystemClock, sink::Location};
use archive_connectors::{Error, ErrorKind, EventStream, Result, Sink, Source, SourceItem, SourceReport};
use archive_formats::{CommitRecord as _, Dataset, Window, catalogue::KeyColumns, decode::csv::CsvLayout};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::{collections::BTreeMap, sync::Arc};

/// A source yields batches of events, here decoded from a text. All events are in one month; a real source queries the
/// window.
#[derive(Debug)]
struct Letter(&'static str);

impl Letter {
    fn events(&self) -> Result<Vec<SourceItem>> {
        let header = CsvLayout::from_header(self.0.as_bytes(), &KeyColumns::default());
        let (layout, header) = header.map_err(|error| Error::new(ErrorKind::Source, "no events").with_source(error))?;
        let decoded = layout.decode(&self.0.as_bytes()[header..]);
        // Rows that are not events are yielded as rejects, and the run reports them.
        let rejects = decoded.rejects.into_iter().map(SourceItem::Reject);
        let events = decoded.batch.map(SourceItem::Batch).into_iter().chain(rejects);
        // The report ends the stream. A stream without it is incomplete and is not committed.
        let report = SourceReport { read: decoded.rows, ..SourceReport::default() };
        Ok(events.chain([SourceItem::Report(report)]).collect())
    }
}

impl Source for Letter {
    fn kind(&self) -> &'static str {
        "letter"
    }
    fn url(&self) -> String {
        "letter:".to_owned()
    }
    fn read(&self, _: &Dataset, _: Window) -> EventStream {
        let events = self.events().map(|items| stream::iter(items).map(Ok));
        stream::iter([events]).try_flatten().boxed()
    }
    fn on_committed(&self, _: &Dataset, _: Window) {}
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let scratch = tempfile::tempdir()?;
    let place = scratch.path().join("archive").display().to_string();
    let sink = Sink::open(&Location::parse(&place, &BTreeMap::new())?)?;
    let root = ArchiveRoot::create(sink, &ArchiveRoot::new_identity(SystemClock.now())).await?;
    let source = Letter("id,timestamp,cost_usd\nevt_1,2025-03-01T00:00:00Z,0.000000000000000001\n");
    let (archive, staging) = (root.read_chain().await?, scratch.path().to_owned());
    let pipeline = MonthPipeline::new(archive, Arc::new(source), Arc::new(SystemClock), staging);
    let ready = pipeline.prepare(&Dataset::default(), "2025-03".parse()?).await?;
    print!("{}", String::from_utf8(pipeline.commit(ready).await?.entry().manifest.to_bytes())?);
    Ok(())
}
