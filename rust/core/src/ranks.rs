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

use multiversion::multiversion;

use rayon::prelude::*;

use crate::Error;
use crate::crew::Crew;
use crate::hidden::Hidden;
use crate::scores::{Scores, column_of};

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
    let mut counts = vec![Counts::default(); rows];
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
    let all = compare(row, score);
    if all.largest >= INFINITE {
        let column = row.iter().position(|s| !s.is_finite());
        return Err(scores.refuse(i, column.unwrap_or(target)));
    }
    hidden.clear();
    let mut greater = all.greater;
    hidden.hide_each("items", first, seen, |column| {
        greater = greater.wrapping_sub(u32::from(row[column] > score));
    })?;
    if hidden.contains(target) {
        return Ok(Counts {
            greater: SEEN_TARGET,
            ..Counts::default()
        });
    }
    // The target is as large as itself. Ties are rare, so where they stand is a second look.
    let tied = |columns: &[f32]| equal(columns, score, hidden);
    let (equal, equal_before) = match all.equal {
        1 => (0, 0),
        _ => (tied(row) - 1, tied(&row[..target])),
    };
    Ok(Counts {
        greater: greater as i32,
        equal,
        equal_before,
    })
}

/// The bits of an infinite score without its sign: those of a NaN are larger, all others smaller.
const INFINITE: u32 = f32::INFINITY.to_bits();

/// The bit of the sign.
const SIGN: u32 = 1 << 31;

/// How the scores of a row compare with one.
#[derive(Debug, Clone, Copy, Default)]
struct Comparison {
    greater: u32,
    equal: u32,
    /// The largest score by the bits without the sign.
    largest: u32,
}

/// Compares the scores of a row with one, branch-free: the compiler makes vector code of this
/// loop, for AVX2 where the processor has it.
#[multiversion(targets("x86_64+avx+avx2"))]
#[allow(clippy::float_cmp)] // a tie is exact equality
fn compare(row: &[f32], score: f32) -> Comparison {
    let mut sum = Comparison::default();
    for &other in row {
        // Wrapping, because a checked sum cannot be vectorised; a row has fewer than 2^31 items.
        sum.greater = sum.greater.wrapping_add(u32::from(other > score));
        sum.equal = sum.equal.wrapping_add(u32::from(other == score));
        sum.largest = sum.largest.max(other.to_bits() & !SIGN);
    }
    sum
}

/// How many of the first columns have this score and are not hidden.
#[allow(clippy::float_cmp)] // a tie is exact equality
fn equal(columns: &[f32], score: f32, hidden: &Hidden) -> i32 {
    let (marks, current) = hidden.marks();
    let tied = columns.iter().zip(marks);
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
        assert_eq!(count(&[0.0, -0.0], 2, &[]).equal_before, 1);
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
