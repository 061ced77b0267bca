//! Decodes artifacts in memory on one core: `cargo bench --profile dist --bench decode`.

mod support;

use archive_formats::{
    Column, EventBatch, Schema,
    catalogue::KeyColumns,
    decode::{
        copy::{CopyLayout, CopyRows},
        csv::{CsvLayout, CsvSplitter},
        json::{JsonLayout, JsonNames, JsonSplitter},
    },
    encode::{FileEncoder as _, csv::CsvEncoder},
};
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use flate2::read::MultiGzDecoder;
use std::{collections::BTreeMap, error::Error, hint::black_box, io::Read as _};
use support::events;

/// Sizes of the chunks that a run decodes and of the blocks that it reads, in bytes.
const CHUNK: usize = 2 << 20;
const BLOCK: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    let artifact = csv(&events(20_000)?)?;
    from_csv(&mut criterion, &artifact)?;
    from_json(&mut criterion, &json_lines(&artifact)?)?;
    from_copy(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn from_csv(criterion: &mut Criterion, artifact: &[u8]) -> Result<(), Box<dyn Error>> {
    let (layout, header) = CsvLayout::from_header(artifact, &KeyColumns::default())?;
    let rows = &artifact[header..];
    let mut group = criterion.benchmark_group("csv");
    group.throughput(Throughput::Bytes(rows.len() as u64));
    group.bench_function("split", |bencher| bencher.iter(|| split(black_box(rows))));
    group.bench_function("decode", |bencher| bencher.iter(|| layout.decode(black_box(rows))));
    group.finish();
    Ok(())
}

/// Splits an artifact and returns the number of chunks.
fn split(artifact: &[u8]) -> usize {
    let mut splitter = CsvSplitter::new(CHUNK);
    let mut chunks = 0;
    for block in artifact.chunks(BLOCK) {
        let pushed = splitter.push(block);
        assert!(pushed.is_ok(), "the generated artifact cannot be split");
        chunks += std::iter::from_fn(|| splitter.next_chunk()).count();
    }
    chunks + usize::from(splitter.finish().is_ok_and(|rest| rest.is_some()))
}

/// JSON is read twice: for column names, and for values.
fn from_json(criterion: &mut Criterion, artifact: &[u8]) -> Result<(), Box<dyn Error>> {
    let chunks = json_chunks(artifact)?;
    let names = names(&chunks);
    let layout = JsonLayout::new(&names, &KeyColumns::default())?;
    let mut group = criterion.benchmark_group("json");
    group.throughput(Throughput::Bytes(artifact.len() as u64));
    group.bench_function("split", |bencher| {
        bencher.iter(|| json_chunks(black_box(artifact)).map_or(0, |all| all.len()));
    });
    group.bench_function("names", |bencher| bencher.iter(|| self::names(black_box(&chunks))));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| chunks.iter().map(|chunk| layout.decode(black_box(chunk)).rows).sum::<u64>());
    });
    group.finish();
    Ok(())
}

/// Rows in the format of COPY, generated here so that no server is measured.
fn from_copy(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let types = "uuid timestamp(us,UTC) text text text uuid int32 int32 decimal(18,8) json list<text>";
    let columns = types.split(' ').enumerate().map(|(number, kind)| {
        Ok(Column { name: format!("c{number}"), kind: kind.parse()?, source_type: None, nullable: number > 1 })
    });
    let columns = columns.collect::<Result<_, Box<dyn Error>>>()?;
    let layout = CopyLayout::new(Schema::new(columns, "c0", "c1")?)?;
    let messages = (0..10_000).map(copy_row).collect::<Result<Vec<_>, _>>()?;
    let block = Bytes::from(messages.concat());
    let places = messages.iter().scan(0, |end, message| {
        *end += message.len();
        Some(*end - message.len()..*end)
    });
    let places = places.collect::<Vec<_>>();
    let mut group = criterion.benchmark_group("copy");
    group.throughput(Throughput::Bytes(block.len() as u64));
    let mut rows = CopyRows::new(usize::MAX);
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            rows.clear();
            let taken = places.iter().all(|place| rows.push_received(black_box(&block), place.clone()).is_ok());
            let decoded = layout.decode(&rows);
            assert!(taken && decoded.is_ok_and(|all| all.rejects.is_empty()), "the generated rows cannot be decoded");
        });
    });
    group.finish();
    Ok(())
}

/// The COPY message of an event.
fn copy_row(number: u16) -> Result<Vec<u8>, std::num::TryFromIntError> {
    let id = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes();
    let metadata =
        format!("\u{1}{{\"session\": \"{number:x}\", \"tags\": [\"t1\", \"t2\"], \"region\": \"eu-west-1\"}}");
    let [high, low] = number.to_be_bytes();
    let tokens = [0, 0, high, low];
    let fields = [
        Some(&id[..]),
        Some(&(794_000_000_000_000 + i64::from(number)).to_be_bytes()),
        Some(b"chat.completion"),
        Some(b"allow"),
        number.is_multiple_of(3).then_some(b"policy.pii"),
        Some(&id),
        Some(&i32::from(number).to_be_bytes()),
        (!number.is_multiple_of(5)).then_some(&tokens),
        Some(&[0, 1, 0xff, 0xff, 0, 0, 0, 8, high & 15, low]),
        Some(metadata.as_bytes()),
        Some(&[0; 12]),
    ];
    let mut row = 11_i16.to_be_bytes().to_vec();
    for field in fields {
        row.extend(field.map_or(Ok(-1), |field| i32::try_from(field.len()))?.to_be_bytes());
        row.extend(field.unwrap_or_default());
    }
    Ok(row)
}

fn json_chunks(artifact: &[u8]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut splitter = JsonSplitter::new(CHUNK);
    let mut chunks = Vec::new();
    for block in artifact.chunks(BLOCK) {
        splitter.push(block)?;
        chunks.extend(std::iter::from_fn(|| splitter.next_chunk()));
    }
    chunks.extend(splitter.finish()?);
    Ok(chunks)
}

fn names(chunks: &[Vec<u8>]) -> JsonNames {
    let mut names = JsonNames::default();
    for chunk in chunks {
        names.add(chunk);
    }
    names
}

/// Encodes the events as a CSV artifact.
fn csv(batches: &[EventBatch]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut packed = Vec::new();
    let mut encoder = Box::new(CsvEncoder::new(&mut packed, u64::MAX));
    batches.iter().try_for_each(|batch| encoder.write(batch))?;
    encoder.finish()?;
    let mut text = Vec::new();
    MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut text)?;
    Ok(text)
}

/// Converts a CSV artifact to JSON Lines; fields that are valid JSON become values.
fn json_lines(csv: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut lines = Vec::new();
    for row in csv::Reader::from_reader(csv).into_deserialize::<BTreeMap<String, String>>() {
        let values =
            row?.into_iter().map(|(name, text)| (name, serde_json::from_str(&text).unwrap_or_else(|_| text.into())));
        serde_json::to_writer(&mut lines, &values.collect::<serde_json::Map<_, _>>())?;
        lines.push(b'\n');
    }
    Ok(lines)
}
