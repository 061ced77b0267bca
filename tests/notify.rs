//! `--notify`: receivers get the result of a run, and cannot change it.

use crate::support::{
    cli::{Host, Outcome},
    events,
    http::{Body, Reply, Request},
    receiver::{self, Receiver},
    script::{Cut, Endpoint, Script},
    together,
    world::World,
};
use serde_json::{Value, json};
use std::{
    fs::OpenOptions,
    sync::Arc,
    time::{Duration, Instant},
};

const MONTH: &str = "2025-03";
/// Part of addresses, which must never be printed.
const CANARY: &str = "canary-of-an-address";

/// A host that archives demo events and notifies `addresses`.
fn demo(addresses: &str) -> Host {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=50");
    host.set("KT_ARCHIVE_NOTIFY", addresses);
    host
}

fn document(request: &Request) -> Value {
    assert_eq!((request.method.as_str(), request.header("content-type")), ("POST", Some("application/json")));
    serde_json::from_slice(&request.body).unwrap()
}

/// Asserts a warning about notifications without a secret.
#[track_caller]
fn assert_warned(outcome: &Outcome) {
    assert!(outcome.stderr.contains("could not notify"), "{}", outcome.stderr);
    assert!(!outcome.output().contains(CANARY), "{}", outcome.output());
}

#[test]
fn webhook_receives_start_and_result() {
    let receiver = Receiver::accepting();
    let host = demo(&receiver.url("/hooks/7?key=8"));
    let report = host.run(&["run", "--json"]).expect(0).json();
    let requests = receiver.requests();
    assert_eq!(receiver.targets(), ["/hooks/7?key=8"; 2]);
    let [started, ended] = [document(&requests[0]), document(&requests[1])];
    let archive = json!("./archive");
    assert_eq!(
        (&started["event"], &started["command"], &started["archive"]),
        (&json!("started"), &json!("run"), &archive)
    );
    assert_eq!((&started["exit"], &started["ended_at"]), (&Value::Null, &Value::Null));
    assert_eq!((&ended["event"], &ended["exit"], &ended["error"]), (&json!("succeeded"), &json!(0), &Value::Null));
    assert_eq!((&ended["archive"], &ended["head"]), (&report["archive"], &report["head"]));
    assert_eq!((&ended["started_at"], &ended["months_left_out"]), (&started["started_at"], &json!(0)));
    let (sent, reported) = (&ended["months"][0], &report["months"][0]);
    for field in ["dataset", "month", "state", "bytes", "seconds", "error"] {
        assert_eq!(sent[field], reported[field], "{field}");
    }
    assert_eq!((&sent["events"], &reported["events"]["archived"]), (&json!(50), &json!(50)));
    assert_eq!(ended["text"], "kt-archive run succeeded: 1 month with 50 events archived; archive ./archive");
}

#[test]
fn health_check_receives_pings_with_its_query() {
    let receiver = Receiver::accepting();
    let host = demo(&format!("healthcheck+{}", receiver.url("/uuid?create=1")));
    host.run(&["run"]).expect(0);
    // Nothing to do, which must be pinged, too.
    host.run(&["run"]).expect(0);
    assert_eq!(receiver.targets(), ["/uuid/start?create=1", "/uuid?create=1"].repeat(2));
    let bodies = receiver.requests().into_iter().map(|request| String::from_utf8(request.body).unwrap());
    let bodies = bodies.collect::<Vec<_>>();
    assert_eq!(bodies[1], "kt-archive run succeeded: 1 month with 50 events archived; archive ./archive\n");
    assert_eq!(bodies[3], "kt-archive run succeeded: every month was archived before; archive ./archive\n");
}

#[test]
fn failure_is_sent_with_its_exit_code() {
    let receiver = Receiver::accepting();
    let refused = Script::new(events::month(MONTH, 5)).always(Endpoint::Create, Reply::new(401, ""));
    let mut world = World::new(refused);
    world.host.set("KT_ARCHIVE_NOTIFY", format!("{},healthcheck+{}", receiver.url("/hook"), receiver.url("/uuid")));
    let outcome = world.archive_month(MONTH).expect(9).json();
    let requests = receiver.requests();
    let ended = document(requests.iter().rfind(|request| request.path() == "/hook").unwrap());
    assert_eq!((&ended["event"], &ended["exit"], &ended["error"]), (&json!("failed"), &json!(9), &outcome["error"]));
    assert_eq!(ended["months"][0]["error"], outcome["months"][0]["error"]);
    let ping = requests.iter().find(|request| request.path() == "/uuid/9").unwrap();
    let details = String::from_utf8(ping.body.clone()).unwrap();
    assert!(details.starts_with("kt-archive run failed (exit 9): events 2025-03: could not create"), "{details}");
    assert!(details.contains("\nhint: the token was refused"), "{details}");
    assert!(!receiver.targets().contains(&"/uuid".to_owned()), "a failure must not ping success");
}

#[test]
fn locked_run_is_notified() {
    let receiver = Receiver::accepting();
    let slow = Cut::Slow(300, Duration::from_millis(100));
    let mut world = World::new(Script::new(events::month(MONTH, 30)).redirect().cuts(&[slow]));
    let first = world.start_month(MONTH);
    world.platform.wait_for(Endpoint::Storage, 1);
    world.host.set("KT_ARCHIVE_NOTIFY", format!("healthcheck+{}", receiver.url("/uuid")));
    world.archive_month("2025-02").expect(8);
    assert_eq!(receiver.targets(), ["/uuid/start", "/uuid/8"]);
    first.kill();
}

#[test]
fn dry_run_notifies_no_receiver() {
    let receiver = Receiver::accepting();
    demo(&receiver.url("/hook")).run(&["backfill", "--from", MONTH, "--to", MONTH, "--dry-run"]).expect(0);
    assert_eq!(receiver.targets(), [""; 0]);
}

#[test]
fn result_that_cannot_be_printed_is_a_failure() {
    let receiver = Receiver::accepting();
    let host = demo(&receiver.url("/hook"));
    let mut command = host.command(&["run"]);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(command.stdout(full).output().unwrap().status.code(), Some(1));
    let ended = document(&receiver.requests()[1]);
    assert_eq!((&ended["event"], &ended["exit"]), (&json!("failed"), &json!(1)));
}

#[test]
fn failing_receiver_is_only_a_warning() {
    let answers = |reply: Reply| Receiver::start(move |_| reply.clone());
    let endless = Body::Generated(Arc::new(|body| {
        loop {
            body.write_all(&[b'x'; 4096])?;
        }
    }));
    let (elsewhere, refused) =
        (Receiver::accepting(), [401, 404, 429, 500, 503].map(|code| answers(Reply::new(code, CANARY))));
    let redirects = answers(Reply::new(307, "").header("Location", elsewhere.url("/")));
    let gone = answers(Reply::new(200, "OK (not found)"));
    let endless = answers(Reply::new(500, "").with_body(endless));
    let mut addresses = refused.iter().chain([&redirects, &endless]).map(|it| it.url(&format!("/{CANARY}?{CANARY}")));
    let mut addresses = addresses.by_ref().collect::<Vec<_>>();
    addresses.push(format!("healthcheck+{}", gone.url(&format!("/{CANARY}"))));
    // A closed port; plain HTTP to a public host; an unknown host; a server without TLS.
    addresses.push(format!("http://127.0.0.1:9/{CANARY}"));
    addresses.push(format!("http://203.0.113.5/{CANARY}"));
    addresses.push(format!("https://no-such-host.invalid/{CANARY}"));
    addresses.push(elsewhere.url(&format!("/{CANARY}")).replace("http:", "https:"));
    addresses.extend([receiver::hangs_up(), receiver::never_answers()].map(|it| format!("{it}/{CANARY}")));
    together(addresses, |address| {
        let (host, begun) = (demo(&address), Instant::now());
        let outcome = host.run(&["run", "--json", "-v", "-v"]).expect(0);
        assert_warned(&outcome);
        assert_eq!(outcome.json()["months"][0]["state"], "archived", "{address}");
        assert!(begun.elapsed() < Duration::from_secs(25), "{address}: {:?}", begun.elapsed());
    });
    assert_eq!(elsewhere.targets(), [""; 0], "a redirect was followed");
}

#[test]
fn endless_response_body_is_accepted() {
    let endless = Body::Generated(Arc::new(|body| {
        loop {
            body.write_all(&[b'x'; 4096])?;
        }
    }));
    let reply = Reply::new(200, "").with_body(endless);
    let receiver = Receiver::start(move |_| reply.clone());
    for kind in ["", "healthcheck+"] {
        let outcome = demo(&format!("{kind}{}", receiver.url("/"))).run(&["run"]).expect(0);
        assert!(!outcome.stderr.contains("could not notify"), "{}", outcome.stderr);
    }
}

#[test]
fn busy_receiver_is_retried() {
    let receiver = Receiver::start({
        let calls = std::sync::atomic::AtomicU32::new(0);
        move |_| Reply::new(if calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1 { 503 } else { 200 }, "")
    });
    let outcome = demo(&receiver.url("/hook")).run(&["run"]).expect(0);
    assert!(!outcome.stderr.contains("could not notify"), "{}", outcome.stderr);
    let events = receiver.requests().iter().map(|request| document(request)["event"].clone()).collect::<Vec<_>>();
    assert_eq!(events, ["started", "succeeded", "succeeded"]);
}

#[test]
fn end_is_sent_after_a_slow_start() {
    let receiver = Receiver::start(|request| {
        let started = document(request)["event"] == "started";
        std::thread::sleep(Duration::from_millis(if started { 1000 } else { 0 }));
        Reply::new(200, "")
    });
    demo(&receiver.url("/hook")).run(&["run"]).expect(0);
    let events = receiver.requests().iter().map(|request| document(request)["event"].clone()).collect::<Vec<_>>();
    assert_eq!(events, ["started", "succeeded"]);
}

/// Interrupts a run in the middle of a slow download.
fn interrupted(addresses: &str, signal: &str) -> (Outcome, Duration) {
    let slow = Cut::Slow(300, Duration::from_millis(100));
    let mut world = World::new(Script::new(events::month(MONTH, 300)).redirect().cuts(&[slow]));
    world.host.set("KT_ARCHIVE_NOTIFY", addresses);
    let running = world.start_month(MONTH);
    world.platform.wait_for(Endpoint::Storage, 1);
    running.signal(signal);
    let begun = Instant::now();
    (running.wait(), begun.elapsed())
}

#[test]
fn stopped_run_notifies_and_ends_soon() {
    let receiver = Receiver::accepting();
    let silent = receiver::never_answers();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let (outcome, took) = interrupted(&format!("{},{silent}/{CANARY}", receiver.url("/hook")), signal);
        assert_warned(&outcome.expect(code));
        assert!(took < Duration::from_secs(7), "{took:?}");
        let ended = document(receiver.requests().last().unwrap());
        assert_eq!((&ended["event"], &ended["exit"]), (&json!("failed"), &json!(code)));
    }
}

#[test]
fn signal_skips_waiting_for_a_receiver() {
    let host = demo(&receiver::never_answers());
    let running = host.start(&["run"]);
    while !host.path("archive/manifests/00000001.SHA256SUMS").is_file() {
        std::thread::sleep(Duration::from_millis(5));
    }
    // One signal for the first message, which takes 2.5 seconds, one for the last, which takes 5.
    let begun = Instant::now();
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(700));
        running.signal("INT");
    }
    let outcome = running.wait().expect(0);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(outcome.stdout.contains("head 1:"), "{}", outcome.stdout);
}

#[test]
fn invalid_address_is_refused_and_not_printed() {
    let typed = format!("https://ada:{CANARY}@hooks.example/");
    let token = format!("https://hooks.example/?token={CANARY}");
    for address in [&typed, &token] {
        let outcome = demo("").run(&["run", "--notify", address]).expect(2);
        assert!(
            !outcome.output().contains(CANARY) && outcome.stderr.contains("KT_ARCHIVE_NOTIFY"),
            "{}",
            outcome.stderr
        );
    }
    for address in [typed, format!("ping+https://hooks.example/{CANARY}"), CANARY.to_owned()] {
        let outcome = demo(&address).run(&["run"]).expect(2);
        assert!(
            !outcome.output().contains(CANARY) && outcome.stderr.contains("healthcheck+https"),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
fn configuration_shows_no_address() {
    let mut host = demo("");
    host.set("SECRET_ADDRESS", format!("https://hooks.example/{CANARY}"));
    let file = "source = 'demo:'\nnotify = ['${SECRET_ADDRESS}', 'healthcheck+https://hc.example/']\n";
    std::fs::write(host.path("archive.toml"), file).unwrap();
    for arguments in [&["config", "show"][..], &["config", "show", "--json"], &["config", "check"], &["doctor", "-vv"]]
    {
        let outcome = host.run(&[arguments, &["--config", "archive.toml"]].concat()).expect(0);
        assert!(!outcome.output().contains(CANARY), "{}", outcome.output());
    }
    let shown = host.run(&["config", "show", "--config", "archive.toml"]).expect(0).stdout;
    let line = "notify = [\"https://hooks.example/[secret]\", \"healthcheck+https://hc.example/\"]";
    assert!(shown.contains(line), "{shown}");
}
