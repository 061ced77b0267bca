//! Several datasets in one run: each has its own folder and manifests, and fails alone.

use crate::support::{
    cli::Outcome,
    events,
    foreign::verify,
    http::Reply,
    script::{Endpoint, Script},
    world::World,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MONTH: &str = "2025-03";
/// Traces without the column `note`.
const CSV: &str = "id,timestamp\n1,2025-02-03T00:00:00Z\n";
const ALL: [&str; 4] = ["events", "traces", "escalations", "audit-log"];

fn run(world: &World, flags: &[&str]) -> Outcome {
    world.run(
        &[&["run", "--month", MONTH, "--dataset", "events,traces,escalations,audit-log", "--json"], flags].concat(),
    )
}

fn states(report: &Value) -> Vec<(String, String)> {
    let text = |month: &Value, key: &str| month[key].as_str().unwrap().to_owned();
    let months = report["months"].as_array().unwrap().iter();
    months.map(|month| (text(month, "dataset"), text(month, "state"))).collect()
}

fn expected(state: impl Fn(&str) -> &'static str) -> Vec<(String, String)> {
    ALL.iter().map(|name| ((*name).to_owned(), state(name).to_owned())).collect()
}

#[test]
fn each_dataset_has_its_own_folder_and_manifests() {
    let types = ALL.iter().zip(3..).map(|(name, count)| (*name, events::month(MONTH, count)));
    let world = World::new(Script::from_types(types));
    let report = run(&world, &[]).expect(0).json();
    assert_eq!(states(&report), expected(|_| "archived"));
    let archive = world.archive();
    archive.check();
    for (name, count) in ALL.iter().zip(3..) {
        let manifests = archive.manifests();
        let manifest = manifests.iter().find(|manifest| manifest["dataset"] == *name).unwrap();
        assert_eq!(manifest["events"]["archived"], count, "{name}");
        assert!(manifest["files"][0]["path"].as_str().unwrap().starts_with(&format!("{name}/parquet/month=")));
    }
    assert_eq!(states(&run(&world, &[]).expect(0).json()), expected(|_| "already"));
    assert_eq!(world.platform.jobs(), 4);
    world.run(&["verify", "--month", MONTH]).expect(0);
    assert_eq!(verify(&archive)["findings"], json!([]));
    let status = world.run(&["status", "--json"]).expect(0).json();
    let known = status["datasets"].as_array().unwrap().iter().map(|it| it["dataset"].as_str().unwrap());
    assert_eq!(known.collect::<BTreeSet<_>>(), BTreeSet::from(ALL));
}

#[test]
fn failed_dataset_does_not_stop_the_others() {
    let types = ["events", "escalations", "audit-log"].map(|name| (name, events::month(MONTH, 5)));
    let world = World::new(Script::from_types(types));
    let report = run(&world, &[]).expect(3).json();
    assert_eq!(states(&report), expected(|name| if name == "traces" { "failed" } else { "archived" }));
    assert!(report["error"]["message"].as_str().unwrap().starts_with("traces 2025-03"), "{report}");
    world.archive().check();
}

#[test]
fn forbidden_dataset_does_not_stop_the_others() {
    let world =
        World::new(Script::new(events::month(MONTH, 5)).answer(Endpoint::Create, 1, &Reply::json(403, &json!({}))));
    let report = run(&world, &[]).expect(3).json();
    assert_eq!(states(&report), expected(|name| if name == "events" { "failed" } else { "archived" }));
}

#[test]
fn missing_column_fails_its_dataset_only() {
    let world = World::new(Script::new(["2025-02", MONTH].map(|month| events::month(month, 5)).concat()));
    world.platform.behave(|script| {
        script.answer(Endpoint::Download, 1, &Reply::new(200, CSV).header("Content-Type", "text/csv"))
    });
    let arguments = ["--from", "2025-02", "--to", MONTH, "--dataset", "traces,events", "--drop", "note", "--json"];
    let report = world.run(&[&["backfill"][..], &arguments].concat()).expect(3).json();
    let expected = [("traces", "failed"), ("traces", "failed"), ("events", "archived"), ("events", "archived")];
    assert_eq!(states(&report), expected.map(|(name, state)| (name.to_owned(), state.to_owned())));
    let said = report["months"][1]["error"]["message"].as_str().unwrap();
    assert!(said.starts_with("not tried, since an earlier month failed: there is no column \"note\""), "{said}");
}
