//! Generated events as the columns of a batch.

use super::event::Event;
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    EventBatch, Schema,
    catalogue::{self, KeyColumns},
};
use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{Decimal128Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder},
};
use std::sync::Arc;

const NAMES: [&str; 17] = [
    "id",
    "timestamp",
    "event_type",
    "decision",
    "reason_code",
    "gateway_id",
    "user_id",
    "team_id",
    "provider",
    "model",
    "request_id",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "latency_ms",
    "policies_evaluated",
    "metadata",
];

/// Cost columns have 18 decimals, generated costs six.
const COST_UNITS_PER_MICRO: i128 = 1_000_000_000_000;

/// Builders of the columns, in the order of [`NAMES`].
#[derive(Debug, Default)]
pub(super) struct Columns {
    id: StringBuilder,
    timestamp: TimestampMicrosecondBuilder,
    event_type: StringBuilder,
    decision: StringBuilder,
    reason_code: StringBuilder,
    gateway_id: StringBuilder,
    user_id: StringBuilder,
    team_id: StringBuilder,
    provider: StringBuilder,
    model: StringBuilder,
    request_id: StringBuilder,
    input_tokens: Int64Builder,
    output_tokens: Int64Builder,
    cost_usd: Decimal128Builder,
    latency_ms: Int64Builder,
    policies_evaluated: StringBuilder,
    metadata: StringBuilder,
}

impl Columns {
    pub(super) fn push(&mut self, event: &Event) {
        self.id.append_value(&event.id);
        self.timestamp.append_value(event.timestamp);
        self.event_type.append_value("decision");
        self.decision.append_value(event.decision);
        self.reason_code.append_option(event.reason_code);
        self.gateway_id.append_value(event.gateway_id);
        self.user_id.append_value(&event.user_id);
        self.team_id.append_option(event.team_id);
        self.provider.append_value(event.provider);
        self.model.append_value(event.model);
        self.request_id.append_value(&event.request_id);
        self.input_tokens.append_value(event.input_tokens);
        self.output_tokens.append_value(event.output_tokens);
        self.cost_usd.append_value(i128::from(event.cost_micros) * COST_UNITS_PER_MICRO);
        self.latency_ms.append_option(event.latency_ms);
        self.policies_evaluated.append_value(&event.policies_evaluated);
        self.metadata.append_option(event.metadata.as_deref());
    }

    pub(super) fn finish(mut self) -> Result<EventBatch> {
        let schema = schema()?;
        let arrow = schema.to_arrow();
        let timestamp = self.timestamp.finish().with_data_type(arrow.field(1).data_type().clone());
        let cost = self.cost_usd.finish().with_data_type(arrow.field(13).data_type().clone());
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(self.id.finish()),
            Arc::new(timestamp),
            Arc::new(self.event_type.finish()),
            Arc::new(self.decision.finish()),
            Arc::new(self.reason_code.finish()),
            Arc::new(self.gateway_id.finish()),
            Arc::new(self.user_id.finish()),
            Arc::new(self.team_id.finish()),
            Arc::new(self.provider.finish()),
            Arc::new(self.model.finish()),
            Arc::new(self.request_id.finish()),
            Arc::new(self.input_tokens.finish()),
            Arc::new(self.output_tokens.finish()),
            Arc::new(cost),
            Arc::new(self.latency_ms.finish()),
            Arc::new(self.policies_evaluated.finish()),
            Arc::new(self.metadata.finish()),
        ];
        let records = RecordBatch::try_new(arrow, arrays);
        let records = records.map_err(|error| bug("generated columns do not fit together").with_source(error))?;
        EventBatch::try_new(Arc::new(schema), records)
            .map_err(|error| bug("generated events do not fit their schema").with_source(error))
    }
}

/// The types are those of the catalogue, as in an archive of the API.
fn schema() -> Result<Schema> {
    catalogue::text_schema(&NAMES, &KeyColumns::default())
        .map_err(|error| bug("generated columns are no events").with_source(error))
}

pub(super) fn bug(message: &str) -> Error {
    Error::new(ErrorKind::Internal, message)
}
