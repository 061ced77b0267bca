//! Which column says what became of an event.

use archive_formats::{ColumnType, Schema};

/// Its names, best first: the platform's pages show six.
const VERDICTS: [&str; 6] = ["verdict", "decision", "action", "policy_outcome", "policy_decision", "outcome"];

/// The column of the verdict, if the events have one. Documents and numbers are none.
pub(super) fn verdict(schema: &Schema) -> Option<&str> {
    let texts = || schema.columns().iter().filter(|column| column.kind == ColumnType::Text);
    VERDICTS.iter().find_map(|name| texts().map(|column| column.name.as_str()).find(|known| known == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::catalogue::{KeyColumns, text_schema};

    #[test]
    fn the_best_name_counts_wherever_it_stands() {
        let found = |names: &[&str]| {
            let names = [&["id", "timestamp"], names].concat();
            verdict(&text_schema(&names, &KeyColumns::default()).unwrap()).map(str::to_owned)
        };
        assert_eq!(found(&["action", "decision", "model"]).as_deref(), Some("decision"));
        assert_eq!(found(&["action", "verdict"]).as_deref(), Some("verdict"));
        assert_eq!(found(&["model", "Decision"]), None);
    }
}
