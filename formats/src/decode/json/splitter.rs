//! Cuts a stream of JSON into chunks of whole records, which can then be decoded in parallel.

use super::{
    JsonError, JsonShape, MAX_RECORD_BYTES,
    elements::ElementCutter,
    envelope,
    head::{Finding, Head},
    lines::LineCutter,
    records,
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
        chunk.first().copied().filter(|first| is_list || *first == records::LINES)
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
                envelope::check(before, &after)?;
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
                Some((&records::LINES, lines)) => rest.extend_from_slice(lines),
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
                if outside > envelope::MAX_BYTES { Err(JsonError::EnvelopeTooLong) } else { Ok(()) }
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
            return if text.len() > self.max_record_bytes { Err(JsonError::RecordTooLong) } else { Ok(()) };
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
