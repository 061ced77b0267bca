//! Splits a stream of JSON into chunks of whole records, which can be decoded in parallel.

use super::{
    JsonError, JsonShape,
    envelope::{Harmless, MAX_ENVELOPE_BYTES, check_envelope},
    records::{ElementCutter, LINES, LineCutter},
    shape::{Detected, ShapeDetector},
};
use crate::decode::{BOM, MAX_ROW_BYTES};
use std::collections::VecDeque;

/// Bytes appended before each scan. A chunk exceeds the requested size by at most this and one record.
const PUSH_BYTES: usize = 64 << 10;

/// Larger chunks could overflow the 32-bit offsets of text columns.
const MAX_CHUNK_BYTES: usize = 1 << 30;

/// Splits JSON of any shape at the ends of records.
#[derive(Debug)]
pub struct JsonSplitter {
    chunk_bytes: usize,
    max_record_bytes: usize,
    harmless: Harmless,
    ready: VecDeque<Vec<u8>>,
    shape: Option<JsonShape>,
    /// Number of bytes before the records.
    start: u64,
    state: State,
}

/// The progress in an artifact.
#[derive(Debug)]
enum State {
    /// The shape is undetected; with all bytes so far.
    Head(ShapeDetector, Vec<u8>),
    Lines(LineCutter),
    /// An array of records, with the bytes before it.
    List(Vec<u8>, ElementCutter),
}

impl JsonSplitter {
    /// A splitter into chunks of about `chunk_bytes` bytes.
    pub fn new(chunk_bytes: usize) -> Self {
        Self {
            chunk_bytes: chunk_bytes.clamp(1, MAX_CHUNK_BYTES),
            max_record_bytes: MAX_ROW_BYTES,
            harmless: Harmless::default(),
            ready: VecDeque::new(),
            shape: None,
            start: 0,
            state: State::Head(ShapeDetector::default(), Vec::new()),
        }
    }

    /// Accepts an envelope with these members, whatever they are.
    #[must_use]
    pub fn with_harmless(self, harmless: Harmless) -> Self {
        Self { harmless, ..self }
    }

    /// Appends the next bytes of the artifact; blocks may end anywhere. Fails if they are not JSON of records, or if a
    /// record is longer than [`MAX_ROW_BYTES`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), JsonError> {
        bytes.chunks(PUSH_BYTES.min(self.chunk_bytes)).try_for_each(|piece| self.push_piece(piece))
    }

    /// The next chunk in input order; `None` until more is pushed.
    pub fn next_chunk(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }

    /// The shape, once it is detected. Artifacts of white space have none.
    pub const fn shape(&self) -> Option<JsonShape> {
        self.shape
    }

    /// Offset of the first chunk in the input, once there is a chunk. The next chunk follows immediately, or after a comma
    /// in an array. Marks (see [`Self::mark`]) are not part of the input.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The first byte of a chunk, if the splitter inserted it to mark the kind of records.
    pub fn mark(&self, chunk: &[u8]) -> Option<u8> {
        let is_list = matches!(self.state, State::List(..));
        chunk.first().copied().filter(|first| is_list || *first == LINES)
    }

    /// The last chunk, including those that [`Self::next_chunk`] did not return. To be called once. Fails if the input is
    /// truncated, if the envelope is malformed, or if it reports an error or further pages.
    pub fn finish(&mut self) -> Result<Option<Vec<u8>>, JsonError> {
        self.detect(true)?;
        match &mut self.state {
            State::Head(..) => {}
            State::Lines(lines) => lines.finish(&mut self.ready)?,
            State::List(before, elements) => {
                let after = elements.finish(&mut self.ready)?;
                check_envelope(before, &after, elements.count(), &self.harmless)?;
            }
        }
        let is_list = matches!(self.state, State::List(..));
        let mut rest = self.ready.pop_front();
        for chunk in self.ready.drain(..) {
            let rest = rest.get_or_insert_default();
            match chunk.split_first() {
                Some((_, elements)) if is_list => {
                    rest.push(b',');
                    rest.extend_from_slice(elements);
                }
                Some((&LINES, lines)) => rest.extend_from_slice(lines),
                _ => rest.extend_from_slice(&chunk),
            }
        }
        Ok(rest)
    }

    fn push_piece(&mut self, piece: &[u8]) -> Result<(), JsonError> {
        match &mut self.state {
            State::Head(_, bytes) => {
                bytes.extend_from_slice(piece);
                self.detect(false)
            }
            State::Lines(lines) => lines.push(piece, &mut self.ready),
            State::List(before, elements) => {
                elements.push(piece, &mut self.ready)?;
                let outside = before.len() + elements.bytes_after();
                if outside > MAX_ENVELOPE_BYTES { Err(JsonError::EnvelopeTooLong) } else { Ok(()) }
            }
        }
    }

    /// Continues the detection of the shape, and starts with the records once it is known.
    fn detect(&mut self, is_end: bool) -> Result<(), JsonError> {
        let State::Head(head, bytes) = &mut self.state else { return Ok(()) };
        if !is_end && bytes.len() < BOM.len() {
            return Ok(());
        }
        let text = bytes.strip_prefix(&BOM).unwrap_or(bytes);
        let Some(Detected { shape, records }) = head.detect(text, is_end)? else {
            // A first record may be followed by white space before the shape is known.
            let limit = self.max_record_bytes + if head.is_closed() { PUSH_BYTES } else { 0 };
            return if text.len() > limit { Err(JsonError::RecordTooLong) } else { Ok(()) };
        };
        let bom = bytes.len() - text.len();
        self.start = (bom + records) as u64;
        let (before, records) = text.split_at(records);
        let (before, records) = (before.to_vec(), records.to_vec());
        self.shape = Some(shape);
        self.state = match shape {
            JsonShape::Lines => State::Lines(LineCutter::new(self.chunk_bytes, self.max_record_bytes)),
            JsonShape::Array | JsonShape::Envelope => {
                State::List(before, ElementCutter::new(self.chunk_bytes, self.max_record_bytes))
            }
        };
        self.push(&records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(json: &str, block: usize) -> Result<Option<Vec<u8>>, JsonError> {
        let mut splitter = JsonSplitter { max_record_bytes: 200, ..JsonSplitter::new(50) };
        json.as_bytes().chunks(block).try_for_each(|block| splitter.push(block))?;
        splitter.finish()
    }

    #[test]
    fn the_limit_of_a_record_does_not_depend_on_blocks() {
        for length in 2..300 {
            let (short, long) = ("{}", format!("{{{}}}", "x".repeat(length - 2)));
            for json in [
                format!("{short}\n{long}\n{short}"),
                format!("{long}\n{short}"),
                format!("{short}\n{long}"),
                format!("[{long}]"),
                format!("[{short},{long},{short}]"),
            ] {
                for block in [1, 7, 64, 1000] {
                    let is_too_long = matches!(split(&json, block), Err(JsonError::RecordTooLong));
                    assert_eq!(is_too_long, length > 200, "{length} in {block}: {json}");
                }
            }
        }
    }

    #[test]
    fn chunks_have_about_the_requested_size() {
        for json in
            ["{\"a\":\"123456\"}\n".repeat(100_000), format!("[{}]", vec!["{\"a\":\"123456\"}"; 100_000].join(","))]
        {
            let mut splitter = JsonSplitter::new(100_000);
            json.as_bytes().chunks(4096).for_each(|block| splitter.push(block).unwrap());
            let chunks = std::iter::from_fn(|| splitter.next_chunk()).collect::<Vec<_>>();
            assert!(
                chunks.len() > 10 && chunks.iter().all(|chunk| (100_000..100_000 + PUSH_BYTES).contains(&chunk.len()))
            );
        }
    }

    #[test]
    fn finish_returns_chunks_that_were_not_taken() {
        for json in ["{}\n".repeat(40), "{}\n[1]\n".repeat(40)] {
            assert_eq!(split(&json, 1000).unwrap().unwrap(), json.as_bytes());
        }
        let list = vec!["{}"; 40].join(",");
        assert_eq!(split(&format!("[{list}]"), 1000).unwrap().unwrap(), format!("[{list}").as_bytes());
    }
}
