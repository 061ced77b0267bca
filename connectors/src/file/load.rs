//! Reads the chunks of a plan again.

use super::{
    index::{IndexedChunk, checksum},
    paths::FoundFile,
    plan::FilePlan,
};
use crate::{
    Result,
    artifact::{Chunk, Content},
    error::local,
    spool::on_blocking_thread,
};
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read as _, Seek as _},
    sync::Arc,
};

/// A chunk to read and decode.
#[derive(Debug)]
pub(super) struct ChunkLoad {
    pub(super) plan: Arc<FilePlan>,
    pub(super) chunk: IndexedChunk,
    /// The bytes, if they cannot be read by themselves.
    unpacked: Option<Vec<u8>>,
}

/// The chunks of a file, in order. Those of a plain file are read at their offsets; gzip is unpacked from its beginning
/// up to the last of them.
pub(super) fn chunk_loads(plan: Arc<FilePlan>) -> BoxStream<'static, Result<ChunkLoad>> {
    let chunks = plan.chunks.clone();
    if plan.file.gzip {
        let unpacking = Unpacking { plan, chunks: chunks.into(), content: None, position: 0 };
        return stream::try_unfold(unpacking, |state| on_blocking_thread(move || state.next())).boxed();
    }
    stream::iter(chunks).map(move |chunk| Ok(ChunkLoad { plan: Arc::clone(&plan), chunk, unpacked: None })).boxed()
}

impl ChunkLoad {
    /// Reads the chunk. Fails if it changed since the file was indexed.
    pub(super) fn read(self) -> Result<Chunk> {
        let (found, chunk) = (&self.plan.file.found, self.chunk);
        let bytes = match self.unpacked {
            Some(bytes) => bytes,
            None => read(found, &chunk)?,
        };
        if checksum(&bytes) != chunk.checksum {
            return Err(found.changed());
        }
        Ok(Chunk { bytes, mark: chunk.mark, offset: chunk.offset, progress: chunk.length as u64 })
    }
}

/// A buffer with room for a chunk, which holds its mark.
fn buffer(chunk: &IndexedChunk) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(chunk.length + 1);
    bytes.extend(chunk.mark);
    bytes
}

fn read(found: &FoundFile, chunk: &IndexedChunk) -> Result<Vec<u8>> {
    let mut bytes = buffer(chunk);
    let mut fill = || {
        let mut file = File::open(&found.path)?;
        file.seek(io::SeekFrom::Start(chunk.offset))?;
        file.take(chunk.length as u64).read_to_end(&mut bytes)
    };
    match fill() {
        Ok(count) if count == chunk.length => Ok(bytes),
        Ok(_) => Err(found.changed()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(found.changed()),
        Err(error) => Err(local("read the file", &found.path)(error)),
    }
}

/// A gzip file that is unpacked up to the last chunk of the plan.
struct Unpacking {
    plan: Arc<FilePlan>,
    chunks: VecDeque<IndexedChunk>,
    content: Option<Content>,
    /// In the unpacked content.
    position: u64,
}

impl Unpacking {
    fn next(mut self) -> Result<Option<(ChunkLoad, Self)>> {
        const BLOCK: usize = 256 * 1024;
        let Some(chunk) = self.chunks.pop_front() else { return Ok(None) };
        let mut block = vec![0; BLOCK];
        while self.position < chunk.offset {
            let skipped = usize::try_from(chunk.offset - self.position).map_or(BLOCK, |left| left.min(BLOCK));
            self.fill(&mut block[..skipped])?;
        }
        let mut bytes = buffer(&chunk);
        let marks = bytes.len();
        bytes.resize(marks + chunk.length, 0);
        self.fill(&mut bytes[marks..])?;
        Ok(Some((ChunkLoad { plan: Arc::clone(&self.plan), chunk, unpacked: Some(bytes) }, self)))
    }

    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<()> {
        let found = &self.plan.file.found;
        let content = match &mut self.content {
            Some(content) => content,
            None => self.content.insert(Content::open(&found.path)?),
        };
        self.position += buffer.len() as u64;
        while !buffer.is_empty() {
            match content.read(buffer)? {
                0 => return Err(found.changed()),
                count => buffer = &mut buffer[count..],
            }
        }
        Ok(())
    }
}
