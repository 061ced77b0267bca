//! An index of a month's ids, to find those that appear more than once.

use archive_connectors::{Error, ErrorKind, Result, error::local};
use archive_formats::{EventBatch, Ids, Sha256};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// Ids are partitioned by the first byte of their key: equal ids meet in one partition.
const PARTITIONS: usize = 256;

/// Maximum entries of a partition, which is sorted in memory: 72 MB. Only a month of 750 million events, or one that
/// repeats an id, has more.
const MAX_PARTITION: u64 = 3_000_000;

/// Bytes of entries held in memory before they are spilled: a month of 700,000 events needs no disk.
const HELD_BYTES: usize = 16 * 1024 * 1024;

/// Maximum events with shared ids: more indicate a broken export, and their list would not fit in memory.
const MAX_SUSPECTS: usize = 1_500_000;

/// The id's key in sixteen bytes, and the event's ordinal in eight, both big-endian: their order is that of the bytes.
type Entry = [u8; ENTRY_BYTES];
const ENTRY_BYTES: usize = 24;

/// Collects the ids of a month, in the order of its events.
#[derive(Debug)]
pub(crate) struct IdIndex {
    folder: PathBuf,
    held: Vec<Vec<Entry>>,
    held_bytes: usize,
    spilled: bool,
    events: u64,
}

/// Ordinals of the events that share their id with another, each with the number of its group.
#[derive(Debug, Default)]
pub struct Suspects {
    /// Sorted by ordinal.
    pub(super) events: Vec<Suspect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Suspect {
    pub(super) ordinal: u64,
    pub(super) group: u64,
}

impl Suspects {
    /// Number of events that share an id.
    pub fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// Returns whether every id is unique.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl IdIndex {
    /// Creates an index that spills into `folder`, which must exist and be used by nothing else.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), held: vec![Vec::new(); PARTITIONS], held_bytes: 0, spilled: false, events: 0 }
    }

    /// Adds the next events.
    pub(crate) fn add(&mut self, batch: &EventBatch) -> Result<()> {
        let ids = batch.ids();
        for row in 0..batch.len() {
            let entry = entry(key(ids, row), self.events);
            self.events += 1;
            self.held[usize::from(entry[0])].push(entry);
        }
        self.held_bytes += batch.len() * ENTRY_BYTES;
        if self.held_bytes >= HELD_BYTES { self.spill() } else { Ok(()) }
    }

    /// The events whose id appears more than once.
    pub(crate) fn finish(mut self) -> Result<Suspects> {
        if self.spilled {
            self.spill()?;
        }
        let mut suspects = Suspects::default();
        let mut groups = 0;
        for partition in 0..PARTITIONS {
            let mut entries =
                if self.spilled { self.read(partition)? } else { std::mem::take(&mut self.held[partition]) };
            entries.sort_unstable();
            for same in entries.chunk_by(|left, right| left[..16] == right[..16]).filter(|same| same.len() > 1) {
                if suspects.events.len() + same.len() > MAX_SUSPECTS {
                    return Err(Error::new(ErrorKind::Incomplete, "more than 1.5 million events share their ids")
                        .with_hint("the export repeats itself; look at its filter before archiving it"));
                }
                suspects.events.extend(same.iter().map(|entry| Suspect { ordinal: ordinal(entry), group: groups }));
                groups += 1;
            }
        }
        suspects.events.sort_unstable();
        Ok(suspects)
    }

    fn spill(&mut self) -> Result<()> {
        for (partition, entries) in self.held.iter_mut().enumerate() {
            let path = path(&self.folder, partition);
            let file = OpenOptions::new().create(true).append(true).open(&path);
            file.and_then(|mut file| file.write_all(entries.as_flattened())).map_err(local("index the ids", &path))?;
            entries.clear();
        }
        self.spilled = true;
        self.held_bytes = 0;
        Ok(())
    }

    fn read(&self, partition: usize) -> Result<Vec<Entry>> {
        let path = path(&self.folder, partition);
        let failed = || local("read the index of ids", &path);
        let mut file = File::open(&path).map_err(failed())?;
        let count = file.metadata().map_err(failed())?.len() / ENTRY_BYTES as u64;
        let (Ok(length), ..=MAX_PARTITION) = (usize::try_from(count), count) else {
            return Err(Error::new(ErrorKind::Incomplete, "too many events share their ids")
                .with_context("events", self.events)
                .with_hint("the export repeats itself, unless the month has more than 700 million events"));
        };
        let mut entries = vec![[0; ENTRY_BYTES]; length];
        file.read_exact(entries.as_flattened_mut()).map_err(failed())?;
        std::fs::remove_file(&path).map_err(local("remove the index of ids", &path))?;
        Ok(entries)
    }
}

fn path(folder: &Path, partition: usize) -> PathBuf {
    folder.join(format!("ids-{partition:03}"))
}

fn entry(key: u128, ordinal: u64) -> Entry {
    let mut entry = [0; ENTRY_BYTES];
    let (id, last) = entry.split_at_mut(size_of::<u128>());
    id.copy_from_slice(&key.to_be_bytes());
    last.copy_from_slice(&ordinal.to_be_bytes());
    entry
}

fn ordinal(entry: &Entry) -> u64 {
    entry.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// A 16-byte key of an id, with its first bits spread over all partitions.
///
/// For text, the first half of its SHA-256: senders may choose ids, and two ids made to collide must not have equal
/// keys. Other ids have at most 16 bytes and are multiplied by an odd number: this maps different ids to different
/// keys, and mixes all bits into the first ones, even for ids that begin with a time.
fn key(ids: Ids<'_>, row: usize) -> u128 {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    match ids {
        Ids::Text(_) => leading_u128(Sha256::digest(ids.bytes(row)).as_bytes()),
        Ids::Uuid(_) | Ids::Int16(_) | Ids::Int32(_) | Ids::Int64(_) => {
            let bytes = ids.bytes(row);
            let id = bytes.iter().fold(0_u128, |id, byte| id << 8 | u128::from(*byte));
            id.wrapping_mul(ODD)
        }
    }
}

fn leading_u128(bytes: &[u8]) -> u128 {
    bytes.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{FixedSizeBinaryArray, Int64Array};
    use std::collections::HashSet;

    fn partitions(ids: Ids<'_>, count: usize) -> usize {
        (0..count).map(|row| entry(key(ids, row), 0)[0]).collect::<HashSet<_>>().len()
    }

    #[test]
    fn ids_with_equal_prefixes_are_spread_over_all_partitions() {
        let numbers = Int64Array::from_iter_values(0..10_000);
        assert_eq!(partitions(Ids::Int64(&numbers), 10_000), PARTITIONS);
        let begin_alike = (0..10_000_u128).map(|number| (0x0190_0000_0000_7000 << 64 | number).to_be_bytes());
        let uuids = FixedSizeBinaryArray::try_from_iter(begin_alike).unwrap();
        assert_eq!(partitions(Ids::Uuid(&uuids), 10_000), PARTITIONS);
    }

    #[test]
    fn different_ids_have_different_keys() {
        let ids = [[0; 16], [255; 16], 1_u128.to_be_bytes(), (1_u128 << 127).to_be_bytes()];
        let uuids = FixedSizeBinaryArray::try_from_iter(ids.iter()).unwrap();
        let keys = (0..ids.len()).map(|row| key(Ids::Uuid(&uuids), row)).collect::<HashSet<_>>();
        assert_eq!(keys.len(), ids.len());
    }
}
