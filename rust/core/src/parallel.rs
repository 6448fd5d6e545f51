//! Parallel where a pool is installed, serial elsewhere.
//!
//! rayon falls back to a process-wide pool when no pool is installed, and a child forked from a
//! process that started it hangs forever on its first parallel call. So each driver asks
//! [`in_pool`] first, through the functions here, and runs serially outside a pool.
//!
//! A batch takes microseconds, as long as it takes to hand it over to a pool and to wait for it. So
//! batches are filled by a [`Crew`]: the calling thread works too, and is never the last to begin.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::Error;

/// Whether the calling thread belongs to a rayon pool.
#[must_use]
pub fn in_pool() -> bool {
    rayon::current_thread_index().is_some()
}

/// Bytes of output that are worth a visit to the queue of rows, and a call for help.
const PIECE_BYTES: usize = 16 << 10;

/// Who fills the rows of a batch: the calling thread, and those that it calls for help.
#[derive(Debug, Clone, Copy)]
pub struct Crew<'a>(Option<&'a ThreadPool>);

impl<'a> Crew<'a> {
    /// The calling thread.
    pub const ALONE: Crew<'static> = Crew(None);

    /// As many threads as the pool has, of which the calling thread is one.
    #[must_use]
    pub const fn of(pool: &'a ThreadPool) -> Self {
        Self(Some(pool))
    }

    /// Calls `row(i, rows[i])` on each row of an output and adds up what it returns.
    ///
    /// # Errors
    /// The error of the lowest failing row, whatever the number of threads; the content of the
    /// output is then unspecified.
    pub fn fill<P: Send>(
        self,
        rows: impl ExactSizeIterator<Item = P> + Send,
        row_bytes: usize,
        row: impl Fn(usize, P) -> Result<usize, Error> + Sync,
    ) -> Result<usize, Error> {
        self.fill_with(rows, row_bytes, || (), |(), i, out| row(i, out))
    }

    /// As [`Self::fill`], with something that each thread makes for itself and keeps for the call.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn fill_with<P: Send, S>(
        self,
        rows: impl ExactSizeIterator<Item = P> + Send,
        row_bytes: usize,
        scratch: impl Fn() -> S + Sync,
        row: impl Fn(&mut S, usize, P) -> Result<usize, Error> + Sync,
    ) -> Result<usize, Error> {
        let piece = PIECE_BYTES.div_ceil(row_bytes.max(1));
        let pieces = rows.len().div_ceil(piece);
        let Some((pool, helpers)) = self.helpers(pieces) else {
            let mut scratch = scratch();
            return rows
                .enumerate()
                .map(|(i, out)| row(&mut scratch, i, out))
                .sum();
        };
        let queue = Mutex::new(rows.enumerate());
        let (total, failure) = (AtomicUsize::new(0), Mutex::new(None));
        let work = || {
            let (mut scratch, mut sum) = (scratch(), 0);
            loop {
                let taken: Vec<_> = locked(&queue).by_ref().take(piece).collect();
                if taken.is_empty() {
                    break;
                }
                for (i, out) in taken {
                    match row(&mut scratch, i, out) {
                        Ok(n) => sum += n,
                        // Rows are taken in order: nobody is left with a lower one.
                        Err(error) => return keep_lowest(&failure, i, error),
                    }
                }
            }
            total.fetch_add(sum, Ordering::Relaxed);
        };
        pool.in_place_scope(|scope| {
            for _ in 0..helpers.get() {
                scope.spawn(|_| work());
            }
            work();
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(total.into_inner()),
        }
    }

    /// The pool and how many of its threads have something to do beside the calling one.
    fn helpers(self, pieces: usize) -> Option<(&'a ThreadPool, NonZeroUsize)> {
        let pool = self.0?;
        let helpers = pool.current_num_threads().min(pieces).saturating_sub(1);
        NonZeroUsize::new(helpers).map(|helpers| (pool, helpers))
    }
}

/// Keeps the error of the lowest row.
fn keep_lowest(failure: &Mutex<Option<(usize, Error)>>, row: usize, error: Error) {
    let mut kept = locked(failure);
    if kept.as_ref().is_none_or(|(lowest, _)| row < *lowest) {
        *kept = Some((row, error));
    }
}

/// A panic in a row is passed on by the scope: what the lock guards is not read any more.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `row(i)` for each `i` in `0..n` and collects the results in order.
///
/// # Errors
/// The error of the lowest failing row, whatever the number of threads.
pub fn map_rows<T: Send>(
    n: usize,
    row: impl Fn(usize) -> Result<T, Error> + Sync + Send,
) -> Result<Vec<T>, Error> {
    if in_pool() {
        let results: Vec<_> = (0..n).into_par_iter().map(&row).collect();
        results.into_iter().collect()
    } else {
        (0..n).map(row).collect()
    }
}

/// Calls `row(i, out_i)` on each `width`-long piece of `out`.
///
/// # Errors
/// The error of the lowest failing row; the content of `out` is then unspecified.
pub fn fill_rows<T: Send>(
    out: &mut [T],
    width: usize,
    row: impl Fn(usize, &mut [T]) -> Result<(), Error> + Sync + Send,
) -> Result<(), Error> {
    if width == 0 {
        return Ok(());
    }
    if in_pool() {
        lowest_error(
            out.par_chunks_mut(width)
                .enumerate()
                .map(|(i, o)| row(i, o)),
        )
    } else {
        out.chunks_mut(width)
            .enumerate()
            .try_for_each(|(i, o)| row(i, o))
    }
}

/// The error that comes first in row order, so that a message does not depend on the threads.
pub(crate) fn lowest_error(
    results: impl IndexedParallelIterator<Item = Result<(), Error>>,
) -> Result<(), Error> {
    results.find_first(Result::is_err).unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(i: usize) -> Error {
        Error::Range {
            name: "row",
            index: i,
            value: 0,
            low: 1,
            high: 1,
        }
    }

    #[test]
    fn the_lowest_failing_row_is_reported_for_any_number_of_threads() {
        for threads in [1, 2, 4] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let mut out = vec![0u8; 1000];
            let fail = |i: usize, _: &mut [u8]| if i >= 37 { Err(refuse(i)) } else { Ok(()) };
            assert_eq!(
                pool.install(|| fill_rows(&mut out, 1, fail)),
                Err(refuse(37))
            );
            let fail = |i: usize, _: &mut [u8]| if i >= 37 { Err(refuse(i)) } else { Ok(1) };
            let filled = Crew::of(&pool).fill(out.chunks_exact_mut(1), PIECE_BYTES, fail);
            assert_eq!(filled, Err(refuse(37)));
        }
    }

    #[test]
    fn a_crew_fills_every_row_once_and_adds_up() {
        for (threads, row_bytes) in [(1, 8), (2, 8), (2, PIECE_BYTES), (4, PIECE_BYTES)] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let mut out = vec![0usize; 1000];
            let count = |i: usize, out: &mut [usize]| {
                out[0] += i;
                Ok(i)
            };
            let sum = Crew::of(&pool).fill(out.chunks_exact_mut(1), row_bytes, count);
            assert_eq!(sum, Ok(999 * 1000 / 2));
            assert!(out.iter().enumerate().all(|(i, &value)| value == i));
        }
    }

    #[test]
    fn outside_a_pool_the_rows_run_serially() {
        assert!(!in_pool());
        assert_eq!(map_rows(3, |i| Ok(i * i)), Ok(vec![0, 1, 4]));
    }
}
