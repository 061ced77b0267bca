//! What was left out of the events of a dataset or changed in them, as its manifests record it.

use archive::human::month_ranges;
use archive_formats::{Chain, Dataset, Month};
use serde_json::Value;
use std::collections::BTreeMap;

/// A sentence for each transform, with the months that have it.
pub(super) fn sentences(chain: &Chain, dataset: &Dataset) -> Vec<String> {
    let mut months = BTreeMap::<String, Vec<Month>>::new();
    for manifest in chain.entries().iter().map(|entry| &entry.manifest).filter(|it| it.dataset == *dataset) {
        for transform in &manifest.transforms {
            months.entry(sentence(transform)).or_default().push(manifest.month);
        }
    }
    let with_months = |(text, mut months): (String, Vec<Month>)| {
        months.sort_unstable();
        format!("{text} ({}).", month_ranges(months))
    };
    months.into_iter().map(with_months).collect()
}

fn sentence(transform: &Value) -> String {
    let columns = names(&transform["columns"]);
    match transform["name"].as_str() {
        Some("drop") => format!("Columns left out: {columns}"),
        Some("columns") => format!("Columns kept, all others were left out: {columns}"),
        Some("pseudonymise") => format!("Columns with pseudonyms in place of values: {columns}"),
        Some("rename") => format!("Columns with other names: {columns}"),
        Some("truncate-times") => "Times were cut to microseconds".to_owned(),
        _ => format!("Changed by {transform}"),
    }
}

/// The names of a list, or `old to new` of a map.
fn names(columns: &Value) -> String {
    let list = columns.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let renamed = columns.as_object().into_iter().flatten();
    let renamed = renamed.map(|(from, to)| format!("{from} to {}", to.as_str().unwrap_or_default()));
    list.chain(renamed).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_recorded_transform_has_a_sentence() {
        for (transform, expected) in [
            (json!({"name": "drop", "columns": ["a", "b"]}), "Columns left out: a, b"),
            (json!({"name": "pseudonymise", "columns": ["a"]}), "Columns with pseudonyms in place of values: a"),
            (json!({"name": "rename", "columns": {"a": "b"}}), "Columns with other names: a to b"),
            (json!({"name": "later"}), "Changed by {\"name\":\"later\"}"),
        ] {
            assert_eq!(sentence(&transform), expected);
        }
    }
}
