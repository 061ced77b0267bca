//! Digests of the results of `COPY … TO STDOUT`, computed where their bytes arrive from the wire.
//!
//! Rows are hashed in place and never held: a row of any length needs no memory beyond the buffer of the session. The driver
//! sees none of the messages of COPY, so that one simple query may have any number of them.

use archive_formats::{DigestSum, digest::Hasher};
use bytes::{Buf as _, BytesMut};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::mpsc;

/// Bytes before each message's payload: its type, and its length including the length itself.
const HEADER: usize = 5;

const COPY_OUT: u8 = b'H';
const COPY_DATA: u8 = b'd';
const COPY_DONE: u8 = b'c';

/// What was read so far.
#[derive(Debug, Default)]
pub struct ReadAmounts {
    /// Tables that were read to their end.
    pub tables: AtomicU64,
    /// Tables to read.
    pub all_tables: AtomicU64,
    /// Rows.
    pub rows: AtomicU64,
    /// Bytes of rows, in the text format of COPY, and of large objects.
    pub bytes: AtomicU64,
}

/// Whether a session sums the rows of its COPYs up. Off until it is switched on.
#[derive(Clone, Debug, Default)]
pub(super) struct CopySums(Arc<OnceLock<Receiver>>);

/// Takes the sums of one session.
#[derive(Debug)]
struct Receiver {
    sums: mpsc::UnboundedSender<DigestSum>,
    amounts: Arc<ReadAmounts>,
}

impl CopySums {
    /// Sums up every later COPY. Returns the sum of each at its end, once: later calls get a channel without a sender.
    pub(super) fn switch_on(&self, amounts: Arc<ReadAmounts>) -> mpsc::UnboundedReceiver<DigestSum> {
        let (sums, receiver) = mpsc::unbounded_channel();
        self.0.get_or_init(|| Receiver { sums, amounts });
        receiver
    }
}

/// The state of a session between two blocks of bytes.
#[derive(Debug)]
pub(super) struct CopySummer {
    sums: CopySums,
    /// The type of the message in progress, and the bytes of it that are still to come.
    message: Option<(u8, usize)>,
    row: Hasher,
    sum: DigestSum,
}

impl CopySummer {
    pub(super) fn new(sums: CopySums) -> Self {
        Self { sums, message: None, row: Hasher::default(), sum: DigestSum::default() }
    }

    /// Takes the messages of COPY off the front of `buffer`, up to the next other one. The session must have been between two
    /// messages when it was switched on.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) {
        let Some(receiver) = self.sums.0.get() else { return };
        let (mut rest, mut rows, mut bytes) = (&buffer[..], 0, 0);
        loop {
            if self.message.is_none() {
                self.message = start(&mut rest);
            }
            let Some((kind, left)) = &mut self.message else { break };
            let (payload, behind) = rest.split_at((*left).min(rest.len()));
            (rest, *left) = (behind, *left - payload.len());
            if *kind == COPY_DATA {
                self.row.update(payload);
                bytes += payload.len() as u64;
            }
            if *left > 0 {
                break;
            }
            match *kind {
                COPY_DATA => {
                    self.sum.add(std::mem::take(&mut self.row).finish());
                    rows += 1;
                }
                // The rest of a COPY that failed goes as well.
                COPY_OUT => (self.row, self.sum) = Default::default(),
                _ => {
                    receiver.amounts.tables.fetch_add(1, Ordering::Relaxed);
                    // Fails once the session is not used any more.
                    receiver.sums.send(std::mem::take(&mut self.sum)).ok();
                }
            }
            self.message = None;
        }
        let taken = buffer.len() - rest.len();
        buffer.advance(taken);
        receiver.amounts.rows.fetch_add(rows, Ordering::Relaxed);
        receiver.amounts.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Takes the header of a message of COPY off `bytes`: its type, and the length of its payload.
fn start(bytes: &mut &[u8]) -> Option<(u8, usize)> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let [kind @ (COPY_OUT | COPY_DATA | COPY_DONE), length @ ..] = *header else { return None };
    *bytes = rest;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    Some((kind, length.saturating_sub(HEADER - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::Sha256;

    fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len() + 4).unwrap().to_be_bytes();
        [&[kind], length.as_slice(), payload].concat()
    }

    fn sum(rows: &[&[u8]]) -> DigestSum {
        let mut sum = DigestSum::default();
        for row in rows {
            sum.add(Sha256::digest(row));
        }
        sum
    }

    /// The sums of the COPYs in `sent`, which arrives in chunks of `size` bytes, and the bytes for the driver.
    fn taken(sent: &[u8], size: usize) -> (Vec<DigestSum>, Vec<u8>) {
        let sums = CopySums::default();
        let mut receiver = sums.switch_on(Arc::default());
        let (mut summer, mut buffer, mut passed) = (CopySummer::new(sums), BytesMut::new(), Vec::new());
        for chunk in sent.chunks(size) {
            buffer.extend_from_slice(chunk);
            summer.take(&mut buffer);
            // The driver takes whole messages.
            while let Some(length) = buffer.get(1..5).map(|length| u32::from_be_bytes(length.try_into().unwrap())) {
                if buffer.len() <= length as usize {
                    break;
                }
                passed.extend(buffer.split_to(length as usize + 1));
                summer.take(&mut buffer);
            }
        }
        (std::iter::from_fn(|| receiver.try_recv().ok()).collect(), passed)
    }

    #[test]
    fn each_copy_has_the_sum_of_its_rows() {
        let (start, end, done) = (message(b'H', &[0; 9]), message(b'c', &[]), message(b'C', b"COPY 2\0"));
        let (first, second) = (message(b'd', b"first\n"), message(b'd', &[7; 10_000]));
        let (empty, ready) = (message(b'd', b""), message(b'Z', b"T"));
        let sent = [&start, &first, &second, &end, &done, &start, &end, &done, &start, &empty, &end, &done, &ready];
        let sent = sent.map(Vec::as_slice).concat();
        let wanted = vec![sum(&[b"first\n", &[7; 10_000]]), sum(&[]), sum(&[b""])];
        for size in [1, 3, 4_096, usize::MAX] {
            let (sums, passed) = taken(&sent, size);
            assert_eq!(sums, wanted, "in chunks of {size}");
            assert_eq!(passed, [done.clone(), done.clone(), done.clone(), ready.clone()].concat());
        }
    }

    #[test]
    fn rows_of_a_copy_that_failed_count_for_no_other() {
        let (start, end) = (message(b'H', &[0; 9]), message(b'c', &[]));
        let (row, failed) = (message(b'd', b"row"), message(b'E', b"failed\0"));
        let sent = [&start, &row, &failed, &start, &end].map(Vec::as_slice).concat();
        assert_eq!(taken(&sent, usize::MAX), (vec![sum(&[])], failed));
    }

    #[test]
    fn everything_passes_while_nothing_is_summed_up() {
        let mut buffer = BytesMut::from(message(b'd', b"row").as_slice());
        CopySummer::new(CopySums::default()).take(&mut buffer);
        assert_eq!(buffer, message(b'd', b"row"));
    }
}
