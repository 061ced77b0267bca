//! Lines of text on their way into a file.

use super::gzip::GzipWriter;
use crate::{Sha256, digest::DigestWriter};
use std::io::{self, Write};

/// Text that is collected before it is passed on.
const BUFFER: usize = 128 << 10;

/// A file of text, gzipped or not, that is counted and hashed as it is stored.
#[derive(Debug)]
pub(super) struct TextFile<W: Write> {
    sink: TextSink<W>,
    /// Lines that are not yet in `sink`.
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum TextSink<W: Write> {
    Plain(DigestWriter<W>),
    Gzip(Box<GzipWriter<W>>),
}

impl<W: Write> TextFile<W> {
    pub(super) fn plain(sink: W) -> Self {
        Self::new(TextSink::Plain(DigestWriter::new(sink)))
    }

    pub(super) fn gzipped(sink: W) -> Self {
        Self::new(TextSink::Gzip(Box::new(GzipWriter::new(sink))))
    }

    fn new(sink: TextSink<W>) -> Self {
        Self { sink, buffer: Vec::with_capacity(BUFFER) }
    }

    /// Where the next line is to be appended.
    pub(super) const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Ends a line, and passes on what was collected when it is enough.
    #[inline]
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER { self.pass_on() } else { Ok(()) }
    }

    fn pass_on(&mut self) -> io::Result<()> {
        match &mut self.sink {
            TextSink::Plain(file) => file.write_all(&self.buffer)?,
            TextSink::Gzip(gzip) => gzip.write_all(&self.buffer)?,
        }
        self.buffer.clear();
        Ok(())
    }

    /// Bytes that the file has so far.
    pub(super) fn bytes(&self) -> u64 {
        match &self.sink {
            TextSink::Plain(file) => file.bytes(),
            TextSink::Gzip(gzip) => gzip.bytes(),
        }
    }

    /// Writes what is still held back and flushes the file. Returns its size and digest.
    pub(super) fn finish(mut self) -> io::Result<(u64, Sha256)> {
        self.pass_on()?;
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
