//! Threads that help a calling one with its kernels.
//!
//! The calling thread works too: it has its core already, and what it calls goes to another one.
//! Two threads that are woken together for one that goes to sleep may be put on the same core, and
//! stay there for as long as a kernel takes.
//!
//! A child forked from a process has none of its threads. Nothing here is kept for a process: who
//! calls kernels brings helpers, or does the work alone.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder, Yield};

/// How long a thread stands by for the next batch; batches that follow each other sooner have one.
const STAND_BY: Duration = Duration::from_micros(100);

/// Looks at a counter before the calling thread goes to sleep over it: to be woken takes as long as
/// several batches, and two threads that wake each other may end up on one core and stay there.
const LOOKS: usize = 1 << 12;

thread_local! {
    /// Who helps this thread with the kernel that it runs.
    static AT_HAND: RefCell<Option<Arc<Helpers>>> = const { RefCell::new(None) };
}

/// Threads that work for whoever calls them.
#[derive(Debug)]
pub struct Helpers {
    pool: ThreadPool,
    /// How many of them work for somebody, or will at once.
    at_work: AtomicUsize,
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
            .thread_name(|i| format!("seqrec-{i}"))
            .build()?;
        Ok(Some(Self {
            pool,
            at_work: AtomicUsize::new(0),
            standing_by: Arc::default(),
            began: Instant::now(),
            last: AtomicU64::new(0),
        }))
    }

    /// How many threads they are with the calling one.
    #[must_use]
    pub fn threads(&self) -> usize {
        1 + self.pool.current_num_threads()
    }

    /// How many of them stand by.
    pub(crate) fn ready(&self) -> usize {
        self.standing_by.load(Ordering::Relaxed)
    }

    /// Calls `mine` on this thread and `theirs` on `wanted` of them; returns when all are done.
    ///
    /// Those that work for another thread are not called: it may have given them work for seconds.
    pub(crate) fn work(&self, wanted: usize, mine: impl FnOnce(), theirs: impl Fn() + Sync) {
        let called = self.claim(wanted);
        if called == 0 {
            return mine();
        }
        let busy = AtomicUsize::new(called);
        self.pool.in_place_scope(|scope| {
            for _ in 0..called {
                scope.spawn(|_| {
                    let _done = LessOne(&self.at_work);
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

    /// Takes as many as are free, `wanted` at most.
    fn claim(&self, wanted: usize) -> usize {
        let all = self.pool.current_num_threads();
        let mut claimed = 0;
        let claim = |at_work| {
            claimed = wanted.min(all - at_work);
            Some(at_work + claimed)
        };
        let _ = self
            .at_work
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim);
        claimed
    }

    /// Calls `fill`, which fills a batch; lets all stand by if the one before was not long ago.
    pub(crate) fn fill_batch(&self, fill: impl FnOnce()) {
        let since_last = self.now().saturating_sub(self.last.load(Ordering::Relaxed));
        fill();
        self.last.store(self.now(), Ordering::Relaxed);
        if since_last <= STAND_BY.as_nanos() as u64 {
            self.stand_by();
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// Lets them stand by: batches that follow each other closely go on doing so.
    fn stand_by(&self) {
        for _ in self.ready()..self.pool.current_num_threads() {
            self.standing_by.fetch_add(1, Ordering::Relaxed);
            let standing_by = Arc::clone(&self.standing_by);
            self.pool.spawn(move || stand_by(&standing_by));
        }
    }
}

/// Counts one less in the end, also behind work that panics.
struct LessOne<'a>(&'a AtomicUsize);

impl Drop for LessOne<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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

/// Runs a kernel on this thread; the helpers share what of it is parallel.
pub fn with_helpers<T>(helpers: Option<Arc<Helpers>>, kernel: impl FnOnce() -> T) -> T {
    let _before = Restored(AT_HAND.replace(helpers));
    kernel()
}

/// The helpers of the kernel that this thread runs.
pub(crate) fn at_hand() -> Option<Arc<Helpers>> {
    AT_HAND.with_borrow(Clone::clone)
}

/// Puts back who was at hand before, also behind a kernel that panics.
struct Restored(Option<Arc<Helpers>>);

impl Drop for Restored {
    fn drop(&mut self) {
        AT_HAND.set(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn helpers_are_at_hand_for_one_kernel() {
        let helpers = Helpers::new(3).unwrap().map(Arc::new);
        assert!(at_hand().is_none());
        assert_eq!(
            with_helpers(helpers, || at_hand().map(|h| h.threads())),
            Some(3)
        );
        assert!(at_hand().is_none());
        assert!(Helpers::new(1).unwrap().is_none());
    }

    #[test]
    fn helpers_of_another_thread_are_not_waited_for() {
        let helpers = Helpers::new(2).unwrap().unwrap();
        let (begun, ended) = (Barrier::new(3), Barrier::new(3));
        let wait = || {
            begun.wait();
            ended.wait();
        };
        let calls = AtomicUsize::new(0);
        let count = || {
            calls.fetch_add(1, Ordering::Relaxed);
        };
        std::thread::scope(|scope| {
            scope.spawn(|| helpers.work(1, wait, wait));
            begun.wait(); // the other thread and its helper wait now, too
            helpers.work(1, count, count);
            ended.wait();
        });
        assert_eq!(calls.into_inner(), 1);
        assert_eq!(helpers.claim(9), 1); // it is free again
    }

    #[test]
    fn no_more_are_called_than_there_are() {
        let calls = AtomicUsize::new(0);
        let count = || {
            calls.fetch_add(1, Ordering::Relaxed);
        };
        Helpers::new(3).unwrap().unwrap().work(9, count, count);
        assert_eq!(calls.into_inner(), 3);
    }
}
