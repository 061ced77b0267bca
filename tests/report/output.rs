//! The output file of the page: replacement, refused paths, and interruption.

use super::{archived, assert_same, page, report};
use crate::support::cli::Host;
use std::{fs, os::unix::fs::PermissionsExt as _, thread, time::Duration};

fn names(host: &Host) -> Vec<String> {
    let names = fs::read_dir(host.path("out")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names = names.collect::<Vec<_>>();
    names.sort();
    names
}

#[test]
fn existing_files_are_replaced_only_with_force() {
    let (mut host, _) = archived("2025-03", "2025-03");
    fs::create_dir(host.path("out")).unwrap();
    let arguments = ["report", "--output", "out/report.html"];
    host.run(&arguments).expect(0);
    let page = fs::read_to_string(host.path("out/report.html")).unwrap();
    fs::write(host.path("out/report.html"), "theirs").unwrap();
    let refused = host.run(&arguments).expect(2);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(fs::read(host.path("out/report.html")).unwrap(), b"theirs");
    host.set("KT_ARCHIVE_FORCE", "true");
    host.run(&arguments).expect(0);
    assert_same(&fs::read_to_string(host.path("out/report.html")).unwrap(), &page);
    assert_eq!(names(&host), ["report.html"], "nothing else is left");
    let mode = fs::metadata(host.path("out/report.html")).unwrap().permissions().mode();
    assert_eq!(mode & 0o600, 0o600);
}

#[test]
fn output_inside_the_archive_or_without_a_name_is_refused() {
    let (host, archive) = archived("2025-03", "2025-03");
    let before = archive.snapshot();
    for output in ["archive/report.html", "archive/events/report.html", "archive", "no/folder/report.html", ""] {
        let refused = host.run(&["report", "--output", output, "--force", "--json"]).expect(2);
        assert!(!refused.json()["error"]["hint"].is_null(), "{output}: {}", refused.stdout);
    }
    let refused = host.run(&["report"]).expect(2);
    assert!(refused.stderr.contains("--output"), "{}", refused.stderr);
    assert_eq!(archive.snapshot(), before);
}

#[test]
fn path_is_printed_as_text_and_as_json() {
    let (host, archive) = archived("2025-03", "2025-03");
    let document = report(&host, &[]).expect(0).json();
    let bytes = fs::metadata(host.path("report.html")).unwrap().len();
    assert_eq!((&document["command"], &document["output"]), (&"report".into(), &"report.html".into()));
    assert_eq!(document["bytes"], bytes);
    assert_eq!(document["head"]["sequence"], 1);
    assert_eq!(document["unread"], serde_json::json!([]));
    let outcome = host.run(&["report", "--output", "other.html", "--archive", &archive.root().display().to_string()]);
    let outcome = outcome.expect(0);
    assert_eq!(outcome.stdout.lines().count(), 1);
    assert!(outcome.stdout.starts_with("wrote other.html, "), "{}", outcome.stdout);
}

#[test]
fn interrupted_report_leaves_no_page() {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=200000&seed=7");
    host.run(&["run", "--month", "2025-03", "--quiet"]).expect(0);
    fs::create_dir(host.path("out")).unwrap();
    let scratch = host.state_dir().join("report");
    let begun = || {
        let mut running = host.start(&["report", "--output", "out/report.html"]);
        while !fs::read_dir(&scratch).is_ok_and(|mut found| found.next().is_some()) {
            assert!(running.is_running(), "the report ended before it began");
            thread::sleep(Duration::from_millis(1));
        }
        running
    };
    let running = begun();
    running.signal("TERM");
    running.wait().expect(143);
    assert_eq!((names(&host), fs::read_dir(&scratch).unwrap().count()), (Vec::new(), 0));
    begun().kill();
    assert!(!names(&host).contains(&"report.html".to_owned()));
    host.run(&["report", "--output", "out/report.html"]).expect(0);
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "what the killed one left goes with the next one");
}

#[test]
fn page_needs_no_state_folder() {
    let (mut host, _) = archived("2025-03", "2025-03");
    let first = page(&host, &[]);
    fs::write(host.path("file"), "").unwrap();
    host.set("KT_ARCHIVE_STATE_DIR", host.path("file/state").display().to_string());
    assert_same(&page(&host, &[]), &first);
}
