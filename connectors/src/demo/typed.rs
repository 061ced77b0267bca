//! Generated events with a column of every type, as from a table of a database.

use super::{columns::bug, event::Event, random::Random};
use crate::Result;
use archive_formats::{Column, EventBatch, Schema, Timestamp, decode::csv::ArchivedLayout};
use arrow_array::RecordBatch;
use std::sync::Arc;

/// A column: name, type, type in a database, and the text of its value in the archive's CSV. A value that returns `None`
/// is NULL.
type TypedColumn = (&'static str, &'static str, &'static str, fn(&Event, &mut Random) -> Option<String>);

/// The first two columns are the id and the time, and are never NULL.
const COLUMNS: [TypedColumn; 34] = [
    ("id", "uuid", "uuid", |event, _| Some(event.id.clone())),
    ("timestamp", "timestamp(us,UTC)", "timestamp with time zone", |event, _| Some(time(event, 0))),
    ("event_type", "text", "text", |_, _| text("decision")),
    // An enum.
    ("decision", "text", "decision", |event, _| text(event.decision)),
    ("reason_code", "text", "character varying(80)", |event, _| event.reason_code.and_then(text)),
    ("gateway_id", "text", "text", |event, _| text(event.gateway_id)),
    ("user_id", "text", "text", |event, _| text(&event.user_id)),
    ("team_id", "text", "text", |event, _| event.team_id.and_then(text)),
    ("provider", "text", "text", |event, _| text(event.provider)),
    ("model", "text", "text", |event, _| text(event.model)),
    ("request_id", "text", "text", |event, _| text(&event.request_id)),
    ("input_tokens", "int32", "integer", |event, _| Some(event.input_tokens.to_string())),
    ("output_tokens", "int64", "bigint", |event, _| Some(event.output_tokens.to_string())),
    ("latency_ms", "int16", "smallint", |event, _| event.latency_ms.map(|latency| latency.to_string())),
    ("cost_usd", "decimal(12,6)", "numeric(12,6)", |event, _| Some(decimal(event.cost_micros.unsigned_abs(), 6))),
    ("budget_usd", "decimal(38,18)", "numeric(38,18)", |_, random| Some(decimal(random.next(), 18))),
    ("risk", "float32", "real", |_, random| random.chance(90).then(|| fraction::<f32>(random))),
    ("temperature", "float64", "double precision", |_, random| Some(fraction::<f64>(random))),
    ("is_cached", "bool", "boolean", |_, random| Some(random.chance(20).to_string())),
    ("local_time", "timestamp(us)", "timestamp without time zone", |event, _| Some(local(event))),
    ("day", "date", "date", |event, _| part(&local(event), 0..10)),
    ("time_of_day", "time(us)", "time without time zone", |event, _| part(&local(event), 11..26)),
    ("elapsed", "text", "interval", |event, _| event.latency_ms.map(interval)),
    ("session_id", "uuid", "uuid", |_, random| random.chance(80).then(|| super::event::uuid(random))),
    ("prompt_sha256", "binary", "bytea", |_, random| random.chance(70).then(|| digest(random))),
    ("policies_evaluated", "json", "json", |event, _| text(&event.policies_evaluated)),
    ("metadata", "json", "json", |event, _| event.metadata.clone()),
    ("labels", "list<text>", "text[]", |_, random| Some(labels(random))),
    ("retry_ms", "list<int32>", "integer[]", |_, random| random.chance(60).then(|| list(random, number))),
    ("scores", "list<float64>", "double precision[]", |_, random| Some(list(random, fraction::<f64>))),
    ("prices_usd", "list<decimal(12,6)>", "numeric(12,6)[]", |_, random| Some(list(random, price))),
    ("related_ids", "list<uuid>", "uuid[]", |_, random| Some(list(random, quoted_uuid))),
    ("seen_at", "list<timestamp(us,UTC)>", "timestamp with time zone[]", |event, random| Some(times(event, random))),
    ("answers", "list<json>", "json[]", |_, random| Some(list(random, answer))),
];

/// Events as the lines of a CSV file of an archive, from which they are decoded.
#[derive(Debug, Default)]
pub(super) struct TypedColumns {
    lines: String,
}

impl TypedColumns {
    /// Appends an event. The values that it has in addition depend on it alone.
    pub(super) fn push(&mut self, event: &Event) {
        let mut random = Random::seeded(&[event.timestamp.cast_unsigned(), event.cost_micros.cast_unsigned()]);
        for (index, (.., value)) in COLUMNS.iter().enumerate() {
            if index > 0 {
                self.lines.push(',');
            }
            if let Some(value) = value(event, &mut random) {
                self.push_field(&value);
            }
        }
        self.lines.push('\n');
    }

    fn push_field(&mut self, value: &str) {
        if value.is_empty() || value.contains([',', '"', '\n', '\r']) {
            self.lines.push('"');
            self.lines.push_str(&value.replace('"', "\"\""));
            self.lines.push('"');
        } else {
            self.lines.push_str(value);
        }
    }

    pub(super) fn finish(self) -> Result<EventBatch> {
        let schema = Arc::new(schema()?);
        let header = COLUMNS.map(|(name, ..)| name).join(",") + "\n";
        let not_typed = |error| bug("generated events do not have the types of their columns").with_source(error);
        let (layout, _) = ArchivedLayout::from_header(header.as_bytes(), &schema).map_err(not_typed)?;
        let events = layout.decode(self.lines.as_bytes()).map_err(not_typed)?;
        if let Some(events) = events {
            return Ok(events);
        }
        let nothing = RecordBatch::new_empty(schema.to_arrow());
        EventBatch::try_new(schema, nothing)
            .map_err(|error| bug("no events do not fit their schema").with_source(error))
    }
}

fn schema() -> Result<Schema> {
    let columns = COLUMNS.iter().enumerate().map(|(index, (name, kind, source_type, _))| {
        let kind = kind.parse().map_err(|error| bug("a generated column has an unknown type").with_source(error))?;
        let source_type = Some((*source_type).to_owned());
        Ok(Column { name: (*name).to_owned(), kind, source_type, nullable: index > 1 })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Schema::new(columns, COLUMNS[0].0, COLUMNS[1].0)
        .map_err(|error| bug("generated columns are no events").with_source(error))
}

#[expect(clippy::unnecessary_wraps, reason = "a value of the table")]
fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

/// The time of an event and `seconds`, in UTC.
fn time(event: &Event, seconds: i64) -> String {
    Timestamp::from_micros(event.timestamp + seconds * 1_000_000).to_string()
}

/// The time of an event on clocks one hour ahead of UTC.
fn local(event: &Event) -> String {
    time(event, 3_600).trim_end_matches('Z').to_owned()
}

fn part(text: &str, range: std::ops::Range<usize>) -> Option<String> {
    text.get(range).map(str::to_owned)
}

/// A number of units with `scale` digits after the point.
fn decimal(units: u64, scale: usize) -> String {
    let digits = format!("{units:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{whole}.{fraction}")
}

/// A number from 0.00001 to 1, in the fewest digits that parse to the same value of the type `T`.
fn fraction<T: std::str::FromStr + std::fmt::Display>(random: &mut Random) -> String {
    let written = decimal(10 + random.below(999_990), 6);
    written.parse::<T>().map_or(written, |number| number.to_string())
}

/// As PostgreSQL prints an interval of milliseconds.
fn interval(milliseconds: i64) -> String {
    let (seconds, fraction) = (milliseconds / 1_000, milliseconds % 1_000);
    let text = format!("00:00:{seconds:02}.{fraction:03}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn digest(random: &mut Random) -> String {
    (0..4).map(|_| format!("{:016x}", random.next())).collect::<Vec<_>>().concat()
}

/// A list of up to three elements, some of which are NULL.
fn list(random: &mut Random, element: fn(&mut Random) -> String) -> String {
    let elements = (0..random.below(4)).map(|_| if random.chance(10) { "null".to_owned() } else { element(random) });
    format!("[{}]", elements.collect::<Vec<_>>().join(","))
}

fn labels(random: &mut Random) -> String {
    const LABELS: [&str; 5] = [r#""urgent""#, r#""billing""#, r#""say \"please\"""#, r#""línea 1\nlínea 2""#, r#""""#];
    list(random, |random| random.pick(&LABELS).to_owned())
}

fn number(random: &mut Random) -> String {
    random.below(5_000).to_string()
}

fn price(random: &mut Random) -> String {
    decimal(random.below(1_000_000_000), 6)
}

fn quoted_uuid(random: &mut Random) -> String {
    format!("\"{}\"", super::event::uuid(random))
}

fn times(event: &Event, random: &mut Random) -> String {
    let count = i64::from(random.chance(50)) + i64::from(random.chance(50));
    let times = (1..=count).map(|second| format!("\"{}\"", time(event, second)));
    format!("[{}]", times.collect::<Vec<_>>().join(","))
}

fn answer(random: &mut Random) -> String {
    format!(r#"{{"rank": {}, "text": "yes, \"yes\""}}"#, random.below(9))
}
