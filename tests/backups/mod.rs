//! Backups: what is committed can be restored by any tool, and what is not whole is not committed.

mod artifacts;
mod configurations;
mod databases;
mod drills;
mod hard;
mod newer;
mod recoveries;
mod removals;
mod roles;
mod verifications;

use crate::support::{
    postgres::{Database, Server},
    programs::{options_in, run},
    test_variable,
};
use archive::{
    backup::{
        self, BackupVerifier, BackupVerifyReport, BackupVerifyRequest, Backups, DatabaseRequest, DrillPlace,
        DrillRequest, Workplace,
    },
    config::Level,
    environment::Environment,
    settings::Settings,
    verify::Severity,
};
use archive_connectors::{Clock, Error, Progress, postgres, progress::Silent, sink::Location};
use archive_formats::{
    BackupManifest, Entry, Timestamp,
    backup_manifest::{BackupContent, DatabaseBackup, DigestLevel, Drill},
};
use std::{collections::BTreeMap, num::NonZero, path::PathBuf, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// A database, and a folder for backups of it.
struct BackupWorld {
    database: Database,
    folder: tempfile::TempDir,
    /// The folder of PostgreSQL's programs.
    programs: PathBuf,
}

/// Codes and paths of findings.
type Found = Vec<(&'static str, String)>;

fn silent() -> Arc<dyn Progress> {
    Arc::new(Silent)
}

/// A clock that stays at one time.
#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-11-29T12:00:00Z".parse().unwrap()
    }
}

impl BackupWorld {
    /// A database with these contents.
    fn new(statements: &str) -> Self {
        Self::of(Database::new(), &test_variable("KT_TEST_POSTGRES_BIN"), statements)
    }

    /// A database of another server, whose programs are in this folder.
    fn on(server: &Server, programs: &str, statements: &str) -> Self {
        Self::of(server.database(), programs, statements)
    }

    fn of(database: Database, programs: &str, statements: &str) -> Self {
        database.sql(statements);
        Self { database, folder: tempfile::tempdir().unwrap(), programs: programs.into() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn location(&self) -> Location {
        Location::parse(self.path("backups").to_str().unwrap(), &BTreeMap::new()).unwrap()
    }

    fn request(&self) -> DatabaseRequest {
        DatabaseRequest {
            server: postgres::Server::new(&self.database.url(), &|_| None).unwrap(),
            programs: options_in(&self.programs),
            digests: DigestLevel::Full,
            is_behind_command: false,
            passwords: false,
            part_size: 64 << 10,
            connections: 2,
            statement_timeout: Duration::from_secs(60),
            lock_timeout: Duration::from_secs(10),
        }
    }

    /// Backs the database up.
    fn back_up(&self, request: &DatabaseRequest) -> Result<Entry<BackupManifest>, Error> {
        run(async {
            let mut backups = backup::open_or_begin(&self.location(), Noon.now()).await?;
            let spool = self.path("spool");
            std::fs::create_dir_all(&spool).unwrap();
            let place = Workplace { clock: &Noon, folder: &spool, progress: &silent() };
            let stop = CancellationToken::new();
            let entry = Box::pin(backup::backup_database(&mut backups, request, place, &stop)).await;
            // What was being written when it failed is removed by its thread.
            let left = || std::fs::read_dir(&spool).unwrap().count();
            for _ in 0..100 {
                if left() > 0 {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            assert_eq!(left(), 0, "nothing stays on the local disk");
            entry
        })
    }

    /// The settings of a command, with further ones in the notation of the file.
    fn settings(&self, further: &str) -> Settings {
        let mut table = further.parse::<toml::Table>().unwrap();
        for (key, value) in [("backups", "backups"), ("state-dir", "state"), ("pg-bin", "")] {
            let path = if value.is_empty() { self.programs.clone() } else { self.path(value) };
            table.insert(key.to_owned(), path.to_str().unwrap().into());
        }
        table.insert("backup-database".to_owned(), self.database.url().into());
        let environment = Environment::from([("HOME", "/nonexistent"), ("PATH", "/usr/bin:/bin")]);
        Settings::new(table.try_into().unwrap(), &environment).unwrap()
    }

    /// The report of a verification of `backups`.
    fn verification(&self, backups: &Backups, level: Level) -> BackupVerifyReport {
        let programs = self.request().programs;
        let verifier = BackupVerifier { sink: backups.sink(), programs: &programs, progress: silent() };
        run(verifier.verify(backups.id(), &BackupVerifyRequest { level, expect_head: None })).unwrap()
    }

    /// What a verification finds: the codes and paths of damage, and those of warnings.
    fn verify(&self, level: Level) -> (Found, Found) {
        let report = self.verification(&self.backups(), level);
        let of = |severity| {
            let found = report.findings.iter().filter(|finding| finding.severity == severity);
            found.map(|finding| (finding.code.as_str(), finding.path.clone())).collect()
        };
        (of(Severity::Damage), of(Severity::Warning))
    }

    /// The backups, read anew.
    fn backups(&self) -> Backups {
        run(backup::open_backups(&self.location())).unwrap()
    }

    /// Restores the newest backup in a drill.
    fn drill(&self) -> Result<Entry<BackupManifest>, Error> {
        run(async {
            let mut backups = backup::open_backups(&self.location()).await?;
            let state = self.path("state");
            std::fs::create_dir_all(&state).unwrap();
            let request = DrillRequest {
                backup: None,
                into: None,
                programs: self.request().programs,
                jobs: NonZero::<usize>::MIN,
            };
            let place =
                DrillPlace { clock: &Noon, state: &state, progress: &silent(), stop: &CancellationToken::new() };
            place.drill(&mut backups, &request).await
        })
    }
}

/// The result of a drill.
#[track_caller]
fn result(world: &BackupWorld) -> Drill {
    let entry = world.drill().unwrap_or_else(|error| panic!("{error:?} {}", error.hint()));
    match entry.manifest.content {
        BackupContent::Drill(drill) => drill,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn database(entry: &Entry<BackupManifest>) -> &DatabaseBackup {
    match &entry.manifest.content {
        BackupContent::Database(database) => database,
        other => panic!("{other:?}"),
    }
}

/// Some 400 KB of rows that do not compress.
const ROWS: &str = "create table events (id int primary key, note text);
    insert into events select n, md5(n::text) || md5((2 * n)::text) from generate_series(1, 6000) n;
    create sequence numbers; select nextval('numbers'), nextval('numbers')";
