//! Spans of a run for a trace collector: the run, its months, and their stages. Logs leave them out; without a
//! collector they are disabled.

use crate::{exit::ExitCode, report::Failure, run::report::MonthReport};
use archive_connectors::Result;
use archive_formats::{Dataset, Month};
use tracing::{Instrument, Span, field::Empty, info_span};

pub use archive_connectors::TRACE_TARGET as TARGET;

/// The span of a stage, with fields that are recorded later.
macro_rules! stage {
    ($name:literal $(, $field:ident)*) => {
        info_span!(target: TARGET, $name, $($field = Empty,)* otel.status_code = Empty, otel.status_description = Empty)
    };
}

/// The span of a `run` or `backfill`.
pub fn run(command: &str) -> Span {
    info_span!(
        target: TARGET, "run", command, exit = Empty, otel.status_code = Empty, otel.status_description = Empty
    )
}

/// The span of a month to archive.
pub(crate) fn month(dataset: &Dataset, month: Month) -> Span {
    info_span!(
        target: TARGET, "month", %dataset, %month, state = Empty, events = Empty, files = Empty, bytes = Empty,
        otel.status_code = Empty, otel.status_description = Empty
    )
}

/// Stage: read, transform, encode.
pub(crate) fn encode() -> Span {
    stage!("encode", read, archived)
}

/// Stage: compare events that share an id.
pub(crate) fn compare() -> Span {
    stage!("compare")
}

/// Stage: keep the source's artifact.
pub(crate) fn artifact() -> Span {
    stage!("artifact")
}

/// Stage: check staged files and store them.
pub(crate) fn store() -> Span {
    stage!("store")
}

/// Stage: write the manifest.
pub(crate) fn commit() -> Span {
    stage!("commit")
}

/// Copying to replicas, after the months.
pub(crate) fn replicate() -> Span {
    stage!("replicate")
}

/// Awaits `work` in `span`, and records its error there.
pub(crate) async fn within<T>(span: Span, work: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = work.instrument(span.clone()).await;
    if let Err(error) = &outcome {
        record_failure(&span, &Failure::from(error));
    }
    outcome
}

/// Marks `span` as failed.
pub(crate) fn record_failure(span: &Span, failure: &Failure) {
    span.record("otel.status_code", "ERROR").record("otel.status_description", failure.message.as_str());
}

/// Records the result of a run and ends its span. No clone of the span may be left.
pub fn end_run(span: Span, exit: ExitCode, failure: Option<&Failure>) {
    span.record("exit", exit.code());
    if let Some(failure) = failure {
        record_failure(&span, failure);
    }
    drop(span);
}

/// Records the result of a month.
pub(crate) fn record_month(span: &Span, report: &MonthReport) {
    span.record("state", report.state.as_str()).record("files", report.files).record("bytes", report.bytes);
    if let Some(events) = report.events {
        span.record("events", events.archived);
    }
    if let Some(failure) = &report.error {
        record_failure(span, failure);
    }
}
