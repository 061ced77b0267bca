//! Gzip that depends on nothing but its content.

use crate::{Sha256, digest::DigestWriter};
use flate2::{Compression, GzBuilder, write::GzEncoder};
use std::{
    fmt,
    io::{self, Write},
};

/// gzip's own default. On events, level 2 takes 60% of the time and makes files 12% larger.
const LEVEL: u32 = 6;

/// Packs what is written into it. The gzip header has neither a time nor a name, so equal content makes equal bytes.
pub struct GzipWriter<W: Write>(GzEncoder<DigestWriter<W>>);

impl<W: Write> GzipWriter<W> {
    /// Packed bytes go to `sink`.
    pub fn new(sink: W) -> Self {
        Self(GzBuilder::new().mtime(0).write(DigestWriter::new(sink), Compression::new(LEVEL)))
    }

    /// Packed bytes that the sink was given so far.
    pub fn bytes(&self) -> u64 {
        self.0.get_ref().bytes()
    }

    /// Writes what is still held back and flushes the sink. Returns size and digest of the packed bytes.
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
