//! Work that is done side by side, and collected in order.
//!
//! The threads are shared by the whole process, one for each core. Tasks are pure: they never wait for other tasks.

use std::{
    collections::VecDeque,
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::{LazyLock, mpsc},
    thread,
};

/// Whether the system has threads for the pool, which is started by the first call. Without them, tasks panic, and work is
/// done by the caller where a panic would be taken for something else.
pub(crate) fn has_threads() -> bool {
    static HAS_THREADS: LazyLock<bool> = LazyLock::new(|| panic::catch_unwind(rayon::current_num_threads).is_ok());
    *HAS_THREADS
}

/// Bytes of text that the tasks of one [`InOrder`] hold at a time, unless a single one has more. This bounds the memory;
/// members of gzip have one eighth of it.
pub const IN_FLIGHT_BYTES: usize = 8 << 20;

/// What a task counts at least, so that there are at most 64 of them.
const LEAST_BYTES: usize = IN_FLIGHT_BYTES / 64;

/// Tasks that run side by side, and whose results are returned in the order in which they were started.
pub struct InOrder<T> {
    /// The size and the coming result of each task.
    tasks: VecDeque<(usize, mpsc::Receiver<thread::Result<T>>)>,
    bytes: usize,
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self { tasks: VecDeque::new(), bytes: 0 }
    }
}

impl<T: Send + 'static> InOrder<T> {
    /// Starts `work`, which holds about `bytes` bytes.
    pub fn start(&mut self, bytes: usize, work: impl FnOnce() -> T + Send + 'static) {
        let bytes = bytes.max(LEAST_BYTES);
        let (sender, receiver) = mpsc::sync_channel(1);
        // A receiver that is gone wants no result.
        rayon::spawn(move || drop(sender.send(panic::catch_unwind(AssertUnwindSafe(work)))));
        self.tasks.push_back((bytes, receiver));
        self.bytes += bytes;
    }

    /// Whether a task of `bytes` bytes has to wait for the result of another.
    pub fn is_full(&self, bytes: usize) -> bool {
        !self.tasks.is_empty() && self.bytes + bytes > IN_FLIGHT_BYTES
    }

    /// The bytes of all tasks whose results were not returned, or more.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<T> Iterator for InOrder<T> {
    type Item = T;

    /// Waits for the result of the earliest task; `None` without tasks. Panics if the task did.
    fn next(&mut self) -> Option<T> {
        let (bytes, result) = self.tasks.pop_front()?;
        self.bytes -= bytes;
        match result.recv() {
            Ok(Ok(result)) => Some(result),
            Ok(Err(panicked)) => panic::resume_unwind(panicked),
            // Workers never end, and send a result in any case.
            Err(mpsc::RecvError) => None,
        }
    }
}

impl<T> fmt::Debug for InOrder<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("InOrder").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn results_have_the_order_of_their_tasks() {
        let mut tasks = InOrder::default();
        for number in 0..64_u64 {
            tasks.start(1, move || {
                thread::sleep(Duration::from_millis(number * 7 % 5));
                number
            });
        }
        assert!(tasks.by_ref().eq(0..64));
        assert_eq!(tasks.bytes(), 0);
    }

    #[test]
    fn a_large_task_waits_for_the_others_alone() {
        let mut tasks = InOrder::default();
        assert!(!tasks.is_full(IN_FLIGHT_BYTES + 1));
        tasks.start(IN_FLIGHT_BYTES / 2, || ());
        assert!(!tasks.is_full(IN_FLIGHT_BYTES / 2));
        assert!(tasks.is_full(IN_FLIGHT_BYTES / 2 + 1));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_ends_no_worker() {
        for _ in 0..64 {
            let mut tasks = InOrder::default();
            tasks.start(1, || panic!("as asked"));
            assert!(panic::catch_unwind(AssertUnwindSafe(|| tasks.next())).is_err());
        }
        let mut tasks = InOrder::default();
        tasks.start(1, || 1);
        assert_eq!(tasks.next(), Some(1));
    }
}
