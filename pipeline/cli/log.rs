//! Log lines for people: a sentence for each event, as the errors of the program are. With `--verbose`, the lines have
//! time, module and fields instead.

use archive::{
    human,
    style::{Style, Tone},
};
use std::fmt::{self, Debug};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Target of the events of retried calls to sources.
const RETRY: &str = "archive_connectors::retry";

/// Formats events as sentences.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sentences(pub(super) Style);

impl<S, N> FormatEvent<S, N> for Sentences
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (word, tone) = match *event.metadata().level() {
            Level::ERROR => ("error:", Tone::Bad),
            Level::WARN => ("warning:", Tone::Warn),
            _ => ("note:", Tone::Faint),
        };
        let sentence = if event.metadata().target() == RETRY { fields.retry() } else { fields.sentence() };
        writeln!(writer, "{} {sentence}", self.0.paint(tone, word))
    }
}

/// The fields of an event as text.
#[derive(Debug, Default)]
struct Fields(Vec<(&'static str, String)>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}

impl Fields {
    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| *field == name).map_or("", |(_, value)| value)
    }

    /// `could not list the export jobs: the server answered 503; trying again in 2.0 s (2 of 6)`.
    fn retry(&self) -> String {
        let wait = self.get("wait_ms").parse::<f64>().unwrap_or_default() / 1_000.0;
        let (error, next, all) = (self.get("error"), self.get("attempt"), self.get("attempts"));
        format!("{error}; trying again in {} ({next} of {all})", human::time(wait))
    }

    /// The message, its cause, the other fields in parentheses, and the hint.
    fn sentence(&self) -> String {
        let mut sentence = self.get("message").to_owned();
        let is_cause = |name: &str| matches!(name, "error" | "reason");
        for (_, cause) in self.0.iter().filter(|(name, _)| is_cause(name)) {
            sentence = format!("{sentence}: {cause}");
        }
        let others = self.0.iter().filter(|(name, _)| !is_cause(name) && !matches!(*name, "message" | "hint"));
        let others = others.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", ");
        if !others.is_empty() {
            sentence = format!("{sentence} ({others})");
        }
        match self.get("hint") {
            "" => sentence,
            hint => format!("{sentence}; {hint}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io,
        sync::{Arc, Mutex},
    };
    use tracing_subscriber::layer::SubscriberExt as _;

    /// What an event becomes.
    fn printed(event: impl FnOnce()) -> String {
        #[derive(Clone, Default)]
        struct Buffer(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Buffer {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = tracing_subscriber::fmt::layer().event_format(Sentences(Style::plain()));
        let layer = layer.with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), event);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_retry_is_a_sentence() {
        let error = "could not create an export job: the server answered 503";
        let text = printed(|| {
            tracing::warn!(target: RETRY, %error, wait_ms = 1_960_u64, attempt = 2, attempts = 6, "waiting for another try");
        });
        assert_eq!(text, format!("warning: {error}; trying again in 2.0 s (2 of 6)\n"));
    }

    #[test]
    fn other_events_name_cause_fields_and_hint() {
        let text = printed(|| tracing::warn!(file = "a.csv", hint = "do this", error = "no", "could not read"));
        assert_eq!(text, "warning: could not read: no (file: a.csv); do this\n");
        assert_eq!(printed(|| tracing::error!("{}", "plain")), "error: plain\n");
    }
}
