//! The k best items of each row, in a total order: score descending, then id ascending.
//!
//! A row goes through in pieces that stay in the cache. The k-th largest of the largest scores of
//! the piece's lanes is a floor that at least k of its items reach, so a second look finds little
//! more than k of them; pieces below the k-th best so far are not looked at again.
//!
//! ```
//! use seqrec_core::{crew::Crew, scores::Scores, topk, Sequences};
//!
//! let inputs = Sequences::new(&[3], &[0], &[1])?;
//! let scores = Scores::new(&[0.1, 0.7, 0.9, 0.7], 4, &[0], inputs, true)?;
//! assert_eq!(topk::top_k(Crew::ALONE, &scores, 2, &[])?.0, [2, 4]);
//! # Ok::<(), seqrec_core::Error>(())
//! ```

use multiversion::multiversion;

use rayon::prelude::*;

use crate::buffer::{filled, reserve};
use crate::crew::Crew;
use crate::hidden::Hidden;
use crate::scores::Scores;
use crate::{Error, PAD};

/// Lanes of a piece: column `j` belongs to lane `j % LANES`.
const LANES: usize = 32;

/// Columns of a piece, whose scores and marks fit into the first level of a cache.
const PIECE: usize = 4096;

/// `(items, scores)`, each `[rows, k]`, best first; [`PAD`] and `-inf` where fewer items remain.
///
/// Nobody gets an item of `excluded`, nor of the input where [`Scores`] filters it. A score of
/// `-inf` marks an item that is no candidate in its row.
///
/// # Errors
/// [`Error::Score`] for NaN or `+inf`, wherever it stands in a row; [`Error::Range`] for an id of
/// `excluded` outside `1..=n_items`; [`Error::Option`] if `k` is 0, [`Error::Memory`] if it is too
/// large;
/// what [`Scores::seen`] and [`Hidden::hide`] refuse.
pub fn top_k(
    crew: Crew<'_>,
    scores: &Scores,
    k: usize,
    excluded: &[i32],
) -> Result<(Vec<i32>, Vec<f32>), Error> {
    if k == 0 {
        return Err(Error::Option {
            name: "k",
            value: k.to_string(),
            reason: "it must be at least 1",
        });
    }
    let mut items = filled((scores.n_rows(), k), PAD as i32, ("k", k))?;
    let mut values = filled((scores.n_rows(), k), f32::NEG_INFINITY, ("k", k))?;
    Hidden::new(scores.n_items())?.hide("excluded", 0, excluded)?;
    let rows = items.par_chunks_mut(k).zip(values.par_chunks_mut(k));
    let scratch = || {
        let mut best = Best::new(k);
        reserve(&mut best.places, scores.n_items().min(2 * k))?;
        Ok((Hidden::new(scores.n_items())?, best))
    };
    crew.fill_with(
        rows,
        scores.row_work(),
        scratch,
        |(hidden, best), i, (items, values)| {
            let (row, (first, seen)) = (scores.row(i), scores.seen(i)?);
            hidden.clear();
            hidden.hide("excluded", 0, excluded)?;
            hidden.hide("items", first, seen)?;
            let places = best.read(row, hidden).map_err(|j| scores.refuse(i, j))?;
            for ((place, item), value) in places.iter().zip(items).zip(values) {
                (*item, *value) = (place.item(), row[place.item() as usize - 1]);
            }
            Ok(0)
        },
    )?;
    Ok((items, values))
}

/// The best places of a row, and the score that another one has to exceed.
#[derive(Debug, Clone)]
pub struct Best {
    k: usize,
    floor: f32,
    places: Vec<Place>,
    /// Blocks of a piece in which a score exceeds the floor, and a bit for each that does.
    blocks: Vec<(u32, u32)>,
}

impl Best {
    /// For lists of at most `k`.
    #[must_use]
    pub fn new(k: usize) -> Self {
        Self {
            k,
            floor: f32::NEG_INFINITY,
            places: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// The places of one row, best first, without what is hidden: at most `k` of them.
    ///
    /// # Errors
    /// The first column whose score is NaN or `+inf`.
    pub fn read(&mut self, row: &[f32], hidden: &Hidden) -> Result<&[Place], usize> {
        self.floor = f32::NEG_INFINITY;
        self.places.clear();
        let (marks, current) = hidden.marks();
        for (piece, (scores, marks)) in row.chunks(PIECE).zip(marks.chunks(PIECE)).enumerate() {
            let (first, lanes) = (piece * PIECE, lanes(scores, marks, current));
            if !lanes.usable {
                let wrong = |s: &f32| s.is_nan() || *s == f32::INFINITY;
                return Err(first + scores.iter().position(wrong).unwrap_or(0));
            }
            let above = lanes.largest.iter().filter(|&&s| s > self.floor).count();
            if above == 0 {
                continue;
            }
            if above >= self.k {
                // At least k items reach this score, and equal ones may be among the best.
                self.floor = kth_largest(&lanes.largest, self.k).next_down();
            }
            self.collect(first, scores, hidden);
        }
        self.places.sort_unstable();
        self.places.truncate(self.k);
        Ok(&self.places)
    }

    /// Adds the places of a piece that exceed the floor.
    fn collect(&mut self, first: usize, scores: &[f32], hidden: &Hidden) {
        let mut blocks = std::mem::take(&mut self.blocks);
        blocks.clear();
        blocks_above(scores, self.floor, &mut blocks);
        for &(block, mut lanes) in &blocks {
            while lanes != 0 {
                let column = block as usize * LANES + lanes.trailing_zeros() as usize;
                lanes &= lanes - 1;
                let score = scores[column];
                if score > self.floor && !hidden.contains(first + column) {
                    self.push(Place::new(score, (first + column) as i32 + 1));
                }
            }
        }
        self.blocks = blocks;
    }

    /// Adds a place, and drops all but the k best when there are 2k.
    fn push(&mut self, place: Place) {
        self.places.push(place);
        if self.places.len() >= 2 * self.k {
            self.places.select_nth_unstable(self.k - 1);
            self.places.truncate(self.k);
            // A later item with this score has a larger id than all that were seen.
            self.floor = self.floor.max(self.places[self.k - 1].score());
        }
    }
}

/// What one look at a piece tells.
struct Lanes {
    /// The largest score of each lane that is not hidden; `-inf` in a lane without one.
    largest: [f32; LANES],
    /// Whether no score is NaN or `+inf`.
    usable: bool,
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx+avx2"))]
fn lanes(scores: &[f32], marks: &[u8], hidden: u8) -> Lanes {
    let mut largest = [f32::NEG_INFINITY; LANES];
    let mut wrong = [0u32; LANES];
    let mut look = |scores: &[f32], marks: &[u8]| {
        for lane in 0..scores.len() {
            let score = if marks[lane] == hidden {
                f32::NEG_INFINITY
            } else {
                scores[lane]
            };
            largest[lane] = if score > largest[lane] {
                score
            } else {
                largest[lane]
            };
            // Not `score >= INFINITY`, which is false for NaN.
            wrong[lane] |= if scores[lane] < f32::INFINITY {
                0
            } else {
                u32::MAX
            };
        }
    };
    let (blocks, rest) = scores.as_chunks::<LANES>();
    let (marked_blocks, marked_rest) = marks.as_chunks::<LANES>();
    for (scores, marks) in blocks.iter().zip(marked_blocks) {
        look(scores, marks);
    }
    look(rest, marked_rest);
    Lanes {
        largest,
        usable: wrong == [0; LANES],
    }
}

/// The `k`-th largest value, `k` from 1 to [`LANES`]; repeated values count as often as they occur.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx+avx2"))]
fn kth_largest(values: &[f32; LANES], k: usize) -> f32 {
    let mut greater = [0u32; LANES];
    for &other in values {
        for (greater, &value) in greater.iter_mut().zip(values) {
            *greater = greater.wrapping_add(u32::from(other > value));
        }
    }
    let among = values
        .iter()
        .zip(&greater)
        .filter(|(_, greater)| (**greater as usize) < k);
    among.fold(f32::INFINITY, |kth, (&value, _)| kth.min(value))
}

/// Appends the blocks of [`LANES`] scores in which one exceeds the floor, with a bit for each.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx+avx2"))]
fn blocks_above(scores: &[f32], floor: f32, out: &mut Vec<(u32, u32)>) {
    for (block, scores) in scores.chunks(LANES).enumerate() {
        let any = scores.iter().fold(0, |any, &s| any | u32::from(s > floor));
        if any != 0 {
            let bit = |(lane, &score): (usize, &f32)| u32::from(score > floor) << lane;
            let bits = scores.iter().enumerate().map(bit).fold(0, |a, b| a | b);
            out.push((block as u32, bits));
        }
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
        let mut best = Best::new(k);
        let places = best.read(row, &Hidden::new(row.len()).unwrap()).unwrap();
        places.iter().map(|place| place.item()).collect()
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
        let read = |row: &[f32]| {
            Best::new(2)
                .read(row, &Hidden::new(300).unwrap())
                .map(<[Place]>::to_vec)
        };
        assert_eq!(read(&row), Err(299));
        row[298] = f32::INFINITY;
        assert_eq!(read(&row), Err(298));
    }

    #[test]
    fn constant_scores_of_many_pieces_give_the_first_ids() {
        assert_eq!(items(&vec![0.5; 10_000], 40), (1..=40).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_missing_is_padded() {
        let inputs = Sequences::new(&[2, 2], &[0], &[2]).unwrap();
        let scores = Scores::new(&[0.1, 0.2, 0.3], 3, &[0], inputs, true).unwrap();
        let (items, values) = top_k(Crew::ALONE, &scores, 4, &[3]).unwrap();
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
