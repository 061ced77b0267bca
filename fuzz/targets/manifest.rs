//! Manifests, and `archive.json`.

#![no_main]

use archive_formats::{
    CommitRecord as _,
    Manifest, Sha256,
    manifest::{ArchiveDocument, Imbalance},
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = Manifest::from_bytes(data) {
        let printed = manifest.to_bytes();
        assert_eq!(Manifest::from_bytes(&printed).expect("it was printed"), manifest);
        assert!(Manifest::from_bytes(&[data, b"x"].concat()).is_err(), "the rest of the input is not ignored");
        check_members(data, &manifest);
        check_balance(&manifest);
        let schema = manifest.schema.as_ref();
        assert!(manifest.window.from() < manifest.window.to());
        assert!(schema.is_none_or(|schema| {
            let has = |name| schema.columns().iter().filter(|column| column.name == name).count() == 1;
            has(schema.id()) && has(schema.time())
        }));
        let sums = manifest.sha256sums(&Sha256::digest(data));
        assert!(sums.ends_with(b"\n") && !sums.is_empty());
    }
    if let Ok(document) = ArchiveDocument::from_bytes(data) {
        assert_eq!(ArchiveDocument::from_bytes(&document.to_bytes()).expect("it was printed"), document);
    }
});

/// A member that this version does not know changes nothing, and one that it needs cannot be missing.
fn check_members(data: &[u8], manifest: &Manifest) {
    // Members that this version does not know may have texts that are not UTF-8.
    let Ok(document) = serde_json::from_slice::<Value>(data) else { return };
    let Value::Object(mut members) = document else { panic!("a manifest is an object") };
    let parse = |members: &Map<String, Value>| Manifest::from_bytes(&serde_json::to_vec(members).expect("JSON"));
    members.insert("a later version's".to_owned(), Value::Null);
    assert_eq!(&parse(&members).expect("unknown members are ignored"), manifest);
    for needed in ["format", "archive", "sequence", "kind", "dataset", "month", "window", "events", "files"] {
        let kept = members.remove(needed).expect("it was parsed");
        assert!(parse(&members).is_err(), "without {needed}");
        members.insert(needed.to_owned(), kept);
    }
}

/// Counts that add up, added in wider numbers.
fn check_balance(manifest: &Manifest) {
    let events = manifest.events;
    let parts = [events.archived, events.outside_window, events.duplicates, events.rejected];
    let adds_up = parts.into_iter().map(u128::from).sum::<u128>() == u128::from(events.read);
    let balance = manifest.check_balance();
    if !adds_up && !matches!(balance, Err(Imbalance::Rows { .. })) {
        // A sum of more than 64 bits saturates.
        panic!("{balance:?}");
    }
    if balance.is_ok() {
        for format in manifest.formats() {
            let rows = manifest.files.iter().filter(|file| file.format == format).map(|file| u128::from(file.rows));
            let rows = rows.sum::<u128>();
            if format.holds_events() {
                assert_eq!(rows, u128::from(events.archived));
            }
        }
    }
}
