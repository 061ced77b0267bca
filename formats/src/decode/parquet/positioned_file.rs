//! A file that several threads read.

use bytes::Bytes;
use parquet::{
    errors::ParquetError,
    file::reader::{ChunkReader, Length},
};
use std::{
    fs::File,
    io::{self, BufReader, Read},
    os::unix::fs::FileExt as _,
    sync::Arc,
};

/// A local file whose readers have a position each, unlike those that share a [`File`].
#[derive(Clone, Debug)]
pub struct PositionedFile {
    file: Arc<File>,
    length: u64,
}

impl PositionedFile {
    /// The bytes that `file` has now.
    pub fn new(file: File) -> io::Result<Self> {
        Ok(Self { length: file.metadata()?.len(), file: Arc::new(file) })
    }
}

impl Length for PositionedFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for PositionedFile {
    type T = BufReader<FileFrom>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(FileFrom { file: Arc::clone(&self.file), position: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // Offsets of a damaged file may ask for any amount of memory.
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ParquetError::EOF(format!("no {length} bytes at {start} in a file of {}", self.length)));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// The rest of a file.
#[derive(Debug)]
pub struct FileFrom {
    file: Arc<File>,
    position: u64,
}

impl Read for FileFrom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn readers_do_not_move_each_other() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let file = PositionedFile::new(file).unwrap();
        let (mut first, mut second) = (file.get_read(2).unwrap(), file.get_read(7).unwrap());
        let read = |reader: &mut BufReader<FileFrom>| {
            let mut bytes = [0; 2];
            reader.read_exact(&mut bytes).unwrap();
            bytes
        };
        assert_eq!([read(&mut first), read(&mut second), read(&mut first)], [*b"23", *b"78", *b"45"]);
        assert_eq!(&file.get_bytes(3, 4).unwrap()[..], b"3456");
    }

    #[test]
    fn bytes_after_the_end_are_an_error_and_take_no_memory() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let file = PositionedFile::new(file).unwrap();
        for (start, length) in [(3, 8), (11, 0), (0, usize::MAX), (u64::MAX, 1)] {
            assert!(file.get_bytes(start, length).is_err(), "{start} {length}");
        }
    }
}
