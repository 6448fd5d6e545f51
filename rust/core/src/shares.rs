//! Shares: groups of rows cut into ranges of about equal work, and outputs cut to match.
//!
//! Threads that own disjoint pieces of an output need no lock. A share never cuts a group (the
//! events of a user, the places of an item), and no result depends on where the cuts fall.

use std::cmp::Ordering;
use std::ops::Range;

use rayon::prelude::*;

use crate::Error;
use crate::parallel::{in_pool, lowest_error};

/// Number of threads that a driver can count on.
pub(crate) fn threads() -> usize {
    if in_pool() {
        rayon::current_num_threads()
    } else {
        1
    }
}

/// Cuts groups into at most `parts` ranges with about the same number of rows.
///
/// Group `g` holds the rows `offsets[g]..offsets[g + 1]`. Every group is in exactly one range.
pub(crate) fn cut(offsets: &[usize], parts: usize) -> Vec<Range<usize>> {
    let n_groups = offsets.len().saturating_sub(1);
    let rows = offsets.last().copied().unwrap_or(0);
    let mut ranges = Vec::with_capacity(parts);
    let mut start = 0;
    for part in 1..=parts {
        let target = (rows as u128 * part as u128 / parts as u128) as usize;
        let stop = if part == parts {
            n_groups
        } else {
            offsets.partition_point(|&o| o < target).min(n_groups)
        };
        if stop > start {
            ranges.push(start..stop);
            start = stop;
        }
    }
    ranges
}

/// Cuts `out` into consecutive pieces of the given lengths; what is left over belongs to nobody.
pub(crate) fn split<T>(
    mut out: &mut [T],
    lengths: impl IntoIterator<Item = usize>,
) -> Vec<&mut [T]> {
    let mut pieces = Vec::new();
    for length in lengths {
        let (piece, rest) = out.split_at_mut(length);
        pieces.push(piece);
        out = rest;
    }
    pieces
}

/// Calls `work(piece)` on each piece and collects the results in order.
pub(crate) fn map<P: Send, T: Send>(
    pieces: impl IntoIterator<Item = P>,
    work: impl Fn(P) -> T + Sync + Send,
) -> Vec<T> {
    let pieces: Vec<P> = pieces.into_iter().collect();
    if in_pool() {
        pieces.into_par_iter().with_max_len(1).map(work).collect()
    } else {
        pieces.into_iter().map(work).collect()
    }
}

/// Sorts values of which no two are equal.
pub(crate) fn sort_by<T: Send>(values: &mut [T], compare: impl Fn(&T, &T) -> Ordering + Sync) {
    if in_pool() {
        values.par_sort_unstable_by(compare);
    } else {
        values.sort_unstable_by(compare);
    }
}

/// Calls `work(scratch, i, pieces[i])` on each piece; a thread makes its scratch now and then.
///
/// # Errors
/// The error of the lowest failing piece, whatever the number of threads.
pub(crate) fn for_each_with<P: Send, S>(
    pieces: Vec<P>,
    scratch: impl Fn() -> S + Sync + Send,
    work: impl Fn(&mut S, usize, P) -> Result<(), Error> + Sync + Send,
) -> Result<(), Error> {
    if in_pool() {
        let pieces = pieces.into_par_iter().enumerate();
        lowest_error(pieces.map_init(scratch, |scratch, (i, piece)| work(scratch, i, piece)))
    } else {
        let mut scratch = scratch();
        let mut pieces = pieces.into_iter().enumerate();
        pieces.try_for_each(|(i, piece)| work(&mut scratch, i, piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_is_in_one_share() {
        let offsets = [0, 5, 5, 6, 20, 21];
        for parts in 1..9 {
            let groups: Vec<usize> = cut(&offsets, parts).into_iter().flatten().collect();
            assert_eq!(groups, [0, 1, 2, 3, 4]);
        }
        assert_eq!(cut(&[0], 4), []);
        assert_eq!(cut(&[], 4), []);
    }

    #[test]
    fn shares_have_about_the_same_number_of_rows() {
        assert_eq!(cut(&[0, 2, 4, 6, 8], 2), [0..2, 2..4]);
    }

    #[test]
    fn pieces_follow_one_another() {
        let mut out = [1, 2, 3, 4];
        assert_eq!(split(&mut out, [1, 0, 2]), [&[1][..], &[], &[2, 3]]);
    }
}
