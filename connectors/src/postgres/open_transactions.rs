//! Open transactions that could still add rows to a past month.
//!
//! An event usually gets its time when its transaction begins, and becomes visible when it ends. So a month is complete only
//! once every transaction that began before its end has ended.

use super::failure;
use crate::{Error, ErrorKind, Result};
use archive_formats::{Timestamp, Window};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

/// How long to wait for a transaction of unknown age before it counts as too old.
const HIDDEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Refuses a window while a transaction that began before its end is open, or while a standby has not replayed its end.
pub(super) async fn refuse(client: &Client, window: Window) -> Result<()> {
    let end = seconds(window.to());
    refuse_lagging_standby(client, end).await?;
    refuse_old(client, end).await?;
    wait_for_hidden(client, end).await?;
    wait_for_replayed(client).await
}

async fn refuse_old(client: &Client, end: f64) -> Result<()> {
    let query = "\
select coalesce('pid ' || a.pid, 'prepared transaction ' || a.gid), extract(epoch from now() - a.began)::float8
  from (
    select pid, null::text as gid, xact_start as began from pg_catalog.pg_stat_activity
     where datname = current_database() and pid <> pg_catalog.pg_backend_pid()
       and coalesce(backend_type, '') not in ('autovacuum worker', 'parallel worker', 'walsender')
    union all
    select null, gid, prepared from pg_catalog.pg_prepared_xacts where database = current_database()
  ) a
 where a.began < to_timestamp($1) order by a.began limit 1";
    let rows = client.query(query, &[&end]).await;
    let rows = rows.map_err(|error| failure::lost("look for open transactions", error))?;
    let Some(row) = rows.first() else { return Ok(()) };
    let (who, age) = (row.get::<_, String>(0), row.get::<_, f64>(1));
    let age = age.max(0.0).trunc();
    Err(Error::new(ErrorKind::TryLater, "a transaction that began before the end of the month is still open")
        .with_context("transaction", &who)
        .with_hint(format!(
            "it could still add events: wait until {who} ends, which is open for {age} s, then run again"
        )))
}

/// Waits for the transactions of unknown age. Without `pg_read_all_stats`, a role sees the age of its own transactions only,
/// but all roles see locks, and an open transaction holds one on its virtual ID. Of a prepared transaction, only the time of
/// `prepare` is known. None began before the server's start, so that earlier months need no wait.
async fn wait_for_hidden(client: &Client, end: f64) -> Result<()> {
    let deadline = Instant::now() + HIDDEN_TIMEOUT;
    let mut open = hidden(client, end).await?;
    while let Some(who) = open.first() {
        if Instant::now() >= deadline {
            return Err(Error::new(
                ErrorKind::TryLater,
                "a transaction of unknown age is open, which could add events",
            )
            .with_context("transaction", who)
            .with_hint(format!(
                "wait until {who} ends, then run again; with pg_read_all_stats, the role sees how old others' are"
            )));
        }
        sleep(Duration::from_millis(250)).await;
        let still = hidden(client, end).await?;
        open.retain(|who| still.contains(who));
    }
    Ok(())
}

/// Waits on a standby for the transactions that are open on its primary. Only those that wrote something are visible, by
/// their IDs, and without an age.
async fn wait_for_replayed(client: &Client) -> Result<()> {
    let deadline = Instant::now() + HIDDEN_TIMEOUT;
    let Some((mut oldest, next)) = replayed(client).await? else { return Ok(()) };
    while oldest < next {
        if Instant::now() >= deadline {
            return Err(Error::new(
                ErrorKind::TryLater,
                "a transaction of the primary is open, which could add events",
            )
            .with_context("transaction", oldest)
            .with_hint("wait until it ends, then run again; the primary shows how old it is"));
        }
        sleep(Duration::from_millis(250)).await;
        oldest = replayed(client).await?.map_or(next, |(oldest, _)| oldest);
    }
    Ok(())
}

/// On a standby, the ID of the primary's oldest open transaction, and the next ID.
async fn replayed(client: &Client) -> Result<Option<(i64, i64)>> {
    let query = "select pg_catalog.txid_snapshot_xmin(seen), pg_catalog.txid_snapshot_xmax(seen) \
                 from pg_catalog.txid_current_snapshot() as seen where pg_catalog.pg_is_in_recovery()";
    let row = client.query_opt(query, &[]).await;
    let row = row.map_err(|error| failure::lost("look for open transactions of the primary", error))?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}

async fn hidden(client: &Client, end: f64) -> Result<Vec<String>> {
    let query = "\
select 'pid ' || a.pid || ' (' || l.virtualxid || ')'
  from pg_catalog.pg_stat_activity a
  join pg_catalog.pg_locks l on l.pid = a.pid and l.locktype = 'virtualxid' and l.virtualxid = l.virtualtransaction
 where a.datname = current_database() and a.usesysid is not null and a.xact_start is null
   and a.pid <> pg_catalog.pg_backend_pid() and pg_catalog.pg_postmaster_start_time() < to_timestamp($1)
union all
select 'prepared transaction ' || gid from pg_catalog.pg_prepared_xacts
 where database = current_database() and prepared >= to_timestamp($1)";
    let rows = client.query(query, &[&end]).await;
    let rows = rows.map_err(|error| failure::lost("look for open transactions", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Refuses a standby that has not replayed the end of the window. One that is connected to its primary and has replayed all
/// that it received counts as caught up.
async fn refuse_lagging_standby(client: &Client, end: f64) -> Result<()> {
    let query = "select pg_catalog.pg_is_in_recovery() \
                 and coalesce(pg_catalog.pg_last_xact_replay_timestamp() < to_timestamp($1), true) \
                 and (pg_catalog.pg_last_wal_receive_lsn() is distinct from pg_catalog.pg_last_wal_replay_lsn() \
                   or not exists (select from pg_catalog.pg_stat_wal_receiver))";
    let row = client.query_one(query, &[&end]).await;
    let row = row.map_err(|error| failure::lost("ask for the standby's progress", error))?;
    if !row.get::<_, bool>(0) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::TryLater, "the standby has not caught up with the end of the month")
        .with_hint("run again later, or read from the primary"))
}

#[expect(clippy::cast_precision_loss, reason = "windows end at whole seconds, which a double holds exactly")]
fn seconds(time: Timestamp) -> f64 {
    time.as_micros() as f64 / 1e6
}
