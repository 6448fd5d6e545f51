//! Negative items: what a user has not taken, in bounded time however much was taken.

use crate::alias::Popularity;
use crate::parallel::fill_rows;
use crate::rows::{Out, Rows};
use crate::seed::{Purpose, Stream};
use crate::sequences::piece;
use crate::{Error, Sequences};

/// The distinct items of each user, ascending; user `u` has `members[offsets[u]..offsets[u + 1]]`.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    offsets: &'a [i64],
    members: &'a [i32],
}

impl<'a> Taken<'a> {
    /// Wraps the two slices. As with [`Sequences`], ranges are checked where a user is read.
    ///
    /// # Errors
    /// [`Error::Length`] if there is no offset at all.
    pub fn new(offsets: &'a [i64], members: &'a [i32]) -> Result<Self, Error> {
        if offsets.is_empty() {
            return Err(Error::Length {
                name: "set_offsets",
                found: 0,
                wanted: 1,
                why: "one more than there are users",
            });
        }
        Ok(Self { offsets, members })
    }

    /// Number of users.
    #[must_use]
    pub const fn n_users(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Refuses sets that are not those of the users of `sequences`.
    ///
    /// # Errors
    /// [`Error::Length`] if the numbers of users differ.
    pub fn check_users(&self, sequences: &Sequences) -> Result<(), Error> {
        let (found, wanted) = (self.offsets.len(), sequences.n_users() + 1);
        if found == wanted {
            return Ok(());
        }
        Err(Error::Length {
            name: "set_offsets",
            found,
            wanted,
            why: "one more than there are starts",
        })
    }

    /// The set of one user, for `user < n_users`.
    ///
    /// # Errors
    /// [`Error::Slice`] if the offsets of the user are not a range of the members.
    #[inline]
    pub fn of(&self, user: usize) -> Result<&'a [i32], Error> {
        let (start, stop) = (self.offsets[user], self.offsets[user + 1]);
        let piece = piece(user, start, stop, self.members.len())?;
        Ok(&self.members[piece])
    }
}

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

/// How often an alias draw may hit a taken item before the exact draw takes over.
const TRIES: usize = 64;

impl<'a> Sampler<'a> {
    /// Uniform draws, or draws by popularity.
    ///
    /// # Errors
    /// [`Error::Length`] if a part of `popularity` does not have one entry for each item.
    pub fn new(n_items: usize, popularity: Option<Popularity<'a>>) -> Result<Self, Error> {
        if let Some(table) = popularity {
            for (name, found) in [
                ("popularity weights", table.weights.len()),
                ("popularity thresholds", table.thresholds.len()),
                ("popularity aliases", table.aliases.len()),
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
        let item = match self.popularity {
            None => Some(uniform_outside(self.n_items, taken, stream)),
            Some(table) => {
                let free = |item: &i32| taken.binary_search(item).is_err();
                let mut tries = (0..TRIES).map(|_| table.draw(stream));
                let found = tries.find(free);
                found.or_else(|| table.draw_outside(taken, stream))
            }
        };
        item.map(i64::from)
            .ok_or_else(|| self.none_left(user, taken))
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
    sets: &Taken,
    rows: &Rows,
    sampler: &Sampler,
    negatives: Out<i64>,
) -> Result<(), Error> {
    let (values, width) = negatives.of_rows(rows.len())?;
    fill_rows(values, width, |row, negatives| {
        let key = rows.key(row, sets.n_users())?;
        let taken = sets.of(key.0)?;
        let mut stream = rows.stream(key, Purpose::Negative);
        for negative in negatives {
            *negative = sampler.draw(key.0, taken, &mut stream)?;
        }
        Ok(())
    })
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
        let (thresholds, aliases) = alias_table(&weights).unwrap();
        let table = Popularity {
            weights: &weights,
            thresholds: &thresholds,
            aliases: &aliases,
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
        let (thresholds, aliases) = alias_table(&[1.0, 0.0]).unwrap();
        let table = Popularity {
            weights: &[1.0, 0.0],
            thresholds: &thresholds,
            aliases: &aliases,
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
    }
}
