//! The numbers of the page, compared with counts of the archive's CSV.

use super::{archived, assert_contains, assert_same, page, read};
use crate::support::{
    archive::{Archive, Row, files},
    cli::Host,
    events::{self, Event},
    script::Script,
    world::World,
};
use archive_formats::Month;
use std::{collections::BTreeMap, fs};

/// Events by day and verdict, counted from rows of CSV.
fn counted(rows: impl IntoIterator<Item = Row>) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut days = BTreeMap::<String, BTreeMap<String, u64>>::new();
    for row in rows {
        let day = days.entry(row["timestamp"][..10].to_owned()).or_default();
        *day.entry(row["decision"].clone()).or_default() += 1;
    }
    days
}

/// The daily tables of the page: numbers by day and column name.
fn tables(page: &str) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut days = BTreeMap::new();
    for table in page.split("<th scope=\"col\">Day</th>").skip(1) {
        let (heads, body) = table.split_once("</thead>").unwrap();
        let heads = heads.split("<th scope=\"col\">").skip(1).map(|head| head.split('<').next().unwrap());
        let heads = heads.map(str::to_owned).collect::<Vec<_>>();
        for row in body.split("</table>").next().unwrap().split("<th scope=\"row\">").skip(1) {
            let (day, cells) = row.split_once("</th>").unwrap();
            let cells = cells.split("</td>").filter_map(|cell| cell.rsplit_once('>'));
            let cells = cells.map(|(_, number)| number.replace(',', "")).filter(|number| !number.is_empty());
            let numbers = cells.map(|cell| cell.parse::<u64>().unwrap());
            days.insert(day.to_owned(), heads.iter().cloned().zip(numbers).collect());
        }
    }
    days
}

#[track_caller]
fn assert_counted(page: &str, archive: &Archive, months: &[impl AsRef<str>]) {
    let expected = counted(months.iter().flat_map(|month| archive.rows(month.as_ref())));
    let found = tables(page);
    for (day, verdicts) in &expected {
        let numbers = &found[day];
        assert_eq!(numbers["all events"], verdicts.values().sum::<u64>(), "{day}");
        for (verdict, events) in verdicts {
            assert_eq!(numbers[verdict], *events, "{day} {verdict}");
        }
    }
    let all = found.values().map(|numbers| numbers["all events"]).sum::<u64>();
    assert_eq!(all, expected.values().flat_map(BTreeMap::values).sum::<u64>());
}

#[test]
fn daily_counts_match_the_archive_from_parquet_and_csv() {
    let months = Month::range("2024-02".parse().unwrap(), "2025-03".parse().unwrap());
    let months = months.map(|month| month.to_string()).collect::<Vec<_>>();
    for format in ["parquet,csv", "csv"] {
        let mut host = Host::new();
        host.set("KT_ARCHIVE_SOURCE", "demo:?events=300&seed=3");
        host.set("KT_ARCHIVE_FORMAT", format);
        host.set_time("2025-04-10 12:00:00");
        host.run(&["backfill", "--from", "2024-02", "--to", "2025-03", "--quiet"]).expect(0);
        let page = page(&host, &[]);
        assert_counted(&page, &Archive::at(host.path("archive")), &months);
        assert_eq!(tables(&page).len(), 366 - 31 + 90, "every day of the fourteen months has a line");
    }
}

#[test]
fn hostile_and_missing_verdicts_are_shown_as_text() {
    let evil = "<script>alert(1)</script>";
    let verdicts = ["allowed", "blocked", "", evil, "a\u{202e}b"];
    let at = |(index, verdict): (usize, &&str)| {
        Event::at(format!("evt_{index}"), format!("2025-03-0{}T00:00:00Z", index + 1)).with("decision", *verdict)
    };
    let world = World::new(Script::new(verdicts.iter().enumerate().map(at).collect()));
    world.archive_month("2025-03").expect(0);
    let page = page(&world.host, &["--from", "2025-03", "--to", "2025-03"]);
    assert!(!page.contains("<script"), "a value became a tag");
    assert_contains(&page, &["&lt;script&gt;alert(1)&lt;/script&gt;", "(none)", "a\\u202eb"]);
    let days = tables(&page);
    assert_eq!((days["2025-03-01"]["allowed"], days["2025-03-03"]["(none)"]), (1, 1));
}

#[test]
fn counts_are_cached_until_lost_or_damaged() {
    let (host, archive) = archived("2025-01", "2025-03");
    let first = page(&host, &[]);
    assert_counted(&first, &archive, &["2025-01", "2025-02", "2025-03"]);
    let folder = host.state_dir().join("activity");
    let places = || fs::read_dir(&folder).unwrap().map(|place| place.unwrap().path());
    let entries = || {
        let entries = places().flat_map(|place| fs::read_dir(place).unwrap());
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    assert_eq!(entries().len(), 3);
    // Cached counts are used without reading the file, unless the entry is damaged.
    let file = archive.path(&archive.file("2025-02", "parquet"));
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, vec![b'x'; bytes.len()]).unwrap();
    assert_same(&page(&host, &[]), &first);
    for entry in entries() {
        let text = fs::read_to_string(&entry).unwrap();
        fs::write(&entry, text.replace(" 0,\n", " 1,\n")).unwrap();
    }
    super::report(&host, &[]).expect(4);
    fs::write(&file, bytes).unwrap();
    assert_same(&page(&host, &[]), &first);
    fs::remove_dir_all(host.state_dir()).unwrap();
    assert_same(&page(&host, &[]), &first);
}

#[test]
fn column_with_too_many_values_is_no_verdict() {
    let at = |index: usize| {
        let verdict = format!("reason {}", index % 40);
        Event::at(format!("evt_{index}"), format!("2025-03-0{}T00:00:00Z", index % 9 + 1)).with("decision", verdict)
    };
    let world = World::new(Script::new((0..200).map(at).collect()));
    world.archive_month("2025-03").expect(0);
    let page = page(&world.host, &["--from", "2025-03", "--to", "2025-03"]);
    let days = tables(&page);
    assert!(days.values().all(|numbers| numbers.keys().eq(["all events"])), "{days:?}");
    assert_eq!(days.values().map(|numbers| numbers["all events"]).sum::<u64>(), 200);
    assert!(!page.contains("by decision") && !page.contains("reason 1"), "no verdict is promised");
}

#[test]
fn dataset_without_verdicts_is_counted() {
    let (host, _) = archived("2025-03", "2025-03");
    host.run(&["run", "--month", "2025-03", "--dataset", "traces", "--drop", "decision", "--quiet"]).expect(0);
    let page = page(&host, &["--dataset", "traces"]);
    let days = tables(&page);
    assert_eq!(days.len(), 31);
    assert!(days.values().all(|numbers| numbers.keys().eq(["all events"])), "{days:?}");
    assert_eq!(days.values().map(|numbers| numbers["all events"]).sum::<u64>(), 300);
    assert!(page.contains("traces, 2025-03</strong>: events a day</figcaption>"), "no verdict is promised");
}

#[test]
fn delivered_and_archived_sizes_are_compared() {
    let world = World::new(Script::new(events::month("2025-03", 200)));
    world.archive_month("2025-03").expect(0);
    let archive = world.archive();
    let delivered = archive.manifest(1)["source"]["detail"]["jobs"][0]["artifact_bytes"].as_u64().unwrap();
    let bytes = files(&archive.manifest(1)).map(|file| file["bytes"].as_u64().unwrap()).sum::<u64>();
    let ratio = format!("{}.{} : 1", delivered / bytes, delivered * 10 / bytes % 10);
    let page = page(&world.host, &["--from", "2025-03", "--to", "2025-03"]);
    assert_contains(&page, &["delivered : archived", &format!("\">{ratio}</td>")]);
    let text = world.run(&["status", "--from", "2025-03", "--to", "2025-03"]).expect(0).stdout;
    assert!(text.contains(" delivered are ") && text.contains(&format!(" here, {ratio}\n")), "{text}");
    assert!(!super::page(&archived("2025-03", "2025-03").0, &[]).contains("<th scope=\"col\">Delivered"));
}

#[test]
fn months_of_artifacts_only_are_uncounted_not_damaged() {
    let mut world = World::new(Script::new(events::month("2025-03", 20)));
    world.host.set("KT_ARCHIVE_FORMAT", "artifact");
    world.archive_month("2025-03").expect(0);
    let document = super::report(&world.host, &["--from", "2025-03", "--to", "2025-03"]).expect(0).json();
    assert_eq!(document["unread"][0]["month"], "2025-03");
    assert_contains(
        &read(&world.host),
        &[
            "no format whose events can be counted",
            "Not counted:",
            "neither as parquet nor as csv",
            "No event of events could be counted.",
        ],
    );
}

#[test]
fn page_shows_only_the_selected_range_and_dataset() {
    let (host, _) = archived("2024-10", "2025-03");
    host.run(&["run", "--month", "2025-03", "--dataset", "traces", "--quiet"]).expect(0);
    let page = page(&host, &["--dataset", "events", "--from", "2025-01", "--to", "2025-02"]);
    let days = tables(&page);
    assert_eq!((days.len(), days.keys().next().unwrap().as_str()), (59, "2025-01-01"));
    assert!(!page.contains("traces") && !page.contains("2024-1"), "more than was asked for");
    host.run(&["report", "--output", "x.html", "--from", "2025-02", "--to", "2025-01"]).expect(2);
}
