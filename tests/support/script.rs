//! How the double of the platform behaves: well, unless a test says otherwise.

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

/// The places where a script can interfere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// The list of jobs, which only `doctor` asks for.
    List,
    Create,
    Status,
    Download,
    /// The object store that a presigned redirect leads to.
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

/// Which events of the store an export of a window holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Filter {
    /// From the first instant to just before the last.
    HalfOpen,
    /// Both ends included.
    Closed,
    /// Every event, whatever was asked for.
    Ignored,
}

/// How a download goes wrong. A fault is used up by one download.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// The connection ends after so many bytes, short of the `Content-Length`.
    Short(usize),
    /// A chunked body ends after so many bytes without its last chunk.
    EndlessChunk(usize),
    /// Pieces of this size, with this pause before each.
    Slow(usize, Duration),
}

/// How the artifact is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    /// gzip, announced as `Content-Encoding`.
    Encoded,
    /// A gzip file, announced by nothing but its first bytes.
    GzipFile,
}

/// What `Date` says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ServerClock {
    /// The real time, moved by so much.
    Moved(TimeDelta),
    /// Always this time, for programs that run under another one.
    At(DateTime<Utc>),
    /// No such header.
    Silent,
}

/// Makes a generated artifact for the window from the first to the second time.
pub(crate) type ArtifactMaker = Arc<dyn Fn(DateTime<Utc>, DateTime<Utc>) -> Generator + Send + Sync>;

/// What an export holds.
#[derive(Clone)]
pub(crate) enum Artifact {
    /// The events of the window, as CSV or JSON.
    Events,
    /// These bytes, whatever was asked for.
    Bytes(Vec<u8>),
    /// Rows that are made while they are sent.
    Generated(ArtifactMaker),
}

impl fmt::Debug for Artifact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Artifact")
    }
}

/// Says more about a finished job, given its artifact and the number of its rows.
pub(crate) type JobDetails = fn(&[u8], usize) -> Value;

/// The behaviour of a [`super::platform::Platform`].
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) events: Vec<Event>,
    /// The events of each type of export; without any, `events` are those of every type.
    pub(crate) types: Vec<(&'static str, Vec<Event>)>,
    pub(crate) artifact: Artifact,
    pub(crate) layouts: Vec<Layout>,
    pub(crate) id: IdShape,
    /// The words of a job's first, second, … status answer. The last one stays.
    pub(crate) statuses: Vec<&'static str>,
    pub(crate) status_key: &'static str,
    pub(crate) details: JobDetails,
    pub(crate) filter: Filter,
    pub(crate) cuts: Vec<Cut>,
    /// Whether a cut is used up by a download, or stays.
    pub(crate) cuts_for_ever: bool,
    pub(crate) packing: Packing,
    /// How artifacts look when JSON is asked for.
    pub(crate) shape: Shape,
    pub(crate) etag: Option<&'static str>,
    pub(crate) ranges: bool,
    pub(crate) redirect: bool,
    /// Artifacts of so many first jobs are gone when they are asked for.
    pub(crate) expired_jobs: usize,
    /// Longest window that a job may have, in days; longer ones are answered with 413.
    pub(crate) longest_window: Option<i64>,
    pub(crate) clock: ServerClock,
    /// Answers that come before the ordinary ones, each used once.
    pub(crate) answers: Vec<(Endpoint, Reply)>,
    /// Answers that replace the ordinary ones for ever.
    pub(crate) standing: Vec<(Endpoint, Reply)>,
    pub(crate) pauses: Vec<(Endpoint, Duration)>,
}

impl Script {
    /// A platform that holds `events` and behaves well.
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

    /// A platform whose every export is these bytes.
    pub(crate) fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self { artifact: Artifact::Bytes(bytes.into()), ..Self::new(Vec::new()) }
    }

    /// A platform that exports these types and no others, and behaves well.
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

    /// The next downloads go wrong like this, one after another.
    pub(crate) fn cuts(mut self, cuts: &[Cut]) -> Self {
        cuts.clone_into(&mut self.cuts);
        self
    }

    /// Every download goes wrong like this.
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

    /// Downloads carry this entity tag, and a part of them can be asked for.
    pub(crate) fn ranges(mut self, etag: &'static str) -> Self {
        self.etag = Some(etag);
        self.ranges = true;
        self
    }

    /// Downloads are redirected to a presigned URL of another server.
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

    /// The next `count` requests of an endpoint get this answer.
    pub(crate) fn answer(mut self, endpoint: Endpoint, count: usize, reply: &Reply) -> Self {
        self.answers.extend(std::iter::repeat_n((endpoint, reply.clone()), count));
        self
    }

    /// All requests of an endpoint get this answer.
    pub(crate) fn always(mut self, endpoint: Endpoint, reply: Reply) -> Self {
        self.standing.push((endpoint, reply));
        self
    }

    /// Answers of an endpoint take this long.
    pub(crate) fn pause(mut self, endpoint: Endpoint, pause: Duration) -> Self {
        self.pauses.push((endpoint, pause));
        self
    }
}
