//! How often two items stand near one another in a user's history, for each distance.
//!
//! Counts are integers, weighted by whoever reads them, so the result is exact. Pairs are counted
//! item by item: the places of an item are grouped first, and its neighbours are then sorted and
//! counted on their own. Memory is that of the log and of the answer; pairs are never listed.

use std::ops::Range;

use crate::sets::{ids_in, totals};
use crate::{Error, Sequences, log, shares};

/// The largest window: distances share 64 bits with an item while they are sorted.
pub const MAX_WINDOW: usize = 1024;

/// Counts of the pairs that occur, sorted by (row, column).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    /// First item of each pair.
    pub rows: Vec<i32>,
    /// Second item of each pair.
    pub columns: Vec<i32>,
    /// For each pair `window` numbers: how often the two stand at distance 1, 2, ...
    pub counts: Vec<i64>,
}

/// Counts ordered pairs: (earlier item, later item).
///
/// ```
/// use seqrec_core::{Sequences, pairs::count_ordered_pairs};
/// let pairs = count_ordered_pairs(&Sequences::new(&[7, 5, 7], &[0], &[3])?, 2)?;
/// assert_eq!(pairs.rows, [5, 7, 7]);
/// assert_eq!(pairs.columns, [7, 5, 7]);
/// assert_eq!(pairs.counts, [1, 0, 1, 0, 0, 1]);
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Option`] for a window outside `1..=MAX_WINDOW`, [`Error::Slice`] for a bad range,
/// [`Error::Range`] for an item below 1.
pub fn count_ordered_pairs(sequences: &Sequences<'_>, window: usize) -> Result<Pairs, Error> {
    count(sequences, window, |events, place, keys| {
        events.later(place, window, |item, distance| {
            keys.push(key(item, distance));
        });
    })
}

/// Counts pairs without order: (smaller item, larger item).
///
/// # Errors
/// As [`count_ordered_pairs`].
pub fn count_unordered_pairs(sequences: &Sequences<'_>, window: usize) -> Result<Pairs, Error> {
    count(sequences, window, |events, place, keys| {
        let row = events.items[place];
        events.later(place, window, |item, distance| {
            if item >= row {
                keys.push(key(item, distance));
            }
        });
        events.earlier(place, window, |item, distance| {
            if item > row {
                keys.push(key(item, distance));
            }
        });
    })
}

/// What stands beside an item: the column and the distance, which sort in this order.
const fn key(item: i32, distance: usize) -> u64 {
    (item as u64) << 32 | distance as u64
}

/// The events of all users, end to end.
struct Events {
    items: Vec<i32>,
    users: Vec<u32>,
}

impl Events {
    fn of(sequences: &Sequences<'_>) -> Result<Self, Error> {
        let n = totals(sequences)?.last().copied().unwrap_or(0);
        let (mut items, mut users) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for user in 0..sequences.n_users() {
            let (start, stop) = sequences.range(user)?;
            items.extend_from_slice(ids_in(sequences, start..stop, i32::MAX)?);
            users.resize(items.len(), user as u32);
        }
        Ok(Self { items, users })
    }

    /// Visits the events of the same user that stand up to `window` places after one.
    fn later(&self, place: usize, window: usize, mut visit: impl FnMut(i32, usize)) {
        let stop = self.items.len().min(place + 1 + window);
        for other in place + 1..stop {
            if self.users[other] != self.users[place] {
                return;
            }
            visit(self.items[other], other - place);
        }
    }

    /// Visits the events of the same user that stand up to `window` places before one.
    fn earlier(&self, place: usize, window: usize, mut visit: impl FnMut(i32, usize)) {
        for other in (place.saturating_sub(window)..place).rev() {
            if self.users[other] != self.users[place] {
                return;
            }
            visit(self.items[other], place - other);
        }
    }
}

/// Groups the places of each item, and counts the neighbours of one item after another.
fn count(
    sequences: &Sequences<'_>,
    window: usize,
    neighbours: impl Fn(&Events, usize, &mut Vec<u64>) + Sync + Send,
) -> Result<Pairs, Error> {
    if !(1..=MAX_WINDOW).contains(&window) {
        return Err(Error::Option {
            name: "window",
            value: window.to_string(),
            reason: "it must be from 1 to 1024",
        });
    }
    if sequences.n_users() > u32::MAX as usize {
        return Err(Error::TooMany {
            what: "users",
            found: sequences.n_users(),
            limit: u32::MAX as usize,
        });
    }
    let events = Events::of(sequences)?;
    let places = log::sort_events(&events.items, None)?;
    let bounds = bounds(&events.items, &places);
    let cuts = shares::cut(&bounds, 8 * shares::threads());
    let parts = shares::map(cuts, |rows: Range<usize>| {
        let (mut part, mut keys) = (Pairs::default(), Vec::new());
        for row in bounds[rows.start..=rows.end].windows(2) {
            let places = &places[row[0]..row[1]];
            keys.clear();
            for &place in places {
                neighbours(&events, place as usize, &mut keys);
            }
            part.add(events.items[places[0] as usize], &mut keys, window);
        }
        part
    });
    Ok(Pairs::concat(&parts))
}

/// Where the places of each item start in their order, and where the last one's end.
fn bounds(items: &[i32], places: &[i64]) -> Vec<usize> {
    let mut bounds = vec![0];
    for group in places.chunk_by(|&a, &b| items[a as usize] == items[b as usize]) {
        bounds.push(bounds[bounds.len() - 1] + group.len());
    }
    bounds
}

impl Pairs {
    /// Counts one row: its keys are sorted, and equal columns are added up for each distance.
    fn add(&mut self, row: i32, keys: &mut [u64], window: usize) {
        keys.sort_unstable();
        for pair in keys.chunk_by(|a, b| a >> 32 == b >> 32) {
            self.rows.push(row);
            self.columns.push((pair[0] >> 32) as i32);
            let base = self.counts.len();
            self.counts.resize(base + window, 0);
            for key in pair {
                self.counts[base + (key & u64::from(u32::MAX)) as usize - 1] += 1;
            }
        }
    }

    fn concat(parts: &[Self]) -> Self {
        let join = |of: fn(&Self) -> &[i32]| parts.iter().map(of).collect::<Vec<_>>().concat();
        let counts: Vec<&[i64]> = parts.iter().map(|part| &part.counts[..]).collect();
        Self {
            rows: join(|part| &part.rows),
            columns: join(|part| &part.columns),
            counts: counts.concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unordered_pairs_put_the_smaller_item_first() {
        let sequences = Sequences::new(&[9, 2, 9, 9], &[0], &[4]).unwrap();
        let pairs = count_unordered_pairs(&sequences, 2).unwrap();
        assert_eq!((pairs.rows, pairs.columns), (vec![2, 9], vec![9, 9]));
        assert_eq!(pairs.counts, [2, 1, 1, 1]);
    }

    #[test]
    fn pairs_never_cross_users() {
        let sequences = Sequences::new(&[1, 2, 3], &[0, 2, 2], &[2, 2, 3]).unwrap();
        let pairs = count_ordered_pairs(&sequences, 5).unwrap();
        assert_eq!((pairs.rows, pairs.columns), (vec![1], vec![2]));
        assert_eq!(pairs.counts, [1, 0, 0, 0, 0]);
    }

    #[test]
    fn a_window_of_nothing_is_refused() {
        let sequences = Sequences::new(&[1, 2], &[0], &[2]).unwrap();
        assert!(count_ordered_pairs(&sequences, 0).is_err());
        assert!(count_ordered_pairs(&sequences, MAX_WINDOW + 1).is_err());
    }

    proptest! {
        #[test]
        fn every_pair_is_counted_once(
            items in prop::collection::vec(1i32..6, 0..30),
            window in 1usize..5,
        ) {
            let stops = [items.len() as i64];
            let sequences = Sequences::new(&items, &[0], &stops).unwrap();
            let pairs: i64 = (1..=window).map(|d| items.len().saturating_sub(d) as i64).sum();
            for counted in [
                count_ordered_pairs(&sequences, window).unwrap(),
                count_unordered_pairs(&sequences, window).unwrap(),
            ] {
                prop_assert_eq!(counted.counts.iter().sum::<i64>(), pairs);
                let places: Vec<_> = counted.rows.iter().zip(&counted.columns).collect();
                prop_assert!(places.is_sorted_by(|a, b| a < b));
            }
        }
    }
}
