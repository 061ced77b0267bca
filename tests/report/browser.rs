//! The page in a browser: no requests, no overflow, printable and accessible.

use super::{archived, page};
use crate::support::{cli::Host, foreign::browse};
use serde_json::{Value, json};

#[track_caller]
fn assert_well_behaved(host: &Host, charts: usize) {
    let seen = browse(&host.path("report.html"));
    assert_eq!(seen["console"], json!([]), "messages on the console");
    assert_eq!(seen["requests"], json!([seen["address"]]), "requests beside the page itself");
    assert_eq!(seen["overflow"], json!({"360": 0, "390": 0, "800": 0, "1400": 0}), "wider than the window");
    for (width, layout) in seen["layout"].as_object().unwrap() {
        assert_eq!(layout["touching"], json!([]), "labels that touch at {width} pixels");
        assert_eq!(layout["cut"], json!([]), "cut at {width} pixels");
        assert!(charts == 0 || layout["labels"].as_u64().unwrap() > 0, "no labels at {width} pixels");
    }
    assert_eq!(seen["layout"]["390"]["sideways"], json!([]), "it scrolls sideways on a phone");
    assert_eq!(
        (&seen["lang"], &seen["scripts"], &seen["loose"], &seen["deaf"]),
        (&json!("en"), &json!(0), &json!(0), &json!(0))
    );
    assert_eq!(seen["tables"], seen["captions"], "a table without a caption");
    let names = seen["charts"].as_array().unwrap();
    assert_eq!(names.len(), charts, "{names:?}");
    assert!(names.iter().all(|name| name.as_str().unwrap().len() > 40), "charts without words: {names:?}");
    assert_headings(&seen["headings"]);
    assert_eq!([&seen["light"], &seen["print"]], ["rgb(255, 255, 255)"; 2], "light on screens and on paper");
    assert_eq!(seen["dark"], "rgb(17, 21, 26)");
    assert!(seen["pages"].as_u64().unwrap() > 0, "it prints nothing");
}

/// One heading of level 1, and no skipped level.
#[track_caller]
fn assert_headings(levels: &Value) {
    let levels = levels.as_array().unwrap().iter().map(|level| level.as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
    assert!(levels[0] == 1 && levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
}

#[test]
fn page_of_a_single_month_makes_no_requests() {
    let (host, _) = archived("2025-03", "2025-03");
    page(&host, &[]);
    assert_well_behaved(&host, 2);
}

#[test]
fn page_with_gaps_damage_and_hostile_names_is_accessible() {
    let (host, archive) = archived("2023-11", "2024-06");
    host.run(&["backfill", "--from", "2024-09", "--to", "2025-02", "--quiet"]).expect(0);
    host.run(&["run", "--month", "2025-02", "--dataset", "audit-log", "--quiet"]).expect(0);
    let damaged = archive.path(&archive.file("2024-02", "parquet"));
    std::fs::write(damaged, "other bytes").unwrap();
    host.run(&["verify", "--quiet"]).expect(4);
    let name = format!("replica-<script>alert(1)</script>-{}", "x".repeat(100));
    super::report(&host, &["--replica", &name, "--platform-retention", "400d"]).expect(4);
    assert_well_behaved(&host, 6);
}

#[test]
fn page_without_months_is_accessible() {
    let (host, _) = archived("2025-03", "2025-03");
    page(&host, &["--from", "2024-01", "--to", "2024-02"]);
    assert_well_behaved(&host, 0);
}
