//! Parallel where a pool is installed, serial elsewhere.
//!
//! rayon falls back to a process-wide pool when no pool is installed, and a child forked from a
//! process that started it hangs forever on its first parallel call. So each driver asks
//! [`in_pool`] first, through the functions here, and runs serially outside a pool.
//!
//! Batches are too short for this: a [`Crew`](crate::crew::Crew) fills them.

use rayon::prelude::*;

use crate::Error;

/// Whether the calling thread belongs to a rayon pool.
#[must_use]
pub fn in_pool() -> bool {
    rayon::current_thread_index().is_some()
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

    #[test]
    fn the_lowest_failing_row_is_reported_for_any_number_of_threads() {
        for threads in [1, 2, 4] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let mut out = vec![0u8; 1000];
            let fail = |i: usize, _: &mut [u8]| {
                if i >= 37 {
                    Err(Error::of_row(i))
                } else {
                    Ok(())
                }
            };
            assert_eq!(
                pool.install(|| fill_rows(&mut out, 1, fail)),
                Err(Error::of_row(37))
            );
        }
    }

    #[test]
    fn outside_a_pool_the_rows_run_serially() {
        assert!(!in_pool());
        assert_eq!(map_rows(3, |i| Ok(i * i)), Ok(vec![0, 1, 4]));
    }
}
