//! JSON artifacts of every shape. The first two bytes cut the input, the rest is the artifact.

#![no_main]

use archive_formats::{
    EventBatch, Reject,
    catalogue::KeyColumns,
    decode::{
        TimeIndex,
        json::{JsonError, JsonLayout, JsonNames, JsonShape, JsonSplitter},
    },
};
use archive_fuzz::{Cut, check_times, equal, joined};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::iter;

fuzz_target!(|data: &[u8]| {
    let Some((cut, artifact)) = Cut::take(data) else { return };
    if let Some(all) = equal(decode(artifact, cut), decode(artifact, Cut::WHOLE)) {
        check(artifact, &all);
    }
});

#[derive(Debug)]
struct All {
    layout: Option<JsonLayout>,
    batches: Vec<EventBatch>,
    rejects: Vec<Reject>,
    times: TimeIndex,
    rows: u64,
    lines: u64,
    shape: Option<JsonShape>,
}

impl PartialEq for All {
    fn eq(&self, other: &Self) -> bool {
        joined(&self.batches) == joined(&other.batches)
            && self.rejects == other.rejects
            && self.times == other.times
            && (self.rows, self.lines, self.shape) == (other.rows, other.lines, other.shape)
    }
}

fn decode(artifact: &[u8], cut: Cut) -> Result<All, JsonError> {
    let mut splitter = JsonSplitter::new(cut.chunk);
    let mut chunks = Vec::new();
    for block in artifact.chunks(cut.block) {
        splitter.push(block)?;
        chunks.extend(iter::from_fn(|| splitter.next_chunk()));
    }
    chunks.extend(splitter.finish()?);
    let shape = splitter.shape();
    let mut all = All {
        layout: None,
        batches: Vec::new(),
        rejects: Vec::new(),
        times: TimeIndex::default(),
        rows: 0,
        lines: 0,
        shape,
    };
    if chunks.is_empty() {
        return Ok(all);
    }
    check_offsets(artifact, &chunks, &splitter);
    let mut names = JsonNames::default();
    chunks.iter().for_each(|chunk| names.merge(JsonNames::from_chunk(chunk)));
    let layout = JsonLayout::new(&names, &KeyColumns::default())?;
    for chunk in &chunks {
        let decoded = layout.decode(chunk);
        all.times.merge(&layout.index(chunk).0);
        let absolute = |reject: Reject| Reject { line: reject.line + all.lines, ..reject };
        all.rejects.extend(decoded.rejects.into_iter().map(absolute));
        (all.rows, all.lines) = (all.rows + decoded.rows, all.lines + decoded.lines);
        all.batches.extend(decoded.batch);
    }
    all.layout = Some(layout);
    Ok(all)
}

/// Chunks follow each other in the input, with a comma between them in an array.
fn check_offsets(artifact: &[u8], chunks: &[Vec<u8>], splitter: &JsonSplitter) {
    let mut at = usize::try_from(splitter.start()).expect("an offset of a short input");
    for chunk in chunks {
        let input = if splitter.mark(chunk).is_some() { &chunk[1..] } else { chunk };
        assert!(artifact[at..].starts_with(input), "the chunk at {at}");
        at += input.len() + usize::from(splitter.shape() != Some(JsonShape::Lines));
    }
    if splitter.shape() == Some(JsonShape::Lines) {
        assert_eq!(at, artifact.len(), "all of the input is in the chunks");
    }
}

fn check(artifact: &[u8], all: &All) {
    let events = all.batches.iter().map(EventBatch::len).sum::<usize>();
    assert_eq!((events + all.rejects.len()) as u64, all.rows, "every record is an event or a reject");
    for reject in &all.rejects {
        let row = &reject.row;
        assert!(row.is_empty() || artifact.windows(row.len()).any(|window| window == row), "{reject}");
    }
    let of_rejects = all.rejects.iter().filter_map(|reject| all.layout.as_ref()?.time_of(&reject.row));
    check_times(&all.times, all.rows, &all.batches, of_rejects);
    check_independently(artifact.strip_prefix(b"\xef\xbb\xbf").unwrap_or(artifact), all);
}

/// serde_json finds as many records, and what became events is JSON for it.
fn check_independently(artifact: &[u8], all: &All) {
    // Its recursion limit is 128.
    const LISTS: [&str; 5] = ["events", "data", "items", "results", "records"];
    let is_deep = artifact.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > 120;
    if is_deep {
        return;
    }
    match all.shape {
        Some(JsonShape::Lines) => {
            let lines = artifact.split(|byte| *byte == b'\n');
            let objects =
                lines.filter(|line| serde_json::from_slice::<Value>(line).is_ok_and(|value| value.is_object()));
            let (objects, events) = (objects.count() as u64, all.rows - all.rejects.len() as u64);
            assert!(events <= objects && objects <= all.rows, "{events} events, {objects} objects, {} rows", all.rows);
        }
        Some(JsonShape::Array | JsonShape::Envelope) => match serde_json::from_slice::<Value>(artifact) {
            Ok(Value::Array(records)) => assert_eq!(records.len() as u64, all.rows),
            Ok(Value::Object(members)) => {
                let is_list = |name: &str| {
                    let plain = |letter: &char| !matches!(letter, '_' | '-' | ' ');
                    LISTS.contains(&&*name.chars().filter(plain).collect::<String>().to_lowercase())
                };
                let lengths = members.iter().filter_map(|(name, value)| value.as_array().filter(|_| is_list(name)));
                let lengths = lengths.map(|list| list.len() as u64).filter(|length| *length > 0).collect::<Vec<_>>();
                let expected = if all.rows == 0 { vec![] } else { vec![all.rows] };
                assert_eq!(lengths, expected);
            }
            Ok(other) => panic!("{other} was read as {:?}", all.shape),
            Err(error) => {
                let invalid = !all.rejects.is_empty();
                // A number that no float can hold.
                assert!(invalid || error.to_string().starts_with("number out of range"), "{error}");
            }
        },
        None => assert!(artifact.iter().all(u8::is_ascii_whitespace) && all.rows == 0),
    }
}
