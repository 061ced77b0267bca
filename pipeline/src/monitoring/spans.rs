//! Spans of a run, for collectors of traces: the run, its months, and the stages of each. Logs do not show them, and
//! without a collector they are nothing.

use crate::{
    exit::ExitCode,
    report::{Failure, MonthReport},
};
use archive_connectors::Result;
use archive_formats::{Dataset, Month};
use tracing::{Instrument, Span, field::Empty, info_span};

pub use archive_connectors::TRACE_TARGET as TARGET;

/// A stage, with what is told of it beside its time.
macro_rules! stage {
    ($name:literal $(, $field:ident)*) => {
        info_span!(target: TARGET, $name, $($field = Empty,)* otel.status_code = Empty, otel.status_description = Empty)
    };
}

/// A run or a backfill.
pub fn run(command: &str) -> Span {
    info_span!(
        target: TARGET, "run", command, exit = Empty, otel.status_code = Empty, otel.status_description = Empty
    )
}

/// A month that is to be archived.
pub fn month(dataset: &Dataset, month: Month) -> Span {
    info_span!(
        target: TARGET, "month", %dataset, %month, state = Empty, events = Empty, files = Empty, bytes = Empty,
        otel.status_code = Empty, otel.status_description = Empty
    )
}

/// Reading, transforming and encoding.
pub fn encode() -> Span {
    stage!("encode", read, archived)
}

/// Comparing events that share an id.
pub fn compare() -> Span {
    stage!("compare")
}

/// Keeping what was delivered.
pub fn artifact() -> Span {
    stage!("artifact")
}

/// Reading files back and storing them.
pub fn store() -> Span {
    stage!("store")
}

/// Writing the manifest.
pub fn commit() -> Span {
    stage!("commit")
}

/// Bringing replicas up.
pub fn replicate() -> Span {
    stage!("replicate")
}

/// Awaits `work` in `span`, and says there why it failed.
pub async fn within<T>(span: Span, work: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = work.instrument(span.clone()).await;
    if let Err(error) = &outcome {
        failed(&span, &Failure::from(error));
    }
    outcome
}

/// Says in `span` why it failed.
pub fn failed(span: &Span, failure: &Failure) {
    span.record("otel.status_code", "ERROR").record("otel.status_description", failure.message.as_str());
}

/// Ends the span of a run: nothing else may hold it.
pub fn run_done(span: Span, exit: ExitCode, failure: Option<&Failure>) {
    span.record("exit", exit.code());
    if let Some(failure) = failure {
        failed(&span, failure);
    }
    drop(span);
}

/// Says in the span of a month what became of it.
pub fn month_done(span: &Span, report: &MonthReport) {
    span.record("state", report.state.as_str()).record("files", report.files).record("bytes", report.bytes);
    if let Some(events) = report.events {
        span.record("events", events.archived);
    }
    if let Some(failure) = &report.error {
        failed(span, failure);
    }
}
