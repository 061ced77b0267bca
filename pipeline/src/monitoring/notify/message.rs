//! The message to a recipient. Its fields are a contract: docs/monitoring.md documents them.

use super::super::{Attempt, Finished};
use crate::{
    exit::ExitCode,
    human::count,
    replicate::{ReplicaReport, ReplicaState},
    report::Failure,
    run::{MonthReport, MonthState, RunReport},
};
use archive_formats::{Dataset, Head, Month, Timestamp, printable};
use serde::Serialize;
use std::cmp::Reverse;

/// Months in a message at most: those of a long backfill would not fit.
const MAX_MONTHS: usize = 100;
/// Characters of an error text at most.
const MAX_CHARS: usize = 500;

/// The JSON document of a webhook.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Message {
    /// One line, under the key that chat tools show.
    pub(super) text: String,
    pub(super) event: Event,
    command: &'static str,
    /// The archive's URL, without secrets.
    archive: String,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    seconds: Option<f64>,
    pub(super) exit: Option<u8>,
    error: Option<ErrorSummary>,
    head: Option<Head>,
    /// In the order of the run. If not all fit, failed ones take precedence.
    months: Vec<MonthSummary>,
    /// Number of months not listed.
    months_left_out: usize,
    replicas: Vec<ReplicaSummary>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Event {
    Started,
    Succeeded,
    Failed,
}

#[derive(Clone, Debug, Serialize)]
struct ErrorSummary {
    message: String,
    hint: String,
}

#[derive(Clone, Debug, Serialize)]
struct MonthSummary {
    dataset: Dataset,
    month: Month,
    state: MonthState,
    events: Option<u64>,
    bytes: u64,
    seconds: f64,
    error: Option<ErrorSummary>,
}

#[derive(Clone, Debug, Serialize)]
struct ReplicaSummary {
    url: String,
    state: ReplicaState,
    error: Option<ErrorSummary>,
}

impl Message {
    /// The message that a run begins.
    pub(super) fn started(archive: &str, attempt: &Attempt) -> Self {
        let Attempt { command, started, .. } = attempt;
        Self {
            text: line(&format!("kt-archive {command} started; {} {archive}", attempt.tier.noun())),
            event: Event::Started,
            command,
            archive: archive.to_owned(),
            started_at: *started,
            ended_at: None,
            seconds: None,
            exit: None,
            error: None,
            head: None,
            months: Vec::new(),
            months_left_out: 0,
            replicas: Vec::new(),
        }
    }

    /// The message how a run ended.
    pub(super) fn finished(archive: &str, finished: &Finished) -> Self {
        let Finished { attempt, ended, exit, error, report, .. } = finished;
        let months = report.as_ref().map_or(&[][..], |report| &report.months);
        let listed = listed(months);
        let replicas = report.iter().flat_map(|report| &report.replicas);
        Self {
            text: text(archive, finished),
            event: if *exit == ExitCode::Done { Event::Succeeded } else { Event::Failed },
            ended_at: Some(*ended),
            seconds: Some(attempt.started.distance(*ended).as_secs_f64()),
            exit: Some(exit.code()),
            error: error.as_ref().map(ErrorSummary::from),
            head: report.as_ref().and_then(|report| report.head),
            months_left_out: months.len() - listed.len(),
            months: listed,
            replicas: replicas.map(ReplicaSummary::from).collect(),
            ..Self::started(archive, attempt)
        }
    }

    /// Plain text for the body of a ping: the line, the hint, and the failures.
    pub(super) fn details(&self) -> String {
        let hint = self.error.iter().map(|error| format!("hint: {}\n", error.hint));
        let months = self.months.iter().filter_map(|month| {
            let error = month.error.as_ref()?;
            Some(format!("{} {}: {}\n", month.dataset, month.month, error.message))
        });
        let replicas = self.replicas.iter().filter_map(|replica| {
            let error = replica.error.as_ref()?;
            Some(format!("replica {}: {}\n", replica.url, error.message))
        });
        std::iter::once(format!("{}\n", self.text)).chain(hint).chain(months).chain(replicas).collect()
    }
}

impl From<&Failure> for ErrorSummary {
    fn from(failure: &Failure) -> Self {
        Self { message: cut(&failure.message), hint: cut(&failure.hint) }
    }
}

impl From<&MonthReport> for MonthSummary {
    fn from(report: &MonthReport) -> Self {
        Self {
            dataset: report.dataset.clone(),
            month: report.month,
            state: report.state,
            events: report.events.map(|events| events.archived),
            bytes: report.bytes,
            seconds: report.seconds,
            error: report.error.as_ref().map(ErrorSummary::from),
        }
    }
}

impl From<&ReplicaReport> for ReplicaSummary {
    fn from(report: &ReplicaReport) -> Self {
        Self { url: report.url.clone(), state: report.state, error: report.error.as_ref().map(ErrorSummary::from) }
    }
}

/// At most [`MAX_MONTHS`]: failed ones first, then the latest.
fn listed(months: &[MonthReport]) -> Vec<MonthSummary> {
    let mut chosen = months.iter().enumerate().collect::<Vec<_>>();
    chosen.sort_by_key(|(index, month)| (month.error.is_none(), Reverse(*index)));
    chosen.truncate(MAX_MONTHS);
    chosen.sort_by_key(|(index, _)| *index);
    chosen.into_iter().map(|(_, month)| MonthSummary::from(month)).collect()
}

fn text(archive: &str, finished: &Finished) -> String {
    let Finished { attempt, exit, error, report, .. } = finished;
    let command = attempt.command;
    let result = match error {
        _ if *exit == ExitCode::Done => format!(
            "kt-archive {command} succeeded: {}",
            finished.summary.clone().unwrap_or_else(|| summary(report.as_ref()))
        ),
        Some(error) => format!("kt-archive {command} failed (exit {}): {}", exit.code(), cut(&error.message)),
        None => format!("kt-archive {command} failed (exit {})", exit.code()),
    };
    line(&format!("{result}; {} {archive}", attempt.tier.noun()))
}

fn summary(report: Option<&RunReport>) -> String {
    let months = report.map_or(&[][..], |report| &report.months);
    let archived = || months.iter().filter(|month| month.state == MonthState::Archived);
    let events = archived().filter_map(|month| month.events).map(|events| events.archived).sum::<u64>();
    match archived().count() as u64 {
        0 => "every month was archived before".to_owned(),
        months => format!("{} with {} archived", count(months, "month"), count(events, "event")),
    }
}

/// Makes `text` one line without markup and hidden characters. Chat tools interpret `<`, `>` and `@`, up to mentions of a whole channel, and
/// error texts may come from a server.
fn line(text: &str) -> String {
    let replace = |letter| match letter {
        '<' => '‹',
        '>' => '›',
        '@' => '＠',
        letter => letter,
    };
    printable(text).chars().map(replace).collect()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitoring::metrics::Work;
    use archive_formats::{Sha256, manifest::EventCounts};
    use serde_json::{Value, json};

    fn month(number: u8, error: Option<&str>) -> MonthReport {
        let events = error.is_none().then(|| EventCounts { read: 7, archived: 7, ..EventCounts::default() });
        let failure =
            |message: &str| Failure { message: message.to_owned(), hint: "do this".to_owned(), exit: ExitCode::Source };
        MonthReport {
            dataset: "events".parse().unwrap(),
            month: format!("{}-{:02}", 2000 + u32::from(number) / 12, number % 12 + 1).parse().unwrap(),
            state: if error.is_none() { MonthState::Archived } else { MonthState::Failed },
            sequence: None,
            manifest_sha256: None,
            events,
            files: 1,
            bytes: 9,
            seconds: 0.5,
            error: error.map(failure),
            is_tried: true,
        }
    }

    fn finished(exit: ExitCode, error: Option<&str>, months: Vec<MonthReport>) -> Finished {
        let started = "2025-04-01T04:00:00Z".parse().unwrap();
        let head = Some(Head { sequence: 3, sha256: Sha256::digest(b"abc") });
        Finished {
            attempt: Attempt { command: "run", tier: crate::monitoring::Tier::Events, started },
            ended: "2025-04-01T04:01:00.500Z".parse().unwrap(),
            exit,
            error: error.map(|message| Failure { message: message.to_owned(), hint: "do this".to_owned(), exit }),
            report: Some(RunReport { head, months, ..RunReport::default() }),
            summary: None,
            work: Work::default(),
        }
    }

    fn document(message: &Message) -> Value {
        serde_json::to_value(message).unwrap()
    }

    #[test]
    fn all_messages_have_the_same_fields() {
        let attempt = Attempt {
            command: "run",
            tier: crate::monitoring::Tier::Events,
            started: "2025-04-01T04:00:00Z".parse().unwrap(),
        };
        let started = document(&Message::started("s3://bucket/a", &attempt));
        assert_eq!(
            started,
            json!({
                "text": "kt-archive run started; archive s3://bucket/a", "event": "started", "command": "run",
                "archive": "s3://bucket/a", "started_at": "2025-04-01T04:00:00.000000Z", "ended_at": null,
                "seconds": null, "exit": null, "error": null, "head": null, "months": [], "months_left_out": 0,
                "replicas": [],
            })
        );
        let ended =
            document(&Message::finished("s3://bucket/a", &finished(ExitCode::Done, None, vec![month(0, None)])));
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&ended), keys(&started));
        assert_eq!(ended["text"], "kt-archive run succeeded: 1 month with 7 events archived; archive s3://bucket/a");
        assert_eq!(
            (&ended["event"], &ended["exit"], &ended["seconds"]),
            (&json!("succeeded"), &json!(0), &json!(60.5))
        );
        assert_eq!(
            ended["months"],
            json!([{"dataset": "events", "month": "2000-01", "state": "archived", "events": 7, "bytes": 9,
                    "seconds": 0.5, "error": null}])
        );
    }

    #[test]
    fn nonzero_exit_codes_are_failures() {
        for exit in [ExitCode::Partial, ExitCode::Incomplete, ExitCode::TryLater, ExitCode::Terminated] {
            let message = Message::finished("a", &finished(exit, None, vec![month(0, None)]));
            assert_eq!((message.event, message.exit), (Event::Failed, Some(exit.code())));
        }
    }

    #[test]
    fn long_backfill_is_cut_and_lists_failures() {
        let months = (0..=240).map(|number| month(number, (number == 3).then_some("no answer"))).collect();
        let message = document(&Message::finished("a", &finished(ExitCode::Partial, Some("no answer"), months)));
        let listed = message["months"].as_array().unwrap();
        assert_eq!((listed.len(), &message["months_left_out"]), (MAX_MONTHS, &json!(141)));
        assert_eq!((&listed[0]["month"], &listed[0]["error"]["message"]), (&json!("2000-04"), &json!("no answer")));
        assert_eq!(listed[MAX_MONTHS - 1]["month"], "2020-01", "the latest");
        let endless = (0..=240).map(|number| month(number, Some(&"x".repeat(1_000_000)))).collect();
        let message = Message::finished("a", &finished(ExitCode::Source, Some(&"ä".repeat(1_000_000)), endless));
        assert!(serde_json::to_string(&message).unwrap().len() < 100_000);
        assert!(message.details().len() < 100_000);
    }

    #[test]
    fn text_has_no_mentions_and_no_line_feeds() {
        let error = Some("answer: <!channel> @all\n\u{1b}[31m");
        let message = Message::finished("a", &finished(ExitCode::Source, error, Vec::new()));
        assert_eq!(message.text, "kt-archive run failed (exit 6): answer: ‹!channel› ＠all\\n\\u001b[31m; archive a");
    }

    #[test]
    fn details_list_failures_and_hints() {
        let mut finished =
            finished(ExitCode::Partial, Some("no answer"), vec![month(0, None), month(1, Some("no answer"))]);
        finished.error.as_mut().unwrap().hint = "do this".to_owned();
        let details = Message::finished("a", &finished).details();
        let expected =
            "kt-archive run failed (exit 3): no answer; archive a\nhint: do this\nevents 2000-02: no answer\n";
        assert_eq!(details, expected);
    }
}
