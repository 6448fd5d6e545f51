//! Events put straight into their places, where the rows come in the order of their times.
//!
//! The events of a user then keep the order of the rows. Each share of the rows counts its events
//! user by user, so it knows where the first one of each user belongs; the next one comes behind it.
//! No two rows have the same place, so the order of the stores does not matter.

use std::ops::Range;
use std::sync::atomic::{AtomicI32, AtomicI64, Ordering::Relaxed};

use crate::log::{Grouped, user_outside};
use crate::{Error, buffer, parallel};

/// Most users: the place where the next event of each one goes stays in a cache.
const MOST_USERS: usize = 1 << 17;

/// Whether [`place`] groups these rows, and faster than dealing them out does.
pub(crate) fn is_straight(n_rows: usize, times: Option<&[i64]>, n_users: usize) -> bool {
    let few = n_users <= MOST_USERS && u32::try_from(n_rows).is_ok();
    few && times.is_none_or(|times| {
        let each = parallel::map(cut(times.len(), 1), |rows| {
            times[rows.start.saturating_sub(1)..rows.end].is_sorted()
        });
        each.into_iter().all(|is_sorted| is_sorted)
    })
}

/// Groups the events of rows in the order of their times, which are kept if they are given.
pub(crate) fn place(
    users: &[i32],
    times: Option<&[i64]>,
    n_users: usize,
    item: impl Fn(usize) -> i32 + Sync,
) -> Result<Grouped, Error> {
    let rows = cut(users.len(), n_users);
    let counts = parallel::map(rows.clone(), |rows| count(users, rows, n_users));
    let mut places = counts.into_iter().collect::<Result<Vec<_>, _>>()?;
    let offsets = count_up(&mut places, n_users)?;
    let items = buffer::collected(users.iter().map(|_| AtomicI32::new(0)))?;
    let kept = times.unwrap_or_default();
    let moments = buffer::collected(kept.iter().map(|_| AtomicI64::new(0)))?;
    parallel::map(rows.zip(places), |(rows, mut places)| {
        for row in rows {
            let place = &mut places[users[row] as usize];
            items[*place as usize].store(item(row), Relaxed);
            if let Some(times) = times {
                moments[*place as usize].store(times[row], Relaxed);
            }
            *place += 1;
        }
    });
    Ok(Grouped {
        offsets,
        items: items.into_iter().map(AtomicI32::into_inner).collect(),
        times: moments.into_iter().map(AtomicI64::into_inner).collect(),
    })
}

/// Ranges of rows, one for each thread, but no more counts of users than rows.
fn cut(n_rows: usize, n_users: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    let most = (n_rows / n_users.max(1)).max(1);
    let share = n_rows.div_ceil(parallel::threads().min(most)).max(1);
    parallel::ranges(n_rows, share)
}

/// How many of some rows each user has.
fn count(users: &[i32], rows: Range<usize>, n_users: usize) -> Result<Vec<u32>, Error> {
    let mut counts = buffer::zeros(n_users)?;
    for row in rows {
        match counts.get_mut(users[row] as usize) {
            Some(count) => *count += 1,
            None => return Err(user_outside(users, row, n_users)),
        }
    }
    Ok(counts)
}

/// Makes of the counts the places of the first events; returns where each user begins and ends.
fn count_up(counts: &mut [Vec<u32>], n_users: usize) -> Result<Vec<i64>, Error> {
    let mut offsets = buffer::with_room(n_users + 1)?;
    let mut place = 0;
    offsets.push(0);
    for user in 0..n_users {
        for counts in &mut *counts {
            place += std::mem::replace(&mut counts[user], place);
        }
        offsets.push(i64::from(place));
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::helpers::{Helpers, with_helpers};

    #[test]
    fn a_fall_between_two_shares_is_seen() {
        let two = Helpers::new(2).unwrap().map(Arc::new);
        let times = [1, 1, 2, 1, 1, 2];
        assert!(!with_helpers(two, || is_straight(6, Some(&times), 1)));
        assert!(is_straight(6, Some(&[1, 1, 2, 2, 3, 3]), 1));
    }
}
