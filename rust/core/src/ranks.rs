//! Where the target of each row stands among the other items that can still be recommended.
//!
//! The rank under the "mean" tie rule is `1 + greater + equal / 2`, under `order` it is
//! `1 + greater + equal_before`, under `worst` `1 + greater + equal`. The kernel returns the three
//! counts, which are exact integers, and leaves the rule to its caller.
//!
//! ```
//! use seqrec_core::{ranks, scores::Scores, Sequences};
//!
//! // One user who has taken item 1; item 4 is the target, item 2 ties with it.
//! let inputs = Sequences::new(&[1], &[0], &[1])?;
//! let scores = Scores::new(&[0.9, 0.5, 0.7, 0.5], 4, &[0], inputs, true)?;
//! let wanted = ranks::Counts { greater: 1, equal: 1, equal_before: 1 };
//! assert_eq!(ranks::rank_counts(&scores, &[4])?, [wanted]);
//! # Ok::<(), seqrec_core::Error>(())
//! ```

use std::ops::Range;

use multiversion::multiversion;

use crate::hidden::Hidden;
use crate::scores::{Scores, column_of};
use crate::{Error, shares};

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
/// [`Error::Range`] for a target outside `1..=n_items`; what [`Scores::without_seen`] refuses.
pub fn rank_counts(scores: &Scores, targets: &[i32]) -> Result<Vec<Counts>, Error> {
    let rows = scores.n_rows();
    if targets.len() != rows {
        return Err(Error::Length {
            name: "targets",
            found: targets.len(),
            wanted: rows,
            why: "one for each row of scores",
        });
    }
    let mut counts = vec![Counts::default(); rows];
    let hidden = || Hidden::new(scores.n_items());
    shares::for_each_with(counts.iter_mut().collect(), hidden, |hidden, i, out| {
        let target = column_of("targets", i, targets[i], scores.n_items())?;
        *out = scores.without_seen(i, hidden, |hidden| {
            count(scores.row(i), target, hidden).map_err(|j| scores.refuse(i, j))
        })?;
        Ok(())
    })?;
    Ok(counts)
}

/// The counts of one row, without what is hidden.
///
/// # Errors
/// The first column whose score is NaN or infinite.
pub fn count(row: &[f32], target: usize, hidden: &Hidden) -> Result<Counts, usize> {
    let score = row[target];
    let of = |columns: Range<usize>| {
        let pieces = hidden.pieces(columns);
        let pieces = pieces.map(|(columns, penalties)| compare(&row[columns], penalties, score));
        pieces.fold(Comparison::default(), Comparison::and)
    };
    let all = of(0..row.len());
    if all.largest >= INFINITE {
        return Err(row.iter().position(|s| !s.is_finite()).unwrap_or(target));
    }
    if hidden.contains(target) {
        return Ok(Counts {
            greater: SEEN_TARGET,
            ..Counts::default()
        });
    }
    // The target is as large as itself. Ties are rare, so where they stand is a second look.
    let equal = all.equal - 1;
    let before = if equal == 0 { 0 } else { of(0..target).equal };
    Ok(Counts {
        greater: all.greater as i32,
        equal: equal as i32,
        equal_before: before as i32,
    })
}

/// The bits of an infinite score without its sign: those of a NaN are larger, all others smaller.
const INFINITE: u32 = f32::INFINITY.to_bits();

/// The bit of the sign.
const SIGN: u32 = 1 << 31;

/// How a run of scores compares with one.
#[derive(Debug, Clone, Copy, Default)]
struct Comparison {
    greater: u32,
    equal: u32,
    /// The largest score by the bits without the sign.
    largest: u32,
}

impl Comparison {
    fn and(self, other: Self) -> Self {
        Self {
            greater: self.greater + other.greater,
            equal: self.equal + other.equal,
            largest: self.largest.max(other.largest),
        }
    }
}

/// Compares a run of scores with one, branch-free: the compiler makes vector code of this loop,
/// for AVX2 where the processor has it.
#[multiversion(targets("x86_64+avx+avx2"))]
#[allow(clippy::float_cmp)] // a tie is exact equality
fn compare(scores: &[f32], penalties: &[f32], score: f32) -> Comparison {
    let mut sum = Comparison::default();
    for (&other, &penalty) in scores.iter().zip(penalties) {
        let here = other + penalty;
        // Wrapping, because a checked sum cannot be vectorised; a row has fewer than 2^31 items.
        sum.greater = sum.greater.wrapping_add(u32::from(here > score));
        sum.equal = sum.equal.wrapping_add(u32::from(here == score));
        sum.largest = sum.largest.max(other.to_bits() & !SIGN);
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Sequences;

    #[test]
    fn ties_are_counted_on_both_sides_of_the_target() {
        let row = [0.5, 0.9, 0.5, 0.1, 0.5];
        let wanted = Counts {
            greater: 1,
            equal: 2,
            equal_before: 1,
        };
        assert_eq!(count(&row, 2, &Hidden::new(5)), Ok(wanted));
    }

    #[test]
    fn a_seen_target_is_a_miss() {
        let mut hidden = Hidden::new(2);
        hidden.hide("items", 0, &[1]).unwrap();
        let counts = count(&[0.5, 0.9], 0, &hidden).unwrap();
        assert_eq!((counts.greater, counts.equal), (SEEN_TARGET, 0));
    }

    #[test]
    fn zero_has_no_sign() {
        let counts = count(&[0.0, -0.0], 1, &Hidden::new(2)).unwrap();
        assert_eq!(counts.equal_before, 1);
    }

    #[test]
    fn the_first_score_that_is_not_finite_is_named() {
        let inputs = Sequences::new(&[], &[0; 8], &[0; 8]).unwrap();
        let values = [0.0, 1.0, 2.0, 0.0, f32::NEG_INFINITY, f32::NAN];
        let scores = Scores::new(&values, 3, &[3, 7], inputs, true).unwrap();
        let refused = rank_counts(&scores, &[1, 1]).unwrap_err().to_string();
        assert_eq!(
            refused,
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
                let counts = count(&row, target, &Hidden::new(row.len())).unwrap();
                counts.greater + counts.equal_before
            };
            let mut places: Vec<i32> = (0..row.len()).map(place).collect();
            places.sort_unstable();
            prop_assert_eq!(places, (0..row.len() as i32).collect::<Vec<_>>());
        }
    }
}
