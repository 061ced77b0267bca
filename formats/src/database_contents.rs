//! The contents of a database, as a dump holds them, and their comparison with those of a restored copy.
//!
//! The digest of a table is the [`DigestSum`](crate::digest_sum::DigestSum) of its rows. A row is the bytes that
//! `COPY (SELECT columns FROM ONLY table) TO STDOUT (ENCODING 'UTF8')` sends for it in the text format, with its line feed,
//! and with the columns in the order of their names as bytes. Neither the order of columns nor the encoding and the locale of
//! the database enter, except that a database without an encoding (`SQL_ASCII`) yields its bytes as they are. `DateStyle` is
//! `ISO`, `TimeZone` `UTC`, `IntervalStyle` `postgres`, `bytea_output` `hex`, `extra_float_digits` 3, `search_path`
//! `pg_catalog`, `lc_monetary` `C`.
//!
//! Contents are what a dump saves, so that a restored copy has equal ones:
//!
//! * Ordinary tables, logged or not, and the leaves of partitioned ones, each by itself. A standby cannot read unlogged
//!   tables, and a dump of it has no rows of them: they count as empty.
//! * Of an extension's tables those that it marks as configuration, with the rows that it marks.
//! * No generated columns, which a restore computes anew.
//! * No materialized views, which a restore refreshes: they may have been out of date. No foreign and no temporary tables.
//! * The roles of the server, which a file beside the dump holds, with their attributes and memberships. Those that changed
//!   while the dump was made are left out: that file does not belong to the snapshot.
//! * Sequences do not belong to a snapshot. Where one moved while the dump was made, the dump has a value between.

use crate::backup_manifest::{DatabaseBackup, DigestLevel, LargeObjects, RoleRecord, SequenceState, TableDigest};
use std::collections::{BTreeMap, BTreeSet};

/// Contents of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseContents {
    /// What was computed. With [`DigestLevel::Off`] everything else is empty.
    pub level: DigestLevel,
    /// Versions of the extensions, by name.
    pub extensions: BTreeMap<String, String>,
    /// The tables, by name.
    pub tables: Vec<TableDigest>,
    /// The sequences, by name.
    pub sequences: Vec<SequenceState>,
    /// The large objects.
    pub large_objects: Option<LargeObjects>,
    /// The roles of the server, by name.
    pub roles: Vec<RoleRecord>,
}

impl From<&DatabaseBackup> for DatabaseContents {
    fn from(backup: &DatabaseBackup) -> Self {
        Self {
            level: backup.digests,
            extensions: backup.source.extensions.clone(),
            tables: backup.tables.clone(),
            sequences: backup.sequences.clone(),
            large_objects: backup.large_objects.clone(),
            roles: backup.roles.clone(),
        }
    }
}

impl DatabaseContents {
    /// Notes, by later states of the sequences, which of them moved.
    pub fn note_moved(&mut self, later: &[SequenceState]) {
        let later = by_name(later.iter().map(|state| (state.name.as_str(), state)));
        for sequence in &mut self.sequences {
            let moved = later.get(sequence.name.as_str()).filter(|later| ***later != *sequence);
            sequence.until = moved.map(|later| later.last_value);
        }
    }

    /// Leaves out the roles that are not among `later`.
    pub fn keep_lasting(&mut self, later: &[RoleRecord]) {
        let later = by_name(later.iter().map(|role| (role.name.as_str(), role)));
        self.roles.retain(|role| later.get(role.name.as_str()) == Some(&role));
    }

    /// How the restored contents `found` differ from these, each as a short sentence. Digests are compared where both have
    /// them.
    pub fn differences(&self, found: &Self) -> Vec<String> {
        if [self.level, found.level].contains(&DigestLevel::Off) {
            return Vec::new();
        }
        let mut differences = self.role_differences(found);
        differences.extend(self.extension_differences(found));
        differences.extend(self.table_differences(found));
        differences.extend(self.sequence_differences(found));
        if let (Some(expected), Some(found)) = (&self.large_objects, &found.large_objects) {
            let counts = (expected.count, found.count);
            let digests = expected.sha256.zip(found.sha256);
            let difference = content_difference(counts, digests, "objects", "a number or a content differs");
            differences.extend(difference.map(|difference| format!("large objects: {difference}")));
        }
        differences
    }

    /// Additional roles are no difference: the server may serve other databases, too.
    fn role_differences(&self, found: &Self) -> Vec<String> {
        let restored = by_name(found.roles.iter().map(|role| (role.name.as_str(), role)));
        let difference = |role: &RoleRecord| {
            let name = &role.name;
            let Some(restored) = restored.get(name.as_str()) else { return Some(format!("role {name} is missing")) };
            let differences = attribute_differences(role, restored);
            (!differences.is_empty()).then(|| format!("role {name} differs: {}", differences.join(", ")))
        };
        self.roles.iter().filter_map(difference).collect()
    }

    fn extension_differences(&self, found: &Self) -> Vec<String> {
        let missing = self.extensions.iter().filter_map(|(name, version)| match found.extensions.get(name) {
            None => Some(format!("extension {name} is missing")),
            Some(other) if other != version => {
                Some(format!("extension {name} has version {other} instead of {version}"))
            }
            Some(_) => None,
        });
        let extra = found.extensions.keys().filter(|name| !self.extensions.contains_key(*name));
        missing.chain(extra.map(|name| format!("extension {name} is not in the backup"))).collect()
    }

    fn table_differences(&self, found: &Self) -> Vec<String> {
        let restored = by_name(found.tables.iter().map(|table| (table.name.as_str(), table)));
        let known = by_name(self.tables.iter().map(|table| (table.name.as_str(), table)));
        let missing = self.tables.iter().filter_map(|table| {
            let name = &table.name;
            let Some(restored) = restored.get(name.as_str()) else { return Some(format!("table {name} is missing")) };
            let (counts, digests) = ((table.rows, restored.rows), table.sha256.zip(restored.sha256));
            let difference = content_difference(counts, digests, "rows", "a value differs");
            difference.map(|difference| format!("table {name}: {difference}"))
        });
        let extra = found.tables.iter().filter(|table| !known.contains_key(table.name.as_str()));
        missing.chain(extra.map(|table| format!("table {} is not in the backup", table.name))).collect()
    }

    /// Additional sequences are no difference: a standby cannot read unlogged ones.
    fn sequence_differences(&self, found: &Self) -> Vec<String> {
        let restored = by_name(found.sequences.iter().map(|sequence| (sequence.name.as_str(), sequence)));
        let difference = |sequence: &SequenceState| {
            let name = &sequence.name;
            match restored.get(name.as_str()) {
                None => Some(format!("sequence {name} is missing")),
                Some(found) => sequence_difference(sequence, found).map(|found| format!("sequence {name} {found}")),
            }
        };
        self.sequences.iter().filter_map(difference).collect()
    }
}

fn by_name<'a, T>(items: impl Iterator<Item = (&'a str, &'a T)>) -> BTreeMap<&'a str, &'a T> {
    items.collect()
}

fn content_difference<T: PartialEq>(
    (expected, found): (u64, u64),
    digests: Option<(T, T)>,
    unit: &str,
    difference: &str,
) -> Option<String> {
    if expected != found {
        return Some(format!("{found} {unit} instead of {expected}"));
    }
    digests.is_some_and(|(expected, found)| expected != found).then(|| difference.to_owned())
}

/// How the attributes and memberships of the restored role `found` differ.
fn attribute_differences(expected: &RoleRecord, found: &RoleRecord) -> Vec<String> {
    let between = |one: &BTreeSet<String>, other: &BTreeSet<String>, what: &str| {
        one.difference(other).map(|name| format!("{what} {name}")).collect::<Vec<_>>()
    };
    let limits = (expected.connection_limit, found.connection_limit);
    let limit = (limits.0 != limits.1).then(|| format!("connection limit {} instead of {}", limits.1, limits.0));
    [
        between(&expected.attributes, &found.attributes, "without"),
        between(&found.attributes, &expected.attributes, "with"),
        limit.into_iter().collect(),
        between(&expected.member_of, &found.member_of, "not a member of"),
        between(&found.member_of, &expected.member_of, "a member of"),
    ]
    .concat()
}

/// How the restored state `found` differs.
fn sequence_difference(expected: &SequenceState, found: &SequenceState) -> Option<String> {
    let (value, restored) = (expected.last_value, found.last_value);
    match expected.until {
        Some(until) if (value.min(until)..=value.max(until)).contains(&restored) => None,
        Some(until) => Some(format!("is at {restored} instead of {value} to {until}")),
        None if value != restored => Some(format!("is at {restored} instead of {value}")),
        None if expected.is_called && !found.is_called => Some(format!("would repeat {value}")),
        None if expected.is_called != found.is_called => Some(format!("would skip {value}")),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sha256;

    fn table(name: &str, rows: u64, content: &str) -> TableDigest {
        TableDigest { name: name.into(), rows, sha256: Some(Sha256::digest(content.as_bytes())) }
    }

    fn sequence(name: &str, last_value: i64, is_called: bool) -> SequenceState {
        SequenceState { name: name.into(), last_value, is_called, until: None }
    }

    fn contents() -> DatabaseContents {
        DatabaseContents {
            level: DigestLevel::Full,
            extensions: BTreeMap::from([("plpgsql".into(), "1.0".into())]),
            tables: vec![table("public.\"Odd name\"", 4, "a"), table("public.x", 2, "b")],
            sequences: vec![sequence("public.y", 7, true)],
            large_objects: Some(LargeObjects { count: 2, sha256: Some(Sha256::digest(b"c")) }),
            roles: vec![role("app", &["inherit", "login"], &["readers"]), role("readers", &["inherit"], &[])],
        }
    }

    fn role(name: &str, attributes: &[&str], member_of: &[&str]) -> RoleRecord {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (attributes, member_of) = (set(attributes), set(member_of));
        RoleRecord { name: name.into(), attributes, connection_limit: -1, member_of }
    }

    #[track_caller]
    fn assert_differs(change: impl FnOnce(&mut DatabaseContents), differences: &[&str]) {
        let mut found = contents();
        change(&mut found);
        assert_eq!(contents().differences(&found), differences);
    }

    #[test]
    fn equal_contents_have_no_differences() {
        assert_differs(|_| {}, &[]);
    }

    #[test]
    fn a_table_is_missing_additional_shorter_or_changed() {
        assert_differs(|found| drop(found.tables.remove(1)), &["table public.x is missing"]);
        assert_differs(|found| found.tables.push(table("public.z", 0, "")), &["table public.z is not in the backup"]);
        assert_differs(|found| found.tables[0].rows = 3, &["table public.\"Odd name\": 3 rows instead of 4"]);
        assert_differs(|found| found.tables[1] = table("public.x", 2, "?"), &["table public.x: a value differs"]);
    }

    #[test]
    fn counts_are_compared_with_digests_by_rows_alone() {
        assert_differs(|found| found.tables[1].sha256 = None, &[]);
        assert_differs(|found| found.level = DigestLevel::Off, &[]);
    }

    #[test]
    fn a_sequence_that_was_not_used_has_the_same_state() {
        assert_differs(|found| found.sequences.clear(), &["sequence public.y is missing"]);
        assert_differs(|found| found.sequences[0].last_value = 5, &["sequence public.y is at 5 instead of 7"]);
        assert_differs(|found| found.sequences[0].last_value = 8, &["sequence public.y is at 8 instead of 7"]);
        assert_differs(|found| found.sequences[0].is_called = false, &["sequence public.y would repeat 7"]);
        assert_differs(|found| found.sequences.push(sequence("public.unlogged", 1, false)), &[]);
    }

    #[test]
    fn a_sequence_that_moved_has_a_state_between() {
        let mut expected = contents();
        expected.note_moved(&[sequence("public.y", 9, true)]);
        let found = |last_value| {
            let mut found = contents();
            found.sequences[0] = sequence("public.y", last_value, true);
            expected.differences(&found)
        };
        assert_eq!([found(7), found(8), found(9)], [const { Vec::<String>::new() }; 3]);
        assert_eq!(found(6), ["sequence public.y is at 6 instead of 7 to 9"]);
        assert_eq!(found(10), ["sequence public.y is at 10 instead of 7 to 9"]);
    }

    #[test]
    fn large_objects_are_counted_and_compared() {
        let objects = |count, content: &[u8]| Some(LargeObjects { count, sha256: Some(Sha256::digest(content)) });
        assert_differs(|found| found.large_objects = objects(1, b""), &["large objects: 1 objects instead of 2"]);
        assert_differs(
            |found| found.large_objects = objects(2, b"?"),
            &["large objects: a number or a content differs"],
        );
    }

    #[test]
    fn a_role_is_missing_or_differs() {
        assert_differs(|found| drop(found.roles.remove(1)), &["role readers is missing"]);
        assert_differs(|found| found.roles.push(role("other", &[], &[])), &[]);
        assert_differs(
            |found| found.roles[0] = role("app", &["login", "superuser"], &["readers with admin option"]),
            &["role app differs: without inherit, with superuser, not a member of readers, \
               a member of readers with admin option"],
        );
        assert_differs(
            |found| found.roles[0].connection_limit = 0,
            &["role app differs: connection limit 0 instead of -1"],
        );
    }

    #[test]
    fn roles_that_changed_while_the_dump_was_made_are_left_out() {
        let mut expected = contents();
        expected.keep_lasting(&[role("app", &["inherit"], &["readers"]), role("new", &[], &[])]);
        assert_eq!(expected.roles, []);
        expected = contents();
        expected.keep_lasting(&contents().roles);
        assert_eq!(expected, contents());
    }

    #[test]
    fn an_extension_is_missing_additional_or_of_another_version() {
        let set = |version: &'static str| {
            move |found: &mut DatabaseContents| drop(found.extensions.insert("plpgsql".into(), version.into()))
        };
        assert_differs(|found| found.extensions.clear(), &["extension plpgsql is missing"]);
        assert_differs(set("2.0"), &["extension plpgsql has version 2.0 instead of 1.0"]);
        assert_differs(
            |found| drop(found.extensions.insert("citext".into(), "1.6".into())),
            &["extension citext is not in the backup"],
        );
    }
}
