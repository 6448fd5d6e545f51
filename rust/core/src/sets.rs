//! Which items a user has taken: first occurrences, ascending sets, and how often each in all.

use std::ops::Range;

use crate::log::same_length;
use crate::parallel::{self, map_rows};
use crate::{Error, Sequences, buffer, check_count, shares};

/// Most events of one user: a position and an item share 64 bits while they are sorted.
const MOST: usize = u32::MAX as usize;

/// For each stored event: 1 if its user has not taken the item before it, else 0.
///
/// Events outside every user's range are 0. The result has the length of the stored items.
///
/// ```
/// use seqrec_core::{Sequences, sets::first_occurrences};
/// let sequences = Sequences::new(&[5, 6, 5, 5], &[0, 3], &[3, 4])?;
/// assert_eq!(first_occurrences(&sequences)?, [1, 1, 0, 1]);
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Slice`] for a bad range, [`Error::Range`] for an item below 1 or a user whose events
/// do not follow those of the users before it.
pub fn first_occurrences(sequences: &Sequences<'_>) -> Result<Vec<u8>, Error> {
    let ends = ends(sequences)?;
    let mut first = buffer::zeros(sequences.items().len())?;
    let cuts = shares::cut(&ends, 4 * parallel::threads());
    let pieces = shares::split(&mut first, cuts.iter().map(|c| ends[c.end] - ends[c.start]));
    let done = parallel::map(cuts.iter().zip(pieces), |(users, out)| {
        let base = ends[users.start];
        let mut scratch = Vec::new();
        for user in users.clone() {
            let (start, stop) = sequences.range(user)?;
            let items = ids_in(sequences, start..stop, i32::MAX)?;
            if !items.is_empty() {
                let out = &mut out[start - base..stop - base];
                out.fill(1);
                for_each_repeat(items, &mut scratch, |i| out[i] = 0)?;
            }
        }
        Ok(())
    });
    done.into_iter().collect::<Result<(), _>>()?;
    Ok(first)
}

/// Ascending distinct items of each user, end to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sets {
    /// User `u` has `members[offsets[u]..offsets[u + 1]]`.
    pub offsets: Vec<i64>,
    /// Members of all sets.
    pub members: Vec<i32>,
}

/// The ascending distinct items of each user.
///
/// # Errors
/// [`Error::Slice`] for a bad range, [`Error::Range`] for an item below 1.
pub fn sorted_sets(sequences: &Sequences<'_>) -> Result<Sets, Error> {
    let cuts = shares::cut(&totals(sequences)?, 4 * parallel::threads());
    let parts = parallel::map(cuts, |users| {
        let (mut sizes, mut members) = (buffer::with_room(users.len())?, Vec::new());
        for user in users {
            let (start, stop) = sequences.range(user)?;
            let set = distinct(ids_in(sequences, start..stop, i32::MAX)?)?;
            sizes.push(set.len());
            buffer::reserve(&mut members, set.len())?;
            members.extend(set);
        }
        Ok((sizes, members))
    });
    let parts = parts.into_iter().collect::<Result<Vec<_>, Error>>()?;
    let n_members = parts.iter().map(|(_, members)| members.len()).sum();
    let mut sets = Sets {
        offsets: buffer::with_room(sequences.n_users() + 1)?,
        members: buffer::with_room(n_members)?,
    };
    let mut end = 0;
    sets.offsets.push(end);
    for (sizes, members) in parts {
        sets.members.extend(members);
        for size in sizes {
            end += size as i64;
            sets.offsets.push(end);
        }
    }
    Ok(sets)
}

/// How often each item `1..=n_items` occurs in the sequences.
///
/// # Errors
/// [`Error::Slice`] for a bad range, [`Error::Range`] for an item outside `1..=n_items`,
/// [`Error::TooMany`] for more items than an `i32` can number.
pub fn count_items(sequences: &Sequences<'_>, n_items: usize) -> Result<Vec<i64>, Error> {
    check_count("items", n_items)?;
    let high = n_items as i32;
    let cuts = shares::cut(&totals(sequences)?, parallel::threads());
    let parts = parallel::map(cuts, |users| {
        let mut counts = buffer::zeros::<i64>(n_items)?;
        for user in users {
            let (start, stop) = sequences.range(user)?;
            for item in ids_in(sequences, start..stop, high)? {
                counts[*item as usize - 1] += 1;
            }
        }
        Ok(counts)
    });
    let mut sum = buffer::zeros(n_items)?;
    for part in parts {
        for (sum, count) in sum.iter_mut().zip(part?) {
            *sum += count;
        }
    }
    Ok(sum)
}

/// Which of the `targets` are among the items of the user in the same row of `users`.
///
/// # Errors
/// [`Error::Length`] for columns of different lengths, and what [`Sequences::row`] refuses.
pub fn contain(
    sequences: &Sequences<'_>,
    users: &[i32],
    targets: &[i32],
) -> Result<Vec<bool>, Error> {
    same_length("targets", targets.len(), users.len())?;
    map_rows(users.len(), |row| {
        Ok(sequences.row(users, row)?.contains(&targets[row]))
    })
}

/// The ascending distinct values.
pub(crate) fn distinct(items: &[i32]) -> Result<Vec<i32>, Error> {
    let mut set = buffer::joined(&[items])?;
    set.sort_unstable();
    set.dedup();
    Ok(set)
}

/// Calls `repeat(i)` for each position whose item also stands at an earlier one.
///
/// Positions must fit in 32 bits: see [`countable`].
pub(crate) fn for_each_repeat(
    items: &[i32],
    scratch: &mut Vec<u64>,
    mut repeat: impl FnMut(usize),
) -> Result<(), Error> {
    if items.len() < 2 {
        return Ok(());
    }
    scratch.clear();
    buffer::reserve(scratch, items.len())?;
    let keys = items.iter().enumerate();
    scratch.extend(keys.map(|(i, &item)| u64::from(item as u32) << 32 | i as u64));
    scratch.sort_unstable();
    for pair in scratch.windows(2) {
        if pair[0] >> 32 == pair[1] >> 32 {
            repeat((pair[1] & u64::from(u32::MAX)) as usize);
        }
    }
    Ok(())
}

/// Checks that the positions of one user's events fit in 32 bits.
pub(crate) fn countable(found: usize) -> Result<(), Error> {
    if found <= MOST {
        return Ok(());
    }
    Err(Error::TooMany {
        what: "events of one user",
        found,
        limit: MOST,
    })
}

/// Running number of events of the users before each one.
pub(crate) fn totals(sequences: &Sequences<'_>) -> Result<Vec<usize>, Error> {
    let mut totals = buffer::with_room(sequences.n_users() + 1)?;
    let mut total = 0;
    totals.push(total);
    for user in 0..sequences.n_users() {
        let (start, stop) = sequences.range(user)?;
        total += stop - start;
        totals.push(total);
    }
    Ok(totals)
}

/// The items of one range of the store, which must be ids from 1 to `high`.
pub(crate) fn ids_in<'a>(
    sequences: &Sequences<'a>,
    range: Range<usize>,
    high: i32,
) -> Result<&'a [i32], Error> {
    let start = range.start;
    let items = &sequences.items()[range];
    countable(items.len())?;
    match items.iter().position(|item| !(1..=high).contains(item)) {
        None => Ok(items),
        Some(i) => Err(Error::Range {
            name: "items",
            index: start + i,
            value: i64::from(items[i]),
            low: 1,
            high: i64::from(high),
        }),
    }
}

/// Where the events of the users before each one end; users must follow one another in the store,
/// those without events excepted.
fn ends(sequences: &Sequences<'_>) -> Result<Vec<usize>, Error> {
    let mut ends = buffer::with_room(sequences.n_users() + 1)?;
    let mut end = 0;
    ends.push(end);
    for user in 0..sequences.n_users() {
        let (start, stop) = sequences.range(user)?;
        if start < stop && start < end {
            return Err(Error::Range {
                name: "starts",
                index: user,
                value: start as i64,
                low: end as i64,
                high: sequences.items().len() as i64,
            });
        }
        if start < stop {
            end = stop;
        }
        ends.push(end);
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_ascending_and_without_repeats() {
        let sequences = Sequences::new(&[9, 3, 9, 4], &[0, 3, 2], &[3, 3, 4]).unwrap();
        let sets = sorted_sets(&sequences).unwrap();
        assert_eq!(sets.offsets, [0, 2, 2, 4]);
        assert_eq!(sets.members, [3, 9, 4, 9]);
    }

    #[test]
    fn events_of_nobody_are_no_first_occurrence() {
        let sequences = Sequences::new(&[1, 1, 2, 2, 2], &[0, 3], &[2, 4]).unwrap();
        assert_eq!(first_occurrences(&sequences).unwrap(), [1, 0, 0, 1, 0]);
    }

    #[test]
    fn users_that_overlap_are_refused_for_first_occurrences() {
        let sequences = Sequences::new(&[1, 2, 3], &[0, 1], &[2, 3]).unwrap();
        assert!(matches!(
            first_occurrences(&sequences),
            Err(Error::Range {
                name: "starts",
                index: 1,
                ..
            })
        ));
    }

    #[test]
    fn each_item_is_counted_inside_the_ranges() {
        let sequences = Sequences::new(&[1, 3, 3, 1], &[0, 3], &[2, 4]).unwrap();
        assert_eq!(count_items(&sequences, 4), Ok(vec![2, 0, 1, 0]));
        assert!(count_items(&sequences, 2).is_err());
        let refused = count_items(&sequences, 1 << 62).unwrap_err();
        assert!(matches!(refused, Error::TooMany { what: "items", .. }));
    }

    #[test]
    fn a_target_is_looked_for_in_its_own_user() {
        let sequences = Sequences::new(&[1, 3, 3], &[0, 2], &[2, 3]).unwrap();
        let found = contain(&sequences, &[1, 1, 0], &[1, 3, 1]);
        assert_eq!(found, Ok(vec![false, true, true]));
        assert!(contain(&sequences, &[2], &[1]).is_err());
    }

    #[test]
    fn padding_is_no_item() {
        let sequences = Sequences::new(&[1, 0, 3], &[0], &[3]).unwrap();
        assert!(sorted_sets(&sequences).is_err());
        assert!(first_occurrences(&sequences).is_err());
    }
}
