//! Reads, unpacks and hashes an artifact on a thread of its own, some blocks ahead of the splitter.

use super::content::Content;
use crate::{Error, ErrorKind, Result, error::local};
use std::{
    path::Path,
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
};

/// Bytes of a block.
const BLOCK: usize = 256 << 10;

/// Blocks that may wait.
const WAITING: usize = 8;

/// An artifact in blocks of content. The thread ends with the last block, or when this is dropped.
#[derive(Debug)]
pub(super) struct ReadAhead {
    items: Receiver<Result<Item>>,
    /// Buffers to use again.
    used: Sender<Vec<u8>>,
}

/// What was read.
#[derive(Debug)]
pub(super) enum Item {
    Block(Block),
    /// The artifact was read to its end.
    End(Box<Content>),
}

/// A part of the content.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// Delivered bytes read up to here.
    pub(super) delivered: u64,
    /// Bytes of content up to here.
    pub(super) unpacked: u64,
}

impl ReadAhead {
    /// Opens the artifact at `path`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let content = Content::open(path)?;
        let (sender, items) = sync_channel(WAITING);
        let (used, buffers) = channel();
        let thread = thread::Builder::new().name("artifact".to_owned());
        thread.spawn(move || read(content, &sender, &buffers)).map_err(local("start to read the artifact", path))?;
        Ok(Self { items, used })
    }

    /// The next part. Nothing follows the end, or an error. Blocking.
    pub(super) fn next(&self) -> Result<Item> {
        let stopped = |_| Error::new(ErrorKind::Internal, "the reader of an artifact stopped before its end");
        self.items.recv().map_err(stopped)?
    }

    /// Takes a block that is not needed any more.
    pub(super) fn recycle(&self, block: Block) {
        // The thread may have ended.
        drop(self.used.send(block.bytes));
    }
}

fn read(mut content: Content, items: &SyncSender<Result<Item>>, buffers: &Receiver<Vec<u8>>) {
    loop {
        let mut bytes = buffers.try_recv().unwrap_or_default();
        bytes.resize(BLOCK, 0);
        let item = match content.read(&mut bytes) {
            Ok(0) => {
                drop(items.send(Ok(Item::End(Box::new(content)))));
                return;
            }
            Ok(count) => {
                bytes.truncate(count);
                Ok(Item::Block(Block { bytes, delivered: content.delivered(), unpacked: content.unpacked() }))
            }
            Err(error) => Err(error),
        };
        let is_failed = item.is_err();
        if items.send(item).is_err() || is_failed {
            return;
        }
    }
}
