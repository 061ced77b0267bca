//! Roles are backed up, restored and compared.

use super::{BackupWorld, ROWS, database, result};
use crate::support::{postgres::Server, test_variable};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

#[test]
fn roles_come_from_the_backup() {
    let world = BackupWorld::new(ROWS);
    let role = world.database.role("");
    world.database.sql(&format!("alter table events owner to {role}"));
    world.back_up(&world.request()).unwrap();
    assert_eq!(result(&world).equal, Some(true));
}

#[test]
fn attributes_and_memberships_of_roles_are_recorded() {
    let world = BackupWorld::new(ROWS);
    let group = world.database.role("noinherit");
    let role = world.database.role("createdb connection limit 3 password 'canary'");
    world.database.sql(&format!("grant {group} to {role} with admin option; grant pg_monitor to {role}"));
    let entry = world.back_up(&world.request()).unwrap();
    let roles = &database(&entry).roles;
    let found = roles.iter().find(|found| found.name == role).unwrap();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(found.attributes, set(&["createdb", "inherit", "login"]));
    assert_eq!(found.member_of, set(&["pg_monitor", &format!("{group} with admin option")]));
    assert_eq!(found.connection_limit, 3);
    assert!(roles.iter().all(|role| !role.name.starts_with("pg_")));
    assert!(!fs::read_to_string(world.path("backups/manifests/00000001.json")).unwrap().contains("canary"));
    let drill = result(&world);
    assert_eq!((drill.equal, drill.differences), (Some(true), Vec::new()));
}

/// Changes the roles of the first manifest.
fn change_roles(world: &BackupWorld, change: impl FnOnce(&mut Vec<Value>)) {
    let path = world.path("backups/manifests/00000001.json");
    let mut manifest = serde_json::from_slice::<Value>(&fs::read(&path).unwrap()).unwrap();
    change(manifest["roles"].as_array_mut().unwrap());
    fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
    fs::remove_file(world.path("backups/manifests/00000001.SHA256SUMS")).unwrap();
}

#[test]
fn a_role_that_the_backup_lost_is_found() {
    let world = BackupWorld::new(ROWS);
    let role = world.database.role("createdb");
    world.back_up(&world.request()).unwrap();
    change_roles(&world, |roles| {
        // As if the file of the roles had lost one, and an attribute of another.
        roles.push(json!({"name": "lost", "attributes": ["login"], "connection_limit": -1, "member_of": []}));
        let found = roles.iter_mut().find(|found| found["name"] == role.as_str()).unwrap();
        found["attributes"] = json!(["createdb", "inherit", "login", "bypassrls"]);
    });
    let drill = result(&world);
    assert_eq!(drill.equal, Some(false));
    assert_eq!(
        drill.differences,
        [format!("role {role} differs: without bypassrls"), "role lost is missing".to_owned()]
    );
}

#[test]
fn a_manifest_without_roles_and_superuser_is_drilled_as_before() {
    let world = BackupWorld::new(ROWS);
    world.back_up(&world.request()).unwrap();
    let path = world.path("backups/manifests/00000001.json");
    let mut manifest = serde_json::from_slice::<Value>(&fs::read(&path).unwrap()).unwrap();
    manifest.as_object_mut().unwrap().remove("roles").unwrap();
    assert_eq!(manifest["source"].as_object_mut().unwrap().remove("superuser"), Some("postgres".into()));
    fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
    fs::remove_file(world.path("backups/manifests/00000001.SHA256SUMS")).unwrap();
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
