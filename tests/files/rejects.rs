//! Rows of files that cannot be events: in their own month, or in every month that they may be of.

use super::{Desk, months};
use crate::support::events::{self, Event};

const MONTHS: [&str; 3] = ["2025-01", "2025-02", "2025-03"];

fn desk(bad: &Event) -> Desk {
    let mut events = months(&MONTHS, 10);
    events.insert(15, bad.clone());
    Desk::new(&[("a.csv", events::csv(&events)), ("b.csv", events::csv(&months(&["2025-04"], 10)))])
}

#[test]
fn a_row_with_a_time_is_rejected_in_its_month_alone() {
    let desk = desk(&Event::at("bad", "2025-02-10T00:00:00Z").with("input_tokens", "many"));
    let outcome = desk.backfill("*.csv", "2025-01", "2025-04").expect(3);
    assert_eq!(desk.archive().months(), ["2025-01", "2025-03", "2025-04"]);
    assert!(outcome.output().contains("a.csv line 17, column input_tokens"), "{}", outcome.output());
    let counts = desk.archive().month("2025-01")["events"].clone();
    assert_eq!((&counts["read"], &counts["outside_window"]), (&41.into(), &31.into()));
}

#[test]
fn a_row_without_a_time_is_rejected_in_every_month_of_its_file() {
    let desk = desk(&Event::at("bad", "yesterday"));
    let outcome = desk.backfill("*.csv", "2025-01", "2025-04").expect(3);
    assert_eq!(desk.archive().months(), ["2025-04"]);
    let failed = outcome.json()["months"].as_array().unwrap().clone();
    let messages = failed.iter().filter_map(|month| month["error"]["message"].as_str()).collect::<Vec<_>>();
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|message| message.contains("a.csv line 17, column timestamp")), "{messages:?}");
    assert!(!outcome.output().contains("yesterday"));
}

#[test]
fn a_file_without_any_time_is_in_the_way_of_every_month() {
    let lost = [Event::at("a", "yesterday"), Event::at("b", "")];
    let desk = Desk::new(&[("a.csv", events::csv(&lost)), ("b.csv", events::csv(&months(&["2025-04"], 10)))]);
    desk.run("*.csv", "2025-04").expect(5);
    desk.run("b.csv", "2025-04").expect(0);
}
