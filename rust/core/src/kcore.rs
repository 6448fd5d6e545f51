//! The n-core filter: every user keeps at least so many events, and so does every item.
//!
//! Rounds go on to the fixed point, which is the largest part of the log that satisfies both
//! conditions; it does not depend on the order in which events go, but the rounds are defined
//! all the same: in each, every event of a user *or* item below its minimum goes at once.

use crate::log::same_length;
use crate::parallel::map_rows;
use crate::{Error, buffer};

/// Rows that a thread takes at a time.
const CHUNK: usize = 1 << 16;

/// Most ids of a side: they are numbered by `i32`.
const MOST: usize = 1 << 31;

/// Which events stay, and what each round left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Core {
    /// For each event, whether it stays.
    pub keep: Vec<bool>,
    /// Events left after each round that dropped some: empty if all stay.
    pub rounds: Vec<i64>,
}

/// One side of the events: users or items, and how often each has to appear.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Name in messages.
    pub name: &'static str,
    /// For each event, the id, in `0..n_ids`.
    pub ids: &'a [i32],
    /// Number of ids that there may be.
    pub n_ids: usize,
    /// Fewest events of an id that stays.
    pub least: usize,
}

impl Side<'_> {
    /// Number of events of each id.
    fn count(&self) -> Result<Vec<usize>, Error> {
        if self.n_ids > MOST {
            return Err(Error::TooMany {
                what: self.name,
                found: self.n_ids,
                limit: MOST,
            });
        }
        let mut counts: Vec<usize> = buffer::zeros(self.n_ids)?;
        for (index, &id) in self.ids.iter().enumerate() {
            match counts.get_mut(id as usize) {
                Some(count) if id >= 0 => *count += 1,
                _ => {
                    return Err(Error::Range {
                        name: self.name,
                        index,
                        value: i64::from(id),
                        low: 0,
                        high: self.n_ids as i64 - 1,
                    });
                }
            }
        }
        Ok(counts)
    }

    fn is_weak(&self, counts: &[usize], event: usize) -> bool {
        counts[self.ids[event] as usize] < self.least
    }
}

/// The n-core of a log; each round takes time in the number of its events.
///
/// ```
/// use seqrec_core::kcore::{Side, n_core};
/// let users = Side { name: "users", ids: &[0, 0, 1], n_ids: 2, least: 2 };
/// let items = Side { name: "items", ids: &[0, 1, 1], n_ids: 2, least: 1 };
/// let core = n_core(users, items)?;
/// assert_eq!(core.keep, [true, true, false]);
/// assert_eq!(core.rounds, [2]);
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Length`] for sides of different lengths, [`Error::Range`] for an id outside its side,
/// [`Error::TooMany`] for more ids than an `i32` can number.
pub fn n_core(users: Side<'_>, items: Side<'_>) -> Result<Core, Error> {
    same_length("items", items.ids.len(), users.ids.len())?;
    let n = users.ids.len();
    let (mut of_user, mut of_item) = (users.count()?, items.count()?);
    let mut core = Core {
        keep: buffer::copies(n, true)?,
        rounds: Vec::new(),
    };
    let mut left = n;
    loop {
        let weak = weak_events(n, |event| {
            core.keep[event] && (users.is_weak(&of_user, event) || items.is_weak(&of_item, event))
        })?;
        for &event in &weak {
            core.keep[event] = false;
            of_user[users.ids[event] as usize] -= 1;
            of_item[items.ids[event] as usize] -= 1;
        }
        if weak.is_empty() {
            return Ok(core);
        }
        left -= weak.len();
        core.rounds.push(left as i64);
    }
}

/// The events that satisfy the condition, ascending.
fn weak_events(n: usize, is_weak: impl Fn(usize) -> bool + Sync) -> Result<Vec<usize>, Error> {
    let chunks = map_rows(n.div_ceil(CHUNK), |chunk| {
        let rows = chunk * CHUNK..n.min((chunk + 1) * CHUNK);
        buffer::gathered(rows.filter(|&event| is_weak(event)))
    })?;
    let chunks: Vec<&[usize]> = chunks.iter().map(Vec::as_slice).collect();
    buffer::joined(&chunks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn core(users: &[i32], items: &[i32], least_user: usize, least_item: usize) -> Core {
        n_core(
            Side {
                name: "users",
                ids: users,
                n_ids: 6,
                least: least_user,
            },
            Side {
                name: "items",
                ids: items,
                n_ids: 6,
                least: least_item,
            },
        )
        .unwrap()
    }

    #[test]
    fn a_loss_cascades_to_the_fixed_point() {
        // Item 2 goes first; user 1 is then too short, and takes item 1 with it.
        let core = core(&[0, 0, 1, 1, 0], &[0, 0, 1, 2, 1], 2, 2);
        assert_eq!(core.keep, [true, true, false, false, false]);
        assert_eq!(core.rounds, [4, 3, 2]);
    }

    #[test]
    fn a_log_that_satisfies_both_takes_no_round() {
        let core = core(&[0, 1], &[0, 0], 1, 2);
        assert_eq!((core.keep, core.rounds), (vec![true, true], vec![]));
    }

    #[test]
    fn an_id_outside_its_side_is_refused() {
        let side = |name, ids| Side {
            name,
            ids,
            n_ids: 2,
            least: 1,
        };
        assert!(n_core(side("users", &[0, 2]), side("items", &[0, 0])).is_err());
        assert!(n_core(side("users", &[0, 1]), side("items", &[0, -1])).is_err());
        assert!(n_core(side("users", &[0, 1]), side("items", &[0])).is_err());
    }

    proptest! {
        #[test]
        fn what_stays_satisfies_both_minima(
            events in prop::collection::vec((0i32..6, 0i32..6), 0..40),
            least_user in 0usize..4,
            least_item in 0usize..4,
        ) {
            let users: Vec<i32> = events.iter().map(|e| e.0).collect();
            let items: Vec<i32> = events.iter().map(|e| e.1).collect();
            let keep = core(&users, &items, least_user, least_item).keep;
            for event in (0..events.len()).filter(|&e| keep[e]) {
                let of = |ids: &[i32]| (0..ids.len()).filter(|&e| keep[e] && ids[e] == ids[event]).count();
                prop_assert!(of(&users) >= least_user && of(&items) >= least_item);
            }
        }
    }
}
