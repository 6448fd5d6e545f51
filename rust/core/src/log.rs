//! The order of the log of events.
//!
//! Order is (user, time), stable in the order of the rows. Ties are never broken by item id: that
//! would hand the model an order that nobody acted in.

use std::ops::Range;

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
pub(crate) fn offsets(users: &[i32], n_users: usize) -> Vec<usize> {
    let mut offsets = vec![0; n_users + 1];
    for &user in users {
        offsets[user as usize + 1] += 1;
    }
    for user in 0..n_users {
        offsets[user + 1] += offsets[user];
    }
    offsets
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
