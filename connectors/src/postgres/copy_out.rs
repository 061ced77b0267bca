//! The rows of a running COPY, in blocks.

use bytes::Bytes;
use futures::StreamExt as _;
use std::pin::Pin;
use tokio::sync::mpsc;
use tokio_postgres::{CopyOutStream, Error};

/// What a `COPY … TO STDOUT` yields. After an error, or when it was not read to its end, the connection is of no use.
pub(super) struct CopyOut<'a> {
    /// What the driver sees of it: its end, or why it broke off.
    driver: Pin<Box<CopyOutStream>>,
    blocks: &'a mut mpsc::Receiver<Bytes>,
    ended: bool,
}

impl<'a> CopyOut<'a> {
    pub(super) fn new(driver: CopyOutStream, blocks: &'a mut mpsc::Receiver<Bytes>) -> Self {
        Self { driver: Box::pin(driver), blocks, ended: false }
    }

    /// The next block of rows, `None` after the last. See [`super::copy_tap::Rows`].
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.ended {
            tokio::select! {
                biased;
                Some(block) = self.blocks.recv() => return Ok(Some(block)),
                // All blocks went on before the driver heard of the end.
                end = self.driver.next() => match end {
                    Some(Err(error)) => return Err(error),
                    // The tap lets no row through.
                    Some(Ok(_)) => {}
                    None => self.ended = true,
                },
            }
        }
        Ok(self.blocks.try_recv().ok())
    }
}
