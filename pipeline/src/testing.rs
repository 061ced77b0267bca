//! Months for tests. Short, since a month without events needs no more.

use archive_formats::{Chain, CommitRecord as _, Entry, Manifest, Sha256, manifest::SourceIdentity};
use serde_json::{Value, json};

/// Commits a month of `events` without events, of this source, with these `files`.
pub(crate) fn commit(chain: &mut Chain, month: &str, source: &SourceIdentity, files: &Value) {
    let document = json!({
        "format": "keeptrusts-archive/1", "archive": "a", "sequence": chain.next_sequence(),
        "previous": chain.head(), "kind": "month", "dataset": "events", "month": month,
        "window": {"from": format!("{month}-01T00:00:00Z"), "to": format!("{month}-28T00:00:00Z")},
        "committed_at": "2025-12-01T00:00:00Z", "source_clock": null,
        "tool": {"name": "kt-archive", "version": "0"},
        "source": {"type": source.kind, "url": source.url, "detail": {"org_id": source.organisation}},
        "schema": null, "transforms": [],
        "events": {"read": 0, "archived": 0, "outside_window": 0, "duplicates": 0, "conflicts": 0,
            "rejected": 0, "source_count": null, "first": null, "last": null},
        "files": files,
    });
    let manifest = Manifest::from_bytes(document.to_string().as_bytes()).unwrap();
    chain.push(Entry { sha256: Sha256::digest(&manifest.to_bytes()), manifest }).unwrap();
}
