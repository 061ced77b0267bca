//! Takes the rows of a COPY off the wire before the driver sees them.
//!
//! The driver hands every row over by itself: a message through a channel, a wake-up, a count of references. With rows of
//! half a kilobyte that was as much work as the kernel's for receiving them. Here they go on in blocks, as they came, and
//! the driver, which goes on doing everything else, sees a COPY of no rows.

use archive_formats::decode::copy::{CopyError, CopyRows, signature};
use bytes::{Buf as _, Bytes, BytesMut};
use futures::StreamExt as _;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
};
use tokio_postgres::{CopyOutStream, Error};
use tokio_util::{io::poll_read_buf, sync::PollSender};

/// What is asked of the socket at once, and the size of a block, as a rule.
const BLOCK: usize = 256 << 10;

/// Blocks that wait for their reader.
const WAITING: usize = 2;

/// Type and length, which counts itself, before every message.
const HEADER: usize = 5;

const COPY_DATA: u8 = b'd';

/// A stream of a server's messages without those that hold rows.
#[derive(Debug)]
pub(super) struct CopyInterceptor<S> {
    stream: S,
    /// What came and went nowhere yet.
    buffer: BytesMut,
    /// Bytes at the start of the buffer that are whole messages of rows.
    rows: usize,
    /// Bytes after those that are for the driver.
    pass: usize,
    blocks: PollSender<Bytes>,
    ended: bool,
}

/// The rows in a block, each as the server framed it.
#[derive(Debug)]
struct Rows<'a>(&'a [u8]);

impl<S> CopyInterceptor<S> {
    /// Taps `stream`, whose next byte is the first of a message. Nothing is read while the blocks are not fetched.
    pub(super) fn new(stream: S) -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let blocks = PollSender::new(sender);
        (Self { stream, buffer: BytesMut::new(), rows: 0, pass: 0, blocks, ended: false }, receiver)
    }

    /// Looks at the messages behind those that are known: rows behind rows, or else one message for the driver, which
    /// may have come in part.
    fn sort(&mut self) {
        while self.pass == 0 {
            let Some(header) = self.buffer.get(self.rows..self.rows + HEADER) else { return };
            let length = header.iter().skip(1).fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
            let length = length.saturating_add(1).max(HEADER);
            if header.first() != Some(&COPY_DATA) {
                self.pass = length;
            } else if self.buffer.len() - self.rows < length {
                return;
            } else {
                self.rows += length;
            }
        }
    }

    /// Whether the block is to go: it is long enough, or something else comes behind it.
    const fn is_full(&self) -> bool {
        self.rows >= BLOCK || (self.rows > 0 && self.pass > 0)
    }
}

impl<S: AsyncRead + Unpin> CopyInterceptor<S> {
    fn send_block(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads the rows");
        ready!(self.blocks.poll_reserve(context)).map_err(gone)?;
        let block = self.buffer.split_to(std::mem::take(&mut self.rows)).freeze();
        Poll::Ready(self.blocks.send_item(block).map_err(gone))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CopyInterceptor<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let tap = &mut *self;
        loop {
            tap.sort();
            if tap.is_full() {
                ready!(tap.send_block(context))?;
                continue;
            }
            let count = tap.pass.min(tap.buffer.len()).min(out.remaining());
            if tap.rows == 0 && count > 0 {
                out.put_slice(&tap.buffer[..count]);
                tap.buffer.advance(count);
                tap.pass -= count;
                return Poll::Ready(Ok(()));
            }
            if tap.ended {
                return Poll::Ready(Ok(()));
            }
            tap.buffer.reserve(BLOCK);
            tap.ended = ready!(poll_read_buf(Pin::new(&mut tap.stream), context, &mut tap.buffer))? == 0;
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CopyInterceptor<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<'a> Rows<'a> {
    /// The rows of a block.
    const fn of(block: &'a [u8]) -> Self {
        Self(block)
    }

    /// Bytes of those that are left.
    const fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (header, rest) = self.0.split_first_chunk::<HEADER>()?;
        let [_, length @ ..] = *header;
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?.checked_sub(HEADER - 1)?;
        let (row, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(row)
    }
}

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
pub(super) enum CopyOutError {
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
    pub(super) async fn gather(&mut self, rows: &mut CopyRows) -> Result<bool, CopyOutError> {
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

impl From<Error> for CopyOutError {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl From<CopyError> for CopyOutError {
    fn from(error: CopyError) -> Self {
        Self::Unreadable(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len() + 4).unwrap().to_be_bytes();
        [&[kind], length.as_slice(), payload].concat()
    }

    /// What the driver gets and what the blocks hold, of `sent` in pieces of `piece` bytes.
    async fn tapped(sent: &[u8], piece: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let (mut tap, mut blocks) = CopyInterceptor::new(near);
        let driver = async move {
            let mut passed = Vec::new();
            tap.read_to_end(&mut passed).await.unwrap();
            passed
        };
        let server = async move {
            for piece in sent.chunks(piece) {
                far.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let reader = async move {
            let mut rows = Vec::new();
            while let Some(block) = blocks.recv().await {
                rows.extend(Rows::of(&block).map(<[u8]>::to_vec));
            }
            rows
        };
        let (passed, (), rows) = tokio::join!(driver, server, reader);
        (passed, rows)
    }

    #[tokio::test]
    async fn rows_go_one_way_and_everything_else_the_other() {
        let rows = (0..200_u8).map(|number| vec![number; usize::from(number) * 30]).collect::<Vec<_>>();
        let (start, end) = (message(b'H', &[0; 9]), message(b'c', &[]));
        let data = rows.iter().flat_map(|row| message(b'd', row)).collect::<Vec<_>>();
        let sent = [start.clone(), data, end.clone(), message(b'Z', b"I")].concat();
        for piece in [1, 7, 4_096, usize::MAX] {
            let (passed, found) = tapped(&sent, piece).await;
            assert_eq!(passed, [start.clone(), end.clone(), message(b'Z', b"I")].concat(), "in pieces of {piece}");
            assert_eq!(found, rows, "in pieces of {piece}");
        }
    }

    #[tokio::test]
    async fn a_connection_that_ends_in_the_middle_of_the_rows_is_at_its_end_for_the_driver_too() {
        let row = message(b'd', b"row");
        let sent = [message(b'H', &[]), row.clone(), row[..6].to_vec()].concat();
        assert_eq!(tapped(&sent, 64).await, (message(b'H', &[]), Vec::new()));
    }
}
