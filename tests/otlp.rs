//! OpenTelemetry: a collector receives the spans and metrics of a run, and cannot affect it.

use crate::support::{
    cli::Host,
    events, foreign,
    http::{Body, Reply},
    platform::TOKEN,
    receiver::{self, Receiver},
    script::{Cut, Endpoint, Script},
    together,
    world::World,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

const MONTH: &str = "2025-03";
/// A secret that only the collector may receive.
const CANARY: &str = "canary-of-a-collector";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A world that exports its runs to `collector`, as part of a trace.
fn world(script: Script, collector: &Receiver) -> World {
    let mut world = World::new(script);
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url("")),
        ("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{CANARY}")),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test".to_owned()),
        ("TRACEPARENT", format!("00-{TRACE}-{PARENT}-01")),
    ] {
        world.host.set(name, value);
    }
    world
}

/// What `collector` received for `signal`, decoded with the protocol's own definitions.
fn received(collector: &Receiver, signal: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let requests = collector.requests().into_iter().filter(|request| request.path() == format!("/v1/{signal}"));
    for (number, request) in requests.enumerate() {
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(request.header("authorization"), Some(format!("Bearer {CANARY}").as_str()));
        std::fs::write(folder.path().join(format!("{number:05}")), &request.body).unwrap();
    }
    foreign::otlp(signal, folder.path())
}

#[track_caller]
fn only<'a>(spans: &'a [Value], name: &str) -> &'a Value {
    let found = spans.iter().filter(|span| span["name"] == name).collect::<Vec<_>>();
    assert_eq!(found.len(), 1, "{name}: {spans:?}");
    found[0]
}

/// The names of `span` and its ancestors among `spans`.
fn ancestry(spans: &[Value], span: &Value) -> Vec<String> {
    let parent = spans.iter().find(|other| other["id"] == span["parent"]);
    let above = parent.map(|parent| ancestry(spans, parent)).unwrap_or_default();
    [vec![span["name"].as_str().unwrap().to_owned()], above].concat()
}

#[test]
fn collector_receives_spans_of_run_months_and_stages() {
    let collector = Receiver::accepting();
    let script = Script::new(events::month(MONTH, 30)).answer(Endpoint::Status, 1, &Reply::new(503, ""));
    let mut world = world(script, &collector);
    world.host.set("KT_ARCHIVE_FORMAT", "parquet,artifact");
    let report = world.archive_month(MONTH).expect(0).json();
    let spans = received(&collector, "traces");
    let names = spans.iter().map(|span| span["name"].as_str().unwrap()).collect::<BTreeSet<_>>();
    assert_eq!(names, ["artifact", "commit", "download", "encode", "job", "month", "run", "store"].into());
    for name in ["encode", "artifact", "store", "commit"] {
        assert_eq!(ancestry(&spans, only(&spans, name)), [name, "month", "run"]);
    }
    for name in ["job", "download"] {
        assert_eq!(ancestry(&spans, only(&spans, name)), [name, "encode", "month", "run"]);
    }
    let run = only(&spans, "run");
    assert_eq!((&run["parent"], &run["attributes"]["exit"], &run["status"]), (&json!(PARENT), &json!("0"), &json!(0)));
    assert!(spans.iter().all(|span| span["trace"] == TRACE), "{spans:?}");
    let resource = json!({"service.name": "kt-archive", "deployment.environment": "test"});
    let expected = resource.as_object().unwrap();
    assert!(spans.iter().all(|span| expected.iter().all(|(key, value)| span["resource"][key] == *value)), "{spans:?}");
    let (sent, reported) = (&only(&spans, "month")["attributes"], &report["months"][0]);
    let number = |value: &Value| json!(value.to_string());
    for (key, value) in [("dataset", "events"), ("month", MONTH), ("state", "archived")] {
        assert_eq!(sent[key], value);
    }
    assert_eq!((&sent["events"], &sent["bytes"]), (&json!("30"), &number(&reported["bytes"])));
    assert_eq!(only(&spans, "encode")["attributes"]["read"], "30");
    let retries = &only(&spans, "job")["events"];
    assert_eq!(retries[0]["name"], "waiting for another try");
    assert!(retries[0]["error"].as_str().unwrap().contains("503"), "{retries}");
}

#[test]
fn collector_receives_the_metrics_of_the_metrics_file() {
    let collector = Receiver::accepting();
    let mut world = world(Script::new(events::month(MONTH, 30)), &collector);
    let file = world.host.path("kt.prom");
    world.host.set("KT_ARCHIVE_METRICS_FILE", file.display().to_string());
    world.host.set("OTEL_SERVICE_NAME", "archive-of-events");
    world.archive_month(MONTH).expect(0);
    let sent = received(&collector, "metrics");
    assert!(sent.iter().all(|point| point["resource"]["service.name"] == "archive-of-events"), "{sent:?}");
    let sent = sent.iter().map(|point| {
        let labels = point["attributes"].as_object().unwrap().iter();
        let labels = labels.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        let key = (point["name"].as_str().unwrap().to_owned(), labels.collect::<BTreeMap<_, _>>());
        (key, micros(point["value"].as_f64().unwrap()))
    });
    let sent = sent.collect::<BTreeMap<_, _>>();
    let written = std::fs::read_to_string(file).unwrap();
    let written = written.lines().filter(|line| !line.starts_with('#')).map(sample);
    let written = written.map(|(key, value)| (key, micros(value))).collect::<BTreeMap<_, _>>();
    assert_eq!(sent, written);
    assert_eq!(
        sent.iter().find(|((name, _), _)| name == "kt_archive_run_events").map(|(_, value)| *value),
        Some(30_000_000)
    );
}

/// Parsers of JSON differ in the last digit of a float.
#[expect(clippy::cast_possible_truncation, reason = "values of a short run")]
fn micros(value: f64) -> i64 {
    (value * 1e6).round() as i64
}

/// A line of the textfile; no value here needs an escape.
fn sample(line: &str) -> ((String, BTreeMap<String, String>), f64) {
    let (name, rest) = line.split_once('{').unwrap();
    let (labels, value) = rest.split_once("} ").unwrap();
    let label =
        |label: &str| label.split_once('=').map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()));
    ((name.to_owned(), labels.split(',').map(|it| label(it).unwrap()).collect()), value.parse().unwrap())
}

#[test]
fn failure_marks_every_span_on_its_way() {
    let collector = Receiver::accepting();
    let refused = Script::new(events::month(MONTH, 5)).always(Endpoint::Create, Reply::new(401, ""));
    let outcome = world(refused, &collector).archive_month(MONTH).expect(9).json();
    let spans = received(&collector, "traces");
    for name in ["run", "month", "encode"] {
        let span = only(&spans, name);
        assert_eq!(span["status"], 2, "{span}");
        assert!(span["message"].as_str().unwrap().contains("could not create an export job"), "{span}");
    }
    assert_eq!(only(&spans, "run")["message"], outcome["error"]["message"]);
    let metrics = received(&collector, "metrics");
    let exit = metrics.iter().find(|point| point["name"] == "kt_archive_last_attempt_exit_code").unwrap();
    assert_eq!(exit["value"], 9.0);
}

#[test]
fn no_event_value_and_no_secret_is_sent() {
    let collector = Receiver::accepting();
    let rejected = events::month(MONTH, 30).into_iter().map(|event| event.with("user_id", "value-of-an-event"));
    let world = world(Script::new(rejected.collect()).answer(Endpoint::Create, 1, &Reply::new(503, TOKEN)), &collector);
    let outcome = world.archive_month(MONTH).expect(0);
    assert!(!outcome.output().contains(CANARY), "{}", outcome.output());
    let bodies = collector.requests().into_iter().map(|request| String::from_utf8_lossy(&request.body).into_owned());
    let bodies = bodies.collect::<String>();
    assert!(bodies.contains("waiting for another try"), "no body has the retry");
    for secret in [TOKEN, CANARY, "value-of-an-event"] {
        assert!(!bodies.contains(secret), "{secret}");
    }
}

#[test]
fn failing_collector_is_only_a_warning() {
    let answers = |reply: Reply| Receiver::start(move |_| reply.clone());
    let endless = Body::Generated(Arc::new(|body| {
        loop {
            body.write_all(&[b'x'; 4096])?;
        }
    }));
    let refuse = [400, 401, 404, 429, 500, 503].map(|code| answers(Reply::new(code, CANARY)));
    let endless = answers(Reply::new(200, "").with_body(endless));
    let elsewhere = Receiver::accepting();
    let redirects = answers(Reply::new(307, "").header("Location", elsewhere.url("/")));
    let mut addresses = refuse.iter().chain([&endless, &redirects]).map(|it| it.url("")).collect::<Vec<_>>();
    addresses.extend([receiver::hangs_up(), receiver::never_answers(), "http://127.0.0.1:9".to_owned()]);
    addresses.extend(["http://203.0.113.5".to_owned(), elsewhere.url("").replace("http:", "https:")]);
    together(addresses, |address| {
        let mut host = demo(&format!("{address}/{CANARY}"));
        host.set("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization={CANARY}"));
        let begun = Instant::now();
        let outcome = host.run(&["run", "-v", "-v"]).expect(0);
        assert!(outcome.stderr.contains("could not send traces or metrics"), "{address}: {}", outcome.stderr);
        assert!(outcome.stderr.matches("could not send").count() <= 2, "once a signal: {}", outcome.stderr);
        assert!(!outcome.output().contains(CANARY), "{}", outcome.output());
        assert!(begun.elapsed() < Duration::from_secs(15), "{address}: {:?}", begun.elapsed());
    });
    assert_eq!(elsewhere.targets(), [""; 0], "a redirect was followed");
}

fn demo(collector: &str) -> Host {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=50");
    host.set("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
    host
}

#[test]
fn unusable_setting_is_a_warning() {
    let collector = Receiver::accepting();
    for (name, value) in [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_ENDPOINT", CANARY)] {
        let mut host = demo(&collector.url(""));
        host.set(name, value);
        let outcome = host.run(&["run"]).expect(0);
        assert!(outcome.stderr.contains("sends neither traces nor metrics"), "{}", outcome.stderr);
        assert!(!outcome.output().contains(CANARY), "{}", outcome.output());
    }
    let mut host = demo(&collector.url(""));
    host.set("OTEL_SDK_DISABLED", "true");
    let outcome = host.run(&["run"]).expect(0);
    assert!(!outcome.stderr.contains("traces"), "{}", outcome.stderr);
    assert_eq!(collector.targets(), [""; 0]);
}

#[test]
fn logs_contain_no_spans() {
    let collector = Receiver::accepting();
    let outcome = demo(&collector.url("")).run(&["run", "-v", "-v", "--log-format", "json"]).expect(0);
    assert!(!outcome.stderr.contains("\"span"), "{}", outcome.stderr);
    assert!(collector.targets().contains(&"/v1/traces".to_owned()));
}

#[test]
fn stopped_run_is_exported_and_ends_soon() {
    let slow = Cut::Slow(300, Duration::from_millis(100));
    let script = || Script::new(events::month(MONTH, 300)).redirect().cuts(&[slow]);
    let collector = Receiver::accepting();
    let mut silent = world(script(), &collector);
    silent.host.set("OTEL_EXPORTER_OTLP_ENDPOINT", receiver::never_answers());
    for world in [world(script(), &collector), silent] {
        let running = world.start_month(MONTH);
        world.platform.wait_for(Endpoint::Storage, 1);
        running.signal("TERM");
        let begun = Instant::now();
        running.wait().expect(143);
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    }
    let spans = received(&collector, "traces");
    assert_eq!(only(&spans, "run")["attributes"]["exit"], "143");
    assert_eq!(ancestry(&spans, only(&spans, "download")), ["download", "encode", "month", "run"]);
}
