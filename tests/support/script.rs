//! Scripts the double of the platform, which behaves well by default.

use super::{
    events::Event,
    http::{Generator, Reply},
    json::Shape,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::{fmt, sync::Arc, time::Duration};

/// The two endpoint layouts of the platform's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `POST /v1/exports`, `GET /v1/exports/{id}`, `GET /v1/exports/{id}/artifact`.
    Exports,
    /// `POST /v1/exports/jobs`, `GET /v1/exports/jobs/{id}`, `GET /v1/exports/jobs/{id}/download`.
    Jobs,
}

/// Endpoints that a script can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// The list of jobs, requested only by `doctor`.
    List,
    Create,
    Status,
    Download,
    /// The object store of presigned URLs.
    Storage,
}

/// How a job names its id.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IdShape {
    /// `{"<name>": "exp_0001"}`
    Text(&'static str),
    /// `{"id": 1001}`
    Number,
    /// `{"<name>": {"id": "exp_0001"}}`
    Nested(&'static str),
    /// `{"id": null}`
    Null,
}

/// How an export filters events by its window.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Filter {
    /// Start included, end excluded.
    HalfOpen,
    /// Both ends included.
    Closed,
    /// No filter: every event.
    Ignored,
}

/// A fault of a download, used once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// The connection closes after so many bytes, before the `Content-Length`.
    Short(usize),
    /// A chunked body ends after so many bytes without its last chunk.
    EndlessChunk(usize),
    /// A body without length and chunks, in this version of HTTP, ends after so many bytes with its connection.
    UntilClose(&'static str, usize),
    /// Pieces of this size, with this pause before each.
    Slow(usize, Duration),
}

/// How the artifact is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    /// gzip, announced as `Content-Encoding`.
    Encoded,
    /// A gzip file, recognisable only by its first bytes.
    GzipFile,
}

/// The `Date` header.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ServerClock {
    /// The real time plus this difference.
    Moved(TimeDelta),
    /// A fixed time, for hosts with a fixed clock.
    At(DateTime<Utc>),
    /// No such header.
    Silent,
}

/// Makes a generated artifact for a window.
pub(crate) type ArtifactMaker = Arc<dyn Fn(DateTime<Utc>, DateTime<Utc>) -> Generator + Send + Sync>;

/// What an export holds.
#[derive(Clone)]
pub(crate) enum Artifact {
    /// The events of the window, as CSV or JSON.
    Events,
    /// These bytes for every window.
    Bytes(Vec<u8>),
    /// Rows generated while they are sent.
    Generated(ArtifactMaker),
}

impl fmt::Debug for Artifact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Artifact")
    }
}

/// Additional members of a finished job, from its artifact and number of rows.
pub(crate) type JobDetails = fn(&[u8], usize) -> Value;

/// The behaviour of a [`super::platform::Platform`].
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) events: Vec<Event>,
    /// Events by type of export; if empty, every type exports `events`.
    pub(crate) types: Vec<(&'static str, Vec<Event>)>,
    pub(crate) artifact: Artifact,
    pub(crate) layouts: Vec<Layout>,
    pub(crate) id: IdShape,
    /// Status words of a job's successive status replies. The last one repeats.
    pub(crate) statuses: Vec<&'static str>,
    pub(crate) status_key: &'static str,
    pub(crate) details: JobDetails,
    pub(crate) filter: Filter,
    pub(crate) cuts: Vec<Cut>,
    /// Whether a cut applies to every download instead of one.
    pub(crate) cuts_for_ever: bool,
    pub(crate) packing: Packing,
    /// Shape of JSON artifacts.
    pub(crate) shape: Shape,
    pub(crate) etag: Option<&'static str>,
    pub(crate) ranges: bool,
    pub(crate) redirect: bool,
    /// Artifacts of the first so many jobs have expired.
    pub(crate) expired_jobs: usize,
    /// Longest window of a job in days; longer ones get 413.
    pub(crate) longest_window: Option<i64>,
    pub(crate) clock: ServerClock,
    /// Replies that precede the ordinary ones, each used once.
    pub(crate) answers: Vec<(Endpoint, Reply)>,
    /// Replies that replace the ordinary ones permanently.
    pub(crate) standing: Vec<(Endpoint, Reply)>,
    pub(crate) pauses: Vec<(Endpoint, Duration)>,
}

impl Script {
    /// A platform with `events`.
    pub(crate) fn new(events: Vec<Event>) -> Self {
        Self {
            events,
            types: Vec::new(),
            artifact: Artifact::Events,
            layouts: vec![Layout::Exports],
            id: IdShape::Text("id"),
            statuses: vec!["completed"],
            status_key: "status",
            details: |_, _| json!({}),
            filter: Filter::HalfOpen,
            cuts: Vec::new(),
            cuts_for_ever: false,
            packing: Packing::Plain,
            shape: Shape::Array,
            etag: None,
            ranges: false,
            redirect: false,
            expired_jobs: 0,
            longest_window: None,
            clock: ServerClock::Moved(TimeDelta::zero()),
            answers: Vec::new(),
            standing: Vec::new(),
            pauses: Vec::new(),
        }
    }

    /// A platform whose exports all consist of these bytes.
    pub(crate) fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self { artifact: Artifact::Bytes(bytes.into()), ..Self::new(Vec::new()) }
    }

    /// A platform that exports only these types.
    pub(crate) fn from_types(types: impl IntoIterator<Item = (&'static str, Vec<Event>)>) -> Self {
        Self { types: types.into_iter().collect(), ..Self::new(Vec::new()) }
    }

    pub(crate) fn layouts(mut self, layouts: &[Layout]) -> Self {
        layouts.clone_into(&mut self.layouts);
        self
    }

    pub(crate) fn id(mut self, id: IdShape) -> Self {
        self.id = id;
        self
    }

    pub(crate) fn statuses(mut self, words: &[&'static str]) -> Self {
        words.clone_into(&mut self.statuses);
        self
    }

    pub(crate) fn status_key(mut self, key: &'static str) -> Self {
        self.status_key = key;
        self
    }

    pub(crate) fn details(mut self, details: JobDetails) -> Self {
        self.details = details;
        self
    }

    pub(crate) fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// The next downloads fail with these faults in order.
    pub(crate) fn cuts(mut self, cuts: &[Cut]) -> Self {
        cuts.clone_into(&mut self.cuts);
        self
    }

    /// Every download fails with this fault.
    pub(crate) fn always_cut(mut self, cut: Cut) -> Self {
        self.cuts = vec![cut];
        self.cuts_for_ever = true;
        self
    }

    pub(crate) fn packing(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }

    pub(crate) fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// Downloads have this `ETag` and support ranges.
    pub(crate) fn ranges(mut self, etag: &'static str) -> Self {
        self.etag = Some(etag);
        self.ranges = true;
        self
    }

    /// Downloads redirect to a presigned URL of another server.
    pub(crate) fn redirect(mut self) -> Self {
        self.redirect = true;
        self
    }

    pub(crate) fn expired_jobs(mut self, count: usize) -> Self {
        self.expired_jobs = count;
        self
    }

    pub(crate) fn longest_window(mut self, days: i64) -> Self {
        self.longest_window = Some(days);
        self
    }

    pub(crate) fn clock(mut self, clock: ServerClock) -> Self {
        self.clock = clock;
        self
    }

    /// The next `count` requests to an endpoint get this reply.
    pub(crate) fn answer(mut self, endpoint: Endpoint, count: usize, reply: &Reply) -> Self {
        self.answers.extend(std::iter::repeat_n((endpoint, reply.clone()), count));
        self
    }

    /// All requests to an endpoint get this reply.
    pub(crate) fn always(mut self, endpoint: Endpoint, reply: Reply) -> Self {
        self.standing.push((endpoint, reply));
        self
    }

    /// Replies of an endpoint are delayed by this.
    pub(crate) fn pause(mut self, endpoint: Endpoint, pause: Duration) -> Self {
        self.pauses.push((endpoint, pause));
        self
    }
}
