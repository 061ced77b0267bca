//! The rows of a running COPY.

use super::copy_tap::Rows;
use archive_formats::decode::copy::{CopyError, CopyRows, signature};
use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;
use std::pin::Pin;
use tokio::sync::mpsc;
use tokio_postgres::{CopyOutStream, Error};

/// Bytes of rows after which a batch ends: as many as lie in a near cache while they are decoded.
const BATCH_BYTES: usize = 1 << 20;

/// Rows after which a batch ends.
const BATCH_ROWS: usize = 8_192;

/// What a `COPY … TO STDOUT (FORMAT binary)` yields. After an error, or when it was not read to its end, the connection is
/// of no use.
pub(super) struct CopyOut<'a> {
    /// What the driver sees of it: its end, or why it broke off.
    driver: Pin<Box<CopyOutStream>>,
    blocks: &'a mut mpsc::Receiver<Bytes>,
    /// What was not taken yet of the last one.
    block: Bytes,
    begun: bool,
    ended: bool,
}

/// Why the rows are not there.
#[derive(Debug)]
pub(super) enum CopyFailed {
    /// The server, or the way to it.
    Server(Error),
    /// What came is not what was asked for.
    Unreadable(CopyError),
}

impl<'a> CopyOut<'a> {
    pub(super) fn new(driver: CopyOutStream, blocks: &'a mut mpsc::Receiver<Bytes>) -> Self {
        Self { driver: Box::pin(driver), blocks, block: Bytes::new(), begun: false, ended: false }
    }

    /// Appends rows to `rows` until they are a batch, or there are no more: then it says that there is nothing left. Where
    /// it stops depends on the rows alone, and not on the pieces in which they came: the bytes of archived files do as well.
    pub(super) async fn gather(&mut self, rows: &mut CopyRows) -> Result<bool, CopyFailed> {
        loop {
            self.take(rows)?;
            if are_a_batch(rows) {
                return Ok(true);
            }
            match self.next_block().await? {
                Some(block) => self.block = block,
                None if rows.has_ended() => return Ok(false),
                None => return Err(CopyError::CutOff.into()),
            }
        }
    }

    /// Appends rows of the present block.
    fn take(&mut self, rows: &mut CopyRows) -> Result<(), CopyError> {
        let mut left = Rows::of(&self.block);
        while !are_a_batch(rows)
            && let Some(mut row) = left.next()
        {
            if !std::mem::replace(&mut self.begun, true) {
                row = row.get(signature(row)?..).unwrap_or_default();
            }
            // The signature may have come alone.
            if !row.is_empty() {
                rows.push(row)?;
            }
        }
        let taken = self.block.len() - left.len();
        self.block.advance(taken);
        Ok(())
    }

    async fn next_block(&mut self) -> Result<Option<Bytes>, Error> {
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

/// Whether it is time to decode them.
fn are_a_batch(rows: &CopyRows) -> bool {
    rows.len() >= BATCH_ROWS || rows.bytes() >= BATCH_BYTES
}

impl From<Error> for CopyFailed {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl From<CopyError> for CopyFailed {
    fn from(error: CopyError) -> Self {
        Self::Unreadable(error)
    }
}
