//! Text files, gzipped or not, that are counted and hashed as they are written; and the encoder of rejected rows.

use super::{EncodeError, EncodedFile, FileEncoder};
use crate::{
    Reject, Sha256,
    digest::DigestWriter,
    gzip::{GzipWriter, MEMBER_BYTES},
};
use std::io::{self, Write};

/// Bytes of text that are buffered before they are written.
const BUFFER: usize = 128 << 10;

/// Room for the line that ends a member.
const LINE: usize = 16 << 10;

/// A text file, gzipped or not.
#[derive(Debug)]
pub(super) struct TextFile<W: Write> {
    sink: TextSink<W>,
    /// Text that is not yet in `sink`.
    buffer: Vec<u8>,
    /// Length at which it is written.
    full: usize,
}

#[derive(Debug)]
enum TextSink<W: Write> {
    Plain(DigestWriter<W>),
    Gzip(Box<GzipWriter<W>>),
}

impl<W: Write> TextFile<W> {
    pub(super) fn plain(sink: W) -> Self {
        let sink = TextSink::Plain(DigestWriter::new(sink));
        Self { sink, buffer: Vec::with_capacity(BUFFER + LINE), full: BUFFER }
    }

    /// A gzipped file whose members end with whole lines. [`Self::bytes`] is exact from `part_size` on.
    pub(super) fn gzipped(sink: W, part_size: u64) -> Self {
        let sink = TextSink::Gzip(Box::new(GzipWriter::new(sink).with_part_size(part_size)));
        Self { sink, buffer: Vec::with_capacity(MEMBER_BYTES + LINE), full: MEMBER_BYTES }
    }

    /// The buffer to append the next line to.
    pub(super) const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Ends a line, and writes the buffer when it is full.
    #[inline]
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        self.buffer.push(b'\n');
        if self.buffer.len() >= self.full { self.write_buffer() } else { Ok(()) }
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        match &mut self.sink {
            TextSink::Plain(file) => {
                file.write_all(&self.buffer)?;
                self.buffer.clear();
                Ok(())
            }
            TextSink::Gzip(gzip) => {
                let next = Vec::with_capacity(MEMBER_BYTES + LINE);
                gzip.write_member(std::mem::replace(&mut self.buffer, next))
            }
        }
    }

    /// A lower bound of the size of the file.
    pub(super) fn bytes(&self) -> u64 {
        match &self.sink {
            TextSink::Plain(file) => file.bytes(),
            TextSink::Gzip(gzip) => gzip.bytes(),
        }
    }

    /// Writes buffered text and flushes the sink. Returns the size and digest of the file.
    pub(super) fn finish(mut self) -> io::Result<(u64, Sha256)> {
        if !self.buffer.is_empty() {
            self.write_buffer()?;
        }
        match self.sink {
            TextSink::Plain(file) => {
                let (mut file, bytes, sha256) = file.finish();
                file.flush()?;
                Ok((bytes, sha256))
            }
            TextSink::Gzip(gzip) => gzip.finish(),
        }
    }
}

/// Writes rejected rows as gzipped JSON lines.
#[derive(Debug)]
pub struct RejectsEncoder<W: Write> {
    gzip: GzipWriter<W>,
    rows: u64,
}

impl<W: Write> RejectsEncoder<W> {
    /// An encoder that writes to `sink`. Its file ends at about `part_size` bytes.
    pub fn new(sink: W, part_size: u64) -> Self {
        Self { gzip: GzipWriter::new(sink).with_part_size(part_size), rows: 0 }
    }
}

impl<W: Write + Send> FileEncoder<Reject> for RejectsEncoder<W> {
    fn write(&mut self, reject: &Reject) -> Result<(), EncodeError> {
        let mut line = serde_json::to_vec(reject).map_err(io::Error::from)?;
        line.push(b'\n');
        self.gzip.write_all(&line)?;
        self.rows += 1;
        Ok(())
    }

    fn bytes_written(&self) -> u64 {
        self.gzip.bytes()
    }

    fn finish(self: Box<Self>) -> Result<EncodedFile, EncodeError> {
        let (bytes, sha256) = self.gzip.finish()?;
        Ok(EncodedFile { rows: self.rows, bytes, sha256, first: None, last: None, ranges: None })
    }
}
