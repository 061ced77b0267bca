//! The record of `verify` and its presentation in the page.

use super::{archived, assert_contains, page, report};
use crate::support::archive::Archive;
use std::fs;

#[test]
fn page_shows_the_last_verification_and_later_commits() {
    let (host, _) = archived("2025-01", "2025-02");
    assert_contains(&page(&host, &[]), &["No verification is on record on the host that made this page."]);
    host.run(&["verify", "--quiet"]).expect(0);
    let sound = page(&host, &["--from", "2025-01", "--to", "2025-02"]);
    assert_contains(
        &sound,
        &[
            "Nothing needs attention.",
            "No findings",
            "every byte and every row of every month",
            "2 manifests, 4 files, 600 events",
            "nothing was committed",
        ],
    );
    host.run(&["run", "--month", "2025-03", "--quiet"]).expect(0);
    host.run(&["verify", "--level", "quick", "--month", "2025-01", "--quiet"]).expect(0);
    assert_contains(
        &page(&host, &[]),
        &[
            "chain, names and sizes of 2025-01",
            "Last verification of everything",
            "1 commit came after it, not verified yet",
        ],
    );
}

#[test]
fn findings_are_kept_apart_from_those_of_a_replica() {
    let (host, archive) = archived("2025-01", "2025-03");
    host.run(&["replicate", "--replica", "copy", "--quiet"]).expect(0);
    let file = archive.file("2025-02", "csv");
    let bytes = fs::read(archive.path(&file)).unwrap().len();
    fs::write(archive.path(&file), vec![b'x'; bytes]).unwrap();
    host.run(&["verify", "--quiet"]).expect(4);
    host.run(&["verify", "--archive", "copy", "--quiet"]).expect(0);
    report(&host, &[]).expect(4);
    let page = super::read(&host);
    assert_contains(&page, &["V012", &file, "1 object of the archive is damaged or missing", "1 finding of damage"]);
    report(&host, &["--archive", "copy"]).expect(0);
    assert!(!super::read(&host).contains("V012"));
}

#[test]
fn archive_truncated_after_verification_is_reported() {
    let (host, archive) = archived("2025-01", "2025-03");
    host.run(&["verify", "--quiet"]).expect(0);
    for name in ["00000003.json", "00000003.SHA256SUMS"] {
        fs::remove_file(archive.path(&format!("manifests/{name}"))).unwrap();
    }
    let page = page(&host, &[]);
    assert_contains(&page, &["the chain does not hold the head of the last verification any more"]);
}

#[test]
fn verification_works_without_a_record() {
    let (mut host, archive) = archived("2025-01", "2025-03");
    let found = host.run(&["verify", "--json"]).expect(0).json();
    fs::write(host.path("file"), "").unwrap();
    host.set("KT_ARCHIVE_STATE_DIR", host.path("file/state").display().to_string());
    let outcome = host.run(&["verify", "--json"]).expect(0);
    assert_eq!(outcome.json(), found);
    assert!(outcome.stderr.contains("not on record"), "{}", outcome.stderr);
    fs::write(archive.path(&archive.file("2025-02", "csv")), "other bytes").unwrap();
    host.run(&["verify"]).expect(4);
}

#[test]
fn record_holds_a_limited_number_of_findings() {
    let (host, archive) = archived("2025-03", "2025-03");
    for number in 0..500 {
        fs::write(archive.path(&format!("stray-{number:03}")), "").unwrap();
    }
    host.run(&["verify", "--level", "quick", "--quiet"]).expect(0);
    let folder = host.state_dir().join("verifications");
    let records = Archive::at(&folder).objects();
    assert_eq!(records.len(), 1, "{records:?}");
    let text = fs::read_to_string(folder.join(records.first().unwrap())).unwrap();
    assert_eq!(text.matches("V015").count(), 200);
    assert_contains(&page(&host, &[]), &["These are the first 200 of 500 findings."]);
}
