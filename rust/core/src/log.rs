//! The order of the log of events.
//!
//! Order is (user, time), stable in the order of the rows. Ties are never broken by item id: that
//! would hand the model an order that nobody acted in.

use crate::placing::{is_straight, place};
use crate::{Error, buffer, dealing, vocab};

/// The events of all users, user by user, in the order of their times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouped {
    /// User `u` has the events `offsets[u]..offsets[u + 1]`.
    pub offsets: Vec<i64>,
    /// Item of each event.
    pub items: Vec<i32>,
    /// Time of each event; empty without times, or where they are not kept.
    pub times: Vec<i64>,
}

/// The events by (user, time), stable in the order of the rows; without times by user alone.
///
/// ```
/// let (users, items, times) = ([1, 0, 1], [7, 8, 9], Some(&[5, 9, 4][..]));
/// let grouped = seqrec_core::log::group_events(&users, &items, times, true, 2)?;
/// assert_eq!(grouped.offsets, [0, 1, 3]);
/// assert_eq!(grouped.items, [8, 9, 7]);
/// assert_eq!(grouped.times, [9, 4, 5]);
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Length`] for columns of different lengths, [`Error::Range`] for a user outside
/// `0..n_users`.
pub fn group_events(
    users: &[i32],
    items: &[i32],
    times: Option<&[i64]>,
    keep_times: bool,
    n_users: usize,
) -> Result<Grouped, Error> {
    same_length("items", items.len(), users.len())?;
    group(users, times, keep_times, n_users, |row| items[row])
}

/// Groups the events of the rows, whose items are given by a function.
fn group(
    users: &[i32],
    times: Option<&[i64]>,
    keep_times: bool,
    n_users: usize,
    item: impl Fn(usize) -> i32 + Sync,
) -> Result<Grouped, Error> {
    let n = users.len();
    same_length("times", times.map_or(n, <[i64]>::len), n)?;
    if is_straight(n, times, n_users) {
        return place(users, times.filter(|_| keep_times), n_users, item);
    }
    dealing::group(users, times, keep_times, n_users, item)
}

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
/// [`Error::Length`] if there is not one time for each user, [`Error::Range`] for a negative user,
/// [`Error::TooMany`] for more rows than 32 bits can number.
pub fn sort_events(users: &[i32], times: Option<&[i64]>) -> Result<Vec<i64>, Error> {
    let (found, limit) = (users.len(), u32::MAX as usize);
    if found > limit {
        return Err(Error::TooMany {
            what: "rows",
            found,
            limit,
        });
    }
    let n_users = n_groups(users)?;
    // Ids far above the number of rows would need a table far larger than the log.
    if n_users > 4 * users.len() {
        let ids = buffer::collected(users.iter().map(|&user| i64::from(user)))?;
        return sort_events(&vocab::encode_integers(&ids)?.codes, times);
    }
    let rows = group(users, times, false, n_users, |row| row as u32 as i32)?.items;
    buffer::collected(rows.into_iter().map(|row| i64::from(row as u32)))
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
pub(crate) fn offsets(users: &[i32], n_users: usize) -> Result<Vec<usize>, Error> {
    let mut offsets = buffer::zeros(n_users + 1)?;
    for &user in users {
        offsets[user as usize + 1] += 1;
    }
    for user in 0..n_users {
        offsets[user + 1] += offsets[user];
    }
    Ok(offsets)
}

/// Refuses the user of a row.
pub(crate) fn user_outside(users: &[i32], row: usize, n_users: usize) -> Error {
    Error::Range {
        name: "users",
        index: row,
        value: i64::from(users[row]),
        low: 0,
        high: n_users as i64 - 1,
    }
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
    fn users_without_events_have_empty_ranges() {
        let grouped = group_events(&[3, 1], &[7, 8], None, true, 5).unwrap();
        assert_eq!(grouped.offsets, [0, 0, 1, 1, 2, 2]);
        assert_eq!((grouped.items, grouped.times), (vec![8, 7], vec![]));
        assert_eq!(
            group_events(&[], &[], Some(&[]), true, 2).unwrap().offsets,
            [0; 3]
        );
        assert_eq!(group_events(&[], &[], None, true, 0).unwrap().offsets, [0]);
    }

    #[test]
    fn a_user_outside_the_range_is_named_by_its_row() {
        let refused = group_events(&[0, 2], &[0, 0], None, true, 2).unwrap_err();
        assert_eq!(refused.to_string(), "`users`[1] is 2, outside 0..=1");
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
