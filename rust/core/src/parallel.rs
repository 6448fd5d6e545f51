//! Work in pieces that the calling thread and its helpers take, one after the other.
//!
//! Who helps is set for the whole kernel, by [`with_helpers`](crate::helpers::with_helpers); without
//! helpers the calling thread does all. No result depends on where the cuts fall, nor on who took a
//! piece. rayon's process-wide pool is never started: a child forked from a process that started it
//! hangs forever on its first parallel call.
//!
//! Batches are too short for this: a [`Crew`](crate::crew::Crew) fills them.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Mutex;

use crate::helpers::at_hand;
use crate::queue::locked;
use crate::{Error, buffer};

/// Pieces of equal rows for each thread: who is held up leaves its next ones to the others.
const PIECES: usize = 8;

/// Number of threads that a driver can count on.
pub(crate) fn threads() -> usize {
    at_hand().map_or(1, |helpers| helpers.threads())
}

/// Calls `row(i)` for each `i` in `0..n` and collects the results in order.
///
/// # Errors
/// The error of the lowest failing row, whatever the number of threads; [`Error::Memory`].
pub fn map_rows<T: Send>(
    n: usize,
    row: impl Fn(usize) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let parts = map(ranges(n, rows_of_a_piece(n)), |rows| {
        let mut results = buffer::with_room(rows.len())?;
        for i in rows {
            results.push(row(i)?);
        }
        Ok(results)
    });
    let mut results = buffer::with_room(n)?;
    for part in parts {
        results.extend(part?);
    }
    Ok(results)
}

/// Calls `row(i, out_i)` on each `width`-long piece of `out`.
///
/// # Errors
/// The error of the lowest failing row; the content of `out` is then unspecified.
pub fn fill_rows<T: Send>(
    out: &mut [T],
    width: usize,
    row: impl Fn(usize, &mut [T]) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    if width == 0 {
        return Ok(());
    }
    let piece = rows_of_a_piece(out.len().div_ceil(width));
    let done = map(
        out.chunks_mut(piece * width).enumerate(),
        |(i, out)| -> Result<(), Error> {
            let mut rows = (i * piece..).zip(out.chunks_mut(width));
            rows.try_for_each(|(i, out)| row(i, out))
        },
    );
    done.into_iter().collect()
}

/// `0..n` in ranges of `piece` each, of which the last may be shorter.
pub(crate) fn ranges(n: usize, piece: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    (0..n)
        .step_by(piece)
        .map(move |start| start..n.min(start + piece))
}

fn rows_of_a_piece(n: usize) -> usize {
    let pieces = match threads() {
        1 => 1,
        threads => PIECES * threads,
    };
    n.div_ceil(pieces).max(1)
}

/// Calls `work(piece)` on each piece and collects the results in order.
pub(crate) fn map<P: Send, T: Send>(
    pieces: impl IntoIterator<Item = P>,
    work: impl Fn(P) -> T + Sync,
) -> Vec<T> {
    map_with(pieces, || (), |(), piece| work(piece))
}

/// As [`map`], with something that each thread makes for itself and keeps for the call.
pub(crate) fn map_with<P: Send, S, T: Send>(
    pieces: impl IntoIterator<Item = P>,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, P) -> T + Sync,
) -> Vec<T> {
    let pieces: Vec<P> = pieces.into_iter().collect();
    let others = pieces.len().saturating_sub(1);
    let mut results: Vec<Option<T>> = pieces.iter().map(|_| None).collect();
    let left = Mutex::new(pieces.into_iter().zip(&mut results));
    // Whoever is free takes the next piece.
    let next = || locked(&left).next();
    let work = || {
        let mut scratch = scratch();
        while let Some((piece, result)) = next() {
            *result = Some(work(&mut scratch, piece));
        }
    };
    match at_hand().filter(|_| others > 0) {
        Some(helpers) => helpers.work(others, work, work),
        None => work(),
    }
    results.into_iter().flatten().collect()
}

/// Sorts values; equal ones are the same.
pub(crate) fn sort_by<T: Send>(
    values: &mut [T],
    compare: impl Fn(&T, &T) -> Ordering + Sync,
) -> Result<(), Error> {
    let piece = values.len().div_ceil(threads()).max(1);
    map(values.chunks_mut(piece), |piece| {
        piece.sort_unstable_by(&compare);
    });
    if piece < values.len() {
        buffer::check_room::<T>(values.len())?;
        values.sort_by(compare); // it finds the runs that are sorted, and merges them
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::helpers::{Helpers, with_helpers};

    /// What `kernel` returns alone, with one helper and with three.
    fn by_any_number<T>(kernel: impl Fn() -> T) -> [T; 3] {
        [1, 2, 4].map(|threads| {
            let helpers = Helpers::new(threads).unwrap().map(Arc::new);
            with_helpers(helpers, &kernel)
        })
    }

    fn fail_from_37(i: usize) -> Result<usize, Error> {
        if i < 37 {
            Ok(i * i)
        } else {
            Err(Error::of_row(i))
        }
    }

    #[test]
    fn the_lowest_failing_row_is_reported_for_any_number_of_threads() {
        let lowest = Error::of_row(37);
        for found in
            by_any_number(|| fill_rows(&mut [0u8; 1000], 1, |i, _| fail_from_37(i).map(drop)))
        {
            assert_eq!(found, Err(lowest.clone()));
        }
        for found in by_any_number(|| map_rows(1000, fail_from_37)) {
            assert_eq!(found, Err(lowest.clone()));
        }
        for found in by_any_number(|| {
            let found = map_with(0..1000, || (), |(), i| fail_from_37(i).map(drop));
            found.into_iter().collect::<Result<(), _>>()
        }) {
            assert_eq!(found, Err(lowest.clone()));
        }
    }

    #[test]
    fn results_are_in_the_order_of_the_rows() {
        for n in [0, 1, 5, 37] {
            let squares: Vec<usize> = (0..n).map(|i| i * i).collect();
            for found in by_any_number(|| map_rows(n, fail_from_37)) {
                assert_eq!(found, Ok(squares.clone()));
            }
        }
    }

    #[test]
    fn every_row_is_filled_once_and_the_last_may_be_short() {
        let filled = by_any_number(|| {
            let mut out = [0; 100];
            let done = fill_rows(&mut out, 3, |i, out| {
                for value in out {
                    *value += i;
                }
                Ok(())
            });
            done.map(|()| out)
        });
        for found in filled {
            assert!(
                found
                    .unwrap()
                    .into_iter()
                    .enumerate()
                    .all(|(i, row)| row == i / 3)
            );
        }
    }

    #[test]
    fn values_are_sorted() {
        for n in [0, 1, 2, 1000] {
            let values = by_any_number(|| {
                let mut values: Vec<usize> = (0..n).map(|i| i * 7919 % 1009).collect();
                sort_by(&mut values, Ord::cmp).unwrap();
                values
            });
            assert!(
                values
                    .iter()
                    .all(|values| values.is_sorted() && values.len() == n)
            );
        }
    }

    #[test]
    fn a_helper_that_panics_is_heard() {
        let helpers = Helpers::new(2).unwrap().map(Arc::new);
        let panicking = || {
            with_helpers(helpers, || {
                map(0..100, |i| assert!(i < 99, "the last piece"));
            });
        };
        let payload =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"the last piece"));
    }
}
