//! The ids of a month, to find those that appear more than once.

use archive_connectors::{Error, ErrorKind, Result, error::local};
use archive_formats::{EventBatch, Ids, Sha256};
use std::{
    fs::{File, OpenOptions},
    hash::{BuildHasher as _, RandomState},
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// Ids are split by a hash of a seed that nobody knows, so that equal ids meet in one partition, no partition is larger
/// than the others whatever ids are sent, and that of a hundred million events still sorts in some 40 MB.
const PARTITIONS: usize = 64;

/// Bytes of entries that are held in memory before they go to disk: a month of 700,000 events needs no disk at all.
const HELD_BYTES: usize = 16 * 1024 * 1024;

/// More events with shared ids than this are no accident of an export, but a broken one, and their list would not fit:
/// with 1.8 million of them, an artifact that held every event twice, a run peaked at 257 MiB.
const MAX_SUSPECTS: usize = 2_000_000;

/// What stands for an id, then the event's ordinal. Ids that fit into sixteen bytes, UUIDs and numbers, are themselves;
/// text is the first half of its SHA-256. A cryptographic digest, because ids may be chosen by whoever sends events, and
/// two ids that were made to collide would be a conflict that is none.
type Entry = (u128, u64);
const ENTRY_BYTES: usize = 24;

/// Collects the ids of a month in the order in which its events are read.
#[derive(Debug)]
pub struct IdIndex {
    folder: PathBuf,
    held: Vec<Vec<Entry>>,
    held_bytes: usize,
    spilled: bool,
    events: u64,
    partitions: RandomState,
}

/// Events that share their id with another: their ordinals, each with the number of its group.
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
    /// How many events share an id.
    pub fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// Whether every id is unique.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl IdIndex {
    /// An index that spills into `folder`, which must exist and belongs to the index.
    pub fn new(folder: &Path) -> Self {
        let (folder, held) = (folder.to_owned(), vec![Vec::new(); PARTITIONS]);
        Self { folder, held, held_bytes: 0, spilled: false, events: 0, partitions: RandomState::new() }
    }

    /// Adds the next events.
    pub fn add(&mut self, batch: &EventBatch) -> Result<()> {
        let ids = batch.ids();
        let key = if let Ids::Text(_) = ids { digest } else { whole };
        for row in 0..batch.len() {
            let key = key(ids.bytes(row));
            let partition = self.partition_of(key);
            self.held[partition].push((key, self.events));
            self.events += 1;
        }
        self.held_bytes += batch.len() * ENTRY_BYTES;
        if self.held_bytes >= HELD_BYTES { self.spill() } else { Ok(()) }
    }

    /// The events whose id appears more than once.
    pub fn finish(mut self) -> Result<Suspects> {
        if self.spilled {
            self.spill()?;
        }
        let mut suspects = Suspects::default();
        let mut groups = 0;
        for partition in 0..PARTITIONS {
            let mut entries =
                if self.spilled { self.read(partition)? } else { std::mem::take(&mut self.held[partition]) };
            entries.sort_unstable();
            for same in entries.chunk_by(|left, right| left.0 == right.0).filter(|same| same.len() > 1) {
                suspects.events.extend(same.iter().map(|(_, ordinal)| Suspect { ordinal: *ordinal, group: groups }));
                groups += 1;
            }
            if suspects.events.len() > MAX_SUSPECTS {
                return Err(Error::new(ErrorKind::Incomplete, "more than two million events share their ids")
                    .with_hint("the export repeats itself; look at its filter before archiving it"));
            }
        }
        suspects.events.sort_unstable();
        Ok(suspects)
    }

    fn partition_of(&self, key: u128) -> usize {
        // The low six bits: 0 to 63.
        usize::from(self.partitions.hash_one(key).to_le_bytes()[0]) % PARTITIONS
    }

    fn spill(&mut self) -> Result<()> {
        for (partition, entries) in self.held.iter_mut().enumerate() {
            let path = self.folder.join(format!("ids-{partition:02}"));
            let bytes = entries.iter().flat_map(|(key, ordinal)| {
                let mut bytes = [0; ENTRY_BYTES];
                bytes[..16].copy_from_slice(&key.to_be_bytes());
                bytes[16..].copy_from_slice(&ordinal.to_be_bytes());
                bytes
            });
            let bytes = bytes.collect::<Vec<_>>();
            let file = OpenOptions::new().create(true).append(true).open(&path);
            file.and_then(|mut file| file.write_all(&bytes)).map_err(local("index the ids", &path))?;
            entries.clear();
        }
        self.spilled = true;
        self.held_bytes = 0;
        Ok(())
    }

    fn read(&self, partition: usize) -> Result<Vec<Entry>> {
        let path = self.folder.join(format!("ids-{partition:02}"));
        let mut bytes = Vec::new();
        let file = File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes));
        file.map_err(local("read the index of ids", &path))?;
        std::fs::remove_file(&path).map_err(local("remove the index of ids", &path))?;
        let (entries, _) = bytes.as_chunks::<ENTRY_BYTES>();
        Ok(entries.iter().map(|entry| (leading_u128(entry), trailing_u64(entry))).collect())
    }
}

fn digest(id: &[u8]) -> u128 {
    leading_u128(Sha256::of(id).as_bytes())
}

/// An id of at most sixteen bytes.
fn whole(id: &[u8]) -> u128 {
    let mut key = [0; 16];
    key.iter_mut().zip(id).for_each(|(key, byte)| *key = *byte);
    u128::from_ne_bytes(key)
}

fn leading_u128(bytes: &[u8]) -> u128 {
    bytes.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes))
}

fn trailing_u64(bytes: &[u8]) -> u64 {
    bytes.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
