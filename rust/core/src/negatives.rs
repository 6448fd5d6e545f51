//! Negative items: what a user has not taken, in bounded time however much was taken.

use crate::alias::Popularity;
use crate::crew::Crew;
use crate::rows::{Out, Rows, read_ahead, split};
use crate::seed::{Purpose, Stream};
use crate::taken::{Marks, Taken};
use crate::{Error, PAD, check_count};

/// How negatives are drawn from the items `1..=n_items`.
///
/// ```
/// use seqrec_core::{negatives::Sampler, seed::{Purpose, Stream}};
///
/// let mut stream = Stream::new(1, 0, 0, 0, Purpose::Negative);
/// let sampler = Sampler::new(4, None)?;
/// assert_eq!(sampler.draw(0, &[1, 2, 4], &mut stream)?, 3);
/// assert!(sampler.draw(0, &[1, 2, 3, 4], &mut stream).is_err());
/// # Ok::<(), seqrec_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Sampler<'a> {
    n_items: usize,
    popularity: Option<Popularity<'a>>,
}

/// How often a draw may hit a taken item before the exact draw takes over.
const TRIES: usize = 64;

impl<'a> Sampler<'a> {
    /// Uniform draws, or draws by popularity.
    ///
    /// # Errors
    /// [`Error::Length`] if a part of `popularity` does not have one entry for each item,
    /// [`Error::TooMany`] for more items than an `i32` can number.
    pub fn new(n_items: usize, popularity: Option<Popularity<'a>>) -> Result<Self, Error> {
        check_count("items", n_items)?;
        if let Some(table) = popularity {
            for (name, found) in [
                ("popularity weights", table.weights.len()),
                ("popularity columns", table.columns.len()),
            ] {
                if found != n_items {
                    return Err(Error::Length {
                        name,
                        found,
                        wanted: n_items,
                        why: "one for each item",
                    });
                }
            }
        }
        Ok(Self {
            n_items,
            popularity,
        })
    }

    /// One item that is not in `taken`, which is ascending, distinct and within `1..=n_items`.
    ///
    /// # Errors
    /// [`Error::NoNegative`] if no item is left, or none that has a weight; [`Error::Range`] if
    /// `taken` leaves the catalogue.
    #[inline]
    pub fn draw(&self, user: usize, taken: &[i32], stream: &mut Stream) -> Result<i64, Error> {
        self.check(user, taken)?;
        let mut item = [PAD];
        self.fill_searching(user, taken, stream, &mut item)?;
        Ok(item[0])
    }

    /// As many draws as `out` has places, the same as one after the other.
    ///
    /// # Errors
    /// As [`Self::draw`].
    pub fn fill(
        &self,
        user: usize,
        taken: &[i32],
        marks: &mut Marks,
        stream: &mut Stream,
        out: &mut [i64],
    ) -> Result<(), Error> {
        self.check(user, taken)?;
        if !Marks::pay_off(self.n_items, taken.len(), out.len()) {
            return self.fill_searching(user, taken, stream, out);
        }
        marks.set(self.n_items, taken);
        let is_taken = |item: i32| marks.0.get(item as usize).copied().unwrap_or(0);
        let filled = self.fill_free(user, taken, is_taken, stream, out);
        marks.clear(taken);
        filled
    }

    fn fill_searching(
        &self,
        user: usize,
        taken: &[i32],
        stream: &mut Stream,
        out: &mut [i64],
    ) -> Result<(), Error> {
        let is_taken = |item: i32| u8::from(taken.binary_search(&item).is_ok());
        self.fill_free(user, taken, is_taken, stream, out)
    }

    #[inline]
    fn fill_free(
        &self,
        user: usize,
        taken: &[i32],
        is_taken: impl Fn(i32) -> u8,
        stream: &mut Stream,
        out: &mut [i64],
    ) -> Result<(), Error> {
        let filled = match self.popularity {
            None => {
                let any = |stream: &mut Stream| 1 + stream.below(self.n_items as u64) as i32;
                let free = |stream: &mut Stream| Some(uniform_outside(self.n_items, taken, stream));
                keep_free(is_taken, any, free, stream, out)
            }
            Some(table) => {
                let any = |stream: &mut Stream| table.draw(stream);
                let free = |stream: &mut Stream| table.draw_outside(taken, stream);
                keep_free(is_taken, any, free, stream, out)
            }
        };
        filled.ok_or_else(|| self.none_left(user, taken))
    }

    #[inline]
    fn check(&self, user: usize, taken: &[i32]) -> Result<(), Error> {
        if taken.len() >= self.n_items {
            return Err(self.none_left(user, taken));
        }
        let outside = |item: &i32| *item < 1 || *item as usize > self.n_items;
        let ends = [taken.first(), taken.last()];
        let Some(&item) = ends.into_iter().flatten().find(|item| outside(item)) else {
            return Ok(());
        };
        Err(Error::Range {
            name: "set_members of user",
            index: user,
            value: i64::from(item),
            low: 1,
            high: self.n_items as i64,
        })
    }

    #[cold]
    fn none_left(&self, user: usize, taken: &[i32]) -> Error {
        Error::NoNegative {
            user: user as i64,
            taken: taken.len(),
            n_items: self.n_items,
        }
    }
}

/// Fills `out` with draws of `any` that are not taken, in their order; [`TRIES`] taken ones in a
/// row are followed by a draw of `free`. `None` if that has nothing to give.
///
/// `is_taken` is 1 or 0. Nobody can predict it, so no branch depends on it: a taken item is written
/// too, and written over by the next one.
#[inline]
fn keep_free(
    is_taken: impl Fn(i32) -> u8,
    any: impl Fn(&mut Stream) -> i32,
    free: impl Fn(&mut Stream) -> Option<i32>,
    stream: &mut Stream,
    out: &mut [i64],
) -> Option<()> {
    let (mut filled, mut missed) = (0usize, 0usize);
    let mut draws = stream.clone(); // in a register, unlike what is borrowed
    while filled < out.len() {
        let item = any(&mut draws);
        out[filled] = i64::from(item);
        let taken = usize::from(is_taken(item));
        filled = filled.wrapping_add(1).wrapping_sub(taken);
        missed = missed.wrapping_add(1).wrapping_mul(taken);
        if missed == TRIES {
            out[filled] = i64::from(free(&mut draws)?);
            filled += 1;
            missed = 0;
        }
    }
    *stream = draws;
    Some(())
}

/// The `r`-th item (from 0) that is not in `taken`, for one uniform `r`: exact, without rejection.
///
/// `taken[i] - 1 - i` items before `taken[i]` are free. So as many taken items come before the
/// answer as have at most `r` free items before them, and the answer is `r + 1` plus their number.
#[inline]
fn uniform_outside(n_items: usize, taken: &[i32], stream: &mut Stream) -> i32 {
    let r = stream.below((n_items - taken.len()) as u64) as i32;
    let (mut low, mut high) = (0, taken.len());
    while low < high {
        let middle = low.midpoint(high);
        if taken[middle] - 1 - middle as i32 <= r {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    r + 1 + low as i32
}

/// Writes independent negatives for each row into `[B, n]`.
///
/// # Errors
/// What [`Rows::key`], [`Taken::of`] and [`Sampler::draw`] refuse.
pub fn negatives_into(
    crew: Crew,
    sets: &Taken,
    rows: &Rows,
    sampler: &Sampler,
    negatives: Out<i64>,
) -> Result<(), Error> {
    let negatives = negatives.of_rows(rows.len())?;
    // To start a stream and to search takes as long as to write some items.
    let row_bytes = size_of::<i64>() * (negatives.1 + 64);
    let find = |row| {
        let key = rows.key(row, sets.n_users())?;
        let taken = sets.of(key.0)?;
        read_ahead(taken);
        Ok((key, taken))
    };
    let fill = |marks: &mut Marks, _, (key, taken): ((usize, usize), _), out: &mut [i64]| {
        let mut stream = rows.stream(key, Purpose::Negative);
        sampler.fill(key.0, taken, marks, &mut stream, out)?;
        Ok(out.len())
    };
    crew.fill_found(split(negatives), row_bytes, Marks::default, find, fill)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::alias::alias_table;

    fn stream(seed: u64) -> Stream {
        Stream::new(seed, 0, 0, 0, Purpose::Negative)
    }

    #[test]
    fn the_only_free_item_is_drawn() {
        let weights = [1e9, 1e9, 1e-9, 1e9];
        let columns = alias_table(&weights).unwrap();
        let table = Popularity {
            weights: &weights,
            columns: &columns,
        };
        for popularity in [None, Some(table)] {
            let sampler = Sampler::new(4, popularity).unwrap();
            assert_eq!(sampler.draw(0, &[1, 2, 4], &mut stream(5)), Ok(3));
        }
    }

    #[test]
    fn a_user_who_took_everything_is_named() {
        let sampler = Sampler::new(2, None).unwrap();
        let refusal = Error::NoNegative {
            user: 8,
            taken: 2,
            n_items: 2,
        };
        assert_eq!(sampler.draw(8, &[1, 2], &mut stream(0)), Err(refusal));
    }

    #[test]
    fn free_items_without_weight_are_no_negatives() {
        let columns = alias_table(&[1.0, 0.0]).unwrap();
        let table = Popularity {
            weights: &[1.0, 0.0],
            columns: &columns,
        };
        let sampler = Sampler::new(2, Some(table)).unwrap();
        assert!(matches!(
            sampler.draw(3, &[1], &mut stream(0)),
            Err(Error::NoNegative { user: 3, .. })
        ));
    }

    proptest! {
        #[test]
        fn a_negative_is_never_taken(
            taken in prop::collection::btree_set(1i32..=30, 0..30), seed: u64,
        ) {
            let taken: Vec<i32> = taken.into_iter().collect();
            prop_assume!(taken.len() < 30);
            let sampler = Sampler::new(30, None).unwrap();
            let item = sampler.draw(0, &taken, &mut stream(seed)).unwrap();
            prop_assert!((1..=30).contains(&item) && !taken.contains(&(item as i32)));
        }

        #[test]
        fn many_draws_are_the_single_ones_and_leave_no_mark(
            taken in prop::collection::btree_set(1i32..=30, 0..30), seed: u64,
        ) {
            let taken: Vec<i32> = taken.into_iter().collect();
            prop_assume!(taken.len() < 30);
            let sampler = Sampler::new(30, None).unwrap();
            let (mut marks, mut one, mut out) = (Marks::default(), stream(seed), [0; 40]);
            sampler.fill(0, &taken, &mut marks, &mut stream(seed), &mut out).unwrap();
            for item in out {
                prop_assert_eq!(Ok(item), sampler.draw(0, &taken, &mut one));
            }
            prop_assert!(marks.0.len() == 31 && marks.0.iter().all(|&mark| mark == 0));
        }
    }
}
