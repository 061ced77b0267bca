//! The bytes of an artifact on disk, unpacked if they are gzip.

use crate::{Error, ErrorKind, Result, error::local};
use archive_formats::{Sha256, digest::Hasher};
use flate2::bufread::MultiGzDecoder;
use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

/// An artifact that is read from its beginning to its end. Counts and hashes the delivered bytes on the way.
#[derive(Debug)]
pub(crate) struct Content {
    path: PathBuf,
    packing: Packing,
    /// Bytes after unpacking.
    plain: u64,
    /// The last of them.
    last: Option<u8>,
    /// Their digest, if the artifact is packed.
    plain_digest: Option<Hasher>,
}

/// Size and digests of an artifact that was read to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) delivered_sha256: Sha256,
    pub(crate) plain_bytes: u64,
    pub(crate) plain_sha256: Sha256,
    /// Whether it is gzip of one member, whose trailer has the length of all content (RFC 1952).
    pub(crate) is_one_gzip_member: bool,
    /// Whether the content ends with a line feed.
    pub(crate) ends_a_line: bool,
}

#[derive(Debug)]
enum Packing {
    None(Delivered),
    Gzip(Box<MultiGzDecoder<BufReader<Delivered>>>),
}

#[derive(Debug)]
struct Delivered {
    file: File,
    bytes: u64,
    digest: Hasher,
    /// The last four bytes.
    last: [u8; 4],
}

impl Read for Delivered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.digest.update(&buffer[..count]);
        self.bytes += count as u64;
        for byte in &buffer[count.saturating_sub(self.last.len())..count] {
            self.last.rotate_left(1);
            self.last[3] = *byte;
        }
        Ok(count)
    }
}

impl Content {
    /// Opens the artifact at `path`. Its first bytes tell whether it is gzip.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = || local("open the artifact", path);
        let mut file = File::open(path).map_err(failed())?;
        let mut start = Vec::new();
        (&mut file).take(GZIP.len() as u64).read_to_end(&mut start).map_err(failed())?;
        io::Seek::rewind(&mut file).map_err(failed())?;
        let delivered = Delivered { file, bytes: 0, digest: Hasher::default(), last: [0; 4] };
        let gzip = start == GZIP;
        let packing = if gzip {
            Packing::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, delivered))))
        } else {
            Packing::None(delivered)
        };
        Ok(Self { path: path.to_owned(), packing, plain: 0, last: None, plain_digest: gzip.then(Hasher::default) })
    }

    /// Number of bytes read so far, unpacked.
    pub(crate) const fn unpacked(&self) -> u64 {
        self.plain
    }

    /// Whether the artifact is gzip.
    pub(crate) const fn is_gzip(&self) -> bool {
        matches!(self.packing, Packing::Gzip(_))
    }

    /// How many delivered bytes were read so far.
    pub(crate) fn delivered(&self) -> u64 {
        self.packing.delivered().bytes
    }

    /// Reads unpacked bytes into `buffer`, fewer than fit only at the end. Where an artifact is cut, and with it the bytes
    /// of the archive's files, then depends on its content alone.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let result = match &mut self.packing {
            Packing::None(delivered) => fill(delivered, buffer),
            Packing::Gzip(unpacked) => fill(unpacked, buffer),
        };
        let count = result.map_err(|error| self.unreadable(error))?;
        self.plain += count as u64;
        self.last = buffer[..count].last().copied().or(self.last);
        if let Some(digest) = &mut self.plain_digest {
            digest.update(&buffer[..count]);
        }
        self.limit_ratio()?;
        Ok(count)
    }

    /// Ends the read, at the end of the content.
    pub(crate) fn finish(self) -> Measured {
        // The trailer has the length modulo 2^32.
        let length = self.plain.to_le_bytes();
        let is_one_gzip_member = self.is_gzip() && length.starts_with(&self.packing.delivered().last);
        let ends_a_line = self.last == Some(b'\n');
        let delivered = match self.packing {
            Packing::None(delivered) => delivered,
            Packing::Gzip(unpacked) => unpacked.into_inner().into_inner(),
        };
        let delivered_sha256 = delivered.digest.finish();
        let plain_sha256 = self.plain_digest.map_or(delivered_sha256, Hasher::finish);
        Measured { delivered_sha256, plain_bytes: self.plain, plain_sha256, is_one_gzip_member, ends_a_line }
    }

    /// Refuses gzip bombs: a few kilobytes can unpack to terabytes. Events do not compress like that.
    fn limit_ratio(&self) -> Result<()> {
        const FREE: u64 = 64 * 1024 * 1024;
        const RATIO: u64 = 200;
        if self.plain <= FREE || self.plain / RATIO <= self.delivered() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Source, "the artifact's gzip content is implausibly large when it is unpacked")
            .with_context("packed", self.delivered())
            .with_context("unpacked", self.plain)
            .with_hint("if the content is right, unpack the file, or have the server send it unpacked"))
    }

    fn unreadable(&self, error: io::Error) -> Error {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match (&self.packing, error.kind()) {
            (Packing::Gzip(_), UnexpectedEof) => {
                Error::new(ErrorKind::Truncated, "the artifact's gzip content is cut short")
            }
            (Packing::Gzip(_), InvalidData | InvalidInput) => {
                Error::new(ErrorKind::Truncated, "the artifact's gzip content is damaged").with_source(error)
            }
            _ => local("read the artifact", &self.path)(error),
        }
    }
}

const BUFFER: usize = 128 * 1024;

/// Reads until `buffer` is full or the end is reached.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl Packing {
    fn delivered(&self) -> &Delivered {
        match self {
            Self::None(delivered) => delivered,
            Self::Gzip(unpacked) => unpacked.get_ref().get_ref(),
        }
    }
}

/// The syntax of an artifact. The shape of a JSON artifact shows while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    Csv,
    Json,
}

impl fmt::Display for Syntax {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Csv => "CSV",
            Self::Json => "JSON",
        })
    }
}

/// The first bytes of a gzip member (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Refuses content whose first bytes cannot be of the `wanted` syntax. The error is the kind of content found, and holds
/// nothing of it.
///
/// Servers, proxies and stores send pages and error documents with status 200 and any content type, and scripts save
/// them under any name.
pub(crate) fn sniff(start: &[u8], wanted: Syntax) -> std::result::Result<(), &'static str> {
    let found = match (trimmed(start), wanted) {
        ([b'<', ..], _) => "an HTML or XML document",
        ([b'P', b'K', 3 | 5, 4 | 6, ..], _) => "a ZIP archive",
        ([b'%', b'P', b'D', b'F', ..], _) => "a PDF document",
        ([b'P', b'A', b'R', b'1', ..], _) => "a Parquet file",
        (start, _) if start.starts_with(&GZIP) => "gzip inside gzip",
        (start, _) if start.contains(&0) => "binary data",
        ([b'{' | b'[', ..], Syntax::Csv) => "a JSON document",
        ([b'{' | b'[', ..] | [], Syntax::Json) | (_, Syntax::Csv) => return Ok(()),
        (_, Syntax::Json) => "something else",
    };
    Err(found)
}

/// `start` without a byte order mark and leading white space.
fn trimmed(start: &[u8]) -> &[u8] {
    const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];
    start.strip_prefix(&BOM).unwrap_or(start).trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        gzip_at(flate2::Compression::fast(), bytes)
    }

    fn gzip_at(level: flate2::Compression, bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(artifact: &[u8]) -> Result<(Vec<u8>, Measured)> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(artifact).unwrap();
        let mut content = Content::open(file.path())?;
        let (mut plain, mut block) = (Vec::new(), vec![0; 1 << 16]);
        loop {
            match content.read(&mut block)? {
                0 => return Ok((plain, content.finish())),
                count => plain.extend_from_slice(&block[..count]),
            }
        }
    }

    #[test]
    fn unpacks_gzip_to_the_same_content() {
        let csv = b"id,timestamp\n1,2025-03-01T00:00:00Z\n".as_slice();
        for artifact in [csv.to_vec(), gzip(csv)] {
            let (plain, measured) = read(&artifact).unwrap();
            assert_eq!(plain, csv);
            assert_eq!(measured.delivered_sha256, Sha256::digest(&artifact));
            assert_eq!((measured.plain_bytes, measured.plain_sha256), (csv.len() as u64, Sha256::digest(csv)));
        }
        assert!(read(b"").unwrap().0.is_empty());
    }

    #[test]
    fn blocks_are_full_with_and_without_gzip() {
        // More than the decoder unpacks at a time, and not a whole number of blocks.
        let plain = (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect::<Vec<_>>();
        let blocks = |artifact: &[u8]| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(artifact).unwrap();
            let (mut content, mut block) = (Content::open(file.path()).unwrap(), vec![0; 1 << 18]);
            std::iter::from_fn(move || Some(content.read(&mut block).unwrap()).filter(|count| *count > 0))
                .collect::<Vec<_>>()
        };
        let expected: Vec<usize> = plain.chunks(1 << 18).map(<[u8]>::len).collect();
        assert_eq!(blocks(&plain), expected);
        assert_eq!(blocks(&gzip(&plain)), expected);
    }

    #[test]
    fn refuses_gzip_that_is_cut_or_damaged() {
        let packed = gzip(&b"id,timestamp\n".repeat(1000));
        for cut in 3..packed.len() {
            let error = read(&packed[..cut]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated, "cut at {cut}");
        }
        let mut damaged = packed;
        let crc = damaged.len() - 8;
        damaged[crc] ^= 1;
        assert_eq!(read(&damaged).unwrap_err().kind(), ErrorKind::Truncated);
    }

    #[test]
    fn reads_all_members_of_gzip() {
        let artifact = [gzip(b"id\n"), gzip(b"1\n"), gzip(b""), gzip(b"2\n")].concat();
        let (plain, measured) = read(&artifact).unwrap();
        assert!(!measured.is_one_gzip_member && read(&gzip(b"id\n")).unwrap().1.is_one_gzip_member);
        assert_eq!(plain, b"id\n1\n2\n");
        assert_eq!(measured.delivered_sha256, Sha256::digest(&artifact));
    }

    #[test]
    fn refuses_other_bytes_after_gzip() {
        for trailing in [&b"x"[..], b"id,timestamp\n1,2025-03-01T00:00:00Z\n", &[0; 512]] {
            let error = read(&[gzip(b"id\n"), trailing.to_vec()].concat()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
        }
    }

    #[test]
    fn refuses_a_gzip_bomb_before_it_is_unpacked() {
        let error = read(&gzip_at(flate2::Compression::best(), &vec![0; 80 << 20])).err().unwrap();
        assert!(error.to_string().contains("implausibly large"), "{error}");
    }

    #[test]
    fn accepts_csv_with_and_without_a_byte_order_mark() {
        let csv: [&[u8]; 6] =
            [b"", b"id,timestamp\n", b"\xef\xbb\xbfid,timestamp", b"\"id\",\"timestamp\"\r\n", b"PK,timestamp", b"\n"];
        for start in csv {
            assert_eq!(sniff(start, Syntax::Csv), Ok(()), "{start:?}");
        }
    }

    #[test]
    fn accepts_all_shapes_of_json_and_no_csv() {
        let json: [&[u8]; 5] = [b"[{\"id\": 1}]", b"{\"events\": []}", b"\xef\xbb\xbf \n{}", b"[]", b" \n"];
        for start in json {
            assert_eq!(sniff(start, Syntax::Json), Ok(()), "{start:?}");
        }
        for start in [b"id,timestamp\n".as_slice(), b"null", b"\"a\""] {
            assert_eq!(sniff(start, Syntax::Json), Err("something else"), "{start:?}");
        }
        assert_eq!(sniff(b"\xef\xbb\xbf {}", Syntax::Csv), Err("a JSON document"));
        assert_eq!(sniff(b"[]", Syntax::Csv), Err("a JSON document"));
    }

    #[test]
    fn refuses_pages_and_packages() {
        let others: [&[u8]; 7] =
            [b"<!doctype html>", b"\r\n  <html>", b"PK\x03\x04", b"%PDF-1.7", b"PAR1", b"id,\0", b"\x1f\x8b"];
        for start in others {
            for syntax in [Syntax::Csv, Syntax::Json] {
                assert!(sniff(start, syntax).is_err(), "{start:?}");
            }
        }
    }
}
