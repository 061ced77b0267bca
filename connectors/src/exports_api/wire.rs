//! The JSON of requests and responses. Parsing is tolerant: the platform documents several shapes of the same response.

use super::config::ArtifactFormat;
use archive_formats::{
    Dataset, Sha256, Window,
    decode::json::{
        Harmless,
        spelling::{folded, tells_of_a_part, whole_number},
    },
    printable::is_hidden,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The body of a create call, the same for every layout.
#[derive(Debug, Serialize)]
pub(super) struct CreateRequest<'a> {
    r#type: &'a str,
    format: ArtifactFormat,
    filters: Filters,
}

#[derive(Debug, Serialize)]
struct Filters {
    from: String,
    to: String,
}

impl<'a> CreateRequest<'a> {
    pub(super) fn new(dataset: &'a Dataset, format: ArtifactFormat, window: Window) -> Self {
        let filters = Filters { from: window.from().to_seconds_string(), to: window.to().to_seconds_string() };
        Self { r#type: dataset.as_str(), format, filters }
    }
}

/// The id of a job. It becomes part of paths and messages, so it holds neither `/` nor hidden characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct JobId(String);

/// A text that cannot be the id of a job.
#[derive(Debug, thiserror::Error)]
#[error("not a job id")]
pub(super) struct JobIdError;

impl JobId {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for JobId {
    type Error = JobIdError;

    fn try_from(text: String) -> Result<Self, JobIdError> {
        const LONGEST: usize = 200;
        // A path that ends in `.` or `..` would be another endpoint; some tools print `null` for no id.
        let reserved = text.trim().is_empty() || matches!(text.as_str(), "null" | "." | "..");
        let valid =
            !reserved && text.len() <= LONGEST && !text.chars().any(|letter| letter == '/' || is_hidden(letter));
        if valid { Ok(Self(text)) } else { Err(JobIdError) }
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A job as a response describes it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: Option<JobId>,
    pub(super) status: Status,
    /// The address of the artifact, if the job names one. May be relative, and may hold a signature.
    pub(super) target: Option<String>,
    /// Why the job failed, as the server describes it.
    pub(super) reason: Option<String>,
    pub(super) claims: Claims,
}

/// Rows, size and digest of an artifact, as its job describes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) rows: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) sha256: Option<Sha256>,
}

const IDS: [&str; 3] = ["id", "job_id", "export_id"];
const JOBS: [&str; 3] = ["data", "job", "export"];
const ARTIFACTS: [&str; 7] = ["artifact", "result", "data", "job", "export", "file", "output"];
/// Inside a job alone: beside one, they are about the answer.
const DETAILS: [&str; 3] = ["meta", "metadata", "summary"];
const STATUSES: [&str; 2] = ["status", "state"];
const TARGETS: [&str; 3] = ["download_url", "artifact_url", "url"];
const REASONS: [&str; 5] = ["error", "error_message", "message", "reason", "detail"];
const ROWS: [&str; 10] = [
    "row_count",
    "rows",
    "event_count",
    "events_count",
    "record_count",
    "records",
    "total_rows",
    "total_events",
    "total",
    "count",
];
const SIZES: [&str; 7] =
    ["size", "size_bytes", "bytes", "artifact_size", "artifact_bytes", "file_size", "content_length"];
const DIGESTS: [&str; 5] = ["sha256", "artifact_sha256", "checksum_sha256", "checksum", "digest"];

impl Job {
    pub(super) fn from_json(response: &Value) -> Self {
        let job = job_object(response);
        let status = find(&[job, response], &STATUSES, Value::as_str);
        let objects = nested_objects(job, response);
        Self {
            id: find(&[job], &IDS, job_id),
            status: Status::parse(status.unwrap_or_default()),
            target: find(&objects, &TARGETS, |value| value.as_str().filter(|url| !url.is_empty()).map(str::to_owned)),
            reason: find(&[job, response], &REASONS, reason),
            claims: Claims {
                rows: find(&objects, &ROWS, whole_number),
                bytes: find(&objects, &SIZES, whole_number),
                sha256: find(&objects, &DIGESTS, sha256),
            },
        }
    }
}

/// The name of a member, at any depth and not `harmless`, which tells that the artifact is a part of the events:
/// `truncated`, `has_more`.
pub(super) fn left_out<'a>(response: &'a Value, harmless: &Harmless) -> Option<&'a str> {
    match response {
        Value::Object(members) => members.iter().find_map(|(name, value)| match value {
            _ if harmless.contains(name) => None,
            value if tells_of_a_part(name, value) => Some(name.as_str()),
            value => left_out(value, harmless),
        }),
        Value::Array(elements) => elements.iter().find_map(|element| left_out(element, harmless)),
        _ => None,
    }
}

/// The name of a count, in a job and not `harmless`, that differs from the job's first one: it may be of more events.
pub(super) fn other_count<'a>(response: &'a Value, harmless: &Harmless) -> Option<&'a str> {
    let job = job_object(response);
    let mut first = None;
    for object in objects_of(job) {
        for name in ROWS {
            let Some((name, count)) = member(object, name).filter(|(name, _)| !harmless.contains(name)) else {
                continue;
            };
            let Some(count) = whole_number(count) else { continue };
            if *first.get_or_insert(count) != count {
                return Some(name);
            }
        }
    }
    None
}

/// What was read from a response about a job, for fuzzing.
#[cfg(feature = "testing")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadJob {
    /// The id.
    pub id: Option<String>,
    /// The phase and the word of its status.
    pub status: (String, String),
    /// The address of the artifact.
    pub target: Option<String>,
    /// Why the job failed.
    pub reason: Option<String>,
    /// Rows, size and digest of the artifact.
    pub claims: (Option<u64>, Option<u64>, Option<Sha256>),
    /// The member that tells that events are left out.
    pub left_out: Option<String>,
    /// The count that differs from the first one.
    pub other_count: Option<String>,
}

/// Reads a response about a job, for fuzzing.
#[cfg(feature = "testing")]
pub fn read_job(response: &Value) -> ReadJob {
    let Job { id, status, target, reason, claims } = Job::from_json(response);
    ReadJob {
        id: id.map(String::from),
        status: (format!("{:?}", status.phase), status.word),
        target,
        reason,
        claims: (claims.rows, claims.bytes, claims.sha256),
        left_out: left_out(response, &Harmless::default()).map(str::to_owned),
        other_count: other_count(response, &Harmless::default()).map(str::to_owned),
    }
}

/// The object of the job: the response, or a member of it. An envelope may have a status of its own, that of the call.
fn job_object(response: &Value) -> &Value {
    let has_id = |object: &Value| find(&[object], &IDS, job_id).is_some();
    let is_job = |object: &&Value| has_id(object) || find(&[object], &STATUSES, Value::as_str).is_some();
    let wrapped = || JOBS.iter().filter_map(|name| response.get(name)).find(is_job);
    if has_id(response) { response } else { wrapped().unwrap_or(response) }
}

/// The objects that may have the claims of a job, nearest first.
fn nested_objects<'a>(job: &'a Value, response: &'a Value) -> Vec<&'a Value> {
    objects_of(job).chain([response]).chain(objects_within(response, &ARTIFACTS)).collect()
}

/// A job and the objects in it that describe its artifact.
fn objects_of(job: &Value) -> impl Iterator<Item = &Value> {
    [job].into_iter().chain(objects_within(job, &ARTIFACTS)).chain(objects_within(job, &DETAILS))
}

fn objects_within<'a>(object: &'a Value, names: &'static [&str]) -> impl Iterator<Item = &'a Value> {
    names.iter().filter_map(|name| object.get(name)).filter(|value| value.is_object())
}

fn find<'a, T>(objects: &[&'a Value], names: &[&str], read: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
    objects
        .iter()
        .find_map(|object| names.iter().filter_map(|name| member(object, name)).find_map(|(_, value)| read(value)))
}

/// The member `name`, in any case and with any separators, and its name.
fn member<'a>(object: &'a Value, name: &str) -> Option<(&'a str, &'a Value)> {
    let members = object.as_object()?;
    let same = |key: &str| folded(key) == folded(name);
    let found = members.get_key_value(name).or_else(|| members.iter().find(|(key, _)| same(key)));
    found.map(|(name, value)| (name.as_str(), value))
}

fn job_id(value: &Value) -> Option<JobId> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    text.try_into().ok()
}

fn reason(value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value.get("message")?.as_str());
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn sha256(value: &Value) -> Option<Sha256> {
    let text = value.as_str()?.trim();
    let digits = match text.split_at_checked("sha256:".len()) {
        Some((prefix, digits)) if prefix.eq_ignore_ascii_case("sha256:") => digits,
        _ => text,
    };
    digits.parse().ok()
}

/// The phase of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting,
    Done,
    Failed,
    /// Finished, but the artifact is no longer kept.
    Expired,
    /// An undocumented word. The job may never end.
    Unknown,
}

/// The status of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) phase: Phase,
    /// The server's word, short and printable.
    pub(super) word: String,
}

impl Status {
    /// Parses `word`, in any case, with `_`, `-` or spaces between its parts.
    pub(super) fn parse(word: &str) -> Self {
        const LONGEST: usize = 40;
        let folded = word.trim().to_lowercase().replace(['-', ' '], "_");
        let shown = word.trim().chars().filter(|letter| !is_hidden(*letter)).take(LONGEST).collect();
        Self { phase: phase(&folded), word: shown }
    }
}

fn phase(word: &str) -> Phase {
    match word {
        "queued" | "pending" | "created" | "accepted" | "scheduled" | "submitted" | "waiting" | "processing"
        | "running" | "in_progress" | "started" | "exporting" => Phase::Waiting,
        "completed" | "complete" | "succeeded" | "success" | "done" | "finished" | "ready" | "available" => Phase::Done,
        "failed" | "failure" | "error" | "errored" | "cancelled" | "canceled" | "aborted" | "rejected"
        | "timed_out" => Phase::Failed,
        "expired" | "deleted" | "purged" => Phase::Expired,
        _ => Phase::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn id(response: &Value) -> Option<String> {
        Job::from_json(response).id.map(String::from)
    }

    #[test]
    fn the_body_of_a_create_call_is_the_documented_one() {
        let window = "2025-03".parse::<archive_formats::Month>().unwrap().window();
        let dataset = "audit-log".parse().unwrap();
        let body = serde_json::to_value(CreateRequest::new(&dataset, ArtifactFormat::Csv, window)).unwrap();
        let filters = json!({"from": "2025-03-01T00:00:00Z", "to": "2025-04-01T00:00:00Z"});
        assert_eq!(body, json!({"type": "audit-log", "format": "csv", "filters": filters}));
    }

    #[test]
    fn finds_ids_of_every_name_in_every_wrapper() {
        for name in ["id", "job_id", "export_id", "jobId"] {
            assert_eq!(id(&json!({ name: "exp_1" })).as_deref(), Some("exp_1"));
            assert_eq!(id(&json!({ name: 17 })).as_deref(), Some("17"));
            for wrapper in ["data", "job", "export"] {
                assert_eq!(id(&json!({ wrapper: { name: "exp-2" } })).as_deref(), Some("exp-2"), "{wrapper}.{name}");
            }
        }
    }

    #[test]
    fn refuses_ids_that_would_be_other_paths() {
        for bad in [
            json!("null"),
            json!(""),
            json!(" "),
            Value::Null,
            json!("a/b"),
            json!("a\nb"),
            json!("a\u{202e}b"),
            json!(".."),
            json!(true),
            json!({}),
        ] {
            assert_eq!(id(&json!({ "id": bad })), None, "{bad}");
        }
        assert_eq!(id(&json!("exp_1")), None);
        assert_eq!(id(&json!({"id": null, "job_id": "exp_3"})).as_deref(), Some("exp_3"));
    }

    #[test]
    fn the_status_of_an_envelope_is_not_the_status_of_its_job() {
        let job = Job::from_json(&json!({"status": "success", "data": {"id": "exp_1", "status": "queued"}}));
        assert_eq!(job.status.phase, Phase::Waiting);
        let job = Job::from_json(&json!({"state": "DONE", "data": {"id": "exp_1"}}));
        assert_eq!(job.status.phase, Phase::Done);
        let job = Job::from_json(&json!({"status": "success", "data": {"status": "processing"}}));
        assert_eq!(job.status.phase, Phase::Waiting);
    }

    #[test]
    fn a_wrapped_job_without_an_id_has_a_status() {
        for wrapper in ["data", "job", "export"] {
            let job = Job::from_json(&json!({ wrapper: {"state": "done", "row_count": 7} }));
            assert_eq!((job.status.phase, job.claims.rows), (Phase::Done, Some(7)), "{wrapper}");
        }
    }

    #[test]
    fn names_may_be_in_snake_or_camel_case() {
        let amounts = json!({"id": 1, "rowCount": 3, "sizeBytes": 40, "artifactSha256": DIGEST, "downloadUrl": "/x"});
        let job = Job::from_json(&amounts);
        assert_eq!(job.claims, Claims { rows: Some(3), bytes: Some(40), sha256: Some(DIGEST.parse().unwrap()) });
        assert_eq!(job.target.as_deref(), Some("/x"));
    }

    #[test]
    fn finds_amounts_beside_the_status_and_in_nested_objects() {
        let claims = Claims { rows: Some(3), bytes: Some(40), sha256: Some(DIGEST.parse().unwrap()) };
        let flat = json!({"id": 1, "event_count": 3, "size_bytes": 40, "checksum": format!("sha256:{DIGEST}")});
        assert_eq!(Job::from_json(&flat).claims, claims);
        let amounts = json!({"rows": "3", "bytes": 40, "sha256": DIGEST.to_uppercase()});
        for nested in ["artifact", "result"] {
            assert_eq!(Job::from_json(&json!({"id": 1, nested: amounts})).claims, claims, "{nested}");
            assert_eq!(Job::from_json(&json!({"data": {"id": 1, nested: amounts}})).claims, claims, "data.{nested}");
        }
    }

    #[test]
    fn ignores_claims_that_are_no_amounts() {
        let odd = json!({"id": 1, "rows": [1, 2], "size": "1.2 MB", "checksum": "d41d8cd98f00b204e9800998ecf8427e"});
        assert_eq!(Job::from_json(&odd).claims, Claims::default());
        let later = json!({"id": 1, "rows": [1, 2], "total": 2});
        assert_eq!(Job::from_json(&later).claims.rows, Some(2));
    }

    #[test]
    fn amounts_may_be_written_in_any_way() {
        for rows in [json!(1000), json!(1e3), json!("1e3"), json!("1000.0")] {
            assert_eq!(Job::from_json(&json!({"id": 1, "Row-Count": rows})).claims.rows, Some(1000), "{rows}");
        }
    }

    #[test]
    fn details_beside_a_job_are_no_claims_of_it() {
        let answer = json!({"data": {"id": "j", "status": "completed"}, "meta": {"total": 1, "size": 2}});
        assert_eq!(Job::from_json(&answer).claims, Claims::default());
        let job = json!({"id": "j", "status": "completed", "metadata": {"total": 3}});
        assert_eq!(Job::from_json(&job).claims.rows, Some(3));
    }

    #[test]
    fn finds_that_events_are_left_out() {
        let left_out = |job: &Value| left_out(job, &Harmless::default()).map(str::to_owned);
        for cut in [json!({"truncated": true}), json!({"meta": [{"hasMore": true}]}), json!({"is-partial": true})] {
            assert!(left_out(&json!({"id": 1, "job": cut})).is_some(), "{cut}");
            let harmless = Harmless::from_iter(["Truncated", "meta", "is_partial"]);
            assert_eq!(super::left_out(&json!({"id": 1, "job": cut}), &harmless), None, "{cut}");
        }
        for cut in [json!({"truncated": 1}), json!({"is_complete": false}), json!({"dropped_events": 2})] {
            assert!(left_out(&json!({"id": 1, "job": cut})).is_some(), "{cut}");
        }
        for whole in [json!({"truncated": false}), json!({"complete": true}), json!({"next": "a", "page": 1})] {
            assert_eq!(left_out(&json!({"id": 1, "job": whole})), None, "{whole}");
        }
    }

    #[test]
    fn finds_counts_that_differ() {
        let harmless = Harmless::default();
        for job in [
            json!({"id": 1, "row_count": 2, "total": 3}),
            json!({"data": {"id": 1, "rowCount": 2, "artifact": {"rows": "3"}}}),
            json!({"id": 1, "rows": 2, "meta": {"Total-Events": 3}}),
        ] {
            assert!(other_count(&job, &harmless).is_some(), "{job}");
            assert_eq!(other_count(&job, &Harmless::from_iter(["total", "rows", "total_events"])), None, "{job}");
        }
        for job in [
            json!({"id": 1, "row_count": 2, "total": "2.0", "count": null}),
            json!({"data": {"id": 1, "row_count": 2}, "meta": {"total": 1}, "total": 1}),
            json!({"id": 1}),
        ] {
            assert_eq!(other_count(&job, &harmless), None, "{job}");
        }
    }

    #[test]
    fn finds_the_address_of_the_artifact() {
        for name in ["download_url", "artifact_url", "url"] {
            let job = Job::from_json(&json!({"id": 1, "artifact": { name: "/a" }}));
            assert_eq!(job.target.as_deref(), Some("/a"), "{name}");
        }
        assert_eq!(Job::from_json(&json!({"id": 1, "download_url": ""})).target, None);
    }

    #[test]
    fn finds_why_a_job_failed() {
        let reason = |response| Job::from_json(&response).reason;
        assert_eq!(reason(json!({"id": 1, "error": "disk full"})).as_deref(), Some("disk full"));
        assert_eq!(reason(json!({"data": {"id": 1, "error": {"message": "disk full"}}})).as_deref(), Some("disk full"));
        assert_eq!(reason(json!({"id": 1, "error": null, "message": ""})), None);
    }

    #[test]
    fn ignores_responses_that_are_no_objects() {
        for response in [json!(null), json!([]), json!(3), json!("completed")] {
            let job = Job::from_json(&response);
            assert!(job.id.is_none() && job.target.is_none() && job.claims == Claims::default());
        }
    }

    #[test]
    fn every_documented_word_has_a_phase() {
        for (word, phase) in [
            ("queued", Phase::Waiting),
            ("processing", Phase::Waiting),
            ("completed", Phase::Done),
            ("failed", Phase::Failed),
            ("expired", Phase::Expired),
            ("", Phase::Unknown),
            ("null", Phase::Unknown),
            ("paused", Phase::Unknown),
        ] {
            assert_eq!(Status::parse(word).phase, phase, "{word}");
        }
    }

    #[test]
    fn ignores_case_and_separators() {
        for word in ["IN_PROGRESS", "in-progress", "In Progress", " in_progress\n"] {
            assert_eq!(Status::parse(word).phase, Phase::Waiting, "{word:?}");
        }
        assert_eq!(Status::parse("Timed-Out").phase, Phase::Failed);
    }

    #[test]
    fn keeps_the_word_of_the_server_but_short() {
        assert_eq!(Status::parse("In Progress\u{7}").word, "In Progress");
        assert_eq!(Status::parse(&"x".repeat(1000)).word.len(), 40);
    }
}
