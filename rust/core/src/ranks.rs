//! Where the target of each row stands among the other items that can still be recommended.
//!
//! The rank under the "mean" tie rule is `1 + greater + equal / 2`, under `order` it is
//! `1 + greater + equal_before`, under `worst` `1 + greater + equal`. The kernel returns the three
//! counts, which are exact integers, and leaves the rule to its caller.
//!
//! ```
//! use seqrec_core::{crew::Crew, ranks, scores::Scores, Sequences};
//!
//! // One user who has taken item 1; item 4 is the target, item 2 ties with it.
//! let inputs = Sequences::new(&[1], &[0], &[1])?;
//! let scores = Scores::new(&[0.9, 0.5, 0.7, 0.5], 4, &[0], inputs, true)?;
//! let wanted = ranks::Counts { greater: 1, equal: 1, equal_before: 1 };
//! assert_eq!(ranks::rank_counts(Crew::ALONE, &scores, &[4])?, [wanted]);
//! # Ok::<(), seqrec_core::Error>(())
//! ```

use std::ops::Range;

use multiversion::multiversion;
use rayon::prelude::*;

use crate::crew::Crew;
use crate::hidden::Hidden;
use crate::scores::{Scores, column_of};
use crate::{Error, buffer};

/// The value of `greater` for a target that is itself in the input: a miss.
pub const SEEN_TARGET: i32 = -1;

/// How the other items of a row compare with its target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Items with a higher score.
    pub greater: i32,
    /// Items with the same score.
    pub equal: i32,
    /// Items with the same score and a smaller id.
    pub equal_before: i32,
}

/// The counts of each row; `greater` is [`SEEN_TARGET`], and the other two are 0, where the target
/// left the catalogue with the rest of the input.
///
/// # Errors
/// [`Error::Score`] for a score that is NaN or infinite, wherever it stands in a row;
/// [`Error::Range`] for a target or an item of the input outside `1..=n_items`; what
/// [`Scores::seen`] refuses.
pub fn rank_counts(crew: Crew<'_>, scores: &Scores, targets: &[i32]) -> Result<Vec<Counts>, Error> {
    let rows = scores.n_rows();
    if targets.len() != rows {
        return Err(Error::Length {
            name: "targets",
            found: targets.len(),
            wanted: rows,
            why: "one for each row of scores",
        });
    }
    let mut counts = buffer::copies(rows, Counts::default())?;
    let hidden = || Hidden::new(scores.n_items());
    crew.fill_with(
        counts.par_iter_mut(),
        scores.row_work(),
        hidden,
        |hidden, i, out| {
            let target = column_of("targets", i, targets[i], scores.n_items())?;
            *out = count(scores, i, target, hidden)?;
            Ok(0)
        },
    )?;
    Ok(counts)
}

/// The counts of one row: those of all its items, less those of its input.
fn count(scores: &Scores, i: usize, target: usize, hidden: &mut Hidden) -> Result<Counts, Error> {
    let (first, seen) = scores.seen(i)?;
    let row = scores.row(i);
    let score = row[target];
    let before = compare(&row[..target], score);
    let after = compare(&row[target + 1..], score);
    if !score.is_finite() || before.widest.max(after.widest) >= INFINITE {
        // Or two finite scores are further apart than the largest number is from 0.
        if let Some(column) = row.iter().position(|s| !s.is_finite()) {
            return Err(scores.refuse(i, column));
        }
    }
    hidden.clear();
    let above = hidden.hide_above("items", first, seen, row, score)?;
    if hidden.contains(target) {
        return Ok(Counts {
            greater: SEEN_TARGET,
            ..Counts::default()
        });
    }
    // Ties are rare, so how many there are is a second look.
    let ties = |found: &Comparison, columns| match found.nearest {
        0 => equal(row, score, hidden, columns),
        _ => 0,
    };
    let equal_before = ties(&before, 0..target);
    Ok(Counts {
        greater: (before.greater + after.greater - above) as i32,
        equal: equal_before + ties(&after, target + 1..row.len()),
        equal_before,
    })
}

/// The bits of an infinite gap without its sign: those of a NaN are larger, all others smaller.
const INFINITE: u32 = f32::INFINITY.to_bits();

/// The bit of the sign.
const SIGN: u32 = 1 << 31;

/// Bytes that a cache holds and moves together.
const LINE_BYTES: usize = 64;

/// How scores compare with one, by the gaps from them to it.
#[derive(Debug, Clone, Copy)]
struct Comparison {
    /// Scores above it.
    greater: u32,
    /// The smallest gap by its bits: 0 if a score is equal.
    nearest: u32,
    /// The largest gap by its bits without the sign.
    widest: u32,
}

/// Compares scores with one, branch-free: the compiler makes vector code of the loop, for AVX-512 or
/// AVX2 where the processor has it.
///
/// A vector of AVX-512 is as long as a line of the cache, and one that begins inside a line is put
/// together from two, so the scores before the first whole line are compared by themselves.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx+avx2"))]
fn compare(scores: &[f32], score: f32) -> Comparison {
    let mut found = Comparison {
        greater: 0,
        nearest: u32::MAX,
        widest: 0,
    };
    // The gap to an equal score is 0.0, never -0.0, if this one is not -0.0.
    let score = score + 0.0;
    let to_line = scores.as_ptr().align_offset(LINE_BYTES);
    let (head, lines) = scores.split_at(to_line.min(scores.len()));
    for part in [head, lines] {
        for &other in part {
            let gap = (score - other).to_bits();
            // Wrapping, because a checked sum cannot be vectorised; a row has fewer than 2^31 items.
            found.greater = found.greater.wrapping_add(gap >> 31);
            found.nearest = found.nearest.min(gap);
            found.widest = found.widest.max(gap & !SIGN);
        }
    }
    found
}

/// How many of the columns have this score and are not hidden.
#[allow(clippy::float_cmp)] // a tie is exact equality
fn equal(row: &[f32], score: f32, hidden: &Hidden, columns: Range<usize>) -> i32 {
    let (marks, current) = hidden.marks();
    let tied = row[columns.clone()].iter().zip(&marks[columns]);
    tied.map(|(&other, &mark)| i32::from(other == score && mark != current))
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Sequences;

    /// The counts of one row, of whose items those of `input` are filtered.
    fn count(row: &[f32], target: i32, input: &[i32]) -> Counts {
        let stop = [input.len() as i64];
        let inputs = Sequences::new(input, &[0], &stop).unwrap();
        let scores = Scores::new(row, row.len(), &[0], inputs, true).unwrap();
        rank_counts(Crew::ALONE, &scores, &[target]).unwrap()[0]
    }

    #[test]
    fn ties_are_counted_on_both_sides_of_the_target() {
        let row = [0.5, 0.9, 0.5, 0.1, 0.5];
        let wanted = |equal, equal_before| Counts {
            greater: 1,
            equal,
            equal_before,
        };
        assert_eq!(count(&row, 3, &[]), wanted(2, 1));
        assert_eq!(count(&row, 3, &[1]), wanted(1, 0));
    }

    #[test]
    fn an_item_that_was_taken_twice_leaves_once() {
        let wanted = Counts {
            greater: 1,
            ..Counts::default()
        };
        assert_eq!(count(&[0.9, 0.5, 0.7], 2, &[1, 1]), wanted);
    }

    #[test]
    fn a_seen_target_is_a_miss() {
        let counts = count(&[0.5, 0.9], 1, &[1]);
        assert_eq!((counts.greater, counts.equal), (SEEN_TARGET, 0));
    }

    #[test]
    fn zero_has_no_sign() {
        for row in [[0.0, -0.0], [-0.0, 0.0], [-0.0, -0.0]] {
            assert_eq!(count(&row, 2, &[]).equal_before, 1);
            assert_eq!(
                (count(&row, 1, &[]).greater, count(&row, 1, &[]).equal),
                (0, 1)
            );
        }
    }

    #[test]
    fn finite_scores_may_be_as_far_apart_as_they_can_be() {
        let row = [
            f32::MAX,
            f32::MIN,
            f32::from_bits(1),
            0.0,
            -f32::from_bits(1),
        ];
        let above = |target| count(&row, target, &[]).greater;
        assert_eq!([1, 2, 3, 4, 5].map(above), [0, 4, 1, 2, 3]);
    }

    #[test]
    #[allow(clippy::float_cmp)] // a tie is exact equality
    fn scores_are_compared_wherever_a_row_begins_in_a_line() {
        let scores: Vec<f32> = (0..200u16).map(|i| f32::from(i * 37 % 101)).collect();
        for start in 0..40 {
            let row = &scores[start..];
            for target in [1, 70, row.len() as i32] {
                let score = row[target as usize - 1];
                let wanted = row.iter().filter(|&&other| other > score).count();
                let tied = row.iter().filter(|&&other| other == score).count();
                let counts = count(row, target, &[]);
                assert_eq!(
                    (counts.greater, counts.equal),
                    (wanted as i32, tied as i32 - 1)
                );
            }
        }
    }

    #[test]
    fn the_first_score_that_is_not_finite_is_named() {
        let inputs = Sequences::new(&[], &[0; 8], &[0; 8]).unwrap();
        let values = [0.0, 1.0, 2.0, 0.0, f32::NEG_INFINITY, f32::NAN];
        let scores = Scores::new(&values, 3, &[3, 7], inputs, true).unwrap();
        let refused = rank_counts(Crew::ALONE, &scores, &[1, 1]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "score of item 2 for user 7 (row 1) is -inf: scores must be finite"
        );
    }

    proptest! {
        #[test]
        fn all_items_of_a_row_take_different_places(
            row in prop::collection::vec(-3i8..3, 1..40),
        ) {
            let row: Vec<f32> = row.into_iter().map(f32::from).collect();
            let place = |target| {
                let counts = count(&row, target, &[]);
                counts.greater + counts.equal_before
            };
            let mut places: Vec<i32> = (1..=row.len() as i32).map(place).collect();
            places.sort_unstable();
            prop_assert_eq!(places, (0..row.len() as i32).collect::<Vec<_>>());
        }
    }
}
