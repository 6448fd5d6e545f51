//! Shares: groups of rows cut into ranges of about equal work, and outputs cut to match.
//!
//! Threads that own disjoint pieces of an output need no lock. A share never cuts a group (the
//! events of a user, the places of an item), and no result depends on where the cuts fall.

use std::ops::Range;

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
