//! Platforms that refuse a request or contradict themselves.

use super::{MONTH, archived, march};
use crate::support::{
    archive::sha256,
    events::{self, Event},
    http::Reply,
    script::{Endpoint, Filter, Script},
    together,
    world::World,
};
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    time::{Duration, Instant},
};

#[test]
fn refused_token_is_not_retried() {
    let endpoints = [Endpoint::Create, Endpoint::Status, Endpoint::Download];
    together(endpoints.into_iter().flat_map(|endpoint| [(endpoint, 401), (endpoint, 403)]), |(endpoint, status)| {
        let refused = Reply::json(status, &json!({"error": {"message": "exports:create is missing"}}));
        let world = World::new(Script::new(march()).always(endpoint, refused));
        let outcome = world.archive_month(MONTH).expect(9);
        assert!(outcome.output().contains(&status.to_string()), "{}", outcome.output());
        assert!(world.platform.requests(endpoint).len() <= 2, "{status} was retried");
        world.assert_nothing_committed();
    });
}

#[test]
fn missing_token_is_refused_before_any_request() {
    let mut world = World::new(Script::new(march()));
    world.host.set("KEEPTRUSTS_API_TOKEN", "");
    let outcome = world.archive_month(MONTH);
    assert!([Some(2), Some(9)].contains(&outcome.code), "{}", outcome.output());
    assert!(outcome.output().contains("KEEPTRUSTS_API_TOKEN"), "{}", outcome.output());
    assert_eq!(world.platform.jobs(), 0);
}

#[test]
fn foreign_text_is_escaped_wherever_it_is_printed() {
    let hostile = "fail\u{202e}ed\u{2028}";
    let failed =
        Reply::json(200, &json!({"id": "exp_0001", "status": "failed", "error": format!("{hostile}: disk\u{200b}")}));
    let unknown = Reply::json(200, &json!({"id": "exp_0001", "status": hostile}));
    let script = Script::new(march()).answer(Endpoint::Status, 1, &unknown).always(Endpoint::Status, failed);
    together(["text", "json"], |format| {
        let world = World::new(script.clone());
        for json in [&[][..], &["--json"]] {
            let run = [&["run", "--month", MONTH, "--log-format", format], json].concat();
            let output = world.run(&run).expect(6).output();
            assert!(output.contains("\\u202e") && output.contains("operator"), "{output}");
            let hidden = |letter| matches!(letter, '\u{202e}' | '\u{2028}' | '\u{200b}');
            assert!(!output.contains(hidden), "{output}");
        }
    });
}

#[test]
fn bad_request_is_not_retried() {
    let refused = Reply::json(400, &json!({"error": "bad request"}));
    let world = World::new(Script::new(march()).always(Endpoint::Create, refused));
    world.archive_month(MONTH).expect(6);
    assert_eq!(world.platform.requests(Endpoint::Create).len(), 1);
}

#[test]
fn too_large_window_is_split_and_merged() {
    let world = archived(Script::new(march()).longest_window(10));
    let mut windows = world.platform.windows();
    windows.sort();
    assert!(windows.len() >= 3, "{windows:?}");
    assert!(windows.iter().all(|(from, to)| (*to - *from).num_days() < 10), "{windows:?}");
    assert!(windows.windows(2).all(|pair| pair[0].1 >= pair[1].0), "a gap between the windows {windows:?}");
    assert!(world.archive().month(MONTH)["source"]["detail"]["jobs"].as_array().unwrap().len() >= 3);
}

#[test]
fn reported_count_is_recorded() {
    let world = archived(
        Script::new(march())
            .details(|bytes, rows| json!({"event_count": rows, "size_bytes": bytes.len(), "sha256": sha256(bytes)})),
    );
    assert_eq!(world.archive().month(MONTH)["events"]["source_count"], 60);
}

#[test]
fn count_mismatch_is_never_committed() {
    for (name, details) in [
        ("event_count", (|_, rows| json!({"event_count": rows + 1})) as fn(&[u8], usize) -> serde_json::Value),
        ("row_count", |_, rows| json!({"row_count": rows - 1})),
    ] {
        let world = World::new(Script::new(march()).details(details));
        let outcome = world.run(&["run", "--month", MONTH, "--job-timeout", "5s", "--json"]).expect(5);
        assert!(outcome.output().contains("60"), "{name}: {}", outcome.output());
        world.assert_nothing_committed();
    }
}

#[test]
fn a_job_or_a_header_that_tells_of_further_events_is_refused() {
    let page =
        Reply::new(200, events::csv(&march())).header("Link", "</v1/exports/exp_0001/artifact?page=2>; rel=\"next\"");
    let cut = Script::new(march()).details(|_, _| json!({"result": {"limitReached": true}}));
    together([cut, Script::new(march()).always(Endpoint::Download, page)], |script| {
        let world = World::new(script);
        world.archive_month(MONTH).expect(5);
        world.assert_nothing_committed();
    });
}

#[test]
fn empty_body_is_no_empty_month() {
    let scripts = [Script::from_bytes(""), Script::from_bytes("").details(|_, _| json!({"row_count": 0}))];
    together(scripts, |script| {
        let world = World::new(script);
        world.run(&["run", "--month", MONTH, "--allow-empty", "--json"]).expect(5);
        world.assert_nothing_committed();
    });
}

#[test]
fn size_or_digest_mismatch_is_never_committed() {
    for details in [
        (|bytes, _| json!({"size_bytes": bytes.len() + 1})) as fn(&[u8], usize) -> serde_json::Value,
        |_, _| json!({"sha256": sha256(b"something else")}),
    ] {
        let world = World::new(Script::new(march()).details(details));
        world.archive_month(MONTH).expect(5);
        world.assert_nothing_committed();
    }
}

#[test]
fn events_outside_the_window_are_counted_and_dropped() {
    let events = [march(), events::edges(MONTH).to_vec()].concat();
    let world = World::new(Script::new(events));
    world.archive_month(MONTH).expect(0);
    let counts = world.archive().month(MONTH)["events"].clone();
    assert_eq!(counts["archived"], 62);
    assert_eq!(counts["outside_window"], 2);
    assert_eq!(counts["read"], 64);
    world.archive().check();
}

#[test]
fn ignored_time_filter_is_refused() {
    let events = [march(), vec![Event::at("stray", "2025-05-20T12:00:00.000000Z")]].concat();
    let world = World::new(Script::new(events).filter(Filter::Ignored));
    world.archive_month(MONTH).expect(5);
    world.assert_nothing_committed();
}

#[test]
fn header_without_event_columns_is_refused() {
    let world = World::new(Script::from_bytes("name,size\r\nreport.csv,12\r\n"));
    let outcome = world.archive_month(MONTH);
    assert!([Some(5), Some(6)].contains(&outcome.code), "{}", outcome.output());
    world.assert_nothing_committed();
}

#[test]
fn header_error_without_an_option_has_its_own_hint() {
    let month = "id,timestamp,month\r\n1,2025-03-10T10:00:00Z,March\r\n";
    for (artifact, hint) in [(month, "--rename month="), ("id,timestamp,verdict,verdict\r\n", "at the source")] {
        let world = World::new(Script::from_bytes(artifact));
        let outcome = world.archive_month(MONTH).expect(6).json();
        let shown = outcome["error"]["hint"].as_str().unwrap();
        assert!(shown.contains(hint) && !shown.contains("--id-column"), "{artifact}: {shown}");
        world.assert_nothing_committed();
    }
}

#[test]
fn a_port_without_tls_is_named_at_once() {
    // Web servers answer so to the beginning of TLS.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 512]).unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    let mut world = World::new(Script::new(Vec::new()));
    world.host.set("KT_ARCHIVE_SOURCE", format!("https://{address}"));
    let started = Instant::now();
    let outcome = world.archive_month(MONTH).expect(6);
    assert!(outcome.stderr.contains("does not speak TLS"), "{}", outcome.stderr);
    assert!(started.elapsed() < Duration::from_secs(5), "it was tried again");
}
