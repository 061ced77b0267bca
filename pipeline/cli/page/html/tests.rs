//! Tests of the whole page.

use super::{STYLE, attention::points, render, short, shown, time};
use crate::page::{DatasetPage, Page, Protection, Since, VerificationRecord, Verified};
use archive::{
    activity::{Activity, DayCounts, Verdict},
    exit::ExitCode,
    replicate::{ReplicaState, ReplicaStatus},
    report::Failure,
    status::{DatasetStatus, Presence, PruneDeadline},
    verify::{Code, Finding, Level, Severity, Verification},
};
use archive_formats::{Head, Month, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const EVIL: &str = "<script>alert(1)</script>\"'&\u{202e}<img src=x onerror=y>";

fn month(name: &str) -> Month {
    name.parse().unwrap()
}

fn months(first: &str, last: &str) -> Vec<Month> {
    Month::range(month(first), month(last)).collect()
}

fn dataset(name: &str, first: &str, last: &str) -> DatasetPage {
    let months = months(first, last);
    let mut counts = DayCounts::default();
    for (verdict, events) in [("allowed", 9), ("blocked", 2)] {
        (0..28).for_each(|day| counts.add(&Verdict::from_value(Some(verdict)), day, events));
    }
    let activity = Activity {
        columns: BTreeSet::from(["decision".to_owned()]),
        months: months.iter().map(|month| (*month, counts.clone())).collect(),
        unread: BTreeMap::new(),
    };
    let months = months.iter().map(|month| super::testing::month(&month.to_string(), Presence::Archived)).collect();
    let status = DatasetStatus {
        dataset: name.parse().unwrap(),
        sources: Vec::new(),
        months,
        late: 0,
        prune: None,
        complete_until: None,
    };
    DatasetPage { transforms: Vec::new(), status, activity }
}

fn verification(level: Level, findings: Vec<Finding>) -> Verification {
    let damage = findings.iter().filter(|finding| finding.severity == Severity::Damage).count() as u64;
    Verification {
        finished_at: "2025-04-09T03:00:00Z".parse().unwrap(),
        level,
        range: None,
        head: Some(Head { sequence: 3, sha256: Sha256::digest(b"3") }),
        manifests: 3,
        files: 6,
        events: 90,
        bytes: 9_000,
        damage,
        warnings: findings.len() as u64 - damage,
        findings,
        expected_head: false,
        named_head: false,
    }
}

/// A page of a complete archive.
fn sound(datasets: Vec<DatasetPage>) -> Page {
    let record = VerificationRecord { verification: verification(Level::Full, Vec::new()), since: Since::Commits(0) };
    Page {
        organisation: None,
        protection: Protection::Folder,
        archive: "s3://bucket/archive".to_owned(),
        uuid: "0f8fad5b-d9cb-469f-a165-70867728950e".to_owned(),
        created_at: "2025-01-01T00:00:00Z".parse().unwrap(),
        made_at: "2025-04-10T03:00:00Z".parse().unwrap(),
        version: "0.1.0",
        head: Some(Head { sequence: 3, sha256: Sha256::digest(b"3") }),
        committed_at: Some("2025-04-01T03:00:00Z".parse().unwrap()),
        datasets,
        replicas: Vec::new(),
        backups: None,
        verified: Verified { last: Some(record.clone()), whole: Some(record), is_more_damaged: false },
        damage: Vec::new(),
        unlooked: None,
    }
}

fn failure(message: &str) -> Failure {
    Failure { message: message.to_owned(), hint: "do this".to_owned(), exit: ExitCode::Damaged }
}

fn replica(state: ReplicaState, behind: Option<u64>, error: Option<Failure>) -> ReplicaStatus {
    ReplicaStatus { url: "/mnt/nas".to_owned(), state, behind, error }
}

/// A page in which every value from the archive and its environment is hostile.
fn hostile() -> Page {
    let mut evil = dataset("events", "2025-01", "2025-03");
    let mut counts = DayCounts::default();
    counts.add(&Verdict::from_value(Some(EVIL)), 3, 7);
    evil.activity.months.insert(month("2025-02"), counts);
    evil.activity.columns = BTreeSet::from([EVIL.to_owned()]);
    evil.activity.months.remove(&month("2025-03"));
    evil.activity.unread.insert(month("2025-03"), failure(EVIL));
    let finding = |severity| Finding { code: Code::Unnamed, severity, path: EVIL.to_owned(), message: EVIL.to_owned() };
    let found = verification(Level::Full, vec![finding(Severity::Damage), finding(Severity::Warning)]);
    let failed = replica(ReplicaState::Failed, None, Some(failure(EVIL)));
    let record = VerificationRecord { verification: found, since: Since::Gone };
    Page {
        archive: format!("/srv/{EVIL}"),
        uuid: EVIL.to_owned(),
        replicas: vec![ReplicaStatus { url: EVIL.to_owned(), ..failed }],
        verified: Verified { last: Some(record), whole: None, is_more_damaged: false },
        ..sound(vec![evil])
    }
}

/// Every text in `page` between `before` and the next quotation mark.
fn values<'a>(page: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    page.split(before).skip(1).filter_map(|rest| rest.split('"').next())
}

#[test]
fn values_of_the_archive_are_never_markup() {
    let page = render(&hostile());
    assert!(page.contains("&lt;script&gt;alert(1)"), "the values are shown");
    for harm in ["<script", "<img", "onerror=y>", "\u{202e}"] {
        assert!(!page.contains(harm), "{harm}");
    }
}

#[test]
fn page_refers_to_no_other_resource() {
    for page in [render(&hostile()), render(&sound(vec![dataset("events", "2021-09", "2025-03")]))] {
        for reference in
            ["src=\"", "http://", "https://", "url(", "@import", "<link", "<script", "<iframe", "javascript:"]
        {
            assert!(!page.contains(reference), "{reference}");
        }
        assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
        assert!(values(&page, "href=\"").all(|target| target.starts_with('#')));
    }
}

#[test]
fn ids_are_unique_and_references_resolve() {
    let page = render(&sound(["events", "traces"].map(|name| dataset(name, "2023-11", "2025-03")).to_vec()));
    let ids = values(&page, " id=\"").collect::<Vec<_>>();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    let targets = values(&page, "href=\"#").chain(values(&page, "aria-labelledby=\"").flat_map(str::split_whitespace));
    let lost = targets.filter(|target| !ids.contains(target)).collect::<Vec<_>>();
    assert_eq!(lost, [] as [&str; 0]);
}

#[test]
fn every_chart_has_a_description_and_a_table() {
    let page = render(&sound(vec![dataset("events", "2023-11", "2025-03")]));
    let count = |text: &str| page.matches(text).count();
    assert_eq!(count("role=\"img\""), 4, "a chart for each year, and one of the sizes");
    assert_eq!([count("class=\"aside\" id=\""), count("<figcaption>")], [8, 4], "a title and a description");
    assert_eq!(count("<summary>"), 4);
    assert!(page.contains("616 events. The busiest day was 2023-11-01 with 11 events. Of these: allowed 504 (81.8 %)"));
    assert!(
        page.contains(
            "<th scope=\"row\">2024-02-28</th><td data-head=\"all events\">11</td><td data-head=\"allowed\">9</td><td data-head=\"blocked\">2</td>"
        ),
        "its numbers are a table"
    );
}

#[test]
fn rendering_is_deterministic() {
    assert_eq!(render(&hostile()), render(&hostile()));
}

#[test]
fn a_complete_archive_needs_no_attention() {
    let page = sound(vec![dataset("events", "2025-03", "2025-03")]);
    assert_eq!(points(&page), []);
    assert!(render(&page).contains("Nothing needs attention."));
}

#[test]
fn problems_come_before_notes() {
    let mut gaps = dataset("events", "2025-01", "2025-03");
    gaps.status.months[1].state = Presence::Missing;
    gaps.status.late = 1;
    let at = "2025-04-20T00:00:00Z".parse().unwrap();
    gaps.status.prune = Some(PruneDeadline { month: month("2025-02"), at, days: 9 });
    let replicas = vec![replica(ReplicaState::Behind, Some(2), None)];
    let page = Page { replicas, verified: Verified::default(), ..sound(vec![gaps]) };
    let texts = points(&page).into_iter().map(|point| point.text).collect::<Vec<_>>();
    let expected = [
        "events: missing 2025-02",
        "events: the platform begins to prune 2025-02 on 2025-04-20, 9 days after this page was made",
        "no verification is on record on this host",
        "the replica /mnt/nas is 2 commits behind",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn missing_heads_and_old_verifications_need_attention() {
    let mut page = sound(vec![dataset("events", "2025-03", "2025-03")]);
    let whole = page.verified.whole.as_mut().unwrap();
    whole.verification.finished_at = "2025-02-01T00:00:00Z".parse().unwrap();
    assert_eq!(points(&page)[0].text, "everything was last verified on 2025-02-01");
    page.verified.last.as_mut().unwrap().since = Since::Gone;
    assert!(points(&page)[0].text.contains("does not hold the head"), "{:?}", points(&page));
}

#[test]
fn an_archive_without_a_month_has_a_page() {
    let page = Page { head: None, committed_at: None, verified: Verified::default(), ..sound(Vec::new()) };
    let page = render(&page);
    assert!(page.contains("Nothing is archived yet.") && page.contains("Nothing is committed yet."), "{page}");
}

#[test]
fn control_characters_are_replaced() {
    assert_eq!(shown("a\u{202e}b\u{0}c\u{1b}[1m\n"), "a\\u202eb\\u0000c\\u001b[1m\\n");
    assert_eq!(shown("zoë 李雷 नेहा 🤔 <b>"), "zoë 李雷 नेहा 🤔 <b>");
}

#[test]
fn labels_are_truncated_and_times_have_a_zone() {
    assert_eq!([short("allowed", 7), short("allowed!", 7)], ["allowed", "allowe…"]);
    let at = "2025-04-10T03:00:00.123456Z".parse().unwrap();
    assert_eq!(time(at), "2025-04-10 03:00:00 UTC");
}

/// Colours by name.
type Palette = BTreeMap<String, [f64; 3]>;

/// The light and the dark palette of the style sheet.
fn palettes() -> [Palette; 2] {
    let blocks = STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap());
    let palettes = blocks.map(|block| {
        let colours = block.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
        colours.map(|(name, digits)| (name.to_owned(), linear(digits))).collect::<Palette>()
    });
    palettes.collect::<Vec<_>>().try_into().unwrap()
}

fn linear(digits: &str) -> [f64; 3] {
    [0, 2, 4].map(|at| {
        let channel = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if channel <= 0.040_45 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    })
}

fn luminance([red, green, blue]: [f64; 3]) -> f64 {
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(palette: &Palette, one: &str, other: &str) -> f64 {
    let [one, other] = [one, other].map(|name| luminance(palette[name]));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn contrast_matches_the_wcag_examples() {
    let palette = BTreeMap::from([("black", "000000"), ("white", "ffffff"), ("grey", "767676")]);
    let palette = palette.into_iter().map(|(name, digits)| (name.to_owned(), linear(digits))).collect();
    assert!((contrast(&palette, "black", "white") - 21.0).abs() < 0.01);
    assert!((contrast(&palette, "grey", "white") - 4.54).abs() < 0.01);
}

#[test]
fn text_has_enough_contrast_on_its_background() {
    let on_all = ["text", "soft", "link", "good", "warn", "bad"].into_iter();
    let texts = on_all.flat_map(|text| [(text, "page"), (text, "panel")]);
    let pairs = texts.chain([("good", "archived"), ("bad", "missing"), ("link", "empty")]).collect::<Vec<_>>();
    for palette in palettes() {
        for (text, ground) in &pairs {
            let contrast = contrast(&palette, text, ground);
            assert!(contrast >= 4.5, "{text} on {ground} has {contrast:.2}");
        }
    }
}

#[test]
fn bars_have_enough_contrast() {
    for palette in palettes() {
        let bars = palette.keys().filter(|name| name.starts_with("v-"));
        let contrasts = bars.map(|name| (name, contrast(&palette, name, "page"))).collect::<Vec<_>>();
        assert_eq!(contrasts.len(), 8);
        assert!(contrasts.iter().all(|(_, contrast)| *contrast >= 3.0), "{contrasts:?}");
    }
}

#[test]
fn both_palettes_have_the_same_colours() {
    let [light, dark] = palettes();
    assert_eq!(light.keys().collect::<Vec<_>>(), dark.keys().collect::<Vec<_>>());
    for name in light.keys() {
        assert!(STYLE.contains(&format!("var(--{name})")), "{name} is not used");
    }
}
