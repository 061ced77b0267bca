//! `status`: calendar, list, and JSON.

use crate::support::cli::Host;
use serde_json::{Value, json};
use std::{fs, process::Command};

/// A host at noon of a day, with an archive of the demo source's events of these months.
fn archived(day: &str, months: &[(&str, &str)]) -> Host {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=40&seed=3");
    host.set_time(&format!("{day} 12:00:00"));
    for (from, to) in months {
        host.run(&["backfill", "--from", from, "--to", to, "--quiet"]).expect(0);
    }
    host
}

#[track_caller]
fn dataset(host: &Host, options: &[&str]) -> Value {
    let document = host.run(&[&["status", "--json"][..], options].concat()).expect(0).json();
    document["datasets"][0].clone()
}

#[test]
fn pipe_gets_80_columns_without_colour() {
    let host = archived("2025-04-10", &[("2023-11", "2024-04"), ("2024-07", "2025-02")]);
    let text = host.run(&["status"]).expect(0).stdout;
    let lines = text.lines().collect::<Vec<_>>();
    assert!(lines[0].starts_with("events: 14 months, 560 events, "), "{text}");
    assert!(lines[0].ends_with("missing 2024-05 to 2024-06, 2025-03"), "{text}");
    assert!(lines[1].starts_with("     Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec  EVENTS"), "{text}");
    assert!(lines[2].starts_with("2023                                          A   A       80"), "{text}");
    assert!(lines[3].starts_with("2024  A   A   A   A   !   !   A   A   A   A   A   A      400"), "{text}");
    assert!(lines[4].starts_with("2025  A   A   !                                           80"), "{text}");
    assert_eq!(lines[5], "source demo: (invented events)", "{text}");
    assert!(text.contains("\nA archived   ! MISSING\nnot verified yet on this host"), "{text}");
    assert!(text.contains("\nhead 14:"), "{text}");
    assert!(!text.contains('\u{1b}') && lines.iter().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn terminal_gets_colour_unless_disabled() {
    let mut host = archived("2025-04-10", &[("2025-01", "2025-01")]);
    host.set("TERM", "xterm-256color");
    let on_a_terminal = |host: &Host| {
        let command = host.command(&[]);
        let program = command.get_program().to_str().unwrap();
        let output = Command::new("script")
            .args(["-qec", &format!("{program} status"), "/dev/null"])
            .env_clear()
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir(host.path(""))
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap().replace('\r', "")
    };
    let coloured = on_a_terminal(&host);
    assert!(coloured.contains("\u{1b}[32mA\u{1b}[0m") && coloured.contains("\u{1b}[1;31m!\u{1b}[0m"), "{coloured}");
    host.set("NO_COLOR", "1");
    assert_eq!(on_a_terminal(&host), host.run(&["status"]).expect(0).stdout);
}

#[test]
fn list_has_a_line_for_each_month() {
    let host = archived("2025-04-10", &[("2025-01", "2025-01"), ("2025-03", "2025-03")]);
    let text = host.run(&["status", "--list"]).expect(0).stdout;
    let months = text.lines().map(|line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" "));
    let expected =
        ["DATASET MONTH STATE", "events 2025-01 archived", "events 2025-02 MISSING", "events 2025-03 archived"];
    assert_eq!(months.take(4).collect::<Vec<_>>(), expected, "{text}");
    let mut listing = host;
    listing.set("KT_ARCHIVE_LIST", "true");
    assert_eq!(listing.run(&["status"]).expect(0).stdout, text);
}

#[test]
fn month_is_late_after_three_days() {
    let mut host = archived("2025-03-10", &[("2025-01", "2025-02")]);
    let at = |host: &mut Host, time: &str| {
        host.set_time(time);
        let dataset = dataset(host, &["--to", "2025-04"]);
        (dataset["months"][2]["state"].as_str().unwrap().to_owned(), dataset["late"].as_u64().unwrap())
    };
    assert_eq!(at(&mut host, "2025-03-31 23:59:59"), ("open".to_owned(), 0));
    assert_eq!(at(&mut host, "2025-04-03 23:59:59"), ("missing".to_owned(), 0));
    assert_eq!(at(&mut host, "2025-04-04 00:00:00"), ("missing".to_owned(), 1));
    assert!(host.run(&["status"]).expect(0).stdout.contains("1 month is late"));
}

#[test]
fn days_until_pruning_count_from_the_oldest_missing_month() {
    let host = archived("2025-04-10", &[("2024-11", "2024-12"), ("2025-02", "2025-03")]);
    assert_eq!(dataset(&host, &[])["prune"], Value::Null);
    // The first event of January is a year old on 1 January 2026.
    let prune = |retention| dataset(&host, &["--platform-retention", retention])["prune"].clone();
    assert_eq!(prune("365d"), json!({"month": "2025-01", "at": "2026-01-01T00:00:00.000000Z", "days": 265}));
    assert_eq!(prune("100d")["days"], 0);
    assert_eq!(prune("99d")["days"], -1);
    // The range shown does not change the deadline.
    let narrow = dataset(&host, &["--from", "2025-02", "--to", "2025-03", "--platform-retention", "101d"]);
    assert_eq!((narrow["prune"]["month"].clone(), narrow["prune"]["days"].clone()), (json!("2025-01"), json!(1)));
    let text = host.run(&["status", "--platform-retention", "99d"]).expect(0).stdout;
    assert!(text.contains("the platform began to prune 2025-01 on 2025-04-10"), "{text}");
    // If no month is missing, the current one is the oldest.
    host.run(&["run", "--month", "2025-01", "--quiet"]).expect(0);
    assert_eq!(prune("365d"), json!({"month": "2025-04", "at": "2026-04-01T00:00:00.000000Z", "days": 355}));
}

#[test]
fn replicas_show_how_far_they_are_behind() {
    let host = archived("2025-04-10", &[("2025-01", "2025-01")]);
    let replicate = |to: &str| drop(host.run(&["replicate", "--quiet", "--replica", to]).expect(0));
    replicate("old");
    host.run(&["backfill", "--from", "2025-02", "--to", "2025-03", "--quiet"]).expect(0);
    replicate("new");
    replicate("diverged");
    host.run(&["run", "--month", "2025-01", "--archive", "other", "--quiet"]).expect(0);
    let last = host.path("diverged/manifests/00000003.json");
    fs::write(&last, fs::read_to_string(&last).unwrap().replace("2025-03", "2025-05")).unwrap();
    let names = ["new", "old", "nowhere", "other", "diverged"];
    let options = names.iter().flat_map(|name| ["--replica", *name]).collect::<Vec<_>>();
    let outcome = host.run(&[&["status", "--json"][..], &options].concat()).expect(0);
    let replicas = outcome.json()["replicas"].clone();
    let states = replicas.as_array().unwrap().iter().map(|it| (it["state"].as_str().unwrap(), it["behind"].as_u64()));
    let expected = [("current", Some(0)), ("behind", Some(2)), ("behind", Some(3)), ("failed", None), ("failed", None)];
    assert_eq!(states.collect::<Vec<_>>(), expected, "{replicas:#}");
    assert!(!host.path("nowhere").is_dir(), "status created the folder");
    let text = host.run(&[&["status"][..], &options].concat()).expect(0).stdout;
    assert!(text.contains("current  0 commits  new\nbehind   2 commits  old\n"), "{text}");
    assert!(text.contains("\nreplica other: "), "{text}");
}

#[test]
fn json_keys_of_months_are_stable() {
    let host = archived("2025-04-10", &[("2025-03", "2025-03")]);
    let month = dataset(&host, &[])["months"][0].clone();
    let keys = month.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(keys, ["month", "state", "events", "bytes", "rejected", "committed_at", "sequence", "damaged"]);
}
