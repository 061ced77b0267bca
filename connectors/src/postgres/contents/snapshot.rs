//! A snapshot of a database, from its beginning to its end.

use super::{
    super::{connection::Connection, copy_sum::ReadAmounts, failure::lost, snapshot::timestamp},
    access::{Access, BEGIN},
    identity,
    reader::SharedSnapshot,
    relations::Relations,
    rights,
    roles::roles,
};
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    DatabaseContents, Timestamp,
    backup_manifest::{DatabaseSource, DigestLevel, RoleRecord, SequenceState},
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::SystemTime,
};

/// An exported snapshot of a database, which lasts as long as the transaction of its session. Its tables are locked against
/// changes of their form, unless they are too many for the server's locks.
#[derive(Debug)]
pub struct DatabaseSnapshot {
    shared: SharedSnapshot,
    holder: Connection,
    /// The process of the session, and the transactions that the snapshot sees.
    identity: String,
    taken_at: Timestamp,
    source: DatabaseSource,
    relations: Relations,
    sequences: Vec<SequenceState>,
    roles: Vec<RoleRecord>,
}

impl DatabaseSnapshot {
    /// Exports a snapshot. Fails with [`ErrorKind::Unauthorized`] if the role may not read all that a dump holds.
    pub async fn take(access: Access) -> Result<Self> {
        let holder = access.open().await?;
        holder.check_version()?;
        holder.client().batch_execute(BEGIN).await.map_err(|error| lost("begin a transaction", error))?;
        let (name, taken_at) = export(&holder).await?;
        let identity = identity(&holder).await?;
        let source = identity::source(&holder, &access.server, &name).await?;
        let relations = Relations::read(&holder).await?;
        rights::check(&holder, &relations).await?;
        relations.lock(&holder).await?;
        let sequences = relations.sequence_states(&holder).await?;
        let roles = roles(&holder).await?;
        let shared = SharedSnapshot { access, name, encoding: copy_encoding(&source) };
        Ok(Self { shared, holder, identity, taken_at, source, relations, sequences, roles })
    }

    /// Its name, for `pg_dump --snapshot`.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// When it was taken, by the server's clock.
    pub const fn taken_at(&self) -> Timestamp {
        self.taken_at
    }

    /// The server and the database.
    pub const fn source(&self) -> &DatabaseSource {
        &self.source
    }

    /// Reads the contents. `amounts` shows how far that is.
    pub async fn contents(&self, level: DigestLevel, amounts: Arc<ReadAmounts>) -> Result<DatabaseContents> {
        if level == DigestLevel::Off {
            return Ok(DatabaseContents { level, ..DatabaseContents::default() });
        }
        let tables = self.relations.tables().filter(|table| !table.is_hidden());
        amounts.all_tables.store(tables.count() as u64, Ordering::Relaxed);
        let (tables, large_objects) = self.shared.read(&self.relations, level, amounts).await?;
        Ok(DatabaseContents {
            level,
            extensions: self.source.extensions.clone(),
            tables,
            sequences: self.sequences.clone(),
            large_objects: Some(large_objects),
            roles: self.roles.clone(),
        })
    }

    /// Fails if the session ended, or its transaction did.
    pub async fn check(&self) -> Result<()> {
        if identity(&self.holder).await? == self.identity {
            return Ok(());
        }
        Err(Error::new(ErrorKind::SnapshotLost, "the snapshot's transaction has ended"))
    }

    /// Ends the snapshot, after proof that it lasted until now and that no table was truncated meanwhile, notes in `contents`
    /// which sequences moved, and leaves out the roles that changed.
    pub async fn finish(self, mut contents: DatabaseContents) -> Result<DatabaseContents> {
        if !contents.sequences.is_empty() {
            contents.note_moved(&self.relations.sequence_states(&self.holder).await?);
        }
        let other = Box::pin(self.shared.access.open()).await?;
        self.relations.check_files(&other).await?;
        contents.keep_lasting(&roles(&other).await?);
        other.close().await;
        self.check().await?;
        self.holder.client().batch_execute("commit").await.map_err(|error| lost("end the snapshot", error))?;
        self.holder.close().await;
        Ok(contents)
    }
}

/// The encoding in which rows are hashed.
fn copy_encoding(source: &DatabaseSource) -> &'static str {
    match source.encoding.as_deref() {
        Some("SQL_ASCII") => "SQL_ASCII",
        _ => "UTF8",
    }
}

/// The name of a new snapshot, and the server's time.
async fn export(holder: &Connection) -> Result<(String, Timestamp)> {
    let query = "select pg_catalog.pg_export_snapshot(), pg_catalog.clock_timestamp()";
    let row = holder.client().query_one(query, &[]).await.map_err(|error| lost("export a snapshot", error))?;
    Ok((row.get(0), timestamp(row.get::<_, SystemTime>(1))?))
}

async fn identity(holder: &Connection) -> Result<String> {
    let query = "select pg_catalog.pg_backend_pid() || ' ' || pg_catalog.txid_current_snapshot()";
    let row = holder.client().query_one(query, &[]).await.map_err(|error| lost("keep the snapshot", error))?;
    Ok(row.get(0))
}
