//! Roles are backed up and restored.

use super::{BackupWorld, ROWS, result};

#[test]
fn roles_come_from_the_backup() {
    let world = BackupWorld::new(ROWS);
    let role = world.database.role("");
    world.database.sql(&format!("alter table events owner to {role}"));
    world.back_up(&world.request()).unwrap();
    assert_eq!(result(&world).equal, Some(true));
}
