//! The lock that keeps a table from being rewritten while it is read.

use super::{
    catalogue::{Relation, RelationKind},
    config::Config,
    connect::connect_read_only,
    connection::{Connection, milliseconds},
    failure,
};
use crate::Result;
use tokio_postgres::error::SqlState;

const BEGIN: &str = "begin isolation level repeatable read read only";

/// How a transaction locks the table and its leaf tables. Locking a view locks its tables.
#[derive(Clone, Debug)]
pub(super) enum TableLock {
    /// By this statement, which needs rights on the whole table.
    Statement(String),
    /// By this query, for which rights on one of the columns are enough.
    Query(String),
    /// Materialized views and foreign tables cannot be locked.
    None,
}

impl TableLock {
    /// Begins the transaction of `holder`, and locks the table before its snapshot is taken: after a rewrite in between, the
    /// snapshot would see an empty table.
    pub(super) async fn begin(holder: &Connection, config: &Config, relation: &Relation) -> Result<Self> {
        let lost = |error| failure::lost("lock the table", error).with_context("table", &relation.name);
        let lock = match relation.kind {
            RelationKind::Table | RelationKind::Partitioned | RelationKind::View => {
                format!("lock table {} in access share mode", relation.name)
            }
            RelationKind::Materialized | RelationKind::Foreign => {
                holder.client().batch_execute(BEGIN).await.map_err(lost)?;
                return Ok(Self::None);
            }
        };
        match holder.client().batch_execute(&format!("{BEGIN}; {lock}")).await {
            Ok(()) => Ok(Self::Statement(lock)),
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                holder.client().batch_execute("rollback").await.map_err(lost)?;
                Self::begin_by_query(holder, config, relation).await
            }
            Err(error) => Err(lost(error)),
        }
    }

    /// A query takes its snapshot before its lock. So another session locks first.
    async fn begin_by_query(holder: &Connection, config: &Config, relation: &Relation) -> Result<Self> {
        let lost = |error| failure::lost("lock the table", error).with_context("table", &relation.name);
        let query = format!("select from {} limit 0", relation.name);
        let guard = connect_read_only(config).await?;
        guard.client().batch_execute(&format!("begin; {query}")).await.map_err(lost)?;
        let lock = Self::Query(query);
        let statement = format!("{BEGIN}{}", lock.without_waiting(config));
        holder.client().batch_execute(&statement).await.map_err(lost)?;
        guard.close().await;
        Ok(lock)
    }

    /// Statements, each after a semicolon, that take the lock in a session beside one that holds it, and fail instead of
    /// waiting. Waiting would deadlock: a session that is ahead in the queue waits for the holder, which waits for this one.
    pub(super) fn without_waiting(&self, config: &Config) -> String {
        match self {
            Self::Statement(lock) => format!("; {lock} nowait"),
            Self::Query(query) => {
                let usual = milliseconds(config.lock_timeout);
                format!("; set local lock_timeout = 1; {query}; set local lock_timeout = {usual}")
            }
            Self::None => String::new(),
        }
    }
}
