//! The ranges of a Parquet file, as its manifest names them: a reader of some row groups fetches and checks only these
//! and the footer.

use crate::{Sha256, Timestamp, Window, digest::ByteRange};
use serde::{Deserialize, Serialize};

/// Length of the magic number at the start of a Parquet file, which no range has.
const MAGIC_BYTES: u64 = 4;

/// A row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowGroup {
    /// Where it begins in the file.
    pub offset: u64,
    /// The number of its bytes.
    pub bytes: u64,
    /// The number of its events.
    pub rows: u64,
    /// The time of its earliest event.
    pub first: Timestamp,
    /// The time of its latest event.
    pub last: Timestamp,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

impl RowGroup {
    /// Whether it may have events of `window`.
    fn overlaps(&self, window: Window) -> bool {
        self.first < window.to() && self.last >= window.from()
    }

    /// Its bytes.
    pub const fn range(&self) -> ByteRange {
        ByteRange { offset: self.offset, bytes: self.bytes, sha256: self.sha256 }
    }
}

/// The row groups of a Parquet file and its footer, which follow each other without a gap up to the end of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ParquetRanges(ParquetPart);

/// Some row groups of a Parquet file, and its footer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParquetPart {
    /// The row groups, in the order of the file.
    pub row_groups: Vec<RowGroup>,
    /// All bytes after the last row group of the file.
    pub footer: ByteRange,
}

impl ParquetPart {
    /// The row groups and the footer.
    pub fn ranges(&self) -> impl Iterator<Item = ByteRange> {
        self.row_groups.iter().map(RowGroup::range).chain([self.footer])
    }

    /// The number of events.
    pub fn rows(&self) -> u64 {
        self.row_groups.iter().fold(0, |sum, group| sum.saturating_add(group.rows))
    }

    /// The number of bytes.
    pub fn bytes(&self) -> u64 {
        self.ranges().map(|range| range.bytes).sum()
    }
}

/// The ranges are not those of a Parquet file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the row groups and the footer are not all bytes of a Parquet file, one after another")]
pub struct RangesError;

impl ParquetRanges {
    /// The ranges of a file of `bytes`. The footer has all bytes after the last row group.
    pub fn new(row_groups: Vec<RowGroup>, footer: ByteRange, bytes: u64) -> Result<Self, RangesError> {
        let all = ParquetPart { row_groups, footer };
        let end = all.ranges().try_fold(MAGIC_BYTES, |end, range| {
            if range.offset == end && range.bytes > 0 { end.checked_add(range.bytes) } else { None }
        });
        if end == Some(bytes) { Ok(Self(all)) } else { Err(RangesError) }
    }

    /// The row groups, in the order of the file.
    pub fn row_groups(&self) -> &[RowGroup] {
        &self.0.row_groups
    }

    /// All bytes after the last row group: the page indexes, the metadata, its length, and the magic number.
    pub const fn footer(&self) -> ByteRange {
        self.0.footer
    }

    /// What a reader of `window` needs; `None` if it is the whole file.
    pub fn part(&self, window: Window) -> Option<ParquetPart> {
        let groups = self.row_groups().iter().filter(|group| group.overlaps(window)).copied();
        let part = ParquetPart { row_groups: groups.collect(), footer: self.footer() };
        (part.row_groups.len() < self.row_groups().len()).then_some(part)
    }

    /// The row groups and the footer.
    pub fn ranges(&self) -> impl Iterator<Item = ByteRange> {
        self.0.ranges()
    }

    /// The number of events, and the times of the earliest and the latest one.
    pub fn counts(&self) -> (u64, Option<Timestamp>, Option<Timestamp>) {
        let groups = || self.row_groups().iter();
        (self.0.rows(), groups().map(|group| group.first).min(), groups().map(|group| group.last).max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range((offset, bytes): (u64, u64)) -> ByteRange {
        ByteRange { offset, bytes, sha256: Sha256::digest(b"") }
    }

    fn ranges(groups: &[(u64, u64)], footer: (u64, u64), bytes: u64) -> Result<ParquetRanges, RangesError> {
        let [first, last] = [0, 1].map(Timestamp::from_micros);
        let groups = groups.iter().map(|group| {
            let ByteRange { offset, bytes, sha256 } = range(*group);
            RowGroup { offset, bytes, rows: u64::MAX, first, last, sha256 }
        });
        ParquetRanges::new(groups.collect(), range(footer), bytes)
    }

    #[test]
    fn ranges_fill_the_file() {
        assert!(ranges(&[(4, 10), (14, 1)], (15, 5), 20).is_ok());
        for (groups, footer, bytes) in [
            (&[(4, 10), (13, 2)][..], (15, 5), 20),
            (&[(4, 10), (15, 1)], (16, 4), 20),
            (&[(14, 1), (4, 10)], (15, 5), 20),
            (&[(0, 15)], (15, 5), 20),
            (&[(4, 11)], (15, 5), 21),
            (&[(4, 11)], (15, 5), 19),
            (&[(4, 11), (15, 0)], (15, 5), 20),
            (&[(4, 16)], (20, 0), 20),
            (&[(4, u64::MAX)], (3, 17), 20),
            (&[(4, u64::MAX - 4)], (u64::MAX, 1), 0),
        ] {
            assert_eq!(ranges(groups, footer, bytes), Err(RangesError), "{groups:?} {footer:?} {bytes}");
        }
    }

    #[test]
    fn a_part_has_the_row_groups_of_a_window() {
        let window = |from, to| Window::new(Timestamp::from_micros(from), Timestamp::from_micros(to)).unwrap();
        let mut ranges = ranges(&[(4, 10), (14, 1), (15, 1)], (16, 4), 20).unwrap();
        for (group, first) in ranges.0.row_groups.iter_mut().zip([10, 20, 15]) {
            (group.first, group.last) = (Timestamp::from_micros(first), Timestamp::from_micros(first + 9));
        }
        let offsets = |from, to| {
            let part = ranges.part(window(from, to))?;
            Some(part.row_groups.iter().map(|group| group.offset).collect::<Vec<_>>())
        };
        assert_eq!(offsets(0, 10), Some(vec![]));
        assert_eq!(offsets(0, 11), Some(vec![4]));
        assert_eq!(offsets(19, 20), Some(vec![4, 15]));
        assert_eq!(offsets(29, 30), Some(vec![14]));
        assert_eq!(offsets(30, 31), Some(vec![]));
        assert_eq!(offsets(19, 21), None);
    }

    #[test]
    fn huge_counts_do_not_overflow() {
        assert_eq!(ranges(&[(4, 10), (14, 1)], (15, 5), 20).unwrap().counts().0, u64::MAX);
    }
}
