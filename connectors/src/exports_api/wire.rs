//! What the server says, read with tolerance: the platform's pages show several shapes of the same answers.

use super::{config::ArtifactFormat, status::Status};
use archive_formats::{Dataset, Sha256, Window};
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

/// The server's name of a job. It is part of paths and messages, so it holds neither `/` nor control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct JobId(String);

/// A text that cannot be a job's id.
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
        // A path ending in `.` or `..` would be another endpoint; `null` is what careless tools print for no id.
        let reserved = text.trim().is_empty() || matches!(text.as_str(), "null" | "." | "..");
        let valid =
            !reserved && text.len() <= LONGEST && !text.chars().any(|letter| letter == '/' || letter.is_control());
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

/// What an answer says of a job.
#[derive(Debug)]
pub(super) struct JobView {
    pub(super) id: Option<JobId>,
    pub(super) status: Status,
    /// Where the artifact is, if the job says so; may be relative and may carry a signature.
    pub(super) target: Option<String>,
    /// Why the job failed, in the server's words.
    pub(super) reason: Option<String>,
    pub(super) claims: Claims,
}

/// What a job says of its artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) rows: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) sha256: Option<Sha256>,
}

const IDS: [&str; 3] = ["id", "job_id", "export_id"];
const JOBS: [&str; 3] = ["data", "job", "export"];
const ARTIFACTS: [&str; 5] = ["artifact", "result", "data", "job", "export"];
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

impl JobView {
    pub(super) fn read(answer: &Value) -> Self {
        let job = job_object(answer);
        let status = find(&[job, answer], &STATUSES, Value::as_str);
        let places = places(job, answer);
        Self {
            id: find(&[job], &IDS, job_id),
            status: Status::read(status.unwrap_or_default()),
            target: find(&places, &TARGETS, |value| value.as_str().filter(|url| !url.is_empty()).map(str::to_owned)),
            reason: find(&[job, answer], &REASONS, reason),
            claims: Claims {
                rows: find(&places, &ROWS, amount),
                bytes: find(&places, &SIZES, amount),
                sha256: find(&places, &DIGESTS, sha256),
            },
        }
    }
}

/// The object that is the job: the answer, or what it wraps. An envelope may have a status of its own, which says how
/// the call went and not how the job goes.
fn job_object(answer: &Value) -> &Value {
    let has_id = |object: &Value| find(&[object], &IDS, job_id).is_some();
    let is_job = |object: &&Value| has_id(object) || find(&[object], &STATUSES, Value::as_str).is_some();
    let wrapped = || JOBS.iter().filter_map(|name| answer.get(name)).find(is_job);
    if has_id(answer) { answer } else { wrapped().unwrap_or(answer) }
}

/// The objects in which amounts may stand, nearest first.
fn places<'a>(job: &'a Value, answer: &'a Value) -> Vec<&'a Value> {
    let nested =
        |object: &'a Value| ARTIFACTS.iter().filter_map(move |name| object.get(name)).filter(|v| v.is_object());
    [job].into_iter().chain(nested(job)).chain([answer]).chain(nested(answer)).collect()
}

fn find<'a, T>(objects: &[&'a Value], names: &[&str], read: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
    objects.iter().find_map(|object| names.iter().filter_map(|name| member(object, name)).find_map(&read))
}

/// The member called `name` in either style: `row_count` is also `rowCount`.
fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let letters = |name: &str| name.chars().filter(|letter| *letter != '_').collect::<String>();
    let same = |key: &str| letters(key).eq_ignore_ascii_case(&letters(name));
    object.get(name).or_else(|| object.as_object()?.iter().find(|(key, _)| same(key)).map(|(_, value)| value))
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

fn amount(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn sha256(value: &Value) -> Option<Sha256> {
    let text = value.as_str()?.trim();
    let digits = match text.split_at_checked("sha256:".len()) {
        Some((prefix, digits)) if prefix.eq_ignore_ascii_case("sha256:") => digits,
        _ => text,
    };
    digits.parse().ok()
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
