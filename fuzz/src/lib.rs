//! Helpers of the fuzz targets.

use archive_formats::{
    Column, EventBatch, Month, Schema, Timestamp,
    decode::{
        TimeIndex,
        csv::{CsvError, CsvSplitter},
    },
    encode::{FileEncoder as _, csv::CsvEncoder},
};
use arrow_array::RecordBatch;
use std::{
    fmt::{Debug, Display},
    io::Read as _,
    iter, panic,
};

/// Lets the code under test catch panics of a library, which it does for Parquet. A panic that reaches the fuzzer still
/// ends it.
pub fn allow_caught_panics() {
    panic::set_hook(Box::new(|information| eprintln!("{information}")));
}

/// How a stream is cut: bytes pushed at a time, and the size of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Bytes pushed at a time.
    pub block: usize,
    /// Requested size of a chunk.
    pub chunk: usize,
}

impl Cut {
    /// All at once.
    pub const WHOLE: Self = Self { block: usize::MAX, chunk: 1 << 20 };

    /// Takes a cut from the first two bytes.
    pub fn take(data: &[u8]) -> Option<(Self, &[u8])> {
        let ([block, chunk], rest) = data.split_first_chunk()?;
        Some((Self { block: usize::from(*block) + 1, chunk: usize::from(*chunk) + 1 }, rest))
    }
}

/// What was decoded, in pieces and as a whole, where both must be equal; `None` if both were refused with one message.
pub fn equal<T: Debug + PartialEq, E: Debug + Display>(pieces: Result<T, E>, whole: Result<T, E>) -> Option<T> {
    match (pieces, whole) {
        (Ok(pieces), Ok(whole)) => {
            assert_eq!(pieces, whole);
            Some(whole)
        }
        (Err(error), Err(whole)) => {
            assert_eq!(error.to_string(), whole.to_string());
            None
        }
        (pieces, whole) => panic!("{pieces:?} in pieces, {whole:?} as a whole"),
    }
}

/// The chunks into which `splitter` cuts `file`, which hold all of it.
pub fn csv_chunks(mut splitter: CsvSplitter, file: &[u8], block: usize) -> Result<Vec<Vec<u8>>, CsvError> {
    let mut chunks = Vec::new();
    for block in file.chunks(block) {
        splitter.push(block)?;
        chunks.extend(iter::from_fn(|| splitter.next_chunk()));
    }
    chunks.extend(splitter.finish()?);
    assert_eq!(chunks.concat(), file, "all of the input is in the chunks");
    Ok(chunks)
}

/// Checks that the index of the times of `rows` rows has the time of every event, and of every reject whose time can be
/// read.
pub fn check_times(
    index: &TimeIndex,
    rows: u64,
    batches: &[EventBatch],
    of_rejects: impl IntoIterator<Item = Timestamp>,
) {
    let events = batches.iter().flat_map(|batch| batch.times().values().iter().copied());
    let all = events.map(Timestamp::from_micros).chain(of_rejects);
    let times = all.filter(|time| Month::containing(*time).is_ok()).collect::<Vec<_>>();
    assert_eq!(index.rows, rows);
    let indexed = index.months.values().map(|month| month.rows).sum::<u64>();
    assert_eq!(indexed + index.without_time, rows);
    assert_eq!(indexed, times.len() as u64);
    assert_eq!(index.first(), times.iter().min().copied());
    assert_eq!(index.last(), times.iter().max().copied());
}

/// The rows of several batches in one; `None` without a batch.
pub fn joined<'a>(batches: impl IntoIterator<Item = &'a EventBatch>) -> Option<RecordBatch> {
    let batches = batches.into_iter().map(|batch| batch.records().clone()).collect::<Vec<_>>();
    let schema = batches.first()?.schema();
    Some(arrow_select::concat::concat_batches(&schema, &batches).expect("batches of one schema"))
}

/// The CSV that the archive writes for `batches`, unpacked.
pub fn encoded_csv<'a>(batches: impl IntoIterator<Item = &'a EventBatch>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Box::new(CsvEncoder::new(&mut file, u64::MAX));
    for batch in batches {
        encoder.write(batch).expect("short records");
    }
    encoder.finish().expect("writing to memory");
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(file.as_slice()).read_to_end(&mut text).expect("gzip of the encoder");
    text
}

/// Number of line feeds.
pub fn line_feeds(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The bytes after the `line`-th line feed, counted from one; all of them for zero.
pub fn after_line(bytes: &[u8], line: u64) -> &[u8] {
    if line == 0 {
        return bytes;
    }
    let nth = usize::try_from(line - 1).expect("lines of a short input");
    let end = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(nth);
    &bytes[end.expect("a line of the input").0 + 1..]
}

/// Unpacks gzip of any number of members, independently of the library that the archive uses: RFC 1952 here, RFC 1951 by
/// `miniz_oxide`. Returns the content of each member; `None` unless all bytes are members with a right trailer.
pub fn independent_gunzip(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut members = Vec::new();
    while !bytes.is_empty() {
        let (content, rest) = gzip_member(bytes)?;
        members.push(content);
        bytes = rest;
    }
    Some(members)
}

fn gzip_member(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    const CHECKSUM: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    const RESERVED: u8 = 0xe0;
    let ([0x1f, 0x8b, 8, flags, _, _, _, _, _, _], mut rest) = bytes.split_first_chunk()? else { return None };
    if flags & RESERVED != 0 {
        return None;
    }
    if flags & EXTRA != 0 {
        let (length, after) = rest.split_first_chunk()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            rest = &rest[rest.iter().position(|byte| *byte == 0)? + 1..];
        }
    }
    if flags & CHECKSUM != 0 {
        let header = &bytes[..bytes.len() - rest.len()];
        let (stored, after) = rest.split_first_chunk()?;
        if u32::from(u16::from_le_bytes(*stored)) != crc32(header) & 0xffff {
            return None;
        }
        rest = after;
    }
    let (content, used) = inflate(rest)?;
    let (crc, after) = rest[used..].split_first_chunk()?;
    let (length, after) = after.split_first_chunk()?;
    let right = u32::from_le_bytes(*crc) == crc32(&content)
        && u32::from_le_bytes(*length) as usize == content.len() & 0xffff_ffff;
    right.then_some((content, after))
}

/// The largest content that [`inflate`] unpacks.
const MAX_CONTENT: usize = 1 << 20;

/// The content of a deflate stream, and its length in bytes; `None` if it is damaged or longer than a mebibyte.
pub fn inflate(stream: &[u8]) -> Option<(Vec<u8>, usize)> {
    use miniz_oxide::inflate::{
        TINFLStatus,
        core::{DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF},
    };
    let mut content = vec![0; MAX_CONTENT];
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, used, filled) = decompress(&mut DecompressorOxide::new(), stream, &mut content, 0, flags);
    content.truncate(filled);
    (status == TINFLStatus::Done).then_some((content, used))
}

/// CRC-32 of RFC 1952, bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & (0_u32.wrapping_sub(crc & 1)));
    !bytes.iter().fold(!0_u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// Writes `bytes` to a file of this process, in memory where the system has such a folder, and returns its path.
pub fn scratch_file(bytes: &[u8]) -> std::path::PathBuf {
    let path = scratch_folder().join("input");
    std::fs::write(&path, bytes).expect("a file in memory");
    path
}

/// A folder of this process. libFuzzer ends without destructors, so the folder has the number of the process: `fuzz/run`
/// removes it.
pub fn scratch_folder() -> std::path::PathBuf {
    let memory = std::path::Path::new("/dev/shm");
    let parent = std::env::var_os("KT_FUZZ_SCRATCH").map(std::path::PathBuf::from);
    let parent = parent.unwrap_or_else(|| if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() });
    let folder = parent.join(format!("kt-archive-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Runs `future` on a runtime of this thread.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// `bytes` as gzip.
pub fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// The types of columns that an input can choose. Seeds have their positions; zero ends the choice, so that the first is
/// chosen by the number of types.
const TYPES: [&str; 26] = [
    "list<list<list<timestamp(us,UTC)>>>",
    "json",
    "bool",
    "int16",
    "int32",
    "int64",
    "float32",
    "float64",
    "decimal(38,18)",
    "decimal(38,0)",
    "decimal(5,5)",
    "decimal(12,2)",
    "timestamp(us,UTC)",
    "timestamp(us)",
    "date",
    "time(us)",
    "uuid",
    "binary",
    "list<text>",
    "list<int32>",
    "list<float64>",
    "list<decimal(9,3)>",
    "list<list<binary>>",
    "list<date>",
    "text",
    "list<json>",
];

/// Takes a schema from the bytes up to the first zero: an id of `ids`, a time of `times`, and up to eight columns of any
/// type, some of which may be NULL.
pub fn take_schema<'a>(data: &'a [u8], ids: &[&str], times: &[&str]) -> Option<(Schema, &'a [u8])> {
    let (kinds, rest) = data.split_at(data.iter().position(|byte| *byte == 0)?);
    let pick = |list: &[&str], byte: u8| list[usize::from(byte) % list.len()].parse().expect("a type");
    let key = |list, number| pick(list, kinds.get(number).copied().unwrap_or(0));
    let others = kinds.iter().skip(2).take(8).map(|byte| (pick(&TYPES, *byte), byte & 0x80 == 0));
    let all = [(key(ids, 0), false), (key(times, 1), false)].into_iter().chain(others);
    let columns = all.enumerate().map(|(number, (kind, nullable))| Column {
        name: format!("c{number}"),
        kind,
        source_type: (number % 2 == 1).then(|| "numeric".to_owned()),
        nullable,
    });
    Some((Schema::new(columns.collect(), "c0", "c1").expect("names that differ"), &rest[1..]))
}

/// The schemas of hostile archives, each with an id and a time in front.
pub fn schemas() -> [std::sync::Arc<Schema>; 3] {
    const COLUMNS: [&str; 3] = [
        "text timestamp(us,UTC) text int64",
        "uuid timestamp(us) list<text> decimal(38,18) binary json date",
        "int64 timestamp(us,UTC) float64 bool list<list<int32>> time(us)",
    ];
    COLUMNS.map(|kinds| {
        let columns = kinds.split(' ').enumerate().map(|(number, kind)| Column {
            name: format!("c{number}"),
            kind: kind.parse().expect("a type"),
            source_type: None,
            nullable: number > 1,
        });
        std::sync::Arc::new(Schema::new(columns.collect(), "c0", "c1").expect("a schema"))
    })
}
