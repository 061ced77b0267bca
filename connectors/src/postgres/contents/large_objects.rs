//! The large objects of a database, read in pieces: an object of any size needs little memory.

use super::super::{connection::Connection, copy_sum::ReadAmounts, failure::lost};
use crate::Result;
use archive_formats::{
    DigestSum,
    backup_manifest::{DigestLevel, LargeObjects},
    digest::Hasher,
};
use std::sync::atomic::Ordering;

/// Objects to read by one query.
const AT_ONCE: i64 = 200;

/// Bytes to read of each by that query.
const FIRST: i32 = 64 << 10;

/// Bytes to read by a query of an object that is longer.
const NEXT: i32 = 1 << 20;

/// Reads the large objects in the transaction of `connection`. The record of one is its number, as four bytes with the most
/// significant first, and its content, in which holes are zeros, as a dump has them.
pub(super) async fn read(connection: &Connection, level: DigestLevel, amounts: &ReadAmounts) -> Result<LargeObjects> {
    if level == DigestLevel::Full {
        let sum = sum(connection, amounts).await?;
        return Ok(LargeObjects { count: sum.count(), sha256: Some(sum.sum()) });
    }
    let count = connection.client().query_one("select count(*) from pg_largeobject_metadata", &[]).await;
    let count = count.map_err(|error| lost("count the large objects", error))?.get::<_, i64>(0).unsigned_abs();
    Ok(LargeObjects { count, sha256: None })
}

async fn sum(connection: &Connection, amounts: &ReadAmounts) -> Result<DigestSum> {
    const OBJECTS: &str = "select m.oid, lo_get(m.oid, 0, $1) from \
        (select oid from pg_largeobject_metadata where oid > $2 order by oid limit $3) m";
    const PIECE: &str = "select lo_get($1, $2, $3)";
    let client = connection.client();
    let failed = |error| lost("read the large objects", error);
    let objects = client.prepare(OBJECTS).await.map_err(failed)?;
    let piece = client.prepare(PIECE).await.map_err(failed)?;
    let (mut sum, mut last) = (DigestSum::default(), 0_u32);
    loop {
        let rows = client.query(&objects, &[&FIRST, &last, &AT_ONCE]).await.map_err(failed)?;
        for row in &rows {
            let (number, mut content) = (row.get::<_, u32>(0), row.get::<_, &[u8]>(1).to_vec());
            let (mut hasher, mut asked, mut offset) = (Hasher::default(), FIRST, 0_i64);
            hasher.update(&number.to_be_bytes());
            loop {
                hasher.update(&content);
                amounts.bytes.fetch_add(content.len() as u64, Ordering::Relaxed);
                if content.len() < asked.unsigned_abs() as usize {
                    break;
                }
                (offset, asked) = (offset + i64::from(asked), NEXT);
                let row = client.query_one(&piece, &[&number, &offset, &asked]).await.map_err(failed)?;
                content = row.get(0);
            }
            sum.add(hasher.finish());
            last = last.max(number);
        }
        if rows.is_empty() {
            return Ok(sum);
        }
    }
}
