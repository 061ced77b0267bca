//! Files of the platform guide's script, whose windows include the first instant of the next month.

use super::{FileWorld, ids};
use crate::support::events::{self, Event};

/// Events that the script saves for `month`: those of the month, and one at the first instant of the next.
fn saved(month: &str) -> Vec<Event> {
    let next = events::month_after(month, 1);
    let mut events = events::month(month, 40);
    events.push(Event::at(format!("evt_{next}_000000"), events::written(events::start_of(&next))));
    events
}

/// Name and events of the file, whose first event is also in the file of the month before.
fn file(month: &str) -> (String, Vec<Event>) {
    let first = Event::at(format!("evt_{month}_000000"), events::written(events::start_of(month)));
    let mut events = saved(month);
    events.retain(|event| event.id() != first.id());
    events.insert(0, first);
    (format!("events_{month}.csv"), events)
}

fn world(months: &[&str]) -> FileWorld {
    let world = FileWorld::new(&[]);
    for (name, events) in months.iter().map(|month| file(month)) {
        world.write(&name, &events::csv(&events));
    }
    world
}

#[test]
fn event_in_two_files_is_archived_once() {
    let world = world(&["2025-03", "2025-04", "2025-05"]);
    world.backfill("events_*.csv", "2025-03", "2025-05").expect(0);
    let archive = world.archive();
    archive.check();
    for (month, duplicates) in [("2025-03", 0), ("2025-04", 1), ("2025-05", 1)] {
        assert_eq!(archive.ids(month), ids(&file(month).1, month), "{month}");
        assert_eq!(archive.month(month)["events"]["duplicates"], duplicates, "{month}");
    }
}

#[test]
fn month_with_only_its_first_instant_is_not_archived() {
    let world = world(&["2025-03", "2025-04"]);
    let outcome = world.backfill("events_*.csv", "2025-03", "2025-05").expect(3);
    assert_eq!(world.archive().months(), ["2025-03", "2025-04"]);
    let said = outcome.output();
    assert!(said.contains("events_2025-04.csv") && said.contains("the file of this month is missing"), "{said}");
    world.run("events_*.csv", "2025-05").expect(5);
}

#[test]
fn month_between_two_files_is_not_archived() {
    let world = world(&["2025-03", "2025-05"]);
    world.run("events_*.csv", "2025-04").expect(5);
    assert_eq!(world.archive().months(), [] as [&str; 0]);
}

#[test]
fn file_with_only_a_first_instant_is_archived() {
    let only = [Event::at("only", "2025-04-01T00:00:00Z")];
    let world = world(&["2025-03"]);
    world.write("events_2025-04.csv", &events::csv(&only));
    world.run("events_2025-04.csv", "2025-04").expect(0);
    assert_eq!(world.archive().ids("2025-04"), ["only"]);
}

#[test]
fn first_instant_inside_a_file_is_archived() {
    let events = ["2025-03-05T00:00:00Z", "2025-04-01T00:00:00Z", "2025-05-05T00:00:00Z"];
    let events = events.map(|time| Event::at(time, time));
    let world = FileWorld::new(&[("all.csv", events::csv(&events))]);
    world.backfill("all.csv", "2025-03", "2025-05").expect(0);
    assert_eq!(world.archive().ids("2025-04"), ["2025-04-01T00:00:00Z"]);
}
