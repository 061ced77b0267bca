//! Cuts a stream of JSON into chunks of whole records, which can then be decoded in parallel.

use super::{
    JsonError, JsonShape, MAX_RECORD_BYTES,
    records::{ElementCutter, LINES, LineCutter},
    shape::{Finding, Head, MAX_ENVELOPE_BYTES, check_envelope},
};
use crate::decode::BOM;
use std::collections::VecDeque;

/// How much of a pushed block is taken at once: a chunk is at most this and one record longer than was asked for.
const PIECE: usize = 64 << 10;

/// Larger chunks would overflow the 32-bit offsets of their text columns.
const MAX_CHUNK_BYTES: usize = 1 << 30;

/// Finds the boundaries of records in any of the shapes.
#[derive(Debug)]
pub struct JsonSplitter {
    chunk_bytes: usize,
    max_record_bytes: usize,
    ready: VecDeque<Vec<u8>>,
    shape: Option<JsonShape>,
    /// Bytes before the records.
    start: u64,
    part: Part,
}

/// The part of the artifact that is being read.
#[derive(Debug)]
enum Part {
    /// The bytes so far, which do not say yet what comes.
    Head(Head, Vec<u8>),
    Lines(LineCutter),
    /// A list of records, and what came before it.
    List(Vec<u8>, ElementCutter),
}

impl JsonSplitter {
    /// A splitter into chunks of about `chunk_bytes`.
    pub fn new(chunk_bytes: usize) -> Self {
        Self {
            chunk_bytes: chunk_bytes.clamp(1, MAX_CHUNK_BYTES),
            max_record_bytes: MAX_RECORD_BYTES,
            ready: VecDeque::new(),
            shape: None,
            start: 0,
            part: Part::Head(Head::default(), Vec::new()),
        }
    }

    /// Takes the next bytes of the artifact; blocks may end anywhere. Fails when they cannot be JSON of records, or
    /// when a record is longer than [`MAX_RECORD_BYTES`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), JsonError> {
        bytes.chunks(PIECE.min(self.chunk_bytes)).try_for_each(|piece| self.push_piece(piece))
    }

    /// The next whole records, in the order of the input; `None` means that more has to be pushed first.
    pub fn next_chunk(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }

    /// Where the records are, once enough was seen to tell; an artifact of nothing but white space never tells.
    pub const fn shape(&self) -> Option<JsonShape> {
        self.shape
    }

    /// How many bytes come before the first chunk's, once there is a chunk. From one chunk to the next the input goes on,
    /// but for the comma between two chunks of a list. What [`Self::mark`] finds was not in the input.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The byte that the splitter put before those of the input, to say what a chunk is.
    pub fn mark(&self, chunk: &[u8]) -> Option<u8> {
        let is_list = matches!(self.part, Part::List(..));
        chunk.first().copied().filter(|first| is_list || *first == LINES)
    }

    /// What is left, to be called once, when [`Self::next_chunk`] has returned all chunks. Fails when the input was cut
    /// short, and when what stands around the records is wrong or speaks of further pages.
    pub fn finish(&mut self) -> Result<Option<Vec<u8>>, JsonError> {
        self.look(true)?;
        match &mut self.part {
            Part::Head(..) => {}
            Part::Lines(lines) => lines.finish(&mut self.ready)?,
            Part::List(before, elements) => {
                let after = elements.finish(&mut self.ready)?;
                check_envelope(before, &after, elements.count())?;
            }
        }
        let is_list = matches!(self.part, Part::List(..));
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
        match &mut self.part {
            Part::Head(_, bytes) => {
                bytes.extend_from_slice(piece);
                self.look(false)
            }
            Part::Lines(lines) => lines.push(piece, &mut self.ready),
            Part::List(before, elements) => {
                elements.push(piece, &mut self.ready)?;
                let outside = before.len() + elements.bytes_after();
                if outside > MAX_ENVELOPE_BYTES { Err(JsonError::EnvelopeTooLong) } else { Ok(()) }
            }
        }
    }

    /// Goes on from the head to the records, if it can be told what they are.
    fn look(&mut self, is_end: bool) -> Result<(), JsonError> {
        let Part::Head(head, bytes) = &mut self.part else { return Ok(()) };
        if !is_end && bytes.len() < BOM.len() {
            return Ok(());
        }
        let text = bytes.strip_prefix(&BOM).unwrap_or(bytes);
        let Some(Finding { shape, records }) = head.look(text, is_end)? else {
            // White space may follow a first record for some time before it shows what comes next.
            let limit = self.max_record_bytes + if head.is_closed() { PIECE } else { 0 };
            return if text.len() > limit { Err(JsonError::RecordTooLong) } else { Ok(()) };
        };
        let bom = bytes.len() - text.len();
        self.start = (bom + records) as u64;
        let (before, records) = text.split_at(records);
        let (before, records) = (before.to_vec(), records.to_vec());
        self.shape = Some(shape);
        self.part = match shape {
            JsonShape::Lines => Part::Lines(LineCutter::new(self.chunk_bytes, self.max_record_bytes)),
            JsonShape::Array | JsonShape::Envelope => {
                Part::List(before, ElementCutter::new(self.chunk_bytes, self.max_record_bytes))
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
    fn the_longest_record_is_the_same_however_the_blocks_fall() {
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
    fn chunks_are_about_as_long_as_asked_for() {
        for json in
            ["{\"a\":\"123456\"}\n".repeat(100_000), format!("[{}]", vec!["{\"a\":\"123456\"}"; 100_000].join(","))]
        {
            let mut splitter = JsonSplitter::new(100_000);
            json.as_bytes().chunks(4096).for_each(|block| splitter.push(block).unwrap());
            let chunks = std::iter::from_fn(|| splitter.next_chunk()).collect::<Vec<_>>();
            assert!(chunks.len() > 10 && chunks.iter().all(|chunk| (100_000..100_000 + PIECE).contains(&chunk.len())));
        }
    }

    #[test]
    fn chunks_that_were_not_taken_are_in_the_rest() {
        for json in ["{}\n".repeat(40), "{}\n[1]\n".repeat(40)] {
            assert_eq!(split(&json, 1000).unwrap().unwrap(), json.as_bytes());
        }
        let list = vec!["{}"; 40].join(",");
        assert_eq!(split(&format!("[{list}]"), 1000).unwrap().unwrap(), format!("[{list}").as_bytes());
    }
}
