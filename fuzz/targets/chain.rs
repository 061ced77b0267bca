//! Sequences of manifests in a store: the chain is read exactly if each manifest follows the one before it.

#![no_main]

use arbitrary::Arbitrary;
use archive_connectors::{ErrorKind, Sink, sink::Confirm};
use archive_formats::{CommitRecord as _, Manifest, Sha256, key};
use archive_fuzz::run;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use object_store::{ObjectStoreExt as _, memory::InMemory, path::Path};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

const ARCHIVE: &str = "0b2f1c1e-6a4b-4d2a-9a57-000000000001";

/// How one manifest of the sequence differs from a right one.
#[derive(Arbitrary, Debug)]
struct Step {
    /// Added to its number, and to its place in the store.
    number: i8,
    place: i8,
    link: Link,
    foreign: bool,
    other_format: bool,
    dataset: bool,
    month: u8,
    addendum: bool,
    missing: bool,
    without_sums: bool,
    /// A byte that is replaced after the manifest was linked to.
    damage: Option<(u16, u8)>,
}

#[derive(Arbitrary, Debug)]
enum Link {
    Right,
    None,
    OtherDigest(u8),
    OtherNumber(i8),
}

fuzz_target!(|steps: Vec<Step>| run(check(&steps[..steps.len().min(12)])));

async fn check(steps: &[Step]) {
    let store = Arc::new(InMemory::new());
    let mut before: Option<(u64, Sha256)> = None;
    let mut stored = std::collections::BTreeMap::new();
    let mut sums = BTreeSet::new();
    for (index, step) in steps.iter().enumerate() {
        let right = index as u64 + 1;
        let (bytes, number) = manifest(step, right, before);
        before = Some((number, Sha256::digest(&bytes)));
        let mut bytes = bytes;
        if let Some((place, byte)) = step.damage {
            let place = usize::from(place) % bytes.len();
            bytes[place] = byte;
        }
        let place = right.saturating_add_signed(step.place.clamp(-1, 1).into()).max(1);
        let place = if step.place.unsigned_abs() > 100 { place } else { right };
        if !step.missing {
            stored.insert(place, bytes);
        }
        if !step.without_sums {
            sums.insert(place);
        }
    }
    for (place, bytes) in &stored {
        put(&store, &key::manifest(*place), bytes.clone()).await;
    }
    for place in &sums {
        put(&store, &key::sums(*place), b"sums\n".to_vec()).await;
    }
    let sink = Sink::from_store(store, Confirm::ReadBack, "memory");
    let last = stored.keys().chain(&sums).max().copied().unwrap_or(0);
    let expected = is_chain(&stored, last);
    match sink.chain(ARCHIVE).await {
        Ok(chain) => {
            assert!(expected, "a broken chain was read: {steps:?}");
            assert_eq!(chain.entries().len() as u64, last);
            let head = chain.head().map(|head| (head.sequence, head.sha256));
            assert_eq!(head, stored.last_key_value().map(|(number, bytes)| (*number, Sha256::digest(bytes))));
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::BrokenChain, "{error}");
            assert!(!expected, "{error}: {steps:?}");
        }
    }
}

async fn put(store: &InMemory, path: &str, bytes: Vec<u8>) {
    store.put(&Path::from(path), Bytes::from(bytes).into()).await.expect("memory");
}

/// The bytes of a manifest, and its number.
fn manifest(step: &Step, right: u64, before: Option<(u64, Sha256)>) -> (Vec<u8>, u64) {
    let number = if step.number.unsigned_abs() > 100 { right.saturating_add_signed(step.number.into()) } else { right };
    let link = |(number, digest): (u64, Sha256)| json!({"sequence": number, "sha256": digest});
    let previous = match step.link {
        Link::Right => before.map(link),
        Link::None => None,
        Link::OtherDigest(byte) => before.map(|(number, _)| link((number, Sha256::digest(&[byte])))),
        Link::OtherNumber(by) => before.map(|(number, digest)| link((number.saturating_add_signed(by.into()), digest))),
    };
    let month = format!("2025-{:02}", step.month % 12 + 1);
    let document = json!({
        "format": if step.other_format { "keeptrusts-archive/2" } else { "keeptrusts-archive/1" },
        "archive": if step.foreign { "0b2f1c1e-6a4b-4d2a-9a57-000000000002" } else { ARCHIVE },
        "sequence": number,
        "previous": previous,
        "kind": if step.addendum { "addendum" } else { "month" },
        "dataset": if step.dataset { "events" } else { "decisions" },
        "month": month,
        "window": {"from": format!("{month}-01T00:00:00.000000Z"), "to": format!("{month}-02T00:00:00.000000Z")},
        "committed_at": "2025-05-01T00:00:00.000000Z",
        "source_clock": null,
        "tool": {"name": "kt-archive", "version": "0"},
        "source": {"type": "demo", "url": "demo:", "detail": null},
        "schema": null,
        "transforms": [],
        "events": {"read": 0, "archived": 0, "outside_window": 0, "duplicates": 0, "conflicts": 0, "rejected": 0,
                   "source_count": null, "first": null, "last": null},
        "files": [],
    });
    let bytes = serde_json::to_vec_pretty(&document).expect("JSON");
    assert!(Manifest::from_bytes(&bytes).is_ok(), "{:?}", Manifest::from_bytes(&bytes));
    (bytes, number)
}

/// Whether the stored manifests are one chain, by the description of the format.
fn is_chain(stored: &std::collections::BTreeMap<u64, Vec<u8>>, last: u64) -> bool {
    let mut months = BTreeSet::new();
    let mut before: Option<(u64, &Vec<u8>)> = None;
    for number in 1..=last {
        let Some(bytes) = stored.get(&number) else { return false };
        // A damaged manifest may have another form.
        if Manifest::from_bytes(bytes).is_err() {
            return false;
        }
        let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return false };
        let link = before.map(|(number, bytes)| (number, Sha256::digest(bytes).to_string()));
        let named = document["previous"].as_object().map(|link| {
            (link["sequence"].as_u64().unwrap_or(0), link["sha256"].as_str().unwrap_or_default().to_lowercase())
        });
        let right = document["format"] == "keeptrusts-archive/1"
            && document["archive"] == ARCHIVE
            && document["sequence"] == number
            && named == link
            && (document["kind"] != "month"
                || months.insert((document["dataset"].to_string(), document["month"].to_string())));
        if !right {
            return false;
        }
        before = Some((number, bytes));
    }
    true
}
