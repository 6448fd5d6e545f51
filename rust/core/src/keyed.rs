//! Keyed draws: numbers that anybody can compute again from the raw ids alone.
//!
//! A draw is the first 8 bytes, little-endian, of SHA-256 of the text
//! `seqrec/1|purpose|part|raw user id|draw|try` (FIPS 180-4 for SHA-256). No seed, no row number
//! and no library's generator enters, so any two programs score the same negatives.

use sha2::{Digest, Sha256};

use crate::buffer::{filled, with_room, zeros};
use crate::parallel::{self, fill_rows, map_rows};
use crate::sets::{distinct, ids_in};
use crate::text::Texts;
use crate::{Error, Sequences, check_count};

/// Users that a thread hashes at a time.
const CHUNK: usize = 1 << 12;

/// The first two fields of the text, hashed once for all users.
#[derive(Debug, Clone)]
struct Key(Sha256);

impl Key {
    fn new(purpose: &str, part: &str) -> Self {
        let start = Sha256::new().chain_update(b"seqrec/1|");
        let start = start.chain_update(purpose).chain_update(b"|");
        Self(start.chain_update(part).chain_update(b"|"))
    }

    /// The same with the third field: one user's key.
    fn user(&self, raw_id: &[u8]) -> Self {
        Self(self.0.clone().chain_update(raw_id).chain_update(b"|"))
    }

    /// The 64 bits of a user's draw.
    fn draw(&self, draw: &str, attempt: &str) -> u64 {
        let text = self.0.clone().chain_update(draw).chain_update(b"|");
        let digest = text.chain_update(attempt).finalize();
        digest[..8]
            .iter()
            .rev()
            .fold(0, |bits, &byte| bits << 8 | u64::from(byte))
    }
}

/// The 64 bits of each raw id.
///
/// ```
/// use seqrec_core::{keyed::keyed_hash, text::Texts};
/// let hashes = keyed_hash("small", "", Texts::new(&[0, 2], b"17")?, "", "")?;
/// assert_eq!(hashes.len(), 1);
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Memory`].
pub fn keyed_hash(
    purpose: &str,
    part: &str,
    raw_ids: Texts<'_>,
    draw: &str,
    attempt: &str,
) -> Result<Vec<u64>, Error> {
    let key = Key::new(purpose, part);
    let mut hashes = zeros(raw_ids.len())?;
    parallel::map(hashes.chunks_mut(CHUNK).enumerate(), |(chunk, out)| {
        for (i, hash) in out.iter_mut().enumerate() {
            *hash = key.user(raw_ids.get(chunk * CHUNK + i)).draw(draw, attempt);
        }
    });
    Ok(hashes)
}

/// How 64 bits become an item of the catalogue `1..=n_items`.
#[derive(Debug, Clone)]
pub struct Catalogue {
    n_items: usize,
    /// Running sums of the training counts, for draws in proportion to them.
    cumulative: Option<Vec<u64>>,
}

impl Catalogue {
    /// Items of equal weight, or with their training counts as weights.
    ///
    /// # Errors
    /// [`Error::Option`] without any item, [`Error::TooMany`] for more than an `i32` can number,
    /// [`Error::Length`] if there is not one count for each item, [`Error::Weight`] for a negative
    /// count, a sum above `i64::MAX`, or counts all zero.
    pub fn new(n_items: usize, counts: Option<&[i64]>) -> Result<Self, Error> {
        if n_items == 0 {
            return Err(Error::Option {
                name: "n_items",
                value: n_items.to_string(),
                reason: "negatives are drawn from at least one item",
            });
        }
        check_count("items", n_items)?;
        let cumulative = counts.map(|counts| running_sums(counts, n_items));
        Ok(Self {
            n_items,
            cumulative: cumulative.transpose()?,
        })
    }

    /// Total weight of the items, 1 each in uniform draws.
    fn total(&self) -> u64 {
        match &self.cumulative {
            None => self.n_items as u64,
            Some(cumulative) => cumulative[self.n_items - 1],
        }
    }

    /// Weight of one item.
    fn weight(&self, item: i32) -> u64 {
        match &self.cumulative {
            None => 1,
            Some(cumulative) => {
                let i = item as usize - 1;
                cumulative[i] - if i == 0 { 0 } else { cumulative[i - 1] }
            }
        }
    }

    /// The item at `floor(bits * total / 2^64)`.
    fn item(&self, bits: u64) -> i32 {
        let place = ((u128::from(bits) * u128::from(self.total())) >> 64) as u64;
        let index = match &self.cumulative {
            None => place as usize,
            Some(cumulative) => cumulative.partition_point(|&sum| sum <= place),
        };
        index as i32 + 1
    }

    /// Checks that something can be drawn beside the items that a user has taken.
    fn check(&self, user: i32, taken: &[i32]) -> Result<(), Error> {
        let weight: u64 = taken.iter().map(|&item| self.weight(item)).sum();
        if weight < self.total() {
            return Ok(());
        }
        Err(Error::NoNegative {
            user: i64::from(user),
            taken: taken.len(),
            n_items: self.n_items,
        })
    }
}

/// Running sums of counts that are weights: not negative and not all zero.
fn running_sums(counts: &[i64], n_items: usize) -> Result<Vec<u64>, Error> {
    if counts.len() != n_items {
        return Err(Error::Length {
            name: "counts",
            found: counts.len(),
            wanted: n_items,
            why: "one for each item",
        });
    }
    let refuse = |i: usize| Error::Weight {
        item: i + 1,
        value: counts[i].to_string(),
    };
    let mut total = 0i64;
    let mut sums = with_room(n_items)?;
    for (i, &count) in counts.iter().enumerate() {
        let sum = total.checked_add(count).filter(|_| count >= 0);
        total = sum.ok_or_else(|| refuse(i))?;
        sums.push(total as u64);
    }
    if total == 0 {
        return Err(refuse(0));
    }
    Ok(sums)
}

/// For each of `users`, `draws` negatives outside the user's items, row by row.
///
/// Draw `d` takes the first try, from 0 on, whose item the user has not taken.
///
/// # Errors
/// [`Error::Length`] if there is not one raw id for each user of `sequences`, [`Error::Range`] for
/// a user or an item outside its range, [`Error::Slice`] for a bad range, [`Error::NoNegative`]
/// for a user who has taken every item that can be drawn, [`Error::Memory`] for too many draws.
pub fn draw_evaluation_negatives(
    purpose: &str,
    part: &str,
    raw_ids: Texts<'_>,
    sequences: &Sequences<'_>,
    users: &[i32],
    catalogue: &Catalogue,
    draws: usize,
) -> Result<Vec<i32>, Error> {
    if raw_ids.len() != sequences.n_users() {
        return Err(Error::Length {
            name: "offsets",
            found: raw_ids.len() + 1,
            wanted: sequences.n_users() + 1,
            why: "one more than there are users",
        });
    }
    let key = Key::new(purpose, part);
    let mut negatives = filled((users.len(), draws), 0, ("draws", draws))?;
    // Users are checked even where no draw is asked for.
    map_rows(users.len(), |row| sequences.row(users, row).map(|_| ()))?;
    fill_rows(&mut negatives, draws, |row, out| {
        let user = users[row];
        let (start, stop) = sequences.range(user as usize)?;
        let taken = distinct(ids_in(sequences, start..stop, catalogue.n_items as i32)?)?;
        catalogue.check(user, &taken)?;
        let key = key.user(raw_ids.get(user as usize));
        for (draw, negative) in out.iter_mut().enumerate() {
            *negative = first_free(&key, catalogue, &taken, draw);
        }
        Ok(())
    })?;
    Ok(negatives)
}

/// The item of the first try that is not taken.
///
/// Some item of positive weight is free (see [`Catalogue::check`]), so each try succeeds with probability
/// free weight / total weight > 0, independently under the hash: the expected number of tries is
/// its inverse, and the chance that more than `20 / p` tries are needed is below `3e-9`.
fn first_free(key: &Key, catalogue: &Catalogue, taken: &[i32], draw: usize) -> i32 {
    let draw = draw.to_string();
    let mut attempt = 0u64;
    loop {
        let item = catalogue.item(key.draw(&draw, &attempt.to_string()));
        if taken.binary_search(&item).is_err() {
            return item;
        }
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: (&[i64], &[u8]) = (&[0, 2, 4], b"17u2");

    fn ids() -> Texts<'static> {
        Texts::new(IDS.0, IDS.1).unwrap()
    }

    #[test]
    fn the_hash_is_that_of_the_text() {
        // hashlib.sha256(b"seqrec/1|uniform|test|17|3|0").digest()[:8], little-endian
        let hashes = keyed_hash("uniform", "test", ids(), "3", "0").unwrap();
        assert_eq!(hashes[0], 3_170_153_352_291_833_593);
        let digest = Sha256::digest(b"seqrec/1|uniform|test|u2|3|0");
        assert_eq!(
            hashes[1],
            u64::from_le_bytes(digest[..8].try_into().unwrap())
        );
    }

    #[test]
    fn the_only_free_item_is_found() {
        let sequences = Sequences::new(&[1, 3, 2], &[0, 0], &[3, 2]).unwrap();
        let catalogue = Catalogue::new(4, None).unwrap();
        let drawn =
            draw_evaluation_negatives("uniform", "test", ids(), &sequences, &[0], &catalogue, 5);
        assert_eq!(drawn.unwrap(), [4; 5]);
    }

    #[test]
    fn a_user_with_every_item_is_refused() {
        let sequences = Sequences::new(&[1, 3, 2], &[0, 0], &[3, 2]).unwrap();
        let draw = |catalogue| {
            draw_evaluation_negatives("uniform", "test", ids(), &sequences, &[1, 0], &catalogue, 1)
        };
        let refused = Error::NoNegative {
            user: 0,
            taken: 3,
            n_items: 3,
        };
        assert_eq!(draw(Catalogue::new(3, None).unwrap()), Err(refused));
        // Item 4 has no training event: in draws by counts it is out of reach.
        assert!(matches!(
            draw(Catalogue::new(4, Some(&[1, 0, 2, 0])).unwrap()),
            Err(Error::NoNegative { user: 1, .. })
        ));
    }

    #[test]
    fn counts_decide_how_wide_an_item_is() {
        let catalogue = Catalogue::new(3, Some(&[1, 0, 3])).unwrap();
        let quarter = 1u64 << 62;
        let items = [0, quarter - 1, quarter, u64::MAX].map(|bits| catalogue.item(bits));
        assert_eq!(items, [1, 1, 3, 3]);
        assert_eq!([1, 2, 3].map(|item| catalogue.weight(item)), [1, 0, 3]);
    }

    #[test]
    fn counts_that_are_no_weights_are_refused() {
        for counts in [&[1, -1][..], &[0, 0], &[i64::MAX, 1]] {
            assert!(matches!(
                Catalogue::new(2, Some(counts)),
                Err(Error::Weight { .. })
            ));
        }
        assert!(Catalogue::new(2, Some(&[1])).is_err());
        assert!(Catalogue::new(0, None).is_err());
    }
}
