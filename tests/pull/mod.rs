//! `pull`: rows, files and refusals of slices.

mod output;
mod refusals;
mod row_groups;
mod rows;

use crate::support::{
    cli::{Host, Outcome},
    events::{self, Event},
    script::Script,
    world::World,
};
use serde_json::Value;
use std::fs;

/// A world with an archive of these events of February and March 2025.
fn archived(events: Vec<Event>) -> World {
    let world = World::new(Script::new(events));
    world.run(&["backfill", "--from", "2025-02", "--to", "2025-03", "--json"]).expect(0);
    world
}

fn ordinary() -> Vec<Event> {
    ["2025-02", "2025-03"].iter().flat_map(|month| events::month(month, 60)).collect()
}

/// Pulls into `slice.<format>`, with `--force`.
fn pull(host: &Host, format: &str, from: &str, to: &str, more: &[&str]) -> Outcome {
    let output = format!("slice.{format}");
    let arguments = ["pull", "--from", from, "--to", to, "--format", format, "--output", &output, "--force", "--json"];
    host.run(&[&arguments[..], more].concat())
}

/// The rows of a slice in JSON Lines.
#[track_caller]
fn rows(host: &Host, from: &str, to: &str, more: &[&str]) -> Vec<Value> {
    pull(host, "jsonl", from, to, more).expect(0);
    let text = fs::read_to_string(host.path("slice.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ids of these rows.
#[track_caller]
fn ids(host: &Host, from: &str, to: &str, more: &[&str]) -> Vec<String> {
    rows(host, from, to, more).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// Names of slice files in the host's home.
fn slices(host: &Host) -> Vec<String> {
    let names = fs::read_dir(host.path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names = names.filter(|name| name.contains("slice") || name.contains(".part")).collect::<Vec<_>>();
    names.sort();
    names
}
