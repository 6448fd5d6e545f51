//! Repeated events of a log: exact duplicates always go, other repeats by a policy.

use std::str::FromStr;

use crate::sets::{countable, for_each_repeat};
use crate::{Error, buffer, parallel, shares};

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
/// User `u` has the events `offsets[u]..offsets[u + 1]`, in the order of their times. Without times
/// nothing is an exact duplicate.
///
/// # Errors
/// [`Error::Length`] for columns of different lengths, [`Error::Range`] for offsets that are not
/// those of the items, or where the times fall.
pub fn mark_repeats(
    offsets: &[i64],
    items: &[i32],
    times: Option<&[i64]>,
    policy: Repeats,
) -> Result<Marked, Error> {
    let n = items.len();
    let found = times.map_or(n, <[i64]>::len);
    if found != n {
        return Err(Error::Length {
            name: "times",
            found,
            wanted: n,
            why: "one for each of the items",
        });
    }
    let bounds = bounds(offsets, n)?;
    let mut keep = buffer::copies(n, true)?;
    let cuts = shares::cut(&bounds, 4 * parallel::threads());
    let lengths = cuts.iter().map(|cut| bounds[cut.end] - bounds[cut.start]);
    let pieces = shares::split(&mut keep, lengths);
    let counts = parallel::map(cuts.iter().zip(pieces), |(cut, keep)| {
        let base = bounds[cut.start];
        let (mut scratch, mut duplicates, mut repeats) = (Vec::new(), 0, 0);
        for user in bounds[cut.start..=cut.end].windows(2) {
            let keep = &mut keep[user[0] - base..user[1] - base];
            let items = &items[user[0]..user[1]];
            if let Some(times) = times {
                let times = &times[user[0]..user[1]];
                rise("times", user[0], times)?;
                duplicates += drop_duplicates(items, times, keep, &mut scratch)?;
            }
            repeats += match policy {
                Repeats::Keep => 0,
                Repeats::First => drop_later(items, keep, &mut scratch)?,
                Repeats::DropConsecutive => drop_consecutive(items, keep),
            };
        }
        Ok((duplicates, repeats))
    });
    let counts = counts.into_iter().collect::<Result<Vec<_>, Error>>()?;
    Ok(Marked {
        keep,
        duplicates: counts.iter().map(|c| c.0).sum(),
        repeats: counts.iter().map(|c| c.1).sum(),
    })
}

/// Drops a user's events whose item was taken before at the same time.
fn drop_duplicates(
    items: &[i32],
    times: &[i64],
    keep: &mut [bool],
    scratch: &mut Vec<u64>,
) -> Result<usize, Error> {
    let (mut start, mut dropped) = (0, 0);
    for run in times.chunk_by(|a, b| a == b) {
        let stop = start + run.len();
        dropped += drop_later(&items[start..stop], &mut keep[start..stop], scratch)?;
        start = stop;
    }
    Ok(dropped)
}

/// Drops every event whose item stands before it; the first one always stays.
fn drop_later(items: &[i32], keep: &mut [bool], scratch: &mut Vec<u64>) -> Result<usize, Error> {
    let mut dropped = 0;
    for_each_repeat(items, scratch, |i| {
        dropped += usize::from(keep[i]);
        keep[i] = false;
    })?;
    Ok(dropped)
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

/// The offsets of `n` events: from 0 to `n`, and never falling.
fn bounds(offsets: &[i64], n: usize) -> Result<Vec<usize>, Error> {
    let outside = |index: usize, low: i64, high: usize| Error::Range {
        name: "offsets",
        index,
        value: offsets[index],
        low,
        high: high as i64,
    };
    let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else {
        return Err(Error::Length {
            name: "offsets",
            found: 0,
            wanted: 1,
            why: "one more than there are users",
        });
    };
    rise("offsets", 0, offsets)?;
    if first != 0 {
        return Err(outside(0, 0, 0));
    }
    if last != n as i64 {
        return Err(outside(offsets.len() - 1, n as i64, n));
    }
    let bounds = buffer::collected(offsets.iter().map(|&offset| offset as usize))?;
    bounds
        .windows(2)
        .try_for_each(|user| countable(user[1] - user[0]))?;
    Ok(bounds)
}

/// Refuses values that fall; the first has the place `start` in its argument.
fn rise(name: &'static str, start: usize, values: &[i64]) -> Result<(), Error> {
    match values.windows(2).position(|pair| pair[1] < pair[0]) {
        None => Ok(()),
        Some(i) => Err(Error::Range {
            name,
            index: start + i + 1,
            value: values[i + 1],
            low: values[i],
            high: i64::MAX,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_duplicate_goes_even_with_another_event_between() {
        let marked = mark_repeats(&[0, 4], &[8, 9, 8, 8], Some(&[1, 1, 1, 2]), Repeats::Keep);
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
        let marked = mark_repeats(&[0, 4, 5], &[8, 8, 8, 9, 9], None, Repeats::DropConsecutive);
        let marked = marked.unwrap();
        assert_eq!(marked.keep, [true, false, false, true, true]);
        assert_eq!(marked.repeats, 2);
    }

    #[test]
    fn first_keeps_one_event_of_each_item_and_user() {
        let marked = mark_repeats(&[0, 3, 4], &[8, 9, 8, 8], None, Repeats::First).unwrap();
        assert_eq!(marked.keep, [true, true, false, true]);
    }

    #[test]
    fn a_log_out_of_order_is_refused_with_its_place() {
        let refused = mark_repeats(&[0, 2], &[1, 1], Some(&[5, 4]), Repeats::Keep).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("`times`[1] is 4, outside 5..={}", i64::MAX)
        );
    }

    #[test]
    fn offsets_that_are_not_those_of_the_items_are_refused() {
        for offsets in [&[][..], &[1, 2], &[0, 1], &[0, 3], &[0, 2, 1, 2]] {
            assert!(mark_repeats(offsets, &[1, 1], None, Repeats::Keep).is_err());
        }
        assert!("last".parse::<Repeats>().is_err());
    }
}
