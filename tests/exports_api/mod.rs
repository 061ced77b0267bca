//! The exports API: layouts, status words, downloads, refusals and delays.

mod downloads;
mod json;
mod layouts;
mod refusals;
mod waiting;

use crate::support::{
    events::{self, Event},
    script::Script,
    world::World,
};

/// The month of these tests.
const MONTH: &str = "2025-03";

fn march() -> Vec<Event> {
    events::month(MONTH, 60)
}

/// Asserts that the month is archived completely and once.
#[track_caller]
fn assert_archived(world: &World) {
    world.archive().check();
    let mut expected = march().iter().map(|event| event.id().to_owned()).collect::<Vec<_>>();
    expected.sort();
    assert_eq!(world.archive().ids(MONTH), expected);
}

/// Archives the month from a platform with this script, and asserts success.
#[track_caller]
fn archived(script: Script) -> World {
    let world = World::new(script);
    world.archive_month(MONTH).expect(0);
    assert_archived(&world);
    world
}
