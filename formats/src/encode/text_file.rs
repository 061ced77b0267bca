//! Text files, gzipped or not, that are counted and hashed as they are written; and the encoder of rejected rows.

use super::{EncodeError, EncodedFile, FileEncoder};
use crate::{Reject, Sha256, digest::DigestWriter};
use flate2::{Compression, GzBuilder, write::GzEncoder};
use std::{
    fmt,
    io::{self, Write},
};

/// Bytes of text that are buffered before they are compressed or written.
const BUFFER: usize = 128 << 10;

/// A text file, gzipped or not.
#[derive(Debug)]
pub(super) struct TextFile<W: Write> {
    sink: TextSink<W>,
    /// Text that is not yet in `sink`.
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

    /// The buffer to append the next line to.
    pub(super) const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Ends a line, and writes the buffer when it is full.
    #[inline]
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER { self.write_buffer() } else { Ok(()) }
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        match &mut self.sink {
            TextSink::Plain(file) => file.write_all(&self.buffer)?,
            TextSink::Gzip(gzip) => gzip.write_all(&self.buffer)?,
        }
        self.buffer.clear();
        Ok(())
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        match &self.sink {
            TextSink::Plain(file) => file.bytes(),
            TextSink::Gzip(gzip) => gzip.bytes(),
        }
    }

    /// Writes buffered text and flushes the sink. Returns the size and digest of the file.
    pub(super) fn finish(mut self) -> io::Result<(u64, Sha256)> {
        self.write_buffer()?;
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

/// The default of gzip. On events, level 2 takes 60% of the time and makes files 12% larger.
const LEVEL: u32 = 6;

/// A gzip writer whose header has no time and no name, so that equal content makes equal bytes.
pub struct GzipWriter<W: Write>(GzEncoder<DigestWriter<W>>);

impl<W: Write> GzipWriter<W> {
    /// A writer of compressed bytes to `sink`.
    pub fn new(sink: W) -> Self {
        Self(GzBuilder::new().mtime(0).write(DigestWriter::new(sink), Compression::new(LEVEL)))
    }

    /// Compressed bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.0.get_ref().bytes()
    }

    /// Writes buffered bytes and flushes the sink. Returns the size and digest of the compressed bytes.
    pub fn finish(self) -> io::Result<(u64, Sha256)> {
        let (mut sink, bytes, sha256) = self.0.finish()?.finish();
        sink.flush()?;
        Ok((bytes, sha256))
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> fmt::Debug for GzipWriter<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GzipWriter").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

/// Writes rejected rows as gzipped JSON lines.
#[derive(Debug)]
pub struct RejectsEncoder<W: Write> {
    gzip: GzipWriter<W>,
    rows: u64,
}

impl<W: Write> RejectsEncoder<W> {
    /// An encoder that writes to `sink`.
    pub fn new(sink: W) -> Self {
        Self { gzip: GzipWriter::new(sink), rows: 0 }
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
        Ok(EncodedFile { rows: self.rows, bytes, sha256, first: None, last: None })
    }
}
