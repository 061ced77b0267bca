//! Gzip files of many members, which are compressed and unpacked side by side.
//!
//! Each member holds about [`MEMBER_BYTES`] of text, and its header has its length in bytes in the subfield `IG`, so that
//! a reader finds the next one without unpacking it. Other readers see an ordinary gzip file.

use crate::{
    Sha256,
    digest::DigestWriter,
    encode::MAX_RECORD_BYTES,
    pool::{IN_FLIGHT_BYTES, InOrder},
};
use flate2::{Decompress, FlushDecompress, Status, bufread::MultiGzDecoder};
use libdeflater::{CompressionLvl, Compressor};
use std::{
    cell::RefCell,
    fmt,
    io::{self, BufReader, Cursor, Read, Write},
};

/// Bytes of text at which a member ends. A file of one member would be 0.6% smaller.
pub const MEMBER_BYTES: usize = IN_FLIGHT_BYTES / 8;

/// Maximum text of a member: CSV members end with a whole record.
const MAX_MEMBER_BYTES: usize = MEMBER_BYTES + MAX_RECORD_BYTES;

/// RFC 1952: no time, no name, unknown system; then the extra field of 8 bytes, the subfield `IG` of 4 bytes as of the
/// Python package `pgzip`. They hold the length of the whole member.
const HEADER: [u8; 16] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 8, 0, b'I', b'G', 4, 0];
const LENGTH_BYTES: usize = size_of::<u32>();
const HEADER_BYTES: usize = HEADER.len() + LENGTH_BYTES;

/// CRC-32 and length of the text, both little-endian.
const TRAILER_BYTES: usize = 8;

/// On events, level 6 takes 16% more time and makes files 2% smaller; level 4 takes 8% more, and files are 7% larger.
const LEVEL: i32 = 5;

/// A gzip writer whose bytes depend on nothing but the text: the headers have no time and no name, and members are cut by
/// the amount of text alone.
pub struct GzipWriter<W: Write> {
    sink: DigestWriter<W>,
    /// Text of the next member.
    text: Vec<u8>,
    members: InOrder<io::Result<Vec<u8>>>,
    /// The number of members that were started.
    started: u64,
    part_size: u64,
}

impl<W: Write> GzipWriter<W> {
    /// A writer of compressed bytes to `sink`.
    pub fn new(sink: W) -> Self {
        Self {
            sink: DigestWriter::new(sink),
            text: Vec::new(),
            members: InOrder::default(),
            started: 0,
            part_size: u64::MAX,
        }
    }

    /// Makes [`Self::bytes`] exact from `part_size` on.
    #[must_use]
    pub(crate) fn with_part_size(self, part_size: u64) -> Self {
        Self { part_size, ..self }
    }

    /// A lower bound of the size of the file. It reaches the part size after the same member on any machine: with the
    /// member that fills the part.
    pub const fn bytes(&self) -> u64 {
        self.sink.bytes()
    }

    /// Starts the compression of `text`, which follows the text of earlier members and was not [written](Write).
    pub(crate) fn write_member(&mut self, text: Vec<u8>) -> io::Result<()> {
        let bytes = text.len();
        while self.members.is_full(bytes) {
            self.end_member()?;
        }
        self.members.start(bytes, move || compress(&text));
        self.started += 1;
        // What was started is counted as soon as it may fill the part, so that this does not depend on the time.
        while self.members.bytes() > 0 && self.sink.bytes() + at_most(self.members.bytes()) >= self.part_size {
            self.end_member()?;
        }
        Ok(())
    }

    /// Waits for the earliest member, and writes it.
    fn end_member(&mut self) -> io::Result<()> {
        self.members.next().map_or(Ok(()), |member| self.sink.write_all(&member?))
    }

    /// Writes buffered text and flushes the sink. Returns the size and digest of the compressed bytes.
    pub fn finish(mut self) -> io::Result<(u64, Sha256)> {
        if !self.text.is_empty() || self.started == 0 {
            let text = std::mem::take(&mut self.text);
            self.write_member(text)?;
        }
        for member in self.members {
            self.sink.write_all(&member?)?;
        }
        let (mut sink, bytes, sha256) = self.sink.finish();
        sink.flush()?;
        Ok((bytes, sha256))
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(MEMBER_BYTES - self.text.len()));
            self.text.extend_from_slice(piece);
            rest = after;
            if self.text.len() == MEMBER_BYTES {
                let text = std::mem::take(&mut self.text);
                self.write_member(text)?;
            }
        }
        Ok(bytes.len())
    }

    /// Does nothing: a flush in the middle would make other members.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> fmt::Debug for GzipWriter<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GzipWriter").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

/// An upper bound of the bytes of members with `text` bytes, at least [`MEMBER_BYTES`] each. What cannot be compressed is
/// stored.
const fn at_most(text: usize) -> u64 {
    (text + text / 64) as u64
}

/// The member with `text`.
fn compress(text: &[u8]) -> io::Result<Vec<u8>> {
    thread_local! {
        static COMPRESSOR: RefCell<Compressor> = RefCell::new(Compressor::new(CompressionLvl::new(LEVEL).unwrap_or_default()));
    }
    COMPRESSOR.with_borrow_mut(|compressor| {
        let mut member = vec![0; HEADER_BYTES + compressor.deflate_compress_bound(text.len())];
        let packed = compressor.deflate_compress(text, &mut member[HEADER_BYTES..]).map_err(io::Error::other)?;
        member.truncate(HEADER_BYTES + packed);
        member.extend_from_slice(&libdeflater::crc32(text).to_le_bytes());
        member.extend_from_slice(&length_of(text)?.to_le_bytes());
        let length = length_of(&member)?.to_le_bytes();
        member[..HEADER.len()].copy_from_slice(&HEADER);
        member[HEADER.len()..HEADER_BYTES].copy_from_slice(&length);
        // The bound is some five times the size.
        member.shrink_to_fit();
        Ok(member)
    })
}

fn length_of(bytes: &[u8]) -> io::Result<u32> {
    u32::try_from(bytes.len()).map_err(|_| io::Error::other("a line is too long for a member of gzip"))
}

/// A gzip file.
#[derive(Debug)]
pub enum GzipFile<R> {
    /// As [`GzipWriter`] writes it.
    Members(Members<R>),
    /// As other programs and earlier versions write it: unpacked in one go.
    Stream(Box<GzipStream<R>>),
}

/// The unpacked content of any gzip file.
pub type GzipStream<R> = MultiGzDecoder<BufReader<io::Chain<Cursor<Vec<u8>>, R>>>;

impl<R: Read> GzipFile<R> {
    /// Reads the first header of `source`.
    pub fn open(mut source: R) -> io::Result<Self> {
        let header = read_up_to(HEADER_BYTES, &mut source)?;
        Ok(match member_length(&header) {
            Some(length) => Self::Members(Members { source, next: Some(length) }),
            None => Self::Stream(Box::new(MultiGzDecoder::new(BufReader::new(Cursor::new(header).chain(source))))),
        })
    }
}

/// Iterator over the members of a file. After an error it ends.
#[derive(Debug)]
pub struct Members<R> {
    source: R,
    /// The length of the member whose header was read.
    next: Option<usize>,
}

impl<R: Read> Members<R> {
    /// Reads the member of `length` bytes behind its header, and the next header.
    fn read(&mut self, length: usize) -> io::Result<Member> {
        let body = length.checked_sub(HEADER_BYTES).filter(|body| *body as u64 <= at_most(MAX_MEMBER_BYTES));
        let body = body.ok_or_else(damaged)?;
        let bytes = read_up_to(body, &mut self.source)?;
        let (deflated, [crc @ .., a, b, c, d]) = bytes.split_last_chunk::<TRAILER_BYTES>().ok_or_else(damaged)?;
        let (crc, text) = (u32::from_le_bytes(*crc), u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        if bytes.len() != body || text > MAX_MEMBER_BYTES {
            return Err(damaged());
        }
        let deflated_bytes = deflated.len();
        let header = read_up_to(HEADER_BYTES, &mut self.source)?;
        self.next = match member_length(&header) {
            None if !header.is_empty() => return Err(damaged()),
            next => next,
        };
        Ok(Member { bytes, deflated: deflated_bytes, crc, text })
    }
}

impl<R: Read> Iterator for Members<R> {
    type Item = io::Result<Member>;

    fn next(&mut self) -> Option<Self::Item> {
        let length = self.next.take()?;
        Some(self.read(length))
    }
}

/// A member of a gzip file.
pub struct Member {
    /// Deflated text, and the trailer.
    bytes: Vec<u8>,
    deflated: usize,
    crc: u32,
    text: usize,
}

impl Member {
    /// The length of its text, as its trailer has it.
    pub const fn text_bytes(&self) -> usize {
        self.text
    }

    /// Unpacks the text. Fails if the member is not exactly as long as its header and its trailer have it.
    pub fn unpack(self) -> io::Result<Vec<u8>> {
        let deflated = &self.bytes[..self.deflated];
        // One more byte, since the end of the text is read with room for more.
        let mut text = Vec::with_capacity(self.text + 1);
        let mut inflate = Decompress::new(false);
        let status = inflate.decompress_vec(deflated, &mut text, FlushDecompress::Finish)?;
        let is_whole = status == Status::StreamEnd && inflate.total_in() == deflated.len() as u64;
        if is_whole && text.len() == self.text && libdeflater::crc32(&text) == self.crc {
            Ok(text)
        } else {
            Err(damaged())
        }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Member").field("text", &self.text).finish_non_exhaustive()
    }
}

/// The unpacked content of a gzip file. Members are unpacked side by side.
#[derive(Debug)]
pub enum GzipReader<R> {
    /// The members to come, those in work, and the text of the current one.
    Members(Members<R>, InOrder<io::Result<Vec<u8>>>, Cursor<Vec<u8>>),
    /// The content of a stream.
    Stream(Box<GzipStream<R>>),
}

impl<R: Read> GzipReader<R> {
    /// Reads the first header of `source`.
    pub fn open(source: R) -> io::Result<Self> {
        Ok(match GzipFile::open(source)? {
            GzipFile::Members(members) => Self::Members(members, InOrder::default(), Cursor::default()),
            GzipFile::Stream(stream) => Self::Stream(stream),
        })
    }
}

impl<R: Read> Read for GzipReader<R> {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        let (members, unpacked, text) = match self {
            Self::Members(members, unpacked, text) => (members, unpacked, text),
            Self::Stream(stream) => return stream.read(block),
        };
        loop {
            let count = text.read(block)?;
            if count > 0 || block.is_empty() {
                return Ok(count);
            }
            while !unpacked.is_full(MEMBER_BYTES)
                && let Some(member) = members.next()
            {
                let bytes = member.as_ref().map_or(0, Member::text_bytes);
                unpacked.start(bytes, || member.and_then(Member::unpack));
            }
            match unpacked.next() {
                Some(next) => *text = Cursor::new(next?),
                None => return Ok(0),
            }
        }
    }
}

/// The length of the member that begins with `header`; `None` if it is not one of [`GzipWriter`].
fn member_length(header: &[u8]) -> Option<usize> {
    let length = header.strip_prefix(&HEADER)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*length)).ok()
}

/// The next `count` bytes, or fewer at the end.
fn read_up_to(count: usize, source: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(count.min(MEMBER_BYTES));
    source.take(count as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a member of the gzip file is damaged, or has another length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{thread, time::Duration};

    /// Text that no compressor makes much smaller than by half.
    fn text(bytes: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b'a' + (state >> 60) as u8
        };
        std::iter::repeat_with(next).take(bytes).collect()
    }

    fn packed(pieces: &[&[u8]]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = GzipWriter::new(&mut file);
        pieces.iter().try_for_each(|piece| writer.write_all(piece)).unwrap();
        let (bytes, sha256) = writer.finish().unwrap();
        assert_eq!((bytes, sha256), (file.len() as u64, Sha256::digest(&file)));
        file
    }

    fn read(mut reader: impl Read) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).map(|_| text)
    }

    fn unpacked(file: &[u8]) -> io::Result<Vec<u8>> {
        read(GzipReader::open(file)?)
    }

    /// The content by a reader that ignores the lengths of members.
    fn elsewhere(file: &[u8]) -> io::Result<Vec<u8>> {
        read(MultiGzDecoder::new(BufReader::new(file)))
    }

    fn member_lengths(file: &[u8]) -> Vec<usize> {
        let GzipFile::Members(members) = GzipFile::open(file).unwrap() else { return Vec::new() };
        members.map(|member| member.unwrap().text_bytes()).collect()
    }

    #[test]
    fn members_are_cut_by_the_amount_of_text_alone() {
        let text = text(20 * MEMBER_BYTES + 5);
        let file = packed(&[&text]);
        assert_eq!(member_lengths(&file), [vec![MEMBER_BYTES; 20], vec![5]].concat());
        let pieces = text.chunks(300_007).collect::<Vec<_>>();
        assert_eq!(packed(&pieces), file);
        assert_eq!((unpacked(&file).unwrap(), elsewhere(&file).unwrap()), (text.clone(), text));
    }

    #[test]
    fn a_file_without_text_is_a_member_without_text() {
        let file = packed(&[]);
        assert_eq!(member_lengths(&file), [0]);
        assert_eq!((unpacked(&file).unwrap(), elsewhere(&file).unwrap()), (Vec::new(), Vec::new()));
    }

    #[test]
    fn files_of_one_member_without_its_length_are_read() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"by another program").unwrap();
        let other = gzip.finish().unwrap();
        assert_eq!(unpacked(&other).unwrap(), b"by another program");
        assert_eq!(
            unpacked(&[&other[..], &packed(&[b", and by us"])].concat()).unwrap(),
            b"by another program, and by us"
        );
        assert!(unpacked(&[&packed(&[b"by us"]), &other[..]].concat()).is_err());
    }

    #[test]
    fn what_is_read_is_what_other_readers_read() {
        let file = [packed(&[b"first,1\n"]), packed(&[b"second,2\n"])].concat();
        for position in 0..file.len() {
            for bit in 0..8 {
                let mut changed = file.clone();
                changed[position] ^= 1 << bit;
                if let Ok(text) = unpacked(&changed) {
                    assert_eq!(text, elsewhere(&changed).unwrap(), "bit {bit} of byte {position}");
                }
            }
        }
        for length in 1..file.len() {
            let is_whole = length == packed(&[b"first,1\n"]).len();
            assert_eq!(unpacked(&file[..length]).is_ok(), is_whole, "{length} bytes");
        }
        for rest in [&b"x"[..], &[0; 512], &[0x1f, 0x8b]] {
            assert!(unpacked(&[&file[..], rest].concat()).is_err(), "{rest:?}");
        }
    }

    #[test]
    fn a_length_hides_no_bytes() {
        let member = packed(&[b"first,1\n"]);
        let with_length = |bytes: &[u8]| {
            let mut changed = bytes.to_vec();
            changed[HEADER.len()..HEADER_BYTES].copy_from_slice(&u32::try_from(bytes.len()).unwrap().to_le_bytes());
            changed
        };
        let twice = with_length(&[&member[..], &member].concat());
        assert_eq!(elsewhere(&twice).unwrap(), b"first,1\nfirst,1\n");
        assert!(unpacked(&twice).is_err());
        let (deflated, trailer) = member.split_at(member.len() - TRAILER_BYTES);
        assert!(unpacked(&with_length(&[deflated, b"hidden", trailer].concat())).is_err());
    }

    #[test]
    fn a_length_beyond_any_member_reserves_no_memory() {
        let header = |length: u32| [&HEADER[..], &length.to_le_bytes(), b"short"].concat();
        assert!(unpacked(&header(u32::MAX)).is_err());
        assert!(unpacked(&header(3)).is_err());
        let bomb = [&packed(&[b"x"])[..31 - 4], &u32::MAX.to_le_bytes()].concat();
        assert!(unpacked(&bomb).is_err());
    }

    #[test]
    fn a_part_is_full_after_the_same_member_however_slow_the_workers_are() {
        let text = text(40 * MEMBER_BYTES);
        let members = text.chunks(MEMBER_BYTES).collect::<Vec<_>>();
        let sizes = members.iter().map(|text| compress(text).unwrap().len() as u64).collect::<Vec<_>>();
        let part_size = sizes[..20].iter().sum::<u64>() + 1;
        for delay in [0, 30] {
            // Keeps the workers from the members.
            let mut others = InOrder::default();
            let mut gzip = GzipWriter::new(io::sink()).with_part_size(part_size);
            let mut full = members.iter().map(|member| {
                others.start(1, move || thread::sleep(Duration::from_millis(delay)));
                gzip.write_all(member).unwrap();
                gzip.bytes() >= part_size
            });
            assert_eq!(full.position(|full| full), Some(20));
        }
    }
}
