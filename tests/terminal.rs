//! What people see on a terminal: errors, signals and retries as sentences, and lines that fit.

use crate::support::{
    cli::Host,
    events,
    http::Reply,
    script::{Cut, Endpoint, Script},
    test_variable,
    world::World,
};
use std::{fs, process::Command, time::Duration};

/// The output of the program on a terminal of this width, without colours.
#[track_caller]
fn on_terminal(host: &Host, columns: u16, arguments: &[&str]) -> Vec<String> {
    let python = "import fcntl, os, pty, struct, subprocess, sys, termios\n\
                  mine, its = pty.openpty()\n\
                  fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack('HHHH', 50, int(sys.argv[1]), 0, 0))\n\
                  child = subprocess.Popen(sys.argv[2:], stdin=its, stdout=its, stderr=its, start_new_session=True)\n\
                  os.close(its)\n\
                  seen = b''\n\
                  while True:\n\
                  \x20   try:\n\
                  \x20       read = os.read(mine, 65536)\n\
                  \x20   except OSError:\n\
                  \x20       break\n\
                  \x20   if not read:\n\
                  \x20       break\n\
                  \x20   seen += read\n\
                  child.wait()\n\
                  sys.stdout.buffer.write(seen)\n";
    let mut command = Command::new(test_variable("KT_TEST_PYTHON"));
    command.args(["-c", python, &columns.to_string(), env!("CARGO_BIN_EXE_kt-archive")]).args(arguments);
    host.prepare(&mut command);
    let output = command.env("TERM", "xterm").env("NO_COLOR", "1").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim_end().to_owned()).collect()
}

/// A host with 27 archived months and a replica.
fn archived() -> Host {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=1000&seed=7");
    host.set_time("2025-04-10 03:00:00");
    host.run(&["backfill", "--from", "2023-01", "--replica", "replica", "--quiet"]).expect(0);
    host
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let host = archived();
    let commands: [&[&str]; 6] = [
        &["status", "--replica", "replica", "--platform-retention", "365d"],
        &["status", "--list"],
        &["verify", "--progress", "never"],
        &["doctor"],
        &["run", "--replica", "replica", "--progress", "never"],
        &["pull", "--from", "2025-03", "--to", "2025-04", "--output", "slice.csv", "--force", "--progress", "never"],
    ];
    for columns in [60, 80, 120] {
        for command in commands {
            let lines = on_terminal(&host, columns, command);
            assert!(lines.len() > 1 || command[0] == "verify", "{command:?}: {lines:?}");
            let home = host.path("").display().to_string();
            // A path is never broken: it is to be copied.
            let wide = lines.iter().filter(|line| {
                line.chars().count() > usize::from(columns)
                    && !line.split(' ').any(|word| word.contains(&home) && word.len() + 8 > usize::from(columns))
            });
            assert_eq!(wide.collect::<Vec<_>>(), [] as [&String; 0], "{command:?} at {columns} columns");
        }
    }
}

#[test]
fn finding_has_its_path_and_its_message_on_lines_of_their_own() {
    let host = archived();
    let folder = host.path("archive/events/parquet/month=2024-05");
    let file = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let size = fs::metadata(&file).unwrap().len();
    fs::write(&file, [&fs::read(&file).unwrap()[..], b"x"].concat()).unwrap();
    let path = file.strip_prefix(host.path("archive")).unwrap().display().to_string();
    let lines = on_terminal(&host, 60, &["verify", "--progress", "never"]);
    let message = format!("the object has {} bytes instead of {size}", size + 1);
    assert_eq!(lines[..3], ["V011  damage".to_owned(), format!("      {path}"), format!("      {message}")]);
    // In a file, lines are never broken.
    let text = host.run(&["verify"]).expect(4).stdout;
    assert!(text.starts_with(&format!("V011  damage\n      {path}\n      {message}\n")), "{text}");
}

#[test]
fn backfill_has_a_bar_for_all_months_and_verify_one_for_all_files() {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=20000&seed=7");
    let range = ["--from", "2024-01", "--to", "2024-06"];
    let seen = on_terminal(&host, 60, &[&["backfill"], &range[..]].concat()).join("\n");
    assert!(seen.contains("all months") && seen.contains("/6") && seen.contains(" left"), "{seen}");
    let seen = on_terminal(&host, 60, &["verify"]).join("\n");
    assert!(seen.contains("all files"), "{seen}");
}

/// A world whose downloads are slow.
fn slow() -> World {
    let months = ["2025-01", "2025-02", "2025-03"].map(|month| events::month(month, 200)).concat();
    World::new(Script::new(months).redirect().always_cut(Cut::Slow(200, Duration::from_millis(100))))
}

#[test]
fn interrupted_backfill_is_one_line() {
    for (signal, code, name) in [("INT", 130, "interrupted by SIGINT"), ("TERM", 143, "stopped by SIGTERM")] {
        let world = slow();
        let running = world.host.start(&["backfill", "--from", "2025-01", "--to", "2025-03", "--progress", "never"]);
        world.platform.wait_for(Endpoint::Storage, 1);
        running.signal(signal);
        let outcome = running.wait().expect(code);
        let expected = format!(
            "{name}: 0 of 3 months are archived; run the same command again for the rest; what is committed stays\n"
        );
        assert_eq!(outcome.stderr, expected);
        assert!(outcome.stdout.contains("2025-01  stopped"), "{}", outcome.stdout);
        assert!(outcome.stdout.contains("\nnot tried: events 2025-02 to 2025-03\n"), "{}", outcome.stdout);
    }
    let world = slow();
    let running = world.host.start(&["backfill", "--from", "2025-01", "--to", "2025-03", "--json"]);
    world.platform.wait_for(Endpoint::Storage, 1);
    running.signal("INT");
    let document = running.wait().expect(130).json();
    let states = document["months"].as_array().unwrap().iter().map(|month| month["state"].as_str().unwrap());
    assert_eq!(states.collect::<Vec<_>>(), ["failed"; 3]);
}

#[test]
fn equal_hints_are_printed_once() {
    let months = ["2025-01", "2025-02", "2025-03"];
    let world = World::new(Script::new(events::month("2025-06", 5)));
    let outcome = world.run(&["backfill", "--from", months[0], "--to", months[2], "--progress", "never"]).expect(5);
    assert_eq!(outcome.stderr.matches("error: ").count(), 3, "{}", outcome.stderr);
    assert_eq!(outcome.stderr.matches("hint: ").count(), 1, "{}", outcome.stderr);
}

#[test]
fn months_after_a_refusal_are_one_line() {
    let refused = Reply::new(401, "");
    let world = World::new(Script::new(Vec::new()).always(Endpoint::Create, refused));
    let outcome = world.run(&["backfill", "--from", "2025-01", "--to", "2025-12", "--progress", "never"]).expect(9);
    assert_eq!(outcome.stderr.lines().count(), 3, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("not tried, since an earlier month failed: events 2025-02 to 2025-12"),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.stderr.matches("hint: ").count(), 1, "{}", outcome.stderr);
}

#[test]
fn retry_is_a_sentence_with_details_on_request() {
    let busy = || Script::new(events::month("2025-03", 20)).answer(Endpoint::Create, 1, &Reply::new(503, "busy"));
    let run = ["run", "--month", "2025-03", "--progress", "never"];
    let stderr = World::new(busy()).run(&run).expect(0).stderr;
    assert!(stderr.starts_with("warning: could not create an export job: the server answered 503"), "{stderr}");
    assert!(stderr.contains("; trying again in ") && stderr.ends_with(" s (2 of 6)\n"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let details = World::new(busy()).run(&[&run[..], &["-v"]].concat()).expect(0).stderr;
    assert!(details.contains("waiting for another try") && details.contains("wait_ms="), "{details}");
    let records = World::new(busy()).run(&[&run[..], &["--log-format", "json"]].concat()).expect(0).stderr;
    let record = serde_json::from_str::<serde_json::Value>(records.lines().next().unwrap()).unwrap();
    assert!(record["error"].is_string() && record["wait_ms"].is_u64(), "{record}");
    assert_eq!((&record["attempt"], &record["attempts"]), (&2.into(), &6.into()));
}

#[test]
fn backfill_ends_with_the_last_closed_month() {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=10");
    for (time, last) in [("2025-04-01 00:59:00", "2025-02"), ("2025-04-01 01:00:30", "2025-03")] {
        host.set_time(time);
        let document = host.run(&["backfill", "--from", "2025-01", "--dry-run", "--json"]).expect(0).json();
        let months = document["months"].as_array().unwrap();
        assert_eq!(months.last().unwrap()["month"], last, "at {time}");
    }
    host.run(&["backfill", "--from", "2025-04", "--dry-run"]).expect(2);
}

#[test]
fn head_is_accepted_as_it_is_printed() {
    let host = archived();
    for command in [&["status"][..], &["run"]] {
        let text = host.run(command).expect(0).stdout;
        let line = text.lines().find(|line| line.starts_with("head ")).unwrap();
        let head = line.split(' ').nth(1).unwrap();
        assert!(head.starts_with("27:") && head.ends_with('…'), "{head}");
        let other = head.replacen("27:", "26:", 1);
        host.run(&["verify", "--level", "quick", "--expect-head", &other]).expect(4);
        // Clears what is known of the other one, with which no run would go on.
        host.run(&["verify", "--level", "quick", "--expect-head", head]).expect(0);
    }
}
