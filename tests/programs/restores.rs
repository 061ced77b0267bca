//! A dump that was restored is the database again, or the restore fails.

use super::{clusters::options, dump, large_table, programs, run, server};
use crate::support::postgres::{Database, Server};
use archive_connectors::{
    Error, ErrorKind,
    postgres::{
        programs::{dump_globals, restore_file, restore_stream},
        scratch::Cluster,
    },
};
use bytes::Bytes;
use futures::{Stream, stream};
use std::{fs, num::NonZero};

fn blocks(dump: &[u8]) -> impl Stream<Item = Result<Bytes, Error>> + use<> {
    stream::iter(dump.chunks(50_000).map(|block| Ok(Bytes::copy_from_slice(block))).collect::<Vec<_>>())
}

/// Tables whose owner is a role of their own.
fn owned(database: &Database) -> String {
    let role = database.role("");
    database.sql(&format!("{}; alter table large owner to {role}", large_table(20_000)));
    role
}

#[test]
fn restored_dump_has_the_rows() {
    let database = Database::new();
    database.sql(&large_table(20_000));
    let state = tempfile::tempdir().unwrap();
    let restored = run(async {
        let (bytes, _) = dump(&programs(), &server(&database)).await.unwrap();
        let cluster = Cluster::start(&programs(), state.path(), &options()).await.unwrap();
        cluster.create_database("streamed").await.unwrap();
        let record = restore_stream(&programs(), &cluster.server("streamed"), blocks(&bytes)).await.unwrap();
        assert_eq!((record.name.as_str(), record.warnings.len()), ("pg_restore", 0));
        let path = state.path().join("dump");
        fs::write(&path, &bytes).unwrap();
        cluster.create_database("copied = 'from' a file").await.unwrap();
        let copied = cluster.server("copied = 'from' a file");
        restore_file(&programs(), &copied, &path, NonZero::new(2).unwrap()).await.unwrap();
        let mut again = Vec::new();
        for name in ["streamed", "copied = 'from' a file"] {
            again.push(dump(&programs(), &cluster.server(name)).await.unwrap().1.bytes());
        }
        cluster.stop().await.unwrap();
        (bytes.len() as u64, again)
    });
    // A dump of the same rows has the same size, but for the names of the database.
    let (original, again) = restored;
    for bytes in again {
        assert!(bytes.abs_diff(original) < 2000, "{original} bytes became {bytes}");
    }
}

#[test]
fn missing_role_is_found_without_the_globals_alone() {
    let server = Server::start(&[], &[]);
    let database = server.database();
    let role = owned(&database);
    let other = database.role("password 'canary' createdb");
    database.sql(&format!("grant {other} to {role}; comment on role {role} is 'a; b'"));
    let source = super::server(&database);
    let state = tempfile::tempdir().unwrap();
    run(async {
        let (bytes, _) = dump(&programs(), &source).await.unwrap();
        let globals = dump_globals(&programs(), &source, false).await.unwrap();
        assert!(!globals.script.contains("SCRAM"), "{}", globals.script);
        let cluster = Cluster::start(&programs(), state.path(), &options()).await.unwrap();
        cluster.create_database("without").await.unwrap();
        let error = restore_stream(&programs(), &cluster.server("without"), blocks(&bytes)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source);
        assert!(error.to_string().contains(&format!("role \"{role}\" does not exist")), "{error}");
        assert!(error.hint().contains("globals"), "{}", error.hint());
        let applied = cluster.apply_globals(&globals.script).await.unwrap();
        assert_eq!(applied.existing, 1, "{applied:?}");
        cluster.create_database("with").await.unwrap();
        restore_stream(&programs(), &cluster.server("with"), blocks(&bytes)).await.unwrap();
        let again = dump_globals(&programs(), &cluster.server("with"), false).await.unwrap();
        let own =
            |script: &str| script.lines().filter(|line| line.contains(&role)).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(own(&again.script), own(&globals.script));
        cluster.stop().await.unwrap();
    });
}

#[test]
fn hashes_of_passwords_are_dumped_where_they_are_asked_for() {
    let server = Server::start(&[], &[]);
    let database = server.database();
    database.role("password 'canary'");
    let source = super::server(&database);
    let globals = run(dump_globals(&programs(), &source, true)).unwrap();
    assert!(globals.script.contains("SCRAM-SHA-256"), "{}", globals.script);
}

#[test]
fn restore_that_is_cut_or_interrupted_fails() {
    let database = Database::new();
    database.sql(&large_table(20_000));
    let state = tempfile::tempdir().unwrap();
    run(async {
        let (bytes, _) = dump(&programs(), &server(&database)).await.unwrap();
        let cluster = Cluster::start(&programs(), state.path(), &options()).await.unwrap();
        cluster.create_database("cut").await.unwrap();
        let cut = blocks(&bytes[..bytes.len() / 2]);
        let error = restore_stream(&programs(), &cluster.server("cut"), cut).await.unwrap_err();
        assert!(error.to_string().starts_with("pg_restore failed"), "{error}");
        cluster.create_database("interrupted").await.unwrap();
        let first = Ok(Bytes::copy_from_slice(&bytes[..100_000]));
        let input = stream::iter([first, Err(Error::new(ErrorKind::Store, "the store is gone"))]);
        let error = restore_stream(&programs(), &cluster.server("interrupted"), input).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        cluster.stop().await.unwrap();
    });
}

#[test]
fn refused_value_is_not_in_the_error() {
    let database = Database::new();
    database.sql(
        "create function fine(text) returns bool language sql immutable as $$select true$$;
                  create table t (note text check (fine(note)));
                  insert into t values ('canary');
                  create or replace function fine(text) returns bool language sql immutable as $$select false$$",
    );
    let state = tempfile::tempdir().unwrap();
    let error = run(async {
        let (bytes, _) = dump(&programs(), &server(&database)).await.unwrap();
        let cluster = Cluster::start(&programs(), state.path(), &options()).await.unwrap();
        cluster.create_database("refused").await.unwrap();
        let error = restore_stream(&programs(), &cluster.server("refused"), blocks(&bytes)).await.unwrap_err();
        cluster.stop().await.unwrap();
        error
    });
    assert!(error.to_string().contains("check constraint"), "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}
