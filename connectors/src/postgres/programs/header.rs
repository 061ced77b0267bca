//! The first bytes of a dump in PostgreSQL's custom format.

use super::super::failure::configuration;
use crate::{Error, ErrorKind, Result};

/// What the header of a dump records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveHeader {
    /// How its data are compressed.
    pub compression: Compression,
    /// The name of the database.
    pub database: String,
    /// The server's version, as the server prints it.
    pub server_version: String,
    /// The version of `pg_dump`, as it prints it.
    pub program_version: String,
}

/// The compression of a dump. There is none without: a flipped byte in it would not be found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// gzip, which every version knows, with a checksum of the data.
    #[default]
    Gzip,
    /// Zstandard, since version 16. `pg_dump` makes it without a checksum: `pg_restore` does not find each flipped byte.
    Zstd,
}

impl Compression {
    /// The argument of the `pg_dump` with this major version.
    pub(super) fn argument(self, major: u32) -> String {
        match self {
            Self::Gzip if major < 16 => "--compress=6".to_owned(),
            Self::Gzip => "--compress=gzip:6".to_owned(),
            Self::Zstd => "--compress=zstd:3".to_owned(),
        }
    }
}

impl ArchiveHeader {
    /// Bytes that hold every header: its texts are short.
    pub(super) const BYTES: usize = 4096;

    /// Parses the beginning of a dump of `database`. Fails if it is no such dump in custom format, and if its data are not
    /// compressed. `pg_restore` succeeds on some headers that were changed, after it has read nothing more.
    pub(super) fn parse(bytes: &[u8], database: &str) -> Result<Self> {
        let mut reader = Reader { rest: bytes, integer: 0 };
        let header = reader.header().filter(|(_, texts)| texts[0] == database).ok_or_else(|| {
            let error =
                Error::new(ErrorKind::Source, "the output of pg_dump is not a dump of the database in custom format");
            error.with_hint("a command around pg_dump must pass its output on unchanged")
        })?;
        let (compression, [database, server_version, program_version]) = header;
        let compression = compression.ok_or_else(|| {
            configuration("pg_dump does not compress the dump, or in a way that is not known")
                .with_hint("use a pg_dump that was built with zlib: damage of a dump without compression is not found")
        })?;
        Ok(Self { compression, database, server_version, program_version })
    }
}

/// The bytes that are not read yet.
struct Reader<'a> {
    rest: &'a [u8],
    /// Bytes of an integer.
    integer: usize,
}

impl<'a> Reader<'a> {
    fn header(&mut self) -> Option<(Option<Compression>, [String; 3])> {
        /// The format that `-Fc` makes.
        const CUSTOM: u8 = 1;
        /// The numbers of a date.
        const DATE: usize = 7;
        if self.take(5)? != b"PGDMP" {
            return None;
        }
        let version = (self.byte()?, self.byte()?);
        let [_revision, integer, _offset, format] = [self.byte()?, self.byte()?, self.byte()?, self.byte()?];
        if format != CUSTOM {
            return None;
        }
        self.integer = usize::from(integer);
        let compression = if version >= (1, 15) {
            match self.byte()? {
                1 => Some(Compression::Gzip),
                3 => Some(Compression::Zstd),
                _ => None,
            }
        } else {
            (self.integer()? != 0).then_some(Compression::Gzip)
        };
        for _ in 0..DATE {
            self.integer()?;
        }
        let texts = [self.text()?, self.text()?, self.text()?];
        let entries = self.integer()?;
        (entries > 0).then_some((compression, texts))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// A sign, and the bytes of the number from the lowest.
    fn integer(&mut self) -> Option<i64> {
        let is_negative = self.byte()? != 0;
        let bytes = self.take(self.integer).filter(|bytes| bytes.len() <= 4)?;
        let number = bytes.iter().rev().fold(0, |number, byte| (number << 8) | i64::from(*byte));
        Some(if is_negative { -number } else { number })
    }

    fn text(&mut self) -> Option<String> {
        let length = self.integer()?;
        let bytes = self.take(usize::try_from(length).unwrap_or(0))?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(number: u8) -> [u8; 5] {
        [0, number, 0, 0, 0]
    }

    fn header(version: [u8; 3], format: u8, compression: &[u8]) -> Vec<u8> {
        let mut bytes = b"PGDMP".to_vec();
        bytes.extend(version);
        bytes.extend([4, 8, format]);
        bytes.extend(compression);
        bytes.extend(integer(1).repeat(7));
        for text in ["keep", "15.18", "15.18 (Debian)"] {
            bytes.extend(integer(u8::try_from(text.len()).unwrap()));
            bytes.extend(text.as_bytes());
        }
        bytes.extend(integer(9));
        bytes
    }

    #[test]
    fn headers_of_all_versions_are_read() {
        let gzip = header([1, 14, 0], 1, &[1, 1, 0, 0, 0]);
        let found = ArchiveHeader::parse(&gzip, "keep").unwrap();
        assert_eq!(found.compression, Compression::Gzip);
        assert_eq!(
            [&found.database, &found.server_version, &found.program_version],
            ["keep", "15.18", "15.18 (Debian)"]
        );
        for (method, compression) in [(1, Compression::Gzip), (3, Compression::Zstd)] {
            assert_eq!(
                ArchiveHeader::parse(&header([1, 16, 0], 1, &[method]), "keep").unwrap().compression,
                compression
            );
        }
    }

    #[test]
    fn dumps_without_compression_are_refused() {
        for bytes in [header([1, 14, 0], 1, &integer(0)), header([1, 15, 0], 1, &[0])] {
            assert_eq!(ArchiveHeader::parse(&bytes, "keep").unwrap_err().kind(), ErrorKind::Configuration);
        }
    }

    #[test]
    fn other_output_is_refused() {
        let mut empty = header([1, 16, 0], 1, &[1]);
        let end = empty.len();
        empty[end - 4] = 0;
        assert_eq!(ArchiveHeader::parse(&empty, "keep").unwrap_err().kind(), ErrorKind::Source);
        let whole = header([1, 16, 0], 1, &[1]);
        assert_eq!(ArchiveHeader::parse(&whole, "another").unwrap_err().kind(), ErrorKind::Source);
        let cut = header([1, 16, 0], 1, &[1]);
        for bytes in [b"".as_slice(), b"--\n-- PostgreSQL database dump", &cut[..30], &header([1, 16, 0], 3, &[1])] {
            assert_eq!(ArchiveHeader::parse(bytes, "keep").unwrap_err().kind(), ErrorKind::Source);
        }
    }
}
