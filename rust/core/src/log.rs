//! The log of events: its order, and which of its repeats stay.
//!
//! Order is (user, time), stable in the order of the rows. Ties are never broken by item id: that
//! would hand the model an order that nobody acted in.

use std::ops::Range;
use std::str::FromStr;

use crate::sets::{countable, for_each_repeat};
use crate::{Error, shares, vocab};

/// Shares of one sort: each reads all users, so more of them would cost more than they save.
const MOST_SHARES: usize = 16;

/// The permutation that sorts by (user, time), stable in the order of the rows; without times by
/// user alone.
///
/// ```
/// let order = seqrec_core::log::sort_events(&[1, 0, 1], Some(&[5, 9, 4]))?;
/// assert_eq!(order, [1, 2, 0]);
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Length`] if there is not one time for each user, [`Error::Range`] for a negative user.
pub fn sort_events(users: &[i32], times: Option<&[i64]>) -> Result<Vec<i64>, Error> {
    same_length(
        "times",
        times.map_or(users.len(), <[i64]>::len),
        users.len(),
    )?;
    let n_users = n_groups(users)?;
    if is_sorted(users, times) {
        return Ok((0..users.len() as i64).collect());
    }
    // Ids far above the number of rows would need a table far larger than the log.
    if n_users > 4 * users.len() {
        let ids: Vec<i64> = users.iter().map(|&user| i64::from(user)).collect();
        return sort_events(&vocab::encode_integers(&ids)?.codes, times);
    }
    let offsets = offsets(users, n_users);
    let mut order = vec![0; users.len()];
    let cuts = shares::cut(&offsets, shares::threads().min(MOST_SHARES));
    let lengths = cuts.iter().map(|cut| offsets[cut.end] - offsets[cut.start]);
    let pieces = shares::split(&mut order, lengths);
    shares::map(cuts.iter().zip(pieces), |(cut, out)| {
        let offsets = &offsets[cut.start..=cut.end];
        match times {
            None => place(users, cut, offsets, |row| row as i64, out),
            Some(times) => place_by_time(users, times, cut, offsets, out),
        }
    });
    Ok(order)
}

/// Writes the events of the users in `cut`, user by user and in the order of the rows.
fn place<T>(
    users: &[i32],
    cut: &Range<usize>,
    offsets: &[usize],
    event: impl Fn(usize) -> T,
    out: &mut [T],
) {
    let mut next: Vec<usize> = offsets.iter().map(|o| o - offsets[0]).collect();
    for (row, &user) in users.iter().enumerate() {
        if cut.contains(&(user as usize)) {
            let slot = &mut next[user as usize - cut.start];
            out[*slot] = event(row);
            *slot += 1;
        }
    }
}

/// As [`place`], then sorts each user by time; the row breaks ties, which makes the sort stable.
fn place_by_time(
    users: &[i32],
    times: &[i64],
    cut: &Range<usize>,
    offsets: &[usize],
    out: &mut [i64],
) {
    let mut events = vec![(0, 0); out.len()];
    place(
        users,
        cut,
        offsets,
        |row| (times[row], row as i64),
        &mut events,
    );
    for user in offsets.windows(2) {
        let events = &mut events[user[0] - offsets[0]..user[1] - offsets[0]];
        if !events.is_sorted() {
            events.sort_unstable();
        }
    }
    for (out, (_, row)) in out.iter_mut().zip(events) {
        *out = row;
    }
}

fn is_sorted(users: &[i32], times: Option<&[i64]>) -> bool {
    match times {
        None => users.is_sorted(),
        Some(times) => {
            (1..users.len()).all(|i| (users[i - 1], times[i - 1]) <= (users[i], times[i]))
        }
    }
}

/// One more than the largest id.
fn n_groups(users: &[i32]) -> Result<usize, Error> {
    let mut most = -1;
    for (index, &user) in users.iter().enumerate() {
        if user < 0 {
            return Err(Error::Range {
                name: "users",
                index,
                value: i64::from(user),
                low: 0,
                high: i64::from(i32::MAX),
            });
        }
        most = most.max(user);
    }
    Ok((i64::from(most) + 1) as usize)
}

/// Where the events of each user start in the sorted log, and where the last one's end.
fn offsets(users: &[i32], n_users: usize) -> Vec<usize> {
    let mut offsets = vec![0; n_users + 1];
    for &user in users {
        offsets[user as usize + 1] += 1;
    }
    for user in 0..n_users {
        offsets[user + 1] += offsets[user];
    }
    offsets
}

/// What happens to an event whose user has taken the item before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// It stays.
    Keep,
    /// Only a user's first event of each item stays.
    First,
    /// It goes if the user's last event that stayed is of the same item.
    DropConsecutive,
}

impl FromStr for Repeats {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "keep" => Ok(Self::Keep),
            "first" => Ok(Self::First),
            "drop-consecutive" => Ok(Self::DropConsecutive),
            _ => Err(Error::Option {
                name: "policy",
                value: format!("{name:?}"),
                reason: "it must be \"keep\", \"first\" or \"drop-consecutive\"",
            }),
        }
    }
}

/// Which events stay, and how many go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// For each event, whether it stays.
    pub keep: Vec<bool>,
    /// Exact duplicates (user, item, time) that go.
    pub duplicates: usize,
    /// Other repeats that go by the policy.
    pub repeats: usize,
}

/// Marks exact duplicates, of which the first stays, and then applies the policy to the rest.
///
/// Events are sorted by (user, time). Without times nothing is an exact duplicate.
///
/// # Errors
/// [`Error::Length`] for columns of different lengths, [`Error::Range`] where the order falls.
pub fn mark_repeats(
    users: &[i32],
    items: &[i32],
    times: Option<&[i64]>,
    policy: Repeats,
) -> Result<Marked, Error> {
    same_length("items", items.len(), users.len())?;
    same_length(
        "times",
        times.map_or(users.len(), <[i64]>::len),
        users.len(),
    )?;
    let bounds = bounds_of_sorted(users, times)?;
    let mut keep = vec![true; users.len()];
    let cuts = shares::cut(&bounds, 4 * shares::threads());
    let lengths = cuts.iter().map(|cut| bounds[cut.end] - bounds[cut.start]);
    let pieces = shares::split(&mut keep, lengths);
    let counts = shares::map(cuts.iter().zip(pieces), |(cut, keep)| {
        let base = bounds[cut.start];
        let (mut scratch, mut duplicates, mut repeats) = (Vec::new(), 0, 0);
        for user in bounds[cut.start..=cut.end].windows(2) {
            let keep = &mut keep[user[0] - base..user[1] - base];
            let items = &items[user[0]..user[1]];
            if let Some(times) = times {
                duplicates += drop_duplicates(items, &times[user[0]..user[1]], keep, &mut scratch);
            }
            repeats += match policy {
                Repeats::Keep => 0,
                Repeats::First => drop_later(items, keep, &mut scratch),
                Repeats::DropConsecutive => drop_consecutive(items, keep),
            };
        }
        (duplicates, repeats)
    });
    let duplicates = counts.iter().map(|c| c.0).sum();
    let repeats = counts.iter().map(|c| c.1).sum();
    Ok(Marked {
        keep,
        duplicates,
        repeats,
    })
}

/// Drops a user's events whose item was taken before at the same time.
fn drop_duplicates(
    items: &[i32],
    times: &[i64],
    keep: &mut [bool],
    scratch: &mut Vec<u64>,
) -> usize {
    let (mut start, mut dropped) = (0, 0);
    for run in times.chunk_by(|a, b| a == b) {
        let stop = start + run.len();
        dropped += drop_later(&items[start..stop], &mut keep[start..stop], scratch);
        start = stop;
    }
    dropped
}

/// Drops every event whose item stands before it; the first one always stays.
fn drop_later(items: &[i32], keep: &mut [bool], scratch: &mut Vec<u64>) -> usize {
    let mut dropped = 0;
    for_each_repeat(items, scratch, |i| {
        dropped += usize::from(keep[i]);
        keep[i] = false;
    });
    dropped
}

/// Drops every event whose previous kept event is of the same item.
fn drop_consecutive(items: &[i32], keep: &mut [bool]) -> usize {
    let (mut last, mut dropped) = (None, 0);
    for (item, keep) in items.iter().zip(keep) {
        if *keep && last == Some(item) {
            *keep = false;
            dropped += 1;
        } else if *keep {
            last = Some(item);
        }
    }
    dropped
}

/// Where each user's events start in a sorted log, and the end of the last.
fn bounds_of_sorted(users: &[i32], times: Option<&[i64]>) -> Result<Vec<usize>, Error> {
    let mut bounds = vec![0];
    let mut start = 0;
    for i in 1..users.len() {
        if users[i] == users[i - 1] {
            if let Some(times) = times {
                rises("times", i, times[i - 1], times[i], i64::MAX)?;
            }
            continue;
        }
        rises(
            "users",
            i,
            users[i - 1].into(),
            users[i].into(),
            i32::MAX.into(),
        )?;
        countable(i - start)?;
        bounds.push(i);
        start = i;
    }
    countable(users.len() - start)?;
    if !users.is_empty() {
        bounds.push(users.len());
    }
    Ok(bounds)
}

fn rises(name: &'static str, index: usize, low: i64, value: i64, high: i64) -> Result<(), Error> {
    if value >= low {
        return Ok(());
    }
    Err(Error::Range {
        name,
        index,
        value,
        low,
        high,
    })
}

/// Checks a column against the users.
pub(crate) fn same_length(name: &'static str, found: usize, wanted: usize) -> Result<(), Error> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::Length {
        name,
        found,
        wanted,
        why: "one for each of the users",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_times_keep_the_order_of_the_rows() {
        let order = sort_events(&[1, 0, 1, 0, 1], Some(&[7, 3, 7, 3, 2])).unwrap();
        assert_eq!(order, [1, 3, 4, 0, 2]);
    }

    #[test]
    fn without_times_the_rows_of_a_user_keep_their_order() {
        assert_eq!(sort_events(&[2, 0, 2, 0], None).unwrap(), [1, 3, 0, 2]);
    }

    #[test]
    fn ids_far_above_the_number_of_rows_need_no_table() {
        assert_eq!(sort_events(&[i32::MAX, 5], None).unwrap(), [1, 0]);
    }

    #[test]
    fn an_exact_duplicate_goes_even_with_another_event_between() {
        let marked = mark_repeats(&[0; 4], &[8, 9, 8, 8], Some(&[1, 1, 1, 2]), Repeats::Keep);
        let keep = vec![true, true, false, true];
        assert_eq!(
            marked,
            Ok(Marked {
                keep,
                duplicates: 1,
                repeats: 0
            })
        );
    }

    #[test]
    fn consecutive_means_next_to_the_last_event_that_stayed() {
        let marked = mark_repeats(
            &[0, 0, 0, 0, 1],
            &[8, 8, 8, 9, 9],
            None,
            Repeats::DropConsecutive,
        );
        let marked = marked.unwrap();
        assert_eq!(marked.keep, [true, false, false, true, true]);
        assert_eq!(marked.repeats, 2);
    }

    #[test]
    fn first_keeps_one_event_of_each_item_and_user() {
        let marked = mark_repeats(&[0, 0, 0, 1], &[8, 9, 8, 8], None, Repeats::First).unwrap();
        assert_eq!(marked.keep, [true, true, false, true]);
    }

    #[test]
    fn a_log_out_of_order_is_refused_with_its_place() {
        let refused = mark_repeats(&[0, 0], &[1, 1], Some(&[5, 4]), Repeats::Keep).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("`times`[1] is 4, outside 5..={}", i64::MAX)
        );
        assert!(mark_repeats(&[1, 0], &[1, 1], None, Repeats::Keep).is_err());
        assert!("last".parse::<Repeats>().is_err());
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_a_stable_sort(
            events in prop::collection::vec((0i32..5, 0i64..4), 0..40),
        ) {
            let users: Vec<i32> = events.iter().map(|e| e.0).collect();
            let times: Vec<i64> = events.iter().map(|e| e.1).collect();
            let mut wanted: Vec<i64> = (0..events.len() as i64).collect();
            wanted.sort_by_key(|&row| events[row as usize]);
            prop_assert_eq!(sort_events(&users, Some(&times)).unwrap(), wanted);
        }
    }
}
