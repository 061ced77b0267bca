//! The whole flow, against a scripted server over loopback. The integration tests have a more complete double of the
//! platform.

use super::*;
use crate::ArtifactRules;
use crate::{Error, ErrorKind, Secret, SourceItem, SourceReport, clock::FixedClock, progress::Silent};
use futures::StreamExt as _;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Mutex,
    time::Duration,
};

const DATE: &str = "Wed, 02 Apr 2025 06:00:00 GMT";
const NOW: &str = "2025-04-02T06:00:00Z";
const CSV: &str = "id,timestamp\na,2025-03-01T00:00:00Z\nb,2025-03-31T23:59:59.999999Z\nc,2025-04-01T00:00:00Z\n";

/// A request: its first line, and the rest of its head with the body.
#[derive(Clone, Debug)]
struct Request {
    line: String,
    rest: String,
}

/// Responds to the one request of each connection by a script, and records the requests.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn start(script: impl Fn(&Request, usize) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                serve(connection.unwrap(), &log, &script);
            }
        });
        Self { url, seen }
    }

    fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|request| request.line.clone()).collect()
    }
}

fn serve(mut connection: TcpStream, log: &Mutex<Vec<Request>>, script: &impl Fn(&Request, usize) -> String) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap() == 0 {
            return;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (line, rest) = head.split_once("\r\n").unwrap();
    let line = line.trim_end_matches(" HTTP/1.1").to_owned();
    let request = Request { line, rest: rest.to_owned() + &String::from_utf8(body).unwrap() };
    let count = log.lock().unwrap().iter().filter(|seen| seen.line == request.line).count();
    log.lock().unwrap().push(request.clone());
    connection.write_all(script(&request, count).as_bytes()).unwrap();
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nDate: {DATE}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
}

fn ok(body: &str) -> String {
    answer("200 OK", "", body)
}

fn api(url: &str, state: &Path, job_timeout: u64) -> ExportsApi {
    let config = Config {
        base: url.parse().unwrap(),
        layout: Layout::Exports,
        format: ArtifactFormat::Csv,
        margin: Duration::from_secs(3600),
        job_timeout: Duration::from_secs(job_timeout),
        allow_http: false,
        rules: ArtifactRules::default(),
        credentials: Credentials::Token(Secret::new("canary".to_owned())),
    };
    ExportsApi::new(config, Arc::new(FixedClock(NOW.parse().unwrap())), Arc::new(Silent), state, Uuid::nil()).unwrap()
}

fn march() -> (Dataset, Window) {
    ("events".parse().unwrap(), "2025-03".parse::<archive_formats::Month>().unwrap().window())
}

/// How many events a read of March yields, and its report.
async fn read(api: &ExportsApi) -> Result<(usize, SourceReport)> {
    let (dataset, window) = march();
    let mut items = api.read(&dataset, window);
    let (mut events, mut report) = (0, None);
    while let Some(item) = items.next().await {
        assert!(report.is_none(), "the report is the last item");
        match item? {
            SourceItem::Batch(batch) => events += batch.len(),
            SourceItem::UniqueIds => panic!("a file vouches for its ids"),
            SourceItem::Reject(reject) => panic!("{reject}"),
            SourceItem::Report(last) => report = Some(last),
        }
    }
    Ok((events, report.unwrap()))
}

async fn error_of(api: &ExportsApi) -> Error {
    read(api).await.unwrap_err()
}

#[tokio::test]
async fn a_month_is_fetched_once_for_several_reads() {
    let server = Server::start(|request, _| match request.line.as_str() {
        "POST /v1/exports" => answer("201 Created", "", r#"{"id": "exp 1", "status": "completed", "row_count": 3}"#),
        "GET /v1/exports/exp%201/artifact" => ok(CSV),
        _ => answer("400 Bad Request", "", "unexpected"),
    });
    let state = tempfile::tempdir().unwrap();
    let api_of_first_run = api(&server.url, state.path(), 60);
    let (events, report) = read(&api_of_first_run).await.unwrap();
    assert_eq!((events, report.read, report.outside_window, report.source_count), (2, 3, 1, Some(3)));
    assert_eq!(report.source_clock, Some(NOW.parse().unwrap()));
    assert_eq!(
        report.detail["jobs"][0]["artifact_sha256"],
        archive_formats::Sha256::digest(CSV.as_bytes()).to_string()
    );
    assert_eq!(report.detail["layout"], "exports");
    assert_eq!(read(&api_of_first_run).await.unwrap(), (events, report.clone()));
    let api_of_second_run = api(&server.url, state.path(), 60);
    assert_eq!(read(&api_of_second_run).await.unwrap(), (events, report));
    assert_eq!(server.lines(), ["POST /v1/exports", "GET /v1/exports/exp%201/artifact"]);
    let (dataset, window) = march();
    api_of_second_run.on_committed(&dataset, window);
    for folder in ["journal", "spool"] {
        assert_eq!(std::fs::read_dir(state.path().join("exports-api").join(folder)).unwrap().count(), 0, "{folder}");
    }
}

#[tokio::test]
async fn a_job_past_its_timeout_is_left_to_the_next_run() {
    let server = Server::start(|request, count| match request.line.as_str() {
        "POST /v1/exports" => answer("201 Created", "", r#"{"id": "exp_1", "status": "queued"}"#),
        "GET /v1/exports/exp_1" if count == 0 => ok(r#"{"status": "processing"}"#),
        "GET /v1/exports/exp_1" => ok(r#"{"status": "completed"}"#),
        _ => ok(CSV),
    });
    let state = tempfile::tempdir().unwrap();
    let error = error_of(&api(&server.url, state.path(), 1)).await;
    assert_eq!(error.kind(), ErrorKind::TryLater);
    assert!(error.to_string().contains("exp_1"), "{error}");
    let (events, report) = read(&api(&server.url, state.path(), 60)).await.unwrap();
    assert_eq!((events, &report.detail["jobs"][0]["id"]), (2, &"exp_1".into()));
    assert_eq!(server.lines().iter().filter(|line| line.starts_with("POST")).count(), 1);
}

#[tokio::test]
async fn a_broken_download_is_resumed() {
    let server = Server::start(|request, count| match (request.line.as_str(), count) {
        ("POST /v1/exports", _) => ok(r#"{"id": 7, "status": "ready"}"#),
        (_, 0) => answer("200 OK", "ETag: \"v1\"\r\n", CSV).replace(&CSV[20..], ""),
        _ => {
            assert!(request.rest.contains("range: bytes=20-") && request.rest.contains("if-range: \"v1\""));
            let range = format!("ETag: \"v1\"\r\nContent-Range: bytes 20-{}/{}\r\n", CSV.len() - 1, CSV.len());
            answer("206 Partial Content", &range, &CSV[20..])
        }
    });
    let state = tempfile::tempdir().unwrap();
    let (events, report) = read(&api(&server.url, state.path(), 60)).await.unwrap();
    assert_eq!((events, &report.detail["jobs"][0]["artifact_bytes"]), (2, &CSV.len().into()));
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn the_token_does_not_follow_a_redirect_to_the_store() {
    let store = Server::start(|_, _| ok(CSV));
    let presigned = format!("Location: {}/bucket/a.csv?X-Amz-Signature=s\r\n", store.url);
    let server = Server::start(move |request, _| match request.line.as_str() {
        "POST /v1/exports" => ok(r#"{"id": "exp_1", "status": "completed"}"#),
        _ => answer("302 Found", &presigned, ""),
    });
    let state = tempfile::tempdir().unwrap();
    assert_eq!(read(&api(&server.url, state.path(), 60)).await.unwrap().0, 2);
    let bearer = |server: &Server| server.seen.lock().unwrap().iter().all(|seen| seen.rest.contains("Bearer canary"));
    assert!(bearer(&server) && !bearer(&store));
}

#[tokio::test]
async fn an_expired_artifact_causes_exactly_one_new_job() {
    let server = Server::start(|request, count| match request.line.as_str() {
        "POST /v1/exports" => ok(&format!(r#"{{"id": "exp_{count}", "status": "completed"}}"#)),
        "GET /v1/exports/exp_1/artifact" => ok(CSV),
        _ => answer("410 Gone", "", "expired"),
    });
    let state = tempfile::tempdir().unwrap();
    let (_, report) = read(&api(&server.url, state.path(), 60)).await.unwrap();
    assert_eq!(report.detail["jobs"][0]["id"], "exp_1");
    let seen = server.seen.lock().unwrap().clone();
    let keys = seen.iter().filter_map(|seen| seen.rest.lines().find(|line| line.starts_with("idempotency-key")));
    assert_eq!(keys.collect::<std::collections::HashSet<_>>().len(), 2, "a new job has a new key");

    let never = Server::start(|request, _| match request.line.as_str() {
        "POST /v1/exports" => ok(r#"{"id": "exp_1", "status": "completed"}"#),
        _ => answer("404 Not Found", "", ""),
    });
    assert_eq!(error_of(&api(&never.url, state.path(), 60)).await.kind(), ErrorKind::Source);
    assert_eq!(never.lines().iter().filter(|line| line.starts_with("POST")).count(), 2);
}

#[tokio::test]
async fn a_window_that_is_too_large_is_read_in_halves() {
    let server = Server::start(|request, _| match request.line.as_str() {
        "POST /v1/exports" if request.rest.contains("2025-04-01T01") && request.rest.contains("2025-02-28T23") => {
            answer("413 Payload Too Large", "", "smaller, please")
        }
        "POST /v1/exports" if request.rest.contains("2025-04-01T01") => ok(r#"{"id": 2, "status": "done", "rows": 2}"#),
        "POST /v1/exports" => ok(r#"{"id": 1, "status": "done"}"#),
        "GET /v1/exports/1/artifact" => ok("id,timestamp\na,2025-03-01T00:00:00Z\nb,2025-03-16T00:30:00Z\n"),
        _ => ok("id,timestamp\nb,2025-03-16T00:30:00Z\nc,2025-03-20T00:00:00Z\n"),
    });
    let state = tempfile::tempdir().unwrap();
    let (events, report) = read(&api(&server.url, state.path(), 60)).await.unwrap();
    assert_eq!((events, report.read, report.outside_window, report.source_count), (3, 4, 1, Some(4)));
    assert_eq!(report.detail["jobs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn refuses_pages_and_artifacts_that_contradict_their_job() {
    for (job, body, kind) in [
        (r#"{"id": 1, "status": "done"}"#, "<html>gone fishing</html>", ErrorKind::Source),
        (r#"{"id": 1, "status": "done"}"#, r#"{"error": "no"}"#, ErrorKind::Source),
        (r#"{"id": 1, "status": "done", "bytes": 5}"#, CSV, ErrorKind::Incomplete),
    ] {
        let server = Server::start(move |request, _| if request.line.starts_with("POST") { ok(job) } else { ok(body) });
        let state = tempfile::tempdir().unwrap();
        let error = error_of(&api(&server.url, state.path(), 60)).await;
        assert_eq!(error.kind(), kind, "{error}");
        let spool = std::fs::read_dir(state.path().join("exports-api/spool")).unwrap();
        assert!(spool.into_iter().all(|file| file.unwrap().path().extension().unwrap() == "part"));
    }
}

#[tokio::test]
async fn the_error_of_a_refusal_hides_the_token() {
    let server = Server::start(|_, _| answer("403 Forbidden", "", "{\"error\":\n \"canary may not export\"}"));
    let state = tempfile::tempdir().unwrap();
    let error = error_of(&api(&server.url, state.path(), 60)).await;
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.to_string().contains("[secret] may not export") && !format!("{error:?}").contains("canary"));
}
