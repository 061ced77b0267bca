//! A double of the platform's exports API over real HTTP, which records its requests.

use super::{
    events::{self, Event},
    http::{Body, Reply, Request, Server},
    json, now,
    script::{Artifact, Cut, Endpoint, Filter, IdShape, Layout, Packing, Script, ServerClock},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::{
    io::Write,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

/// The bearer token of the platform. It must never appear in output, files or logs.
pub(crate) const TOKEN: &str = "kt_ak_canary5f0e7c2b9d41";

/// The signature of presigned URLs. It must never appear in output, files or logs.
pub(crate) const SIGNATURE: &str = "canarysig8d1f36a05be2";

/// A platform, with the object store of its redirects.
#[derive(Debug)]
pub(crate) struct Platform {
    state: Arc<Mutex<State>>,
    server: Server,
    _storage: Server,
}

#[derive(Debug)]
struct State {
    script: Script,
    storage_url: String,
    jobs: Vec<Job>,
    requests: Vec<(Endpoint, Request)>,
}

#[derive(Debug)]
struct Job {
    /// Index of its type in the script, if that has types.
    type_index: Option<usize>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    polls: usize,
    json: bool,
}

impl Platform {
    pub(crate) fn start(script: Script) -> Self {
        let state = State { script, storage_url: String::new(), jobs: Vec::new(), requests: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let [for_storage, for_api] = [Arc::clone(&state), Arc::clone(&state)];
        let storage = Server::start(Arc::new(move |request| answer_storage(&for_storage, request)));
        lock(&state).storage_url = storage.url();
        let server = Server::start(Arc::new(move |request| answer_api(&for_api, request)));
        Self { state, server, _storage: storage }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Number of jobs created so far.
    pub(crate) fn jobs(&self) -> usize {
        lock(&self.state).jobs.len()
    }

    /// Requested windows in order.
    pub(crate) fn windows(&self) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        lock(&self.state).jobs.iter().map(|job| (job.from, job.to)).collect()
    }

    /// All requests to an endpoint, including unauthorised ones.
    pub(crate) fn requests(&self, endpoint: Endpoint) -> Vec<Request> {
        let state = lock(&self.state);
        let requests = state.requests.iter().filter(|(asked, _)| *asked == endpoint);
        requests.map(|(_, request)| request.clone()).collect()
    }

    /// Changes the script from now on.
    pub(crate) fn behave(&self, change: impl FnOnce(Script) -> Script) {
        let mut state = lock(&self.state);
        state.script = change(state.script.clone());
    }

    /// Waits for `count` requests to an endpoint.
    pub(crate) fn wait_for(&self, endpoint: Endpoint, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.requests(endpoint).len() < count {
            assert!(Instant::now() < deadline, "{endpoint:?} did not get {count} requests");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap()
}

fn answer_api(state: &Mutex<State>, request: &Request) -> Reply {
    let Some((endpoint, layout, id)) = route(request) else {
        return Reply::json(404, &json!({"error": "no such route"}));
    };
    let scripted = record_and_script(state, endpoint, request);
    let reply = scripted.unwrap_or_else(|| lock(state).answer(endpoint, layout, &id, request));
    dated(state, reply)
}

fn answer_storage(state: &Mutex<State>, request: &Request) -> Reply {
    let scripted = record_and_script(state, Endpoint::Storage, request);
    let reply = scripted.unwrap_or_else(|| {
        // As in S3: a presigned URL with a bearer token is refused.
        if request.header("authorization").is_some() || !request.query().contains(SIGNATURE) {
            return Reply::new(403, "<Error><Code>AccessDenied</Code></Error>");
        }
        let id = request.path().trim_start_matches("/bucket/").to_owned();
        lock(state).deliver(&id, request)
    });
    dated(state, reply)
}

/// Records the request, waits for the scripted pause, and returns the scripted reply, if any.
fn record_and_script(state: &Mutex<State>, endpoint: Endpoint, request: &Request) -> Option<Reply> {
    let pause = {
        let mut state = lock(state);
        state.requests.push((endpoint, request.clone()));
        let pause = state.script.pauses.iter().find(|(at, _)| *at == endpoint);
        pause.map(|(_, pause)| *pause)
    };
    if let Some(pause) = pause {
        thread::sleep(pause);
    }
    let script = &mut lock(state).script;
    if let Some(index) = script.answers.iter().position(|(at, _)| *at == endpoint) {
        return Some(script.answers.remove(index).1);
    }
    let standing = script.standing.iter().find(|(at, _)| *at == endpoint);
    standing.map(|(_, reply)| reply.clone())
}

fn dated(state: &Mutex<State>, reply: Reply) -> Reply {
    let time = match lock(state).script.clock {
        ServerClock::Moved(by) => now() + by,
        ServerClock::At(time) => time,
        ServerClock::Silent => return reply,
    };
    reply.header("Date", time.format("%a, %d %b %Y %H:%M:%S GMT"))
}

/// Endpoint, layout and job id of a request.
fn route(request: &Request) -> Option<(Endpoint, Layout, String)> {
    let rest = request.path().strip_prefix("/v1/exports")?;
    let (layout, rest) = match rest.strip_prefix("/jobs") {
        Some(rest) => (Layout::Jobs, rest),
        None => (Layout::Exports, rest),
    };
    let parts = rest.split('/').skip(1).collect::<Vec<_>>();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", []) => Some((Endpoint::List, layout, String::new())),
        ("POST", []) => Some((Endpoint::Create, layout, String::new())),
        ("GET", [id]) => Some((Endpoint::Status, layout, (*id).to_owned())),
        ("GET", [id, "artifact"]) if layout == Layout::Exports => Some((Endpoint::Download, layout, (*id).to_owned())),
        ("GET", [id, "download"]) if layout == Layout::Jobs => Some((Endpoint::Download, layout, (*id).to_owned())),
        _ => None,
    }
}

impl State {
    fn answer(&mut self, endpoint: Endpoint, layout: Layout, id: &str, request: &Request) -> Reply {
        if !self.script.layouts.contains(&layout) {
            return Reply::json(404, &json!({"error": "not found"}));
        }
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Reply::json(401, &json!({"error": {"message": "invalid token"}}));
        }
        match endpoint {
            Endpoint::List => Reply::json(200, &json!({"exports": []})),
            Endpoint::Create => self.create(request),
            Endpoint::Status => self.status(id),
            Endpoint::Download if self.script.redirect => {
                let Self { storage_url, .. } = self;
                let location = format!("{storage_url}/bucket/{id}?X-Amz-Expires=60&X-Amz-Signature={SIGNATURE}");
                Reply::new(302, "").header("Location", location)
            }
            Endpoint::Download | Endpoint::Storage => self.deliver(id, request),
        }
    }

    fn create(&mut self, request: &Request) -> Reply {
        let body = serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
        let time = |key: &str| {
            let text = body["filters"][key].as_str().or_else(|| body[key].as_str())?;
            DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
        };
        let Some((from, to)) = time("from").zip(time("to")) else {
            return Reply::json(422, &json!({"error": "filters.from and filters.to are required"}));
        };
        if self.script.longest_window.is_some_and(|days| (to - from).num_days() >= days) {
            return Reply::json(413, &json!({"error": "the window is too large"}));
        }
        let types = &self.script.types;
        let type_index = types.iter().position(|(name, _)| body["type"] == *name);
        if !types.is_empty() && type_index.is_none() {
            return Reply::json(422, &json!({"error": "no such type of export"}));
        }
        self.jobs.push(Job { type_index, from, to, polls: 0, json: body["format"] == "json" });
        let number = self.jobs.len();
        let name = format!("exp_{number:04}");
        let job = match self.script.id {
            IdShape::Text(key) => json!({key: name, "status": "queued"}),
            IdShape::Number => json!({"id": 1000 + number, "status": "queued"}),
            IdShape::Nested(key) => json!({key: {"id": name, "status": "queued"}}),
            IdShape::Null => json!({"id": null, "status": null}),
        };
        Reply::json(201, &job)
    }

    fn job_index(&self, id: &str) -> Option<usize> {
        let number = id.strip_prefix("exp_").map_or_else(
            || id.parse::<usize>().ok().and_then(|number| number.checked_sub(1000)),
            |number| number.parse().ok(),
        )?;
        number.checked_sub(1).filter(|index| *index < self.jobs.len())
    }

    fn status(&mut self, id: &str) -> Reply {
        let Some(index) = self.job_index(id) else {
            return Reply::json(404, &json!({"error": "no such export"}));
        };
        let job = &mut self.jobs[index];
        let word = self.script.statuses[job.polls.min(self.script.statuses.len() - 1)];
        job.polls += 1;
        let mut document = json!({"id": id, self.script.status_key: word});
        if let Artifact::Events | Artifact::Bytes(_) = self.script.artifact {
            let (bytes, rows) = self.artifact(index);
            let Value::Object(details) = (self.script.details)(&bytes, rows) else {
                unreachable!("details are an object")
            };
            document.as_object_mut().unwrap().extend(details);
        }
        match self.script.id {
            IdShape::Nested(key) => Reply::json(200, &json!({key: document})),
            _ => Reply::json(200, &document),
        }
    }

    /// The uncompressed artifact and its number of rows.
    fn artifact(&self, index: usize) -> (Vec<u8>, usize) {
        if let Artifact::Bytes(bytes) = &self.script.artifact {
            return (bytes.clone(), 0);
        }
        let Job { type_index, from, to, json, .. } = self.jobs[index];
        let inside = |event: &&Event| match (self.script.filter, event.time()) {
            (Filter::Ignored, _) | (_, None) => true,
            (Filter::HalfOpen, Some(time)) => from <= time && time < to,
            (Filter::Closed, Some(time)) => from <= time && time <= to,
        };
        let events = type_index.map_or(&self.script.events, |index| &self.script.types[index].1);
        let events = events.iter().filter(inside).collect::<Vec<_>>();
        let rows = events.iter().copied();
        let bytes = if json { json::artifact(self.script.shape, rows) } else { events::csv(rows) };
        (bytes, events.len())
    }

    fn deliver(&mut self, id: &str, request: &Request) -> Reply {
        let Some(index) = self.job_index(id) else {
            return Reply::json(404, &json!({"error": "no such export"}));
        };
        if index < self.script.expired_jobs {
            return Reply::json(410, &json!({"error": "the artifact has expired"}));
        }
        if let Artifact::Generated(make) = &self.script.artifact {
            let Job { from, to, .. } = self.jobs[index];
            return Reply::new(200, "").with_body(Body::Generated(make(from, to)));
        }
        let bytes = self.pack(self.artifact(index).0);
        let mut reply = self.part(bytes, request);
        if let Some(cut) = self.next_cut() {
            reply.body = self::cut(reply.body, cut);
        }
        reply.header("Content-Type", "text/csv")
    }

    fn pack(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.script.packing == Packing::Plain { bytes } else { gzip(&bytes) }
    }

    /// The whole artifact, or the requested range.
    fn part(&self, bytes: Vec<u8>, request: &Request) -> Reply {
        let unchanged = request.header("if-range").is_none_or(|tag| Some(tag) == self.script.etag);
        let start = request.range_start().filter(|start| self.script.ranges && unchanged && *start < bytes.len());
        let reply = match start {
            Some(start) => Reply::new(206, &bytes[start..])
                .header("Content-Range", format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len())),
            None => Reply::new(200, bytes),
        };
        let reply = match self.script.etag {
            Some(etag) => reply.header("ETag", etag).header("Accept-Ranges", "bytes"),
            None => reply,
        };
        if self.script.packing == Packing::Encoded { reply.header("Content-Encoding", "gzip") } else { reply }
    }

    fn next_cut(&mut self) -> Option<Cut> {
        let next = self.script.cuts.first().copied()?;
        if !self.script.cuts_for_ever {
            self.script.cuts.remove(0);
        }
        Some(next)
    }
}

fn cut(body: Body, cut: Cut) -> Body {
    let Body::Whole(mut bytes) = body else { return body };
    let claimed = bytes.len();
    match cut {
        Cut::Short(keep) => {
            bytes.truncate(keep);
            Body::Short { bytes, claimed }
        }
        Cut::EndlessChunk(keep) => {
            bytes.truncate(keep);
            Body::EndlessChunk(bytes)
        }
        Cut::UntilClose(version, keep) => {
            bytes.truncate(keep);
            Body::UntilClose(version, bytes)
        }
        Cut::Slow(piece, pause) => Body::Slow { bytes, piece, pause },
    }
}

/// Compresses with gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
