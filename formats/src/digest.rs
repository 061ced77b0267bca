//! SHA-256 digests, and writers that compute them of the bytes that pass through.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::Digest as _;
use std::{fmt, io, str::FromStr};

/// A SHA-256 digest (FIPS 180-4), printed as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

/// The text is not 64 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("not a SHA-256 digest: {0:?}")]
pub struct DigestError(String);

impl Sha256 {
    /// The digest of `bytes`.
    pub fn digest(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The 32 bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 16 hexadecimal digits, as in the names of data files.
    pub fn short(&self) -> String {
        self.to_string().chars().take(16).collect()
    }
}

impl From<[u8; 32]> for Sha256 {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Sha256 {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || DigestError(text.to_owned());
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| error())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| error())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Computes the digest of content that arrives in pieces.
#[derive(Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes added.
    pub fn finish(self) -> Sha256 {
        Sha256(self.0.finalize().into())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hasher")
    }
}

/// Counts and hashes the bytes written to `inner`.
#[derive(Debug)]
pub struct DigestWriter<W> {
    inner: W,
    hasher: Hasher,
    bytes: u64,
}

impl<W: io::Write> DigestWriter<W> {
    /// A writer to `inner`.
    pub fn new(inner: W) -> Self {
        Self { inner, hasher: Hasher::default(), bytes: 0 }
    }

    /// Bytes written so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of bytes written, and their digest. Both begin anew.
    fn restart(&mut self) -> (u64, Sha256) {
        (std::mem::take(&mut self.bytes), std::mem::take(&mut self.hasher).finish())
    }

    /// The inner writer, the number of bytes written, and their digest.
    pub fn finish(mut self) -> (W, u64, Sha256) {
        let (bytes, sha256) = self.restart();
        (self.inner, bytes, sha256)
    }
}

impl<W: io::Write> io::Write for DigestWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A range of bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteRange {
    /// Where it begins in the file.
    pub offset: u64,
    /// The number of its bytes.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

impl ByteRange {
    /// Where it ends.
    pub const fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes)
    }
}

/// Computes the digests of ranges of a file, which may overlap, from blocks in the order of the file.
#[derive(Debug)]
pub struct RangeHasher(Vec<(ByteRange, Hasher)>);

impl RangeHasher {
    /// Expects these ranges.
    pub fn new(ranges: impl IntoIterator<Item = ByteRange>) -> Self {
        Self(ranges.into_iter().map(|range| (range, Hasher::default())).collect())
    }

    /// Adds the bytes of the file from `offset` on, except those of no range.
    pub fn update(&mut self, offset: u64, block: &[u8]) {
        let position =
            |at: u64| usize::try_from(at.saturating_sub(offset)).map_or(block.len(), |at| at.min(block.len()));
        for (range, hasher) in &mut self.0 {
            let (start, end) = (position(range.offset), position(range.end()));
            hasher.update(&block[start..end]);
        }
    }

    /// The first range with another digest than expected, and the digest found.
    pub fn finish(self) -> Option<(ByteRange, Sha256)> {
        let mut found = self.0.into_iter().map(|(range, hasher)| (range, hasher.finish()));
        found.find(|(range, found)| range.sha256 != *found)
    }
}

/// Divides the bytes written to `inner` into ranges, and hashes each.
#[derive(Debug)]
pub struct RangeWriter<W> {
    /// The range in progress.
    range: DigestWriter<W>,
    /// Where it begins.
    offset: u64,
}

impl<W: io::Write> RangeWriter<W> {
    /// A writer to `inner`, at the start of the first range.
    pub fn new(inner: W) -> Self {
        Self { range: DigestWriter::new(inner), offset: 0 }
    }

    /// Ends a range after the bytes written so far. The next one begins there.
    pub fn end_range(&mut self) -> ByteRange {
        let (bytes, sha256) = self.range.restart();
        let range = ByteRange { offset: self.offset, bytes, sha256 };
        self.offset = range.end();
        range
    }

    /// The inner writer, and the last range.
    pub fn finish(mut self) -> (W, ByteRange) {
        let last = self.end_range();
        (self.range.inner, last)
    }
}

impl<W: io::Write> io::Write for RangeWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.range.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.range.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// FIPS 180-4, the example "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn agrees_with_the_standard() {
        assert_eq!(Sha256::digest(b"abc").to_string(), ABC);
        assert_eq!(ABC.parse::<Sha256>().unwrap(), Sha256::digest(b"abc"));
    }

    #[test]
    fn other_texts_are_no_digests() {
        let (short, long, signed, words) = ("a".repeat(62), "a".repeat(66), "+a".repeat(32), "xy".repeat(32));
        for text in ["", &short, &long, &signed, &words] {
            assert!(text.parse::<Sha256>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_flush_reaches_the_inner_writer() {
        let mut writer = DigestWriter::new(io::BufWriter::new(Vec::new()));
        writer.write_all(b"abc").unwrap();
        writer.flush().unwrap();
        assert_eq!((writer.bytes(), writer.finish().0.get_ref().as_slice()), (3, b"abc".as_slice()));
    }

    #[test]
    fn a_writer_hashes_the_bytes_it_writes() {
        let mut writer = DigestWriter::new(Vec::new());
        writer.write_all(b"a").unwrap();
        writer.write_all(b"bc").unwrap();
        let (inner, bytes, digest) = writer.finish();
        assert_eq!((inner.as_slice(), bytes, digest.to_string().as_str()), (b"abc".as_slice(), 3, ABC));
    }

    #[test]
    fn ranges_follow_each_other() {
        let mut writer = RangeWriter::new(Vec::new());
        writer.write_all(b"abc").unwrap();
        let abc = writer.end_range();
        let empty = writer.end_range();
        writer.write_all(b"d").unwrap();
        let (inner, d) = writer.finish();
        assert_eq!(inner, b"abcd");
        assert_eq!((abc.offset, abc.bytes, abc.sha256.to_string().as_str()), (0, 3, ABC));
        assert_eq!((empty.offset, empty.bytes, empty.sha256), (3, 0, Sha256::digest(b"")));
        assert_eq!((d.offset, d.bytes, d.sha256), (3, 1, Sha256::digest(b"d")));
    }

    #[test]
    fn overlapping_ranges_are_hashed_from_blocks() {
        let text = b"abcdefgh";
        let range = |start: usize, end: usize| ByteRange {
            offset: start as u64,
            bytes: (end - start) as u64,
            sha256: Sha256::digest(&text[start..end]),
        };
        let expected = [range(0, 8), range(1, 3), range(3, 8), range(8, 8)];
        let wrong = ByteRange { sha256: Sha256::digest(b"c"), ..range(1, 2) };
        for size in 1..=8 {
            let mut hasher = RangeHasher::new(expected);
            let mut with_wrong = RangeHasher::new(expected.into_iter().chain([wrong]));
            for (number, block) in text.chunks(size).enumerate() {
                hasher.update((number * size) as u64, block);
                with_wrong.update((number * size) as u64, block);
            }
            assert_eq!(hasher.finish(), None, "{size}");
            assert_eq!(with_wrong.finish(), Some((wrong, Sha256::digest(b"b"))), "{size}");
        }
    }
}
