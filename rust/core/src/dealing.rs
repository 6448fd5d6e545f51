//! Events dealt out to their users, and sorted by time where that is needed.
//!
//! Rows are dealt out twice, each time in their order: first to buckets of neighbouring users, share
//! by share, then within a bucket, which fits into a cache, to its users. Only users whose times do
//! not rise are sorted. Each write goes to a piece that one thread owns.

use std::ops::Range;

use crate::log::{Grouped, user_outside};
use crate::{Error, buffer, parallel, shares};

/// Rows of a bucket, about: their events and the sorted ones stay in the second level of a cache.
const BUCKET: usize = 1 << 14;

/// Most buckets: each is a place that the first dealing writes to in turn.
const MOST_BUCKETS: usize = 1 << 10;

/// Rows that are on their way at a time, about: they take 16 bytes each.
const PASS: usize = 1 << 22;

/// An event on its way.
#[derive(Debug, Clone, Copy, Default)]
struct Event {
    time: i64,
    user: i32,
    item: i32,
}

/// Groups the events of the rows, whose items are given by a function.
pub(crate) fn group(
    users: &[i32],
    times: Option<&[i64]>,
    keep_times: bool,
    n_users: usize,
    item: impl Fn(usize) -> i32 + Sync,
) -> Result<Grouped, Error> {
    let n = users.len();
    let buckets = Buckets::new(n, n_users);
    let share = n.div_ceil(parallel::threads()).max(1);
    let rows = parallel::ranges(n, share);
    let counts = parallel::map(rows.clone(), |rows| buckets.count(users, rows));
    let counts = counts.into_iter().collect::<Result<Vec<_>, _>>()?;
    let totals: Vec<usize> = (0..buckets.n)
        .map(|bucket| counts.iter().map(|count| count[bucket]).sum())
        .collect();
    let mut grouped = Grouped {
        offsets: buffer::zeros(n_users.saturating_add(1))?,
        items: buffer::zeros(n)?,
        times: buffer::zeros(times.filter(|_| keep_times).map_or(0, <[i64]>::len))?,
    };
    let mut outs = buckets.cut(&totals, &mut grouped)?.into_iter();
    for pass in passes(&totals) {
        let event = |row: usize| Event {
            time: times.map_or(0, |times| times[row]),
            user: users[row],
            item: item(row),
        };
        let parts = parallel::map(rows.clone().zip(&counts), |(rows, counts)| {
            buckets.deal(users, rows, &pass, &counts[pass.clone()], event)
        });
        let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
        let outs = outs.by_ref().take(pass.len()).enumerate();
        let sorted = parallel::map_with(outs, Scratch::default, |scratch, (bucket, out)| {
            let events: Vec<&[Event]> = parts.iter().map(|part| part.bucket(bucket)).collect();
            scratch.sort(&events, out)
        });
        sorted.into_iter().collect::<Result<(), _>>()?;
    }
    Ok(grouped)
}

/// Ranges of buckets with about [`PASS`] rows each, or one bucket that has more.
fn passes(totals: &[usize]) -> Vec<Range<usize>> {
    let (mut passes, mut start, mut rows) = (Vec::new(), 0, 0);
    for (bucket, total) in totals.iter().enumerate() {
        if bucket > start && rows + total > PASS {
            passes.push(start..bucket);
            (start, rows) = (bucket, 0);
        }
        rows += total;
    }
    passes.push(start..totals.len());
    passes
}

/// Ranges of 2^shift users.
struct Buckets {
    shift: u32,
    n: usize,
    n_users: usize,
}

impl Buckets {
    fn new(n_rows: usize, n_users: usize) -> Self {
        let most = (n_rows / BUCKET).clamp(1, MOST_BUCKETS);
        let last = n_users.saturating_sub(1);
        let mut shift = 0;
        while last >> shift >= most {
            shift += 1;
        }
        Self {
            shift,
            n: (last >> shift) + 1,
            n_users,
        }
    }

    fn users(&self, bucket: usize) -> Range<usize> {
        bucket << self.shift..self.n_users.min((bucket + 1) << self.shift)
    }

    /// How many of some rows fall into each bucket.
    fn count(&self, users: &[i32], rows: Range<usize>) -> Result<Vec<usize>, Error> {
        let mut counts = vec![0; self.n];
        for row in rows {
            let user = users[row];
            if user < 0 || user as usize >= self.n_users {
                return Err(user_outside(users, row, self.n_users));
            }
            counts[user as usize >> self.shift] += 1;
        }
        Ok(counts)
    }

    /// Deals out the rows that fall into the buckets of a pass, of which `counts` says how many.
    fn deal(
        &self,
        users: &[i32],
        rows: Range<usize>,
        pass: &Range<usize>,
        counts: &[usize],
        event: impl Fn(usize) -> Event,
    ) -> Result<Part, Error> {
        let starts = running_sum(counts)?;
        let mut events = buffer::copies(starts[counts.len()], Event::default())?;
        let mut next = starts.clone();
        for row in rows {
            let bucket = (users[row] as usize >> self.shift).wrapping_sub(pass.start);
            if bucket < counts.len() {
                events[next[bucket]] = event(row);
                next[bucket] += 1;
            }
        }
        Ok(Part { events, starts })
    }

    /// The pieces of the answer that belong to each bucket.
    fn cut<'a>(&self, totals: &[usize], grouped: &'a mut Grouped) -> Result<Vec<Out<'a>>, Error> {
        let widths = (0..self.n).map(|bucket| self.users(bucket).len());
        let items = shares::split(&mut grouped.items, totals.iter().copied());
        let none = grouped.times.is_empty();
        let times = totals.iter().map(|&total| if none { 0 } else { total });
        let times = shares::split(&mut grouped.times, times);
        let ends = shares::split(&mut grouped.offsets[1..], widths);
        let starts = running_sum(totals)?;
        let pieces = items.into_iter().zip(times).zip(ends).enumerate();
        let outs = pieces
            .map(|(bucket, ((items, times), ends))| Out {
                first_user: bucket << self.shift,
                start: starts[bucket],
                ends,
                items,
                times,
            })
            .collect();
        Ok(outs)
    }
}

/// Events of a share of the rows, bucket by bucket and in the order of the rows.
struct Part {
    events: Vec<Event>,
    starts: Vec<usize>,
}

impl Part {
    fn bucket(&self, bucket: usize) -> &[Event] {
        &self.events[self.starts[bucket]..self.starts[bucket + 1]]
    }
}

/// The piece of the answer that belongs to a bucket.
struct Out<'a> {
    first_user: usize,
    /// Events of the users before.
    start: usize,
    ends: &'a mut [i64],
    items: &'a mut [i32],
    /// Empty where times are not kept.
    times: &'a mut [i64],
}

/// What the second dealing needs, kept from bucket to bucket.
#[derive(Default)]
struct Scratch {
    events: Vec<(i64, i32)>,
    keys: Vec<u64>,
}

impl Scratch {
    /// Deals out the events of a bucket to its users, and sorts each user by time.
    fn sort(&mut self, parts: &[&[Event]], out: Out<'_>) -> Result<(), Error> {
        let place = |event: &Event| event.user as usize - out.first_user;
        let mut counts = buffer::zeros(out.ends.len())?;
        for event in parts.iter().copied().flatten() {
            counts[place(event)] += 1;
        }
        let bounds = running_sum(&counts)?;
        let mut next = counts;
        next.copy_from_slice(&bounds[..out.ends.len()]);
        self.events.clear();
        buffer::reserve(&mut self.events, out.items.len())?;
        self.events.resize(out.items.len(), (0, 0));
        for part in parts {
            for event in *part {
                let next = &mut next[place(event)];
                self.events[*next] = (event.time, event.item);
                *next += 1;
            }
        }
        for (user, end) in out.ends.iter_mut().enumerate() {
            let own = bounds[user]..bounds[user + 1];
            *end = (out.start + own.end) as i64;
            if !self.events[own.clone()].is_sorted_by_key(|event| event.0) {
                sort_by_time(&mut self.events[own], &mut self.keys)?;
            }
        }
        for ((_, item), to) in self.events.iter().zip(out.items) {
            *to = *item;
        }
        for ((time, _), to) in self.events.iter().zip(out.times) {
            *to = *time;
        }
        Ok(())
    }
}

/// Sorts the events of one user by time, stably.
fn sort_by_time(events: &mut [(i64, i32)], keys: &mut Vec<u64>) -> Result<(), Error> {
    let times = || events.iter().map(|event| event.0);
    let (low, high) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
    let bits = usize::BITS - events.len().leading_zeros();
    if high.abs_diff(low).leading_zeros() < bits {
        buffer::check_room::<(i64, i32)>(events.len())?;
        events.sort_by_key(|event| event.0);
        return Ok(());
    }
    // Time and place share 64 bits: distinct keys, which need no stable sort.
    keys.clear();
    buffer::reserve(keys, events.len())?;
    keys.extend(
        times()
            .zip(0..)
            .map(|(time, place): (i64, u64)| time.abs_diff(low) << bits | place),
    );
    keys.sort_unstable();
    let items = buffer::collected(events.iter().map(|event| event.1))?;
    for (event, key) in events.iter_mut().zip(keys) {
        let place = *key & ((1 << bits) - 1);
        *event = (
            low.wrapping_add_unsigned(*key >> bits),
            items[place as usize],
        );
    }
    Ok(())
}

/// The sum of all before each, and of all.
fn running_sum(counts: &[usize]) -> Result<Vec<usize>, Error> {
    let mut sums = buffer::with_room(counts.len() + 1)?;
    let mut sum = 0;
    sums.push(sum);
    for count in counts {
        sum += count;
        sums.push(sum);
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{group_events, sort_events};

    #[test]
    fn times_at_both_ends_of_their_range_are_sorted() {
        let times = [i64::MAX, 0, i64::MIN, 0];
        let grouped = group_events(&[0; 4], &[1, 2, 3, 4], Some(&times), true, 1).unwrap();
        assert_eq!(grouped.items, [3, 2, 4, 1]);
        assert_eq!(grouped.times, [i64::MIN, 0, 0, i64::MAX]);
    }

    #[test]
    fn passes_have_as_many_rows_as_there_may_be() {
        assert_eq!(passes(&[PASS, 1, 1, PASS + 1, 1]), [0..1, 1..3, 3..4, 4..5]);
        assert_eq!(passes(&[0]), vec![0..1]);
    }

    #[test]
    fn many_buckets_give_the_order_of_one() {
        let n = 40 * BUCKET;
        let users: Vec<i32> = (0..n).map(|row| (row * 7919 % 1009) as i32).collect();
        let times: Vec<i64> = (0..n).map(|row| (row * 31 % 97) as i64).collect();
        let mut wanted: Vec<i64> = (0..n as i64).collect();
        wanted.sort_by_key(|&row| (users[row as usize], times[row as usize]));
        assert_eq!(sort_events(&users, Some(&times)).unwrap(), wanted);
    }
}
