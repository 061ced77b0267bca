//! The role of `docs/operations.md`: it reads the tables that it was granted, and can do nothing else.

use super::{Desk, MONTH, march};
use std::{fs, path::Path};

/// The statements of the page, for a role and a database of the test.
fn statements(role: &str, database: &str) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let statements = page.split_once("```sql\n").unwrap().1.split_once("```").unwrap().0;
    let (creation, grants) = statements.split_once('\n').unwrap();
    assert!(creation.starts_with("create role archiver login"), "the test makes the role by itself");
    grants.replace("archiver", role).replace("database keeptrusts", &format!("database {database}"))
}

#[test]
fn the_documented_role_archives_and_changes_nothing() {
    let mut desk = Desk::new(&march(300));
    desk.database.sql("create table escalations (id text); create table secrets (id text);");
    let role = desk.database.role("");
    desk.database.sql(&statements(&role, desk.database.name()));
    desk.host.set("KT_ARCHIVE_SOURCE", desk.database.url_for(&role));
    desk.host.run(&["doctor", "--json"]).expect(0);
    desk.run(&[]).expect(0);
    desk.assert_archived(MONTH, "events");
    for statement in ["delete from events", "create table mine (id text)", "table secrets"] {
        let refused = desk.database.refusal(&role, &format!("set default_transaction_read_only = off; {statement}"));
        assert!(refused.contains("permission denied"), "{statement}: {refused}");
    }
}
