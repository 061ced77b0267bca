//! The names of the archive's columns on a server, which has limits that archives do not have.

use crate::{Error, ErrorKind, Result};
use archive_formats::Schema;
use std::collections::HashSet;

/// Bytes of an identifier: `NAMEDATALEN` less one. The server cuts longer ones.
const MAX_BYTES: usize = 63;

/// Columns of a table: `MaxHeapAttributeNumber`.
const MAX_COLUMNS: usize = 1_600;

/// Columns that every table has.
const SYSTEM: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// The columns under names that a table can have, and notes on those that differ. The names depend on the columns alone, so
/// that a table that was made by an earlier restore fits.
pub(super) fn with_server_names(schema: &Schema) -> Result<(Schema, Vec<String>)> {
    let columns = schema.columns();
    if columns.len() > MAX_COLUMNS {
        let message = format!("the month has {} columns, and a table has {MAX_COLUMNS} at most", columns.len());
        return Err(Error::new(ErrorKind::Incomplete, message)
            .with_hint("take slices of fewer --columns by `kt-archive pull`, and load those"));
    }
    let mut taken = columns.iter().map(|column| column.name.clone()).collect::<HashSet<_>>();
    let (mut named, mut notes) = (columns.to_vec(), Vec::new());
    for column in named.iter_mut().filter(|column| !fits(&column.name)) {
        let name = unique(&column.name, &taken);
        notes.push(format!("column {:?} is {name:?}, since a table cannot have a column of its name", column.name));
        taken.insert(name.clone());
        column.name = name;
    }
    let [id, time] = [schema.id_index(), schema.time_index()].map(|index| named[index].name.clone());
    let named = Schema::new(named, &id, &time);
    let named =
        named.map_err(|error| Error::new(ErrorKind::Internal, "the columns were named wrongly").with_source(error));
    Ok((named?, notes))
}

fn fits(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_BYTES && !name.contains('\0') && !SYSTEM.contains(&name)
}

/// The beginning of `name` with the first number that makes it unique.
fn unique(name: &str, taken: &HashSet<String>) -> String {
    let name = name.replace('\0', "");
    let numbered = |number: usize| {
        let suffix = format!("_{number}");
        let ends = name.char_indices().map(|(start, letter)| start + letter.len_utf8());
        let end = ends.take_while(|end| end + suffix.len() <= MAX_BYTES).last().unwrap_or(0);
        format!("{}{suffix}", &name[..end])
    };
    let mut number = 1;
    while taken.contains(&numbered(number)) {
        number += 1;
    }
    numbered(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::{catalogue::KeyColumns, catalogue::text_schema};

    fn names(columns: &[&str]) -> (Vec<String>, Vec<String>) {
        let columns = [&["id", "timestamp"], columns].concat();
        let (named, notes) = with_server_names(&text_schema(&columns, &KeyColumns::default()).unwrap()).unwrap();
        (named.columns().iter().skip(2).map(|column| column.name.clone()).collect(), notes)
    }

    #[test]
    fn names_that_a_table_can_have_are_kept() {
        let kept = ["a", "A b", "ü\"", "oid", &"x".repeat(63)];
        assert_eq!(names(&kept), (kept.map(str::to_owned).to_vec(), Vec::new()));
    }

    #[test]
    fn other_names_become_unique_short_ones_with_a_note() {
        let long = "é".repeat(40);
        let other = format!("{long}x");
        let short = "é".repeat(30);
        let (named, notes) = names(&[&long, &other, "xmin", "xmin_1", "a\0b"]);
        assert_eq!(
            named,
            [format!("{short}_1"), format!("{short}_2"), "xmin_2".into(), "xmin_1".into(), "ab_1".into()]
        );
        assert_eq!(notes.len(), 4);
        assert!(named.iter().all(|name| name.len() <= MAX_BYTES));
    }

    #[test]
    fn more_columns_than_a_table_can_have_are_refused_with_the_limit() {
        let columns = (0..1_599).map(|number| format!("c{number}")).collect::<Vec<_>>();
        let columns = ["id", "timestamp"].into_iter().chain(columns.iter().map(String::as_str)).collect::<Vec<_>>();
        let refused = with_server_names(&text_schema(&columns, &KeyColumns::default()).unwrap()).unwrap_err();
        assert!(
            refused.to_string().contains("1601 columns") && refused.to_string().contains("1600 at most"),
            "{refused}"
        );
    }
}
