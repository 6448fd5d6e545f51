//! Who fills a batch: the calling thread, and helpers that stand by for it.
//!
//! A batch takes microseconds, as long as it takes to hand it over to a pool and to wait for it. So
//! the calling thread of a [`Crew`] works too, and is never the last to begin.

use rayon::iter::plumbing::{Producer, ProducerCallback};
use rayon::prelude::*;

use crate::Error;
use crate::helpers::Helpers;
use crate::queue::Queue;

/// Bytes of output that are worth a visit to the queue of rows.
const LEAST_BYTES: usize = 16 << 10;

/// Bytes of output that a thread may be waited for, where it was woken in the midst of the work.
const MOST_BYTES: usize = 64 << 10;

/// Bytes of output that are worth waking a thread, which takes longer than to write some of them.
const WAKE_BYTES: usize = 1 << 20;

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
        let found = |_| Ok(());
        self.fill_found(rows, row_bytes, || (), found, |(), i, (), out| row(i, out))
    }

    /// As [`Self::fill`], with something that each thread makes for itself and keeps for the call.
    ///
    /// # Errors
    /// As [`Self::fill`]; without its scratch a thread fills no row.
    pub fn fill_with<T: Send, S>(
        self,
        rows: impl IndexedParallelIterator<Item = T>,
        row_bytes: usize,
        scratch: impl Fn() -> Result<S, Error> + Sync,
        row: impl Fn(&mut S, usize, T) -> Result<usize, Error> + Sync,
    ) -> Result<usize, Error> {
        let find = |_| Ok(());
        self.fill_found(rows, row_bytes, scratch, find, |scratch, i, (), out| {
            row(scratch.as_mut().map_err(|error| error.clone())?, i, out)
        })
    }

    /// As [`Self::fill`], with something that each thread makes for itself and keeps for the call,
    /// and where `find(i)` says what `rows[i]` is filled from.
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
        let threads = self.crew.0.map_or(1, Helpers::threads);
        let bytes = self.n_rows * self.row_bytes;
        let piece = rows_of_a_piece(self.n_rows, self.row_bytes, threads);
        let pieces = self.n_rows.div_ceil(piece);
        let queue = Queue::new(rows, self.n_rows, piece);
        let forwards = || queue.work(Queue::first, &mut (self.scratch)(), &self.find, &self.row);
        let backwards = || queue.work(Queue::last, &mut (self.scratch)(), &self.find, &self.row);
        match self.crew.0.filter(|_| pieces > 1) {
            Some(helpers) => helpers.fill_batch(|| {
                helpers.work(worth_calling(helpers, pieces, bytes), forwards, backwards);
            }),
            None => forwards(),
        }
        queue.outcome()
    }
}

/// How many helpers are worth calling for so many pieces of a batch of so many bytes.
fn worth_calling(helpers: &Helpers, pieces: usize, bytes: usize) -> usize {
    let ready = if bytes >= WAKE_BYTES {
        helpers.threads() - 1
    } else {
        helpers.ready()
    };
    ready.min(pieces.saturating_sub(1))
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
