//! Every interleaving of two writers, with every placement of a few faults.
//!
//! The model is the program itself: two commits run on a store whose requests wait for their turn. The test replays the
//! commits with each sequence of turns, and with each fate of a request: it is lost before or after its effect, its effect
//! comes later, its answer is an old one, or its writer crashes. Then a third writer, without faults, commits both months.

use super::*;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream, task::noop_waker_ref};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult,
};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

type StoreResult<T> = object_store::Result<T>;

/// The fate of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    /// No effect, and no answer.
    Lost,
    /// An effect, and no answer.
    AnswerLost,
    /// No answer, and an effect at a later turn.
    Late,
    /// The answer that the store would have given at the start: no object.
    Old,
    /// The writer ends before the request.
    Crash,
}

/// Fates of a request that writes, and of one that reads.
const WRITE: [Fate; 5] = [Fate::Done, Fate::Lost, Fate::AnswerLost, Fate::Late, Fate::Crash];
const READ: [Fate; 4] = [Fate::Done, Fate::Lost, Fate::Old, Fate::Crash];

/// The requests of a writer that wait, and the one whose turn it is.
#[derive(Default)]
struct Turns {
    waiting: VecDeque<(usize, bool)>,
    turn: Option<(usize, Fate)>,
    numbers: usize,
    wakers: Vec<Waker>,
    /// Effects that come later.
    late: Vec<(Path, PutPayload)>,
}

/// The store of one writer. All writers share `inner`.
#[derive(Clone)]
struct SteppedStore {
    inner: Arc<InMemory>,
    turns: Arc<Mutex<Turns>>,
}

impl SteppedStore {
    fn new(inner: Arc<InMemory>) -> Self {
        Self { inner, turns: Arc::default() }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap()
    }

    /// Waits for the turn of a new request.
    async fn fate(&self, writes: bool) -> Fate {
        let number = {
            let mut turns = self.turns();
            turns.numbers += 1;
            let number = turns.numbers;
            turns.waiting.push_back((number, writes));
            number
        };
        std::future::poll_fn(|context| {
            let mut turns = self.turns();
            if let Some((_, fate)) = turns.turn.take_if(|(taken, _)| *taken == number) {
                return Poll::Ready(fate);
            }
            turns.wakers.push(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

fn no_answer<T>() -> StoreResult<T> {
    Err(object_store::Error::Generic { store: "stepped", source: "no answer".into() })
}

impl fmt::Debug for SteppedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SteppedStore")
    }
}

impl fmt::Display for SteppedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SteppedStore")
    }
}

#[async_trait::async_trait]
impl ObjectStore for SteppedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        assert!(matches!(options.mode, PutMode::Create), "a commit overwrites nothing");
        match self.fate(true).await {
            Fate::Done => self.inner.put_opts(location, payload, options).await,
            Fate::AnswerLost => self.inner.put_opts(location, payload, options).await.and_then(|_| no_answer()),
            Fate::Late => {
                self.turns().late.push((location.clone(), payload));
                no_answer()
            }
            Fate::Lost | Fate::Old | Fate::Crash => no_answer(),
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        match self.fate(false).await {
            Fate::Done => self.inner.get_opts(location, options).await,
            Fate::Old => Err(object_store::Error::NotFound { path: location.to_string(), source: "old".into() }),
            _ => no_answer(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            match store.fate(false).await {
                Fate::Done => store.inner.list(prefix.as_ref()),
                Fate::Old => futures::stream::empty().boxed(),
                _ => futures::stream::once(std::future::ready(no_answer())).boxed(),
            }
        };
        futures::stream::once(listed).flatten().boxed()
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> StoreResult<Box<dyn MultipartUpload>> {
        unreachable!("manifests are small")
    }

    fn delete_stream(&self, _: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        unreachable!("a commit removes nothing")
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> StoreResult<ListResult> {
        unreachable!("a commit lists its manifests")
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> StoreResult<()> {
        unreachable!("a commit copies nothing")
    }
}

/// A sequence of choices, each the index of an option. After the given ones the first options are chosen.
#[derive(Default)]
struct Choices {
    taken: Vec<(usize, usize)>,
    next: usize,
}

impl Choices {
    fn choose(&mut self, options: usize) -> usize {
        if self.next == self.taken.len() {
            self.taken.push((0, options));
        }
        let (chosen, known) = self.taken[self.next];
        assert_eq!(known, options, "a replay differs");
        self.next += 1;
        chosen
    }

    /// Moves to the next sequence. Returns false after the last one.
    fn advance(&mut self) -> bool {
        self.next = 0;
        while let Some((chosen, options)) = self.taken.pop() {
            if chosen + 1 < options {
                self.taken.push((chosen + 1, options));
                return true;
            }
        }
        false
    }
}

/// A draft without files, so that all requests are those of the protocol. The number tells writers apart.
fn without_events(month: &str, number: i64) -> MonthDraft {
    MonthDraft { committed_at: Timestamp::from_micros(number), events: EventCounts::default(), ..draft(month) }
}

/// A writer that commits a month.
struct Writer {
    store: SteppedStore,
    commit: Option<BoxFuture<'static, Result<Commit>>>,
    outcome: Option<Result<Commit>>,
}

impl Writer {
    fn new(inner: &Arc<InMemory>, month: &'static str, number: i64) -> Self {
        let store = SteppedStore::new(Arc::clone(inner));
        let sink = Sink::from_store(Arc::new(store.clone()), Confirm::ReadBack, "memory");
        let draft = without_events(month, number);
        let commit = async move { sink.commit(&mut empty(), &draft, &[]).await }.boxed();
        Self { store, commit: Some(commit), outcome: None }
    }

    /// Runs until the next request waits, or the commit ends.
    async fn proceed(&mut self) {
        while let Some(commit) = &mut self.commit {
            let mut context = Context::from_waker(noop_waker_ref());
            if let Poll::Ready(outcome) = commit.poll_unpin(&mut context) {
                (self.outcome, self.commit) = (Some(outcome), None);
            } else if self.store.turns().waiting.is_empty() {
                // It waits before a retry.
                tokio::time::advance(Duration::from_secs(60)).await;
            } else {
                return;
            }
        }
    }

    async fn step(&mut self, fate: Fate) {
        let (number, _) = self.store.turns().waiting.pop_front().unwrap();
        if fate == Fate::Crash {
            self.commit = None;
            self.store.turns().waiting.clear();
            return;
        }
        let wakers = {
            let mut turns = self.store.turns();
            turns.turn = Some((number, fate));
            std::mem::take(&mut turns.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
        self.proceed().await;
    }
}

/// Runs two writers with these choices and at most `faults` faults. Returns the outcomes.
async fn run(
    months: [&'static str; 2],
    mut faults: usize,
    choices: &mut Choices,
) -> (Arc<InMemory>, Vec<Option<Result<Commit>>>) {
    let inner = Arc::new(InMemory::new());
    let mut writers = [Writer::new(&inner, months[0], 0), Writer::new(&inner, months[1], 1)];
    for writer in &mut writers {
        writer.proceed().await;
    }
    loop {
        // Each running writer may go on, and each late effect may happen.
        let running = (0..writers.len()).filter(|number| writers[*number].commit.is_some());
        let late = writers.iter().enumerate().filter(|(_, writer)| !writer.store.turns().late.is_empty());
        let late = late.map(|(number, _)| writers.len() + number);
        let options = running.chain(late).collect::<Vec<_>>();
        if options.is_empty() {
            break;
        }
        let option = options[choices.choose(options.len())];
        if let Some(number) = option.checked_sub(writers.len()) {
            let (path, payload) = writers[number].store.turns().late.remove(0);
            drop(inner.put_opts(&path, payload, PutMode::Create.into()).await);
            continue;
        }
        let is_write = writers[option].store.turns().waiting[0].1;
        let fates = if is_write { &WRITE[..] } else { &READ[..] };
        let fate = if faults == 0 { Fate::Done } else { fates[choices.choose(fates.len())] };
        faults -= usize::from(fate != Fate::Done);
        writers[option].step(fate).await;
    }
    (inner, writers.into_iter().map(|writer| writer.outcome).collect())
}

/// Checks what a run left, and that a writer without faults completes it.
async fn check(
    months: [&'static str; 2],
    has_faults: bool,
    inner: Arc<InMemory>,
    outcomes: Vec<Option<Result<Commit>>>,
    history: &str,
) {
    let sink = Sink::from_store(inner, Confirm::ReadBack, "memory");
    let chain = sink.chain::<Manifest>(ARCHIVE).await.unwrap_or_else(|error| panic!("{history}: {error}"));
    for outcome in &outcomes {
        match outcome {
            Some(Ok(commit)) => {
                let is_there = chain.entries().iter().any(|entry| entry.sha256 == commit.entry().sha256);
                assert!(is_there, "{history}: a commit is lost");
            }
            Some(Err(error)) => assert!(has_faults, "{history}: {error}"),
            None => assert!(has_faults, "{history}: no outcome"),
        }
    }
    let mut again = empty();
    for month in months {
        sink.commit(&mut again, &without_events(month, 2), &[])
            .await
            .unwrap_or_else(|error| panic!("{history}: {error}"));
    }
    let mut distinct = months.to_vec();
    distinct.dedup();
    let chain = sink.chain::<Manifest>(ARCHIVE).await.unwrap();
    assert_eq!(chain.entries().len(), distinct.len(), "{history}: each month once");
}

/// Tries every sequence. Returns their number.
async fn explore(months: [&'static str; 2], faults: usize) -> usize {
    let mut choices = Choices::default();
    let mut count = 0;
    loop {
        let (inner, outcomes) = run(months, faults, &mut choices).await;
        let history = format!("{months:?} {:?}", choices.taken);
        check(months, faults > 0, inner, outcomes, &history).await;
        count += 1;
        if !choices.advance() {
            return count;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn writers_of_two_months_commit_both_in_every_interleaving() {
    assert!(explore(["2025-02", "2025-03"], 0).await > 20);
    assert!(explore(["2025-02", "2025-03"], 1).await > 500);
}

#[tokio::test(start_paused = true)]
async fn writers_of_one_month_commit_it_once_in_every_interleaving() {
    assert!(explore(["2025-03", "2025-03"], 0).await > 20);
    assert!(explore(["2025-03", "2025-03"], 1).await > 500);
}

#[tokio::test(start_paused = true)]
#[ignore = "minutes; `tests/run --long` runs it"]
async fn two_faults_lose_no_commit_in_any_interleaving() {
    assert!(explore(["2025-02", "2025-03"], 2).await > 100_000);
    assert!(explore(["2025-03", "2025-03"], 2).await > 100_000);
}
