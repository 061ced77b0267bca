//! The rows of a running COPY.

use super::copy_tap::Rows;
use archive_formats::decode::copy::{CopyError, CopyRows, signature};
use bytes::Bytes;
use futures::StreamExt as _;
use std::pin::Pin;
use tokio::sync::mpsc;
use tokio_postgres::{CopyOutStream, Error};

/// What a `COPY … TO STDOUT (FORMAT binary)` yields. After an error, or when it was not read to its end, the connection is
/// of no use.
pub(super) struct CopyOut<'a> {
    /// What the driver sees of it: its end, or why it broke off.
    driver: Pin<Box<CopyOutStream>>,
    blocks: &'a mut mpsc::Receiver<Bytes>,
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
        Self { driver: Box::pin(driver), blocks, begun: false, ended: false }
    }

    /// Appends the next rows to `rows`, some hundred kilobytes as a rule, and says whether there were any left.
    pub(super) async fn gather(&mut self, rows: &mut CopyRows) -> Result<bool, CopyFailed> {
        let Some(block) = self.next_block().await? else {
            return if rows.has_ended() { Ok(false) } else { Err(CopyError::CutOff.into()) };
        };
        for mut row in Rows::of(&block) {
            if !std::mem::replace(&mut self.begun, true) {
                row = row.get(signature(row)?..).unwrap_or_default();
            }
            // The signature may have come alone.
            if !row.is_empty() {
                rows.push(row)?;
            }
        }
        Ok(true)
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
