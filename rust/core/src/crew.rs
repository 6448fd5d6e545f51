//! Who fills a batch: the calling thread, and helpers that stand by for it.
//!
//! A batch takes microseconds, as long as it takes to hand it over to a pool and to wait for it. So
//! the calling thread of a [`Crew`] works too, and is never the last to begin.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rayon::iter::plumbing::{Producer, ProducerCallback};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder, Yield};

use crate::Error;
use crate::queue::Queue;

/// Bytes of output that are worth a visit to the queue of rows.
const LEAST_BYTES: usize = 16 << 10;

/// Bytes of output that a thread may be waited for, where it was woken in the midst of the work.
const MOST_BYTES: usize = 64 << 10;

/// Bytes of output that are worth waking a thread, which takes longer than to write some of them.
const WAKE_BYTES: usize = 1 << 20;

/// How long a thread stands by for the next batch; batches that follow each other sooner have one.
const STAND_BY: Duration = Duration::from_micros(100);

/// Looks at a counter before the calling thread goes to sleep over it: to be woken takes as long as
/// several batches, and two threads that wake each other may end up on one core and stay there.
const LOOKS: usize = 1 << 12;

/// Threads that help a calling one to fill its batches.
#[derive(Debug)]
pub struct Helpers {
    pool: ThreadPool,
    standing_by: Arc<AtomicUsize>,
    began: Instant,
    /// When the last batch was done, in nanoseconds since `began`.
    last: AtomicU64,
}

impl Helpers {
    /// Helpers that make it `threads` threads with the calling one; `None` if that is alone.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub fn new(threads: usize) -> Result<Option<Self>, ThreadPoolBuildError> {
        if threads < 2 {
            return Ok(None);
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads - 1)
            .thread_name(|i| format!("seqrec-helper-{i}"))
            .build()?;
        Ok(Some(Self {
            pool,
            standing_by: Arc::default(),
            began: Instant::now(),
            last: AtomicU64::new(0),
        }))
    }

    /// Calls `mine` on this thread and `theirs` on as many helpers as the work is worth.
    fn help(&self, pieces: usize, bytes: usize, mine: impl FnOnce(), theirs: impl Fn() + Sync) {
        let since_last = self.now().saturating_sub(self.last.load(Ordering::Relaxed));
        match self.worth_calling(pieces, bytes) {
            0 => mine(),
            called => with_help(&self.pool, called, mine, theirs),
        }
        self.last.store(self.now(), Ordering::Relaxed);
        if since_last <= STAND_BY.as_nanos() as u64 {
            self.stand_by();
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// How many of them are worth calling for so many pieces of a batch of so many bytes.
    fn worth_calling(&self, pieces: usize, bytes: usize) -> usize {
        let ready = if bytes >= WAKE_BYTES {
            self.pool.current_num_threads()
        } else {
            self.standing_by.load(Ordering::Relaxed)
        };
        ready.min(pieces.saturating_sub(1))
    }

    /// Lets them stand by: batches that follow each other closely go on doing so.
    fn stand_by(&self) {
        let all = self.pool.current_num_threads();
        for _ in self.standing_by.load(Ordering::Relaxed)..all {
            self.standing_by.fetch_add(1, Ordering::Relaxed);
            let standing_by = Arc::clone(&self.standing_by);
            self.pool.spawn(move || stand_by(&standing_by));
        }
    }
}

/// Runs what comes in until nothing has for a while: a sleeping thread would have to be woken.
fn stand_by(standing_by: &AtomicUsize) {
    let mut last = Instant::now();
    while last.elapsed() < STAND_BY {
        if rayon::yield_now() == Some(Yield::Executed) {
            last = Instant::now();
        }
        std::hint::spin_loop();
    }
    standing_by.fetch_sub(1, Ordering::Relaxed);
}

/// Who fills the rows of a batch: the calling thread, and those that it calls for help.
#[derive(Debug, Clone, Copy)]
pub struct Crew<'a>(Option<&'a Helpers>);

impl<'a> Crew<'a> {
    /// The calling thread.
    pub const ALONE: Crew<'static> = Crew(None);

    /// The calling thread and its helpers.
    #[must_use]
    pub const fn with(helpers: &'a Helpers) -> Self {
        Self(Some(helpers))
    }

    /// Calls `row(i, rows[i])` on each row of an output and adds up what it returns.
    ///
    /// # Errors
    /// The error of the lowest failing row, whatever the number of threads; the content of the
    /// output is then unspecified.
    pub fn fill<T: Send>(
        self,
        rows: impl IndexedParallelIterator<Item = T>,
        row_bytes: usize,
        row: impl Fn(usize, T) -> Result<usize, Error> + Sync,
    ) -> Result<usize, Error> {
        self.fill_with(rows, row_bytes, || (), |(), i, out| row(i, out))
    }

    /// As [`Self::fill`], with something that each thread makes for itself and keeps for the call.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn fill_with<T: Send, S>(
        self,
        rows: impl IndexedParallelIterator<Item = T>,
        row_bytes: usize,
        scratch: impl Fn() -> S + Sync,
        row: impl Fn(&mut S, usize, T) -> Result<usize, Error> + Sync,
    ) -> Result<usize, Error> {
        let find = |_| Ok(());
        self.fill_found(rows, row_bytes, scratch, find, |scratch, i, (), out| {
            row(scratch, i, out)
        })
    }

    /// As [`Self::fill_with`], where `find(i)` says what `rows[i]` is filled from.
    ///
    /// All rows of a piece are found before the first is filled: what `find` reads is in no cache,
    /// and the processor fetches for many rows at a time what it would wait for row by row.
    ///
    /// # Errors
    /// As [`Self::fill`]; a row that is not found is not filled.
    pub fn fill_found<T: Send, S, F>(
        self,
        rows: impl IndexedParallelIterator<Item = T>,
        row_bytes: usize,
        scratch: impl Fn() -> S + Sync,
        find: impl Fn(usize) -> Result<F, Error> + Sync,
        row: impl Fn(&mut S, usize, F, T) -> Result<usize, Error> + Sync,
    ) -> Result<usize, Error> {
        let n_rows = rows.len();
        rows.with_producer(Filling {
            crew: self,
            n_rows,
            row_bytes,
            scratch,
            find,
            row,
        })
    }
}

/// A call of [`Crew::fill_found`] that waits for its rows in a form that can be cut.
struct Filling<'a, N, G, R> {
    crew: Crew<'a>,
    n_rows: usize,
    row_bytes: usize,
    scratch: N,
    find: G,
    row: R,
}

impl<T, S, F, N, G, R> ProducerCallback<T> for Filling<'_, N, G, R>
where
    N: Fn() -> S + Sync,
    G: Fn(usize) -> Result<F, Error> + Sync,
    R: Fn(&mut S, usize, F, T) -> Result<usize, Error> + Sync,
{
    type Output = Result<usize, Error>;

    fn callback<P: Producer<Item = T>>(self, rows: P) -> Self::Output {
        let threads = 1 + self.crew.0.map_or(0, |h| h.pool.current_num_threads());
        let bytes = self.n_rows * self.row_bytes;
        let piece = rows_of_a_piece(self.n_rows, self.row_bytes, threads);
        let pieces = self.n_rows.div_ceil(piece);
        let queue = Queue::new(rows, self.n_rows, piece);
        let forwards = || queue.work(Queue::first, &mut (self.scratch)(), &self.find, &self.row);
        let backwards = || queue.work(Queue::last, &mut (self.scratch)(), &self.find, &self.row);
        match self.crew.0.filter(|_| pieces > 1) {
            Some(helpers) => helpers.help(pieces, bytes, forwards, backwards),
            None => forwards(),
        }
        queue.outcome()
    }
}

/// Pieces of one size. Threads that stand by have two each: where one is held up another takes over
/// half of its rows, otherwise each fills those that it filled the batch before, in its own cache.
/// Threads that have to be woken come late, and find small ones.
fn rows_of_a_piece(n_rows: usize, row_bytes: usize, threads: usize) -> usize {
    let bytes = n_rows * row_bytes;
    let each = if bytes < WAKE_BYTES {
        2
    } else {
        bytes.div_ceil(threads * MOST_BYTES).max(2)
    };
    let least = LEAST_BYTES.div_ceil(row_bytes.max(1));
    n_rows.div_ceil(threads * each).max(least)
}

/// Calls `mine` on this thread and `theirs` on `called` of the pool; returns when all are done.
fn with_help(pool: &ThreadPool, called: usize, mine: impl FnOnce(), theirs: impl Fn() + Sync) {
    let busy = AtomicUsize::new(called);
    pool.in_place_scope(|scope| {
        for _ in 0..called {
            scope.spawn(|_| {
                theirs();
                busy.fetch_sub(1, Ordering::Release);
            });
        }
        mine();
        // The scope waits asleep, and to wake takes longer than what is left to do.
        for _ in 0..LOOKS {
            if busy.load(Ordering::Acquire) == 0 {
                break;
            }
            std::hint::spin_loop();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew(helpers: Option<&Helpers>) -> Crew<'_> {
        helpers.map_or(Crew::ALONE, Crew::with)
    }

    #[test]
    fn the_lowest_failing_row_is_reported_for_any_number_of_threads() {
        for threads in [1, 2, 4] {
            let mut out = vec![0u8; 1000];
            let fail = |i: usize, _: &mut [u8]| {
                if i >= 37 {
                    Err(Error::of_row(i))
                } else {
                    Ok(1)
                }
            };
            let helpers = Helpers::new(threads).unwrap();
            let filled =
                crew(helpers.as_ref()).fill(out.par_chunks_exact_mut(1), LEAST_BYTES, fail);
            assert_eq!(filled, Err(Error::of_row(37)));
        }
    }

    #[test]
    fn a_crew_fills_every_row_once_and_adds_up() {
        for (threads, row_bytes) in [(1, 8), (2, 8), (2, LEAST_BYTES), (4, LEAST_BYTES)] {
            let helpers = Helpers::new(threads).unwrap();
            let mut out = vec![0usize; 1000];
            let count = |i: usize, out: &mut [usize]| {
                out[0] += i;
                Ok(i)
            };
            for _ in 0..20 {
                out.fill(0);
                let sum =
                    crew(helpers.as_ref()).fill(out.par_chunks_exact_mut(1), row_bytes, count);
                assert_eq!(sum, Ok(999 * 1000 / 2));
                assert!(out.iter().enumerate().all(|(i, &value)| value == i));
            }
        }
    }
}
