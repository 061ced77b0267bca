//! Splits a stream of CSV into chunks of whole records, which can be decoded in parallel.

use super::{CsvError, records::Scanner};
use crate::{
    decode::{BOM, MAX_ROW_BYTES, simd::BLOCK},
    encode::MAX_RECORD_BYTES,
};
use std::collections::VecDeque;

/// Bytes appended before each scan. A chunk exceeds the requested size by at most this and one record.
const PUSH_BYTES: usize = 64 << 10;

/// Larger chunks could overflow the 32-bit offsets of text columns.
const MAX_CHUNK_BYTES: usize = 1 << 30;

/// Splits CSV at the ends of records. Telling these from quoted line feeds takes a scan of all bytes in order. The
/// concatenated chunks are the bytes that were pushed.
#[derive(Debug)]
pub struct CsvSplitter {
    chunk_bytes: usize,
    max_record_bytes: usize,
    ready: VecDeque<Vec<u8>>,
    /// Bytes of the next chunk, from the start of a record.
    current: Vec<u8>,
    scanner: Scanner,
    /// Bytes of `current` that are scanned.
    scanned: usize,
    /// Start of the record at the scan position.
    record: usize,
    /// Whether the input was checked for a byte-order mark.
    started: bool,
}

impl CsvSplitter {
    /// A splitter of an artifact into chunks of about `chunk_bytes` bytes.
    pub fn new(chunk_bytes: usize) -> Self {
        Self::with_limit(chunk_bytes, MAX_ROW_BYTES)
    }

    /// A splitter of a CSV file of an archive.
    pub fn of_archive(chunk_bytes: usize) -> Self {
        Self::with_limit(chunk_bytes, MAX_RECORD_BYTES)
    }

    fn with_limit(chunk_bytes: usize, max_record_bytes: usize) -> Self {
        Self {
            chunk_bytes: chunk_bytes.clamp(1, MAX_CHUNK_BYTES),
            max_record_bytes,
            ready: VecDeque::new(),
            current: Vec::new(),
            scanner: Scanner::new(),
            scanned: 0,
            record: 0,
            started: false,
        }
    }

    /// Appends the next bytes of the artifact; blocks may end anywhere. Fails if a record is longer than
    /// the limit.
    pub fn push(&mut self, block: &[u8]) -> Result<(), CsvError> {
        for piece in block.chunks(PUSH_BYTES.min(self.chunk_bytes)) {
            if self.current.capacity() == 0 {
                self.current.reserve(self.chunk_bytes + PUSH_BYTES);
            }
            self.current.extend_from_slice(piece);
            self.scan()?;
            if self.record >= self.chunk_bytes {
                self.cut();
            }
        }
        Ok(())
    }

    /// The next chunk in input order; `None` until more is pushed. The first chunk starts with the header.
    pub fn next_chunk(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }

    /// The last chunk, including those that [`Self::next_chunk`] did not return. Fails if the input is truncated inside
    /// quotes.
    pub fn finish(mut self) -> Result<Option<Vec<u8>>, CsvError> {
        self.skip_bom();
        self.scan()?;
        let last = self.scanner.advance_last(&self.current[self.scanned..]);
        let end = self.current.len();
        let longest = match last.line_feeds.trailing_zeros() as usize {
            BLOCK => end - self.record,
            first => self.scanned + first - self.record,
        };
        if longest > self.max_record_bytes {
            return Err(CsvError::RecordTooLong(self.max_record_bytes));
        }
        if self.scanner.is_inside_quotes() {
            return Err(CsvError::Truncated);
        }
        self.ready.push_back(self.current);
        let mut rest = self.ready.pop_front().unwrap_or_default();
        self.ready.iter().for_each(|chunk| rest.extend_from_slice(chunk));
        Ok((!rest.is_empty()).then_some(rest))
    }

    /// Scans all whole blocks.
    fn scan(&mut self) -> Result<(), CsvError> {
        if !self.started && self.current.len() < BOM.len() {
            return Ok(());
        }
        self.skip_bom();
        let (blocks, _) = self.current[self.scanned..].as_chunks::<BLOCK>();
        for block in blocks {
            let line_feeds = self.scanner.advance(block).line_feeds;
            if line_feeds != 0 {
                let first = self.scanned + line_feeds.trailing_zeros() as usize;
                if first - self.record > self.max_record_bytes {
                    return Err(CsvError::RecordTooLong(self.max_record_bytes));
                }
                self.record = self.scanned + BLOCK - line_feeds.leading_zeros() as usize;
            }
            self.scanned += BLOCK;
        }
        let so_far = self.scanned.saturating_sub(self.record);
        if so_far > self.max_record_bytes { Err(CsvError::RecordTooLong(self.max_record_bytes)) } else { Ok(()) }
    }

    fn skip_bom(&mut self) {
        if !self.started && self.current.starts_with(&BOM) {
            self.scanned = BOM.len();
        }
        self.started = true;
    }

    /// Makes a chunk of all whole records.
    fn cut(&mut self) {
        let mut next = Vec::with_capacity(self.chunk_bytes + PUSH_BYTES);
        next.extend_from_slice(&self.current[self.record..]);
        self.current.truncate(self.record);
        self.ready.push_back(std::mem::replace(&mut self.current, next));
        self.scanned -= self.record;
        self.record = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push_all(splitter: &mut CsvSplitter, bytes: &[u8], block: usize) -> Result<(), CsvError> {
        bytes.chunks(block).try_for_each(|block| splitter.push(block))
    }

    #[test]
    fn the_limit_of_a_record_does_not_depend_on_blocks() {
        for length in 0..300 {
            let csv = format!("id,t\n{}\n\"{}\n\"", "x".repeat(length), "y".repeat(length.saturating_sub(3)));
            for block in [1, 7, 64, 1000] {
                let mut splitter = CsvSplitter { max_record_bytes: 200, ..CsvSplitter::new(50) };
                let pushed = push_all(&mut splitter, csv.as_bytes(), block);
                let result = pushed.and_then(|()| splitter.finish());
                assert_eq!(matches!(result, Err(CsvError::RecordTooLong(200))), length > 200, "{length} in {block}");
            }
        }
    }

    #[test]
    fn chunks_have_about_the_requested_size() {
        let csv = "id,timestamp\n".repeat(100_000);
        let mut splitter = CsvSplitter::new(100_000);
        push_all(&mut splitter, csv.as_bytes(), 4096).unwrap();
        let chunks = std::iter::from_fn(|| splitter.next_chunk()).collect::<Vec<_>>();
        assert_eq!(chunks.len(), csv.len() / 100_000 - 1);
        assert!(chunks.iter().all(|chunk| chunk.len() < 100_000 + PUSH_BYTES));
    }

    #[test]
    fn finish_returns_chunks_that_were_not_taken() {
        let mut splitter = CsvSplitter::new(1);
        splitter.push(&b"a,b\n1,2\n".repeat(40)).unwrap();
        assert_eq!(splitter.finish().unwrap().unwrap(), b"a,b\n1,2\n".repeat(40));
    }
}
