//! Rejected rows as gzipped JSON lines.

use super::{EncodeError, EncodedFile, FileEncoder, gzip::GzipWriter};
use crate::Reject;
use std::io::{self, Write};

/// Writes a line for each rejected row, with the row as it came.
#[derive(Debug)]
pub struct RejectsEncoder<W: Write> {
    gzip: GzipWriter<W>,
    rows: u64,
}

impl<W: Write> RejectsEncoder<W> {
    /// A file whose bytes go to `sink`.
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
