//! Reads the tables of a snapshot by several connections, many small tables at once.

use super::{
    super::{connection::Connection, copy_sum::ReadAmounts, snapshot::gone},
    access::{Access, BEGIN},
    large_objects,
    relations::{Relation, Relations, read_failure, simple_rows, unexpected},
};
use crate::{Error, ErrorKind, Result};
use archive_formats::{
    DigestSum, Sha256,
    backup_manifest::{DigestLevel, LargeObjects, TableDigest},
};
use futures::future::try_join_all;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};
use tokio::sync::mpsc;
use tokio_postgres::SimpleQueryMessage;

/// An exported snapshot, which any number of sessions may join while its own lasts.
#[derive(Debug)]
pub(super) struct SharedSnapshot {
    pub(super) access: Access,
    /// Its name for `set transaction snapshot`: digits, letters and hyphens.
    pub(super) name: String,
    /// The encoding in which rows are hashed.
    pub(super) encoding: &'static str,
}

/// The work of a connection.
enum Job<'a> {
    LargeObjects,
    Tables(Vec<&'a Relation>),
}

/// What is read so far.
#[derive(Default)]
struct Found {
    tables: Vec<TableDigest>,
    large_objects: Option<LargeObjects>,
}

/// A session that joins the snapshot for each of its jobs: locks of its own end with the job.
struct Reader<'a> {
    snapshot: &'a SharedSnapshot,
    connection: Connection,
    sums: mpsc::UnboundedReceiver<DigestSum>,
    amounts: Arc<ReadAmounts>,
}

impl SharedSnapshot {
    /// Reads the tables of `relations` and the large objects.
    pub(super) async fn read(
        &self,
        relations: &Relations,
        level: DigestLevel,
        amounts: Arc<ReadAmounts>,
    ) -> Result<(Vec<TableDigest>, LargeObjects)> {
        let tables = relations.tables();
        let (hidden, tables) = tables.partition::<Vec<_>, _>(|table| table.is_hidden());
        let mut jobs = VecDeque::from([Job::LargeObjects]);
        jobs.extend(batches(tables, |table| table.bytes).into_iter().map(Job::Tables));
        let readers = self.access.connections.clamp(1, jobs.len());
        let jobs = Mutex::new(jobs);
        let read = async || {
            let mut reader = Reader::open(self, Arc::clone(&amounts)).await?;
            let mut found = Found::default();
            loop {
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(job) = job else { break };
                reader.work(job, level, &mut found).await?;
            }
            reader.connection.close().await;
            Ok::<_, Error>(found)
        };
        let found = try_join_all((0..readers).map(|_| read())).await?;
        let empty = hidden.into_iter().map(|table| digest(table, 0, level, DigestSum::default().sum()));
        let mut tables = empty.collect::<Vec<_>>();
        let mut large_objects = None;
        for found in found {
            tables.extend(found.tables);
            large_objects = large_objects.or(found.large_objects);
        }
        tables.sort_by(|one, other| one.name.cmp(&other.name));
        Ok((tables, large_objects.ok_or_else(unexpected)?))
    }
}

fn digest(table: &Relation, rows: u64, level: DigestLevel, sum: Sha256) -> TableDigest {
    TableDigest { name: table.printed(), rows, sha256: (level == DigestLevel::Full).then_some(sum) }
}

/// Divides `tables` into lists to read at once, the longest first: a long table alone, short ones together.
fn batches<T>(mut tables: Vec<T>, bytes: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    const TABLES: usize = 200;
    const BYTES: u64 = 16 << 20;
    tables.sort_by_key(|table| std::cmp::Reverse(bytes(table)));
    let (mut batches, mut batch, mut size) = (Vec::new(), Vec::new(), 0);
    for table in tables {
        if !batch.is_empty() && (batch.len() == TABLES || size + bytes(&table) > BYTES) {
            batches.push(std::mem::take(&mut batch));
            size = 0;
        }
        size += bytes(&table);
        batch.push(table);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

impl<'a> Reader<'a> {
    async fn open(snapshot: &'a SharedSnapshot, amounts: Arc<ReadAmounts>) -> Result<Self> {
        let connection = snapshot.access.open().await?;
        let sums = connection.sum_copies(Arc::clone(&amounts));
        Ok(Self { snapshot, connection, sums, amounts })
    }

    async fn work(&mut self, job: Job<'_>, level: DigestLevel, found: &mut Found) -> Result<()> {
        let client = self.connection.client();
        let join = format!("{BEGIN}; set transaction snapshot '{}'", self.snapshot.name);
        client.batch_execute(&join).await.map_err(gone)?;
        match job {
            Job::LargeObjects => {
                found.large_objects = Some(large_objects::read(&self.connection, level, &self.amounts).await?);
            }
            Job::Tables(tables) if level == DigestLevel::Full => {
                let sums = self.sums(&tables).await?;
                let digests = tables.iter().zip(sums);
                found.tables.extend(digests.map(|(table, sum)| digest(table, sum.count(), level, sum.sum())));
            }
            Job::Tables(tables) => found.tables.extend(self.counts(&tables).await?),
        }
        let ended = self.connection.client().batch_execute("commit").await;
        ended.map_err(|error| read_failure("end the transaction", error))
    }

    /// The sum of each table's rows.
    async fn sums(&mut self, tables: &[&Relation]) -> Result<Vec<DigestSum>> {
        let copies = tables.iter().map(|table| table.copy(self.snapshot.encoding)).collect::<Vec<_>>();
        let answer = self.connection.client().simple_query(&copies.join("; ")).await;
        let sums = std::iter::from_fn(|| self.sums.try_recv().ok()).collect::<Vec<_>>();
        let messages = answer.map_err(|error| {
            let table = tables.get(sums.len()).map(|table| table.printed());
            read_failure("read a table", error).with_context("table", table.unwrap_or_default())
        })?;
        let counts = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
            _ => None,
        });
        if sums.iter().map(DigestSum::count).ne(counts) || sums.len() != tables.len() {
            return Err(Error::new(ErrorKind::Incomplete, "the server sent other rows than it counted"));
        }
        Ok(sums)
    }

    /// The number of each table's rows.
    async fn counts(&self, tables: &[&Relation]) -> Result<Vec<TableDigest>> {
        let queries = tables.iter().map(|table| table.count()).collect::<Vec<_>>();
        let rows = simple_rows(&self.connection, &queries.join("; ")).await;
        let rows = rows.map_err(|error| read_failure("count the rows of the tables", error))?;
        let counts = rows.iter().map(|row| row.first()?.parse().ok()).collect::<Option<Vec<u64>>>();
        let counts = counts.filter(|counts| counts.len() == tables.len()).ok_or_else(unexpected)?;
        self.amounts.tables.fetch_add(tables.len() as u64, Ordering::Relaxed);
        self.amounts.rows.fetch_add(counts.iter().sum(), Ordering::Relaxed);
        let count = |(table, rows): (&&Relation, u64)| TableDigest { name: table.printed(), rows, sha256: None };
        Ok(tables.iter().zip(counts).map(count).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tables_share_a_batch_and_long_ones_come_first() {
        let mebibytes = |sizes: &[u64]| sizes.iter().map(|size| size << 20).collect::<Vec<_>>();
        let found = batches(mebibytes(&[1, 40, 2, 15, 0]), |size| *size);
        assert_eq!(found, [mebibytes(&[40]), mebibytes(&[15]), mebibytes(&[2, 1, 0])]);
        assert_eq!(batches(vec![0; 401], |size| *size).iter().map(Vec::len).collect::<Vec<_>>(), [200, 200, 1]);
        assert_eq!(batches(Vec::<u64>::new(), |size| *size), [] as [Vec<u64>; 0]);
    }
}
