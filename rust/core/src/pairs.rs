//! How close two items stand to one another in the users' histories: the sum of 1 / distance.
//!
//! Each distance is counted in integers and weighted at the end, so the result depends on no order.
//! Pairs are counted item by item: the places of an item are grouped first, and its neighbours are
//! then added up in one row. Memory is that of the log and of the answer, whatever the window;
//! pairs are never listed.

use crate::sets::{ids_in, totals};
use crate::{Error, Sequences, buffer, log, parallel, shares, vocab};

/// The largest window: a row holds that many numbers for each neighbour of an item.
pub const MAX_WINDOW: usize = 1024;

/// The pairs that occur, sorted by (row, column).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pairs {
    /// The smaller item of each pair.
    pub rows: Vec<i32>,
    /// The larger one.
    pub columns: Vec<i32>,
    /// The sum of 1 / d over the times that the two stand at distance d.
    pub weights: Vec<f64>,
}

/// Weighs the pairs of items that stand within `window` places of each other.
///
/// ```
/// use seqrec_core::{Sequences, pairs::weigh_pairs};
/// let pairs = weigh_pairs(&Sequences::new(&[7, 5, 7], &[0], &[3])?, 2)?;
/// assert_eq!(pairs.rows, [5, 7]);
/// assert_eq!(pairs.columns, [7, 7]);
/// assert_eq!(pairs.weights, [2.0, 0.5]);
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Option`] for a window outside `1..=MAX_WINDOW`, [`Error::Slice`] for a bad range,
/// [`Error::Range`] for an item below 1.
pub fn weigh_pairs(sequences: &Sequences<'_>, window: usize) -> Result<Pairs, Error> {
    check(sequences, window)?;
    let (events, items) = Events::of(sequences)?;
    let places = log::sort_events(&events.codes, None)?;
    let bounds = log::offsets(&events.codes, items.len())?;
    let parts = parallel::map(shares::cut(&bounds, 8 * parallel::threads()), |codes| {
        let (mut part, mut row) = (Pairs::default(), Row::new(items.len(), window)?);
        for code in codes {
            for &place in &places[bounds[code]..bounds[code + 1]] {
                row.add_neighbours(&events, place as usize)?;
            }
            row.move_to(&mut part, code, &items)?;
        }
        Ok(part)
    });
    Pairs::concat(&parts.into_iter().collect::<Result<Vec<_>, Error>>()?)
}

/// The events of all users, end to end.
struct Events {
    /// Items as places in the ascending distinct items.
    codes: Vec<i32>,
    users: Vec<u32>,
}

impl Events {
    /// The events, and the items that their codes stand for.
    fn of(sequences: &Sequences<'_>) -> Result<(Self, Vec<i64>), Error> {
        let n = totals(sequences)?.last().copied().unwrap_or(0);
        let (mut items, mut users) = (buffer::with_room(n)?, buffer::with_room(n)?);
        for user in 0..sequences.n_users() {
            let (start, stop) = sequences.range(user)?;
            let own = ids_in(sequences, start..stop, i32::MAX)?;
            items.extend(own.iter().copied().map(i64::from));
            users.resize(items.len(), user as u32);
        }
        let vocab::Encoded { codes, vocabulary } = vocab::encode_integers(&items)?;
        Ok((Self { codes, users }, vocabulary))
    }

    /// Visits the events of the same user that stand up to `window` places after one.
    fn later(&self, place: usize, window: usize, mut visit: impl FnMut(i32, usize)) {
        let stop = self.codes.len().min(place + 1 + window);
        for other in place + 1..stop {
            if self.users[other] != self.users[place] {
                return;
            }
            visit(self.codes[other], other - place);
        }
    }

    /// Visits the events of the same user that stand up to `window` places before one.
    fn earlier(&self, place: usize, window: usize, mut visit: impl FnMut(i32, usize)) {
        for other in (place.saturating_sub(window)..place).rev() {
            if self.users[other] != self.users[place] {
                return;
            }
            visit(self.codes[other], place - other);
        }
    }
}

fn check(sequences: &Sequences<'_>, window: usize) -> Result<(), Error> {
    if !(1..=MAX_WINDOW).contains(&window) {
        return Err(Error::Option {
            name: "window",
            value: window.to_string(),
            reason: "it must be from 1 to 1024",
        });
    }
    let limit = u32::MAX as usize;
    if sequences.n_users() > limit {
        return Err(Error::TooMany {
            what: "users",
            found: sequences.n_users(),
            limit,
        });
    }
    Ok(())
}

/// The counts of one item with every other, as they grow.
struct Row {
    window: usize,
    /// For each code, its place among the columns; [`Row::NONE`] if it is none of them yet.
    place: Vec<u32>,
    /// Columns in order of appearance.
    columns: Vec<i32>,
    /// `window` counts for each column.
    counts: Vec<i64>,
}

impl Row {
    const NONE: u32 = u32::MAX;

    fn new(n_codes: usize, window: usize) -> Result<Self, Error> {
        Ok(Self {
            window,
            place: buffer::copies(n_codes, Self::NONE)?,
            columns: Vec::new(),
            counts: Vec::new(),
        })
    }

    /// Counts the neighbours of an event; the smaller item of a pair counts it, in a pair of equals
    /// the earlier.
    fn add_neighbours(&mut self, events: &Events, place: usize) -> Result<(), Error> {
        let (own, window) = (events.codes[place], self.window);
        let new = (2 * window).min(self.place.len() - self.columns.len());
        buffer::reserve(&mut self.columns, new)?;
        buffer::reserve(&mut self.counts, new * window)?;
        events.later(place, window, |code, distance| {
            if code >= own {
                self.add(code, distance);
            }
        });
        events.earlier(place, window, |code, distance| {
            if code > own {
                self.add(code, distance);
            }
        });
        Ok(())
    }

    fn add(&mut self, column: i32, distance: usize) {
        let place = &mut self.place[column as usize];
        if *place == Self::NONE {
            *place = self.columns.len() as u32;
            self.columns.push(column);
            self.counts.resize(self.counts.len() + self.window, 0);
        }
        self.counts[*place as usize * self.window + distance - 1] += 1;
    }

    /// Appends the row to `pairs`, columns ascending, and starts an empty one.
    fn move_to(&mut self, pairs: &mut Pairs, code: usize, items: &[i64]) -> Result<(), Error> {
        self.columns.sort_unstable();
        buffer::reserve(&mut pairs.rows, self.columns.len())?;
        buffer::reserve(&mut pairs.columns, self.columns.len())?;
        buffer::reserve(&mut pairs.weights, self.columns.len())?;
        for &column in &self.columns {
            let base = self.place[column as usize] as usize * self.window;
            pairs.rows.push(items[code] as i32);
            pairs.columns.push(items[column as usize] as i32);
            let counts = &self.counts[base..base + self.window];
            let near = (1..).zip(counts);
            let weight = near.map(|(distance, &count)| count as f64 / f64::from(distance));
            pairs.weights.push(weight.sum());
            self.place[column as usize] = Self::NONE;
        }
        self.columns.clear();
        self.counts.clear();
        Ok(())
    }
}

impl Pairs {
    fn concat(parts: &[Self]) -> Result<Self, Error> {
        let join = |of: fn(&Self) -> &[i32]| {
            let all: Vec<&[i32]> = parts.iter().map(of).collect();
            buffer::joined(&all)
        };
        let weights: Vec<&[f64]> = parts.iter().map(|part| &part.weights[..]).collect();
        Ok(Self {
            rows: join(|part| &part.rows)?,
            columns: join(|part| &part.columns)?,
            weights: buffer::joined(&weights)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_smaller_item_comes_first() {
        let sequences = Sequences::new(&[9, 2, 9, 9], &[0], &[4]).unwrap();
        let pairs = weigh_pairs(&sequences, 2).unwrap();
        assert_eq!((pairs.rows, pairs.columns), (vec![2, 9], vec![9, 9]));
        assert_eq!(pairs.weights, [2.5, 1.5]);
    }

    #[test]
    fn pairs_never_cross_users() {
        let sequences = Sequences::new(&[1, 2, 3], &[0, 2, 2], &[2, 2, 3]).unwrap();
        let pairs = weigh_pairs(&sequences, 5).unwrap();
        assert_eq!((pairs.rows, pairs.columns), (vec![1], vec![2]));
        assert_eq!(pairs.weights, [1.0]);
    }

    #[test]
    fn a_window_of_nothing_is_refused() {
        let sequences = Sequences::new(&[1, 2], &[0], &[2]).unwrap();
        assert!(weigh_pairs(&sequences, 0).is_err());
        assert!(weigh_pairs(&sequences, MAX_WINDOW + 1).is_err());
    }

    proptest! {
        #[test]
        fn every_pair_is_counted_once(
            items in prop::collection::vec(1i32..6, 0..30),
            window in 1usize..5,
        ) {
            let stops = [items.len() as i64];
            let sequences = Sequences::new(&items, &[0], &stops).unwrap();
            let near = |d: usize| items.len().saturating_sub(d) as f64 / d as f64;
            let total: f64 = (1..=window).map(near).sum();
            let pairs = weigh_pairs(&sequences, window).unwrap();
            prop_assert!((pairs.weights.iter().sum::<f64>() - total).abs() < 1e-9);
            let places: Vec<_> = pairs.rows.iter().zip(&pairs.columns).collect();
            prop_assert!(places.is_sorted_by(|a, b| a < b));
        }
    }
}
