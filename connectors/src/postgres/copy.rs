//! The rows of a `COPY … TO STDOUT`, taken off the wire before the driver sees them.
//!
//! tokio-postgres passes every row on by itself, with a message through a channel, a wake-up and a reference count. With rows
//! of half a kilobyte that cost as much as receiving them in the kernel. [`CopyInterceptor`] passes rows on in blocks, and the
//! driver, which handles all other messages, sees a COPY without rows.

use super::{
    copy_sum::{CopySummer, CopySums},
    silence::{Silence, SilenceLimit},
};
use archive_formats::decode::{
    MAX_ROW_BYTES,
    copy::{CopyError, CopyRows, signature},
};
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

/// Bytes to read from the socket at once, and the usual size of a block.
const BLOCK: usize = 256 << 10;

/// Blocks that may wait for [`CopyOut`].
const WAITING_BLOCKS: usize = 2;

/// Bytes of the longest message with rows that is passed on: one byte longer than a row may be.
const LONGEST: usize = HEADER + MAX_ROW_BYTES + 1;

/// Bytes before each message's payload: its type, and its length including the length itself.
const HEADER: usize = 5;

const COPY_DATA: u8 = b'd';
const READY: u8 = b'Z';
const COPY_IN: u8 = b'G';

/// A stream of the server's messages that diverts those with rows.
#[derive(Debug)]
pub(super) struct CopyInterceptor<S> {
    stream: S,
    /// Received bytes that were not passed on yet.
    buffer: BytesMut,
    /// Bytes at the start of the buffer that are complete `CopyData` messages.
    rows: usize,
    /// Bytes of the message for the driver that follows them.
    pass: usize,
    blocks: PollSender<Bytes>,
    summer: CopySummer,
    silence: Silence,
    ended: bool,
    /// Whether the last row of the buffer is cut, since it is too long.
    is_cut: bool,
}

/// The rows of a block.
#[derive(Debug)]
struct Rows<'a>(&'a [u8]);

impl<S> CopyInterceptor<S> {
    /// Intercepts `stream`, whose next byte is the first of a message. Reading stops while no block is taken. Once `sums` is
    /// switched on, rows are summed up instead.
    pub(super) fn new(stream: S, limit: SilenceLimit, sums: CopySums) -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(WAITING_BLOCKS);
        let intercepted = Self {
            stream,
            buffer: BytesMut::new(),
            rows: 0,
            pass: 0,
            blocks: PollSender::new(sender),
            summer: CopySummer::new(sums),
            silence: Silence::new(limit),
            ended: false,
            is_cut: false,
        };
        (intercepted, receiver)
    }

    /// Classifies the next messages of the buffer: complete rows, up to one message for the driver, which may be incomplete.
    fn sort(&mut self) {
        while self.pass == 0 {
            let Some(header) = self.buffer.get(self.rows..self.rows + HEADER) else { return };
            let length = header.iter().skip(1).fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
            let length = length.saturating_add(1).max(HEADER);
            let kind = header.first().copied();
            if kind != Some(COPY_DATA) {
                self.pass = length;
                if matches!(kind, Some(READY | COPY_IN)) {
                    self.silence.answered();
                }
            } else if length > LONGEST && self.buffer.len() - self.rows >= LONGEST {
                self.cut();
                return;
            } else if self.buffer.len() - self.rows < length {
                return;
            } else {
                self.rows += length;
            }
        }
    }

    /// Cuts a row that is too long, which its reader refuses, and ends the stream: the rest would fill the memory.
    fn cut(&mut self) {
        let length = u32::try_from(LONGEST - 1).unwrap_or(u32::MAX);
        if let Some(header) = self.buffer.get_mut(self.rows + 1..self.rows + HEADER) {
            header.copy_from_slice(&length.to_be_bytes());
        }
        self.rows += LONGEST;
        self.buffer.truncate(self.rows);
        (self.is_cut, self.ended) = (true, true);
    }

    /// Whether to send the block: it is long enough, another message follows it, or its last row is cut.
    const fn is_full(&self) -> bool {
        self.rows >= BLOCK || (self.rows > 0 && (self.pass > 0 || self.is_cut))
    }
}

impl<S: AsyncRead + Unpin> CopyInterceptor<S> {
    fn send_block(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the rows are not read any more");
        ready!(self.blocks.poll_reserve(context)).map_err(gone)?;
        let block = self.buffer.split_to(std::mem::take(&mut self.rows)).freeze();
        Poll::Ready(self.blocks.send_item(block).map_err(gone))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CopyInterceptor<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.pass == 0 {
                this.summer.take(&mut this.buffer);
            }
            this.sort();
            if this.is_full() {
                ready!(this.send_block(context))?;
                continue;
            }
            let count = this.pass.min(this.buffer.len()).min(out.remaining());
            if this.rows == 0 && count > 0 {
                out.put_slice(&this.buffer[..count]);
                this.buffer.advance(count);
                this.pass -= count;
                return Poll::Ready(Ok(()));
            }
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            this.buffer.reserve(BLOCK);
            let read = poll_read_buf(Pin::new(&mut this.stream), context, &mut this.buffer);
            let Poll::Ready(count) = read else { return this.silence.poll(context).map(Err) };
            this.silence.received();
            this.ended = count? == 0;
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CopyInterceptor<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.silence.sent();
        Poll::Ready(written)
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
    const fn new(block: &'a [u8]) -> Self {
        Self(block)
    }

    /// Bytes of the remaining rows.
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

/// Bytes of rows after which a batch ends: as many as stay in a near cache while they are decoded.
const BATCH_BYTES: usize = 1 << 20;

/// Rows after which a batch ends.
const BATCH_ROWS: usize = 8_192;

/// The result of a `COPY … TO STDOUT (FORMAT binary)`. The connection is unusable after an error, or if it is not read to
/// its end.
pub(super) struct CopyOut<'a> {
    /// The driver's view: the end of the rows, or an error.
    driver: Pin<Box<CopyOutStream>>,
    blocks: &'a mut mpsc::Receiver<Bytes>,
    block: Bytes,
    /// Bytes of the block that were appended.
    taken: usize,
    begun: bool,
    ended: bool,
}

/// Why rows could not be copied out.
#[derive(Debug)]
pub(super) enum CopyOutError {
    /// The server or the connection failed.
    Server(Error),
    /// The rows are malformed.
    Unreadable(CopyError),
}

impl<'a> CopyOut<'a> {
    pub(super) fn new(driver: CopyOutStream, blocks: &'a mut mpsc::Receiver<Bytes>) -> Self {
        Self { driver: Box::pin(driver), blocks, block: Bytes::new(), taken: 0, begun: false, ended: false }
    }

    /// Appends rows to `rows` until they are a batch; returns false after the last row. Batches depend on the rows alone, not
    /// on how they arrived, so that archived files are reproducible.
    pub(super) async fn gather(&mut self, rows: &mut CopyRows) -> Result<bool, CopyOutError> {
        loop {
            self.take(rows)?;
            if are_a_batch(rows) {
                return Ok(true);
            }
            match self.next_block().await? {
                Some(block) => (self.block, self.taken) = (block, 0),
                None if rows.has_ended() => return Ok(false),
                None => return Err(CopyError::CutOff.into()),
            }
        }
    }

    /// Appends rows of the current block.
    fn take(&mut self, rows: &mut CopyRows) -> Result<(), CopyError> {
        let mut left = Rows::new(&self.block[self.taken..]);
        while !are_a_batch(rows)
            && let Some(row) = left.next()
        {
            let end = self.block.len() - left.len();
            let mut start = end - row.len();
            if !std::mem::replace(&mut self.begun, true) {
                start += signature(row)?;
            }
            // The signature may be a message of its own.
            if start < end {
                rows.push_received(&self.block, start..end)?;
            }
        }
        self.taken = self.block.len() - left.len();
        Ok(())
    }

    async fn next_block(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.ended {
            tokio::select! {
                biased;
                Some(block) = self.blocks.recv() => return Ok(Some(block)),
                // All blocks were sent before the driver sees the end.
                end = self.driver.next() => match end {
                    Some(Err(error)) => return Err(error),
                    // The interceptor passes no rows to the driver.
                    Some(Ok(_)) => {}
                    None => self.ended = true,
                },
            }
        }
        Ok(self.blocks.try_recv().ok())
    }
}

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
    use std::time::Duration;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::timeout,
    };

    fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len() + 4).unwrap().to_be_bytes();
        [&[kind], length.as_slice(), payload].concat()
    }

    /// What the driver gets and which rows the blocks hold, if the server sends `sent` in chunks of `size` bytes.
    async fn intercepted(sent: &[u8], size: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let (mut interceptor, mut blocks) = CopyInterceptor::new(near, SilenceLimit::default(), CopySums::default());
        let driver = async move {
            let mut passed = Vec::new();
            interceptor.read_to_end(&mut passed).await.unwrap();
            passed
        };
        let server = async move {
            for chunk in sent.chunks(size) {
                far.write_all(chunk).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let reader = async move {
            let mut rows = Vec::new();
            while let Some(block) = blocks.recv().await {
                rows.extend(Rows::new(&block).map(<[u8]>::to_vec));
            }
            rows
        };
        let (passed, (), rows) = tokio::join!(driver, server, reader);
        (passed, rows)
    }

    #[tokio::test]
    async fn a_row_that_is_too_long_is_cut_and_ends_the_stream() {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let (mut interceptor, mut blocks) = CopyInterceptor::new(near, SilenceLimit::default(), CopySums::default());
        // The rest of the row is never read.
        let server = async move { far.write_all(&message(b'd', &vec![1; 3 * MAX_ROW_BYTES])).await };
        let driver = async move {
            let mut passed = Vec::new();
            interceptor.read_to_end(&mut passed).await.map(|_| passed)
        };
        let reader = async move {
            let block = blocks.recv().await.unwrap();
            (Rows::new(&block).map(<[u8]>::len).collect::<Vec<_>>(), blocks.recv().await)
        };
        let (sent, passed, rows) = tokio::join!(server, driver, reader);
        assert_eq!((passed.unwrap(), rows), (Vec::new(), (vec![MAX_ROW_BYTES + 1], None)));
        assert!(sent.is_err(), "all of it was read");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_owes_an_answer_may_not_be_silent_for_ever() {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        let limit = SilenceLimit::default();
        limit.set(Duration::from_secs(60));
        let (mut interceptor, _blocks) = CopyInterceptor::new(near, limit, CopySums::default());
        let mut passed = [0; 64];
        let silent = |seconds| Duration::from_secs(seconds);
        // A session without a statement may idle.
        assert!(timeout(silent(600), interceptor.read(&mut passed)).await.is_err());
        interceptor.write_all(b"Q").await.unwrap();
        assert!(timeout(silent(50), interceptor.read(&mut passed)).await.is_err());
        let ready = message(b'Z', b"I");
        far.write_all(&ready).await.unwrap();
        interceptor.read_exact(&mut passed[..ready.len()]).await.unwrap();
        assert!(timeout(silent(600), interceptor.read(&mut passed)).await.is_err());
        interceptor.write_all(b"Q").await.unwrap();
        let error = timeout(silent(61), interceptor.read(&mut passed)).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn rows_go_to_blocks_and_other_messages_to_the_driver() {
        let rows = (0..200_u8).map(|number| vec![number; usize::from(number) * 30]).collect::<Vec<_>>();
        let (start, end) = (message(b'H', &[0; 9]), message(b'c', &[]));
        let data = rows.iter().flat_map(|row| message(b'd', row)).collect::<Vec<_>>();
        let sent = [start.clone(), data, end.clone(), message(b'Z', b"I")].concat();
        for size in [1, 7, 4_096, usize::MAX] {
            let (passed, found) = intercepted(&sent, size).await;
            assert_eq!(passed, [start.clone(), end.clone(), message(b'Z', b"I")].concat(), "in chunks of {size}");
            assert_eq!(found, rows, "in chunks of {size}");
        }
    }

    #[tokio::test]
    async fn driver_sees_end_of_stream_inside_rows() {
        let row = message(b'd', b"row");
        let sent = [message(b'H', &[]), row.clone(), row[..6].to_vec()].concat();
        assert_eq!(intercepted(&sent, 64).await, (message(b'H', &[]), Vec::new()));
    }
}
