//! The k best items of each row, in a total order: score descending, then id ascending.
//!
//! A row is read once. Most of its scores are not above the k-th best so far, which one comparison
//! of a whole block tells; the others are kept in a buffer of at most 2k that is halved when full.
//!
//! ```
//! use seqrec_core::{scores::Scores, topk, Sequences};
//!
//! let inputs = Sequences::new(&[3], &[0], &[1])?;
//! let scores = Scores::new(&[0.1, 0.7, 0.9, 0.7], 4, &[0], inputs, true)?;
//! assert_eq!(topk::top_k(&scores, 2, &[])?.0, [2, 4]);
//! # Ok::<(), seqrec_core::Error>(())
//! ```

use crate::buffer::filled;
use crate::parallel::fill_rows_2;
use crate::scores::{Scores, distinct};
use crate::{Error, PAD};

/// Scores that are compared with the threshold at once.
const BLOCK: usize = 64;

/// `(items, scores)`, each `[rows, k]`, best first; [`PAD`] and `-inf` where fewer items remain.
///
/// Nobody gets an item of `excluded`, nor of the input where [`Scores`] filters it. A score of
/// `-inf` marks an item that is no candidate in its row.
///
/// # Errors
/// [`Error::Score`] for NaN or `+inf`, wherever it stands in a row; [`Error::Range`] for an id of
/// `excluded` outside `1..=n_items`; [`Error::Option`] if `k` is 0 or too large for the memory;
/// what [`Scores::seen`] refuses.
pub fn top_k(scores: &Scores, k: usize, excluded: &[i32]) -> Result<(Vec<i32>, Vec<f32>), Error> {
    if k == 0 {
        return Err(Error::Option {
            name: "k",
            value: k.to_string(),
            reason: "it must be at least 1",
        });
    }
    let excluded = distinct("excluded", 0, excluded, scores.n_items())?;
    let mut items = filled((scores.n_rows(), k), PAD as i32, ("k", k))?;
    let mut values = filled((scores.n_rows(), k), f32::NEG_INFINITY, ("k", k))?;
    fill_rows_2((&mut items, k), (&mut values, k), |i, items, values| {
        let seen = scores.seen(i)?;
        let left_out = |item| contains(&seen, item) || contains(&excluded, item);
        let row = scores.row(i);
        let places = best(row, k, left_out).map_err(|j| scores.refuse(i, j))?;
        for ((place, item), value) in places.into_iter().zip(items).zip(values) {
            (*item, *value) = (place.item(), row[place.item() as usize - 1]);
        }
        Ok(())
    })?;
    Ok((items, values))
}

fn contains(sorted: &[i32], item: i32) -> bool {
    sorted.binary_search(&item).is_ok()
}

/// The places of one row, best first: at most `k` of them.
///
/// # Errors
/// The first column whose score is NaN or `+inf`.
pub fn best(row: &[f32], k: usize, left_out: impl Fn(i32) -> bool) -> Result<Vec<Place>, usize> {
    let mut best = Best::new(k.min(row.len()));
    for (block, scores) in row.chunks(BLOCK).enumerate() {
        if !scores.iter().fold(false, |any, &s| any | best.admits(s)) {
            continue;
        }
        for (i, &score) in scores.iter().enumerate() {
            let column = block * BLOCK + i;
            if score.is_nan() || score == f32::INFINITY {
                return Err(column);
            }
            let item = column as i32 + 1;
            if best.admits(score) && !left_out(item) {
                best.push(Place::new(score, item));
            }
        }
    }
    Ok(best.into_sorted())
}

/// The best places seen so far, and the score that another one has to exceed.
struct Best {
    k: usize,
    threshold: f32,
    places: Vec<Place>,
}

impl Best {
    fn new(k: usize) -> Self {
        Self {
            k,
            threshold: f32::NEG_INFINITY,
            places: Vec::with_capacity(2 * k),
        }
    }

    /// Whether a later item with this score can be among the best: an equal one has a larger id
    /// than all that were seen. True for NaN and `+inf`, so that they are found.
    #[inline]
    fn admits(&self, score: f32) -> bool {
        // Not `score > threshold`, which is false for NaN.
        !matches!(
            score.partial_cmp(&self.threshold),
            Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)
        )
    }

    fn push(&mut self, place: Place) {
        self.places.push(place);
        if self.places.len() == 2 * self.k {
            self.places.select_nth_unstable(self.k - 1);
            self.places.truncate(self.k);
            self.threshold = self.places[self.k - 1].score();
        }
    }

    fn into_sorted(mut self) -> Vec<Place> {
        self.places.sort_unstable();
        self.places.truncate(self.k);
        self.places
    }
}

/// Score and item in one integer that is smaller the better the place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u64);

const SIGN: u32 = 1 << 31;

impl Place {
    /// The place of a score that is not NaN; `-0.0` and `0.0` are the same score.
    #[inline]
    #[must_use]
    pub fn new(score: f32, item: i32) -> Self {
        let bits = (score + 0.0).to_bits();
        // Bits of negative floats fall where the float rises; flipped, all of them rise with it.
        let rising = if bits & SIGN == 0 { bits | SIGN } else { !bits };
        Self(u64::from(!rising) << 32 | u64::from(item as u32))
    }

    /// The item.
    #[inline]
    #[must_use]
    pub const fn item(self) -> i32 {
        self.0 as u32 as i32
    }

    /// The score.
    #[inline]
    #[must_use]
    pub const fn score(self) -> f32 {
        let rising = !((self.0 >> 32) as u32);
        f32::from_bits(if rising & SIGN == 0 {
            !rising
        } else {
            rising ^ SIGN
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Sequences;

    fn items(row: &[f32], k: usize) -> Vec<i32> {
        let places = best(row, k, |_| false).unwrap();
        places.into_iter().map(Place::item).collect()
    }

    #[test]
    fn ties_go_to_the_smaller_id() {
        assert_eq!(items(&[0.5; 10], 3), [1, 2, 3]);
        assert_eq!(items(&[-0.0, 0.0, -0.0], 3), [1, 2, 3]);
    }

    #[test]
    fn rising_scores_replace_each_other() {
        let row: Vec<f32> = (0u8..200).map(f32::from).collect();
        assert_eq!(items(&row, 3), [200, 199, 198]);
    }

    #[test]
    fn minus_infinity_is_no_candidate() {
        assert_eq!(items(&[f32::NEG_INFINITY, -1e38], 2), [2]);
    }

    #[test]
    fn nan_is_found_behind_a_full_list() {
        let mut row = [0.0; 300];
        row[..10].fill(1.0);
        row[299] = f32::NAN;
        assert_eq!(best(&row, 2, |_| false), Err(299));
        row[298] = f32::INFINITY;
        assert_eq!(best(&row, 2, |_| false), Err(298));
    }

    #[test]
    fn what_is_missing_is_padded() {
        let inputs = Sequences::new(&[2, 2], &[0], &[2]).unwrap();
        let scores = Scores::new(&[0.1, 0.2, 0.3], 3, &[0], inputs, true).unwrap();
        let (items, values) = top_k(&scores, 4, &[3]).unwrap();
        assert_eq!(items, [1, 0, 0, 0]);
        assert_eq!(values[..2], [0.1, f32::NEG_INFINITY]);
    }

    proptest! {
        #[test]
        fn a_place_keeps_its_score_and_item(score in -1e30f32..1e30, item in 1i32..) {
            let place = Place::new(score, item);
            prop_assert_eq!((place.score(), place.item()), (score, item));
        }

        #[test]
        fn the_list_is_the_head_of_the_sorted_row(
            row in prop::collection::vec(-20i8..20, 0..400),
            k in 1usize..50,
        ) {
            let row: Vec<f32> = row.into_iter().map(f32::from).collect();
            let mut sorted: Vec<i32> = (1..=row.len() as i32).collect();
            // A stable sort: ties stay in the order of ids.
            sorted.sort_by(|&a, &b| row[b as usize - 1].total_cmp(&row[a as usize - 1]));
            sorted.truncate(k);
            prop_assert_eq!(items(&row, k), sorted);
        }
    }
}
