//! The bytes of the chunks that a read needs.

use super::{
    index::{Place, checksum},
    paths::Named,
    plan::Share,
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

/// A chunk that is to be decoded.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) share: Arc<Share>,
    pub(super) place: Place,
    /// The chunk, where it cannot be read by itself.
    unpacked: Option<Vec<u8>>,
}

/// The chunks of a file, in their order. A plain file is read where its chunks lie; gzip has to be unpacked from its
/// beginning up to the last of them.
pub(super) fn loads(share: Arc<Share>) -> BoxStream<'static, Result<Load>> {
    let places = share.places.clone();
    if share.file.gzip {
        let unpacking = Unpacking { share, places: places.into(), content: None, position: 0 };
        return stream::try_unfold(unpacking, |state| on_blocking_thread(move || state.next())).boxed();
    }
    stream::iter(places).map(move |place| Ok(Load { share: Arc::clone(&share), place, unpacked: None })).boxed()
}

impl Load {
    /// Reads the chunk, and compares it with what was there when the file was looked through.
    pub(super) fn chunk(self) -> Result<Chunk> {
        let (named, place) = (&self.share.file.named, self.place);
        let bytes = match self.unpacked {
            Some(bytes) => bytes,
            None => read(named, &place)?,
        };
        if checksum(&bytes) != place.checksum {
            return Err(named.changed());
        }
        Ok(Chunk { bytes, mark: place.mark, offset: place.offset, delivered: 0 })
    }
}

/// An empty chunk, and how many of its bytes are none of the content's.
fn begun(place: &Place) -> (Vec<u8>, usize) {
    let mut bytes = Vec::from_iter(place.mark);
    let marks = bytes.len();
    bytes.resize(marks + place.length, 0);
    (bytes, marks)
}

fn read(named: &Named, place: &Place) -> Result<Vec<u8>> {
    let (mut bytes, marks) = begun(place);
    let mut fill = || {
        let mut file = File::open(&named.path)?;
        file.seek(io::SeekFrom::Start(place.offset))?;
        file.read_exact(&mut bytes[marks..])
    };
    match fill() {
        Ok(()) => Ok(bytes),
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound) => {
            Err(named.changed())
        }
        Err(error) => Err(local("read the file", &named.path)(error)),
    }
}

/// A gzip file on its way to its last chunk that is needed.
struct Unpacking {
    share: Arc<Share>,
    places: VecDeque<Place>,
    content: Option<Content>,
    /// How many bytes were unpacked.
    position: u64,
}

impl Unpacking {
    fn next(mut self) -> Result<Option<(Load, Self)>> {
        const BLOCK: usize = 256 * 1024;
        let Some(place) = self.places.pop_front() else { return Ok(None) };
        let mut block = vec![0; BLOCK];
        while self.position < place.offset {
            let most = usize::try_from(place.offset - self.position).unwrap_or(BLOCK).min(BLOCK);
            self.fill(&mut block[..most])?;
        }
        let (mut bytes, marks) = begun(&place);
        self.fill(&mut bytes[marks..])?;
        Ok(Some((Load { share: Arc::clone(&self.share), place, unpacked: Some(bytes) }, self)))
    }

    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<()> {
        let named = &self.share.file.named;
        let content = match &mut self.content {
            Some(content) => content,
            None => self.content.insert(Content::open(&named.path)?),
        };
        self.position += buffer.len() as u64;
        while !buffer.is_empty() {
            match content.read(buffer)? {
                0 => return Err(named.changed()),
                count => buffer = &mut buffer[count..],
            }
        }
        Ok(())
    }
}
