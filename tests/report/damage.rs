//! Damaged and incomplete archives in the page and the exit code.

use super::{archived, assert_contains, read, report};
use std::fs;

#[test]
fn damaged_file_is_named_and_the_page_is_written() {
    for damage in ["other bytes", ""] {
        let (host, archive) = archived("2025-01", "2025-03");
        let file = archive.file("2025-02", "parquet");
        fs::write(archive.path(&file), damage).unwrap();
        let outcome = report(&host, &[]).expect(4);
        let document = outcome.json();
        let unread = document["unread"].as_array().unwrap();
        assert_eq!((unread.len(), &unread[0]["month"]), (1, &"2025-02".into()));
        assert!(document["error"]["hint"].as_str().unwrap().contains("kt-archive verify"), "{document}");
        let page = read(&host);
        assert_contains(&page, &["files of 2025-02 are damaged", "Not counted:", &file, ">unread<", "2025-03-31"]);
        assert!(!page.contains("<th scope=\"row\">2025-02-01</th>"), "days of a month that could not be read");
        // In the calendar, the legend and the table of months.
        assert_contains(
            &page,
            &["Damaged: 2025-02.", "title=\"2025-02: damaged, ", ">D</span> damaged", ">damaged</span></td>"],
        );
    }
}

#[test]
fn missing_file_is_damage() {
    let (host, archive) = archived("2025-03", "2025-03");
    fs::remove_file(archive.path(&archive.file("2025-03", "parquet"))).unwrap();
    let outcome = host.run(&["report", "--output", "report.html"]).expect(4);
    assert!(outcome.stdout.starts_with("without the days of events 2025-03: "), "{}", outcome.stdout);
    assert_contains(&outcome.stderr, &["hint: run `kt-archive verify`"]);
    assert_contains(&read(&host), &["No event of events could be counted."]);
}

#[test]
fn missing_and_truncated_files_are_damage_despite_cached_counts() {
    for format in ["parquet", "csv"] {
        let (host, archive) = archived("2025-01", "2025-03");
        let file = archive.file("2025-02", format);
        let path = archive.path(&file);
        report(&host, &[]).expect(0);
        let bytes = fs::read(&path).unwrap();
        let assert_named = |damage: &str| {
            let document = report(&host, &[]).expect(4).json();
            let unread = document["unread"].as_array().unwrap();
            assert_eq!((unread.len(), &unread[0]["month"]), (1, &"2025-02".into()), "{damage}");
            assert_contains(&read(&host), &["files of 2025-02 are damaged", &file, ">2025-01-31</th>"]);
        };
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_named("cut");
        fs::remove_file(&path).unwrap();
        assert_named("gone");
        fs::write(&path, bytes).unwrap();
        report(&host, &[]).expect(0);
    }
}

#[test]
fn files_changed_after_the_count_are_found_by_verify_only() {
    let (host, archive) = archived("2025-01", "2025-03");
    report(&host, &[]).expect(0);
    let path = archive.path(&archive.file("2025-02", "parquet"));
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    report(&host, &[]).expect(0);
    assert_contains(&read(&host), &["were not read again. This page proves nothing by itself"]);
    host.run(&["verify", "--quiet"]).expect(4);
    report(&host, &[]).expect(4);
    assert_contains(&read(&host), &["1 object of the archive is damaged or missing", "Damaged: 2025-02"]);
}

#[test]
fn broken_chain_has_no_page() {
    let (host, archive) = archived("2025-01", "2025-03");
    fs::remove_file(archive.path("manifests/00000002.json")).unwrap();
    let document = report(&host, &[]).expect(4).json();
    assert_eq!((document["output"].clone(), document["bytes"].clone()), (serde_json::Value::Null, 0.into()));
    assert!(!host.path("report.html").is_file());
}

#[test]
fn gaps_and_outdated_replicas_need_attention() {
    let (host, _) = archived("2024-11", "2024-12");
    host.run(&["replicate", "--replica", "old", "--quiet"]).expect(0);
    host.run(&["run", "--month", "2025-02", "--quiet"]).expect(0);
    let more = ["--replica", "old", "--replica", "nowhere/at-all", "--platform-retention", "110d"];
    report(&host, &more).expect(0);
    let page = read(&host);
    assert_contains(
        &page,
        &[
            "events: missing 2025-01, 2025-03",
            "the platform begins to prune 2025-01 on 2025-04-21, 10 days after this page was made",
            "the replica old is 1 commit behind",
            "the replica nowhere/at-all is 3 commits behind",
            "no verification is on record on this host",
        ],
    );
}

#[test]
fn location_without_an_archive_exits_with_7() {
    let (host, _) = archived("2025-03", "2025-03");
    let document = report(&host, &["--archive", "nowhere"]).expect(7).json();
    let empty = serde_json::json!({"output": null, "bytes": 0, "archive": null, "head": null, "unread": []});
    for (key, value) in empty.as_object().unwrap() {
        assert_eq!(document[key], *value, "{key}");
    }
}
