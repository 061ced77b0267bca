//! Events as CSV artifacts hold them, including values that careless tools damage.

use super::archive::sha256;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, SecondsFormat, TimeDelta, Utc};
use std::io::{self, Write};

/// The columns of an artifact in order.
pub(crate) const COLUMNS: [&str; 14] = [
    "id",
    "timestamp",
    "decision",
    "policies_evaluated",
    "model",
    "provider",
    "gateway_id",
    "user_id",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "latency_ms",
    "metadata",
    "note",
];

/// One event: the text of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event(pub(crate) [String; 14]);

impl Event {
    /// An ordinary event with this id and time.
    pub(crate) fn at(id: impl Into<String>, timestamp: impl Into<String>) -> Self {
        let policies = r#"[{"name":"pii","result":"pass","latency_ms":3}]"#;
        let metadata = r#"{"region": "eu-central-1"}"#;
        let rest = ["gpt-4o", "openai", "gw_prod_east", "user_7", "812", "164", "0.003700", "431", metadata, ""];
        let mut fields = vec![id.into(), timestamp.into(), "allowed".to_owned(), policies.to_owned()];
        fields.extend(rest.map(str::to_owned));
        Self(fields.try_into().unwrap())
    }

    /// The same event with another value in a column.
    pub(crate) fn with(mut self, column: &str, value: impl Into<String>) -> Self {
        let index = COLUMNS.iter().position(|name| *name == column);
        self.0[index.unwrap()] = value.into();
        self
    }

    pub(crate) fn id(&self) -> &str {
        &self.0[0]
    }

    /// Its time, if that is valid.
    pub(crate) fn time(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(&self.0[1]).ok().map(|time| time.to_utc())
    }
}

/// The first instant of `month`, such as `2025-03`.
pub(crate) fn start_of(month: &str) -> DateTime<Utc> {
    let day = NaiveDate::parse_from_str(&format!("{month}-01"), "%Y-%m-%d").unwrap();
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// The month `count` months after `month`; a negative count goes back.
pub(crate) fn month_after(month: &str, count: i32) -> String {
    let start = start_of(month);
    let months = Months::new(count.unsigned_abs());
    let moved = if count < 0 { start - months } else { start + months };
    format!("{:04}-{:02}", moved.year(), moved.month())
}

/// RFC 3339 with microseconds, as the platform writes it.
pub(crate) fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// `count` events spread over `month`, newest first as the platform lists them.
pub(crate) fn month(month: &str, count: u32) -> Vec<Event> {
    let start = start_of(month);
    let length = start + Months::new(1) - start;
    let event = |index: u32| {
        let time = start + length / i32::try_from(count).unwrap() * i32::try_from(index).unwrap();
        let time = time + TimeDelta::microseconds(i64::from(index % 7));
        varied(index, &format!("evt_{month}_{index:06}"), &written(time))
    };
    (0..count).rev().map(event).collect()
}

/// `length` hexadecimal digits, other ones for each `index`. They compress to half their size, so that a few thousand
/// events fill several files of the smallest part size.
pub(crate) fn digits(index: u32, length: usize) -> String {
    let blocks = (0_u32..).map(|block| sha256(&[index.to_be_bytes(), block.to_be_bytes()].concat()));
    let text = blocks.take(length.div_ceil(64)).collect::<String>();
    text[..length].to_owned()
}

fn varied(index: u32, id: &str, timestamp: &str) -> Event {
    let pick = |words: &[&str]| words[index as usize % words.len()].to_owned();
    Event::at(id, timestamp)
        .with("decision", pick(&["allowed", "allowed", "blocked", "redacted", "escalated"]))
        .with("model", pick(&["gpt-4o", "claude-sonnet-4", "mistral-large"]))
        .with("user_id", format!("user_{}", index % 97))
        .with("input_tokens", (index * 37 % 4000).to_string())
        .with("cost_usd", format!("0.{:06}", index * 131 % 1_000_000))
        .with("latency_ms", (index * 17 % 9000).to_string())
}

/// Events at the last instant of the month before, the first and last of `month`, and the first of the next.
pub(crate) fn edges(month: &str) -> [Event; 4] {
    let start = start_of(month);
    let next = start + Months::new(1);
    let tick = TimeDelta::microseconds(1);
    let event = |name: &str, time| Event::at(format!("edge_{month}_{name}"), written(time));
    [event("before", start - tick), event("first", start), event("last", next - tick), event("after", next)]
}

/// Events of `month` whose values careless readers and writers damage.
pub(crate) fn difficult(month: &str) -> Vec<Event> {
    let start = start_of(month) + Days::new(9);
    let values = [
        ("note", "comma, \"quoted\" and 'single'"),
        ("note", "two\nlines"),
        ("note", "carriage\r\nreturn"),
        ("note", "Grüße, 東京, עברית, 🦀, e\u{301}"),
        ("note", " leading and trailing "),
        ("note", "\u{feff}mark inside"),
        ("note", "=cmd|' /C calc'!A0"),
        ("note", "NULL"),
        ("note", "null"),
        ("note", "back\\slash \\N"),
        ("note", "tab\there"),
        ("metadata", r#"{"text": "a \"b\"", "number": 1.10, "nested": {"list": [1, 2, 3]}}"#),
        ("cost_usd", "0.000001"),
        ("cost_usd", "123456.654321"),
        ("cost_usd", "12345678901234567890.123456789012345678"),
        ("cost_usd", "-0.5"),
        ("cost_usd", ""),
        ("input_tokens", "9007199254740993"),
        ("latency_ms", ""),
        ("user_id", "00420"),
        ("user_id", "1e5"),
    ];
    let event = |(index, (column, value)): (usize, &(&str, &str))| {
        let time = start + TimeDelta::microseconds(123_457 * i64::try_from(index).unwrap());
        Event::at(format!("difficult_{index:02}"), written(time)).with(column, *value)
    };
    values.iter().enumerate().map(event).collect()
}

/// A CSV artifact with these events.
pub(crate) fn csv<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<u8> {
    let mut bytes = header();
    for event in events {
        write_row(&mut bytes, event).unwrap();
    }
    bytes
}

/// The first line of a CSV artifact.
pub(crate) fn header() -> Vec<u8> {
    format!("{}\r\n", COLUMNS.join(",")).into_bytes()
}

/// Writes an event as a record of RFC 4180.
pub(crate) fn write_row(writer: &mut dyn Write, event: &Event) -> io::Result<()> {
    for (index, field) in event.0.iter().enumerate() {
        if index > 0 {
            writer.write_all(b",")?;
        }
        if field.contains([',', '"', '\n', '\r']) {
            write!(writer, "\"{}\"", field.replace('"', "\"\""))?;
        } else {
            writer.write_all(field.as_bytes())?;
        }
    }
    writer.write_all(b"\r\n")
}
