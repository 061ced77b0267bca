//! Exit codes, and the document of `--json`.

use crate::support::{
    events,
    http::Reply,
    script::{Cut, Endpoint, Script},
    world::World,
};
use serde_json::{Value, json};
use std::time::Duration;

const MONTH: &str = "2025-03";

fn world() -> World {
    World::new(Script::new(events::month(MONTH, 20)))
}

/// A world with a slow download.
fn slow() -> World {
    let slow = Cut::Slow(100, Duration::from_millis(200));
    World::new(Script::new(events::month(MONTH, 20)).always_cut(slow))
}

#[test]
fn wrong_usage_exits_with_2() {
    let world = world();
    for arguments in [
        &["run", "--month", "2025-13"][..],
        &["run", "--month", "March"],
        &["run", "--no-such-option"],
        &["no-such-command"],
        &["backfill", "--from", "2025-03", "--to", "2025-01"],
        &["backfill", "--to", "2025-03"],
        &["run", "--month", MONTH, "--format", "xlsx"],
        &["run", "--month", MONTH, "--dataset", "Events!"],
        &["run", "--month", MONTH, "--dataset", "manifests"],
        &["run", "--month", MONTH, "--job-timeout", "soon"],
        &["run", "--month", MONTH, "--part-size", "1"],
        &["run", "--month", MONTH, "--part-size", "1KiB"],
    ] {
        let outcome = world.run(arguments).expect(2);
        assert!(!outcome.stderr.is_empty(), "{arguments:?} prints nothing");
    }
    assert_eq!(world.platform.jobs(), 0);
}

#[test]
fn unfinished_month_exits_with_2() {
    let world = World::at("2025-04-10T03:00:00Z", "UTC", Script::new(events::month(MONTH, 20)));
    for month in ["2025-04", "2025-05", "2030-01"] {
        world.archive_month(month).expect(2);
    }
    assert_eq!(world.platform.jobs(), 0);
}

#[test]
fn month_is_refused_during_the_grace_period() {
    let world = World::at("2025-04-01T00:30:00Z", "UTC", Script::new(events::month(MONTH, 20)));
    world.archive_month(MONTH).expect(2);
    world.run(&["run", "--month", MONTH, "--grace", "10m", "--json"]).expect(0);
    assert_eq!(world.archive().months(), [MONTH]);
}

#[test]
fn reading_without_an_archive_exits_with_7() {
    let world = world();
    for arguments in [&["verify", "--json"][..], &["status", "--json"]] {
        let outcome = world.run(arguments).expect(7);
        assert!(outcome.output().contains("no archive here"), "{arguments:?}: {}", outcome.output());
    }
    assert!(!world.archive().root().is_dir(), "a reading command made the folder");
}

#[test]
fn lock_held_by_another_run_exits_with_8() {
    let world = slow();
    let running = world.start_month(MONTH);
    world.platform.wait_for(Endpoint::Download, 1);
    world.archive_month("2025-02").expect(8);
    assert_eq!(world.platform.jobs(), 1);
    running.kill();
    // A dead run holds no lock.
    world.platform.behave(|script| script.cuts(&[]));
    world.archive_month(MONTH).expect(0);
}

#[test]
fn empty_month_exits_with_5() {
    let world = world();
    let outcome = world.archive_month("2025-02").expect(5);
    assert!(outcome.output().contains("no events"), "{}", outcome.output());
    world.assert_nothing_committed();
}

#[test]
fn password_in_a_url_exits_with_2_and_is_not_printed() {
    let world = world();
    for url in ["https://user:canarypassword@api.example", "postgres://reader:canarypassword@127.0.0.1/events"] {
        let outcome = world.run(&["run", "--month", MONTH, "--source", url, "--json"]).expect(2);
        assert!(!outcome.output().contains("canarypassword"), "{}", outcome.output());
        assert!(outcome.output().contains("hint") || !outcome.json()["error"]["hint"].is_null());
    }
}

#[test]
fn plain_http_to_a_public_address_is_refused() {
    let world = world();
    let outcome = world.run(&["run", "--month", MONTH, "--source", "http://192.0.2.1", "--json"]).expect(2);
    assert!(outcome.output().contains("--allow-http"), "{}", outcome.output());
}

#[test]
fn format_that_an_archived_month_lacks_exits_with_2() {
    let mut world = world();
    world.host.set("KT_ARCHIVE_FORMAT", "parquet");
    world.archive_month(MONTH).expect(0);
    let outcome = world.run(&["run", "--month", MONTH, "--format", "parquet,csv", "--json"]).expect(2);
    assert!(outcome.output().contains("csv"), "{}", outcome.output());
    world.archive_month(MONTH).expect(0);
}

#[test]
fn partly_failed_backfill_exits_with_3() {
    let world = World::new(Script::new(events::month(MONTH, 20)));
    let outcome = world.run(&["backfill", "--from", "2025-02", "--to", MONTH, "--json"]).expect(3).json();
    let months = outcome["months"].as_array().unwrap();
    let state = |name: &str| months.iter().find(|month| month["month"] == name).unwrap()["state"].clone();
    assert_eq!((state("2025-02"), state(MONTH)), (json!("failed"), json!("archived")));
    assert_eq!(world.archive().months(), [MONTH]);
    world.archive().check();
    // A failed month has its own error.
    assert!(months.iter().find(|month| month["month"] == "2025-02").unwrap()["error"]["message"].is_string());
}

#[test]
fn missing_month_in_verify_exits_with_5() {
    let world = World::new(Script::new(["2025-01", MONTH].map(|month| events::month(month, 9)).concat()));
    for month in ["2025-01", MONTH] {
        world.archive_month(month).expect(0);
    }
    let outcome = world.run(&["verify", "--from", "2025-01", "--to", MONTH, "--json"]).expect(5).json();
    let codes = outcome["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap());
    assert_eq!(codes.collect::<Vec<_>>(), ["V030"]);
}

#[test]
fn sigterm_exits_with_143_and_sigint_with_130() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let world = slow();
        let running = world.start_month(MONTH);
        world.platform.wait_for(Endpoint::Download, 1);
        running.signal(signal);
        let outcome = running.wait();
        assert_eq!(outcome.signal, None, "the signal killed the process");
        outcome.expect(code);
        world.assert_nothing_committed();
        world.platform.behave(|script| script.cuts(&[]));
        world.archive_month(MONTH).expect(0);
        world.archive().check();
        assert_eq!(world.platform.jobs(), 1, "the job was not found again");
    }
}

#[test]
fn signal_stops_waiting_for_a_job() {
    let world = World::new(Script::new(events::month(MONTH, 20)).statuses(&["processing"]));
    let running = world.start_month(MONTH);
    world.platform.wait_for(Endpoint::Status, 1);
    let start = std::time::Instant::now();
    running.signal("TERM");
    running.wait().expect(143);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn json_output_is_one_document_on_success_and_failure() {
    let refused = Reply::json(400, &json!({"error": "bad request"}));
    let failing = World::new(Script::new(Vec::new()).always(Endpoint::Create, refused));
    for (world, arguments, command, code) in [
        (world(), &["run", "--month", MONTH, "--json"][..], "run", 0),
        (world(), &["run", "--month", "2025-02", "--json"], "run", 5),
        (world(), &["verify", "--json"], "verify", 7),
        (world(), &["status", "--json"], "status", 7),
        (failing, &["backfill", "--from", "2025-02", "--to", MONTH, "--json"], "backfill", 6),
    ] {
        let document = world.run(arguments).expect(code).json();
        assert_eq!((&document["command"], &document["exit"]), (&json!(command), &json!(code)), "{arguments:?}");
        assert_eq!(document["error"].is_null(), code == 0, "{document}");
        if code != 0 {
            assert!(document["error"]["message"].is_string(), "{document}");
            assert!(document["error"].get("hint").is_some(), "{document}");
        }
    }
}

#[test]
fn json_names_the_command_and_not_an_option_value() {
    let document = world().run(&["--archive", "run", "status", "--json"]).expect(7).json();
    assert_eq!(document["command"], "status");
    assert_eq!(document["datasets"], json!([]));
}

#[test]
fn json_log_format_makes_every_stderr_line_json() {
    let world = world();
    for (arguments, code) in [
        (&["run", "--month", MONTH][..], 0),
        (&["run", "--month", "2025-02"], 5),
        (&["run", "--month", "2025-13"], 2),
        (&["verify", "--archive", "./nowhere"], 7),
    ] {
        let outcome = world.run(&[arguments, &["--log-format", "json"]].concat()).expect(code);
        let records = outcome.stderr.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
        let records = records.collect::<Vec<_>>();
        let failed = records.iter().find(|record| record["level"] == "ERROR");
        assert_eq!(failed.is_some(), code != 0, "{arguments:?}: {}", outcome.stderr);
        assert!(failed.is_none_or(|record| record["hint"].is_string()), "{}", outcome.stderr);
        let archives = arguments[0] == "run" && code != 2;
        assert_eq!(records.iter().any(|record| record["month"] == arguments[2]), archives, "{}", outcome.stderr);
    }
}

#[test]
fn results_go_to_stdout_and_messages_to_stderr() {
    let world = world();
    let outcome = world.run(&["run", "--month", MONTH]).expect(0);
    assert!(outcome.stdout.contains(MONTH), "{}", outcome.stdout);
    let failed = world.run(&["run", "--month", "2025-02"]).expect(5);
    assert!(failed.stderr.contains("hint:"), "{}", failed.stderr);
    for noise in ["panicked", "RUST_BACKTRACE", "\u{1b}["] {
        assert!(!failed.output().contains(noise), "{}", failed.output());
    }
}

#[test]
fn status_lists_every_month_of_its_range() {
    let world = World::at(
        "2025-04-10T03:00:00Z",
        "UTC",
        Script::new(["2025-01", MONTH].map(|month| events::month(month, 9)).concat()),
    );
    for month in ["2025-01", MONTH] {
        world.archive_month(month).expect(0);
    }
    let months = |arguments: &[&str]| {
        let document = world.run(arguments).expect(0).json();
        let months = document["datasets"][0]["months"].as_array().unwrap().clone();
        let text = |month: &Value, key: &str| month[key].as_str().unwrap().to_owned();
        months.iter().map(|month| (text(month, "month"), text(month, "state"))).collect::<Vec<_>>()
    };
    let expect = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(month, state)| ((*month).to_owned(), (*state).to_owned())).collect::<Vec<_>>()
    };
    let known = [("2025-01", "archived"), ("2025-02", "missing"), ("2025-03", "archived")];
    assert_eq!(months(&["status", "--json"]), expect(&known));
    let wider = [&[("2024-12", "missing")], &known[..], &[("2025-04", "open")]].concat();
    assert_eq!(months(&["status", "--from", "2024-12", "--to", "2025-04", "--json"]), expect(&wider));
}
