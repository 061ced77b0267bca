//! Roles are backed up and restored.

use super::{BackupWorld, ROWS, database, result};
use crate::support::{postgres::Server, test_variable};

#[test]
fn roles_come_from_the_backup() {
    let world = BackupWorld::new(ROWS);
    let role = world.database.role("");
    world.database.sql(&format!("alter table events owner to {role}"));
    world.back_up(&world.request()).unwrap();
    assert_eq!(result(&world).equal, Some(true));
}

#[test]
fn a_superuser_of_another_name_grants_memberships_in_the_copy_too() {
    for programs in ["KT_TEST_POSTGRES_BIN", "KT_TEST_POSTGRES_17_BIN"].map(test_variable) {
        let server = Server::start_in(programs.as_ref(), &[], &[]);
        let world = BackupWorld::on(&server, &programs, ROWS);
        world.database.sql("create role other superuser login");
        world.database.sql_as("other", "alter role postgres rename to boss; create role postgres superuser login");
        world.database.sql(
            "create role a; create role b; set role boss; grant a to b with admin option; alter role boss nologin",
        );
        world.database.sql("alter role boss set default_transaction_read_only = on; alter table events owner to boss");
        let entry = world.back_up(&world.request()).unwrap();
        assert_eq!(database(&entry).source.superuser.as_deref(), Some("boss"));
        let drill = result(&world);
        assert_eq!((drill.equal, drill.differences), (Some(true), Vec::new()), "{programs}");
    }
}
