//! The plan of an epoch: which rows there are, and in which order they are trained.
//!
//! Rows are put in random order, sorted by length inside chunks of 32 batches, so that the rows of
//! a batch need little padding, and cut into batches; then the full batches are put in random
//! order too. The rest, an incomplete batch, comes last. Every row comes exactly once.

use multiversion::multiversion;

use crate::parallel::fill_rows;
use crate::seed::{Epoch, Purpose, Stream};
use crate::sequences::piece;
use crate::window::Windows;
use crate::{Error, buffer};

/// Batches whose rows are sorted by length together.
const CHUNK_BATCHES: usize = 32;

/// Rows whose keys are drawn in one piece of parallel work.
const KEY_ROWS: usize = 4096;

/// Rows of a bucket, about: few enough to be sorted at once, so many that buckets are few.
const BUCKET_ROWS: usize = 8;

/// What orders an epoch.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Seed of the run.
    pub seed: u64,
    /// Number of the epoch.
    pub epoch: u64,
    /// Rows in a batch.
    pub batch_size: usize,
}

/// The rows of an epoch as columns, in the order of training.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// User of each row.
    pub users: Vec<i32>,
    /// Which row of its user it is.
    pub ks: Vec<i32>,
    /// Length of its window, or position of its target.
    pub values: Vec<i32>,
}

/// One row; the order of the fields is the random order, ties by `(user, k)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    key: u64,
    user: i32,
    k: i32,
    value: i32,
}

impl Row {
    fn new(user: usize, k: usize, value: usize) -> Self {
        Self {
            key: 0,
            user: user as i32,
            k: k as i32,
            value: value as i32,
        }
    }
}

/// All windows of an epoch; users with fewer than `min_length` items have none.
///
/// The values of the plan are the lengths of the windows.
///
/// ```
/// use seqrec_core::{plan::{Order, plan_windows}, window::{Policy, Windows}};
///
/// let order = Order { seed: 1, epoch: 0, batch_size: 8 };
/// let windows = Windows::new(Policy::Last, 4, 1)?;
/// let plan = plan_windows(&[0, 6, 7], &[6, 7, 9], &windows, 1, 2, &order)?;
/// assert_eq!((plan.users, plan.ks, plan.values), (vec![2, 0], vec![0, 0], vec![2, 4]));
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// What [`Windows::check_overlap`] refuses, [`Error::Length`] and [`Error::Slice`] for bounds that
/// are no ranges, [`Error::Option`] for a `batch_size` of 0.
pub fn plan_windows(
    starts: &[i64],
    stops: &[i64],
    windows: &Windows,
    overlap: usize,
    min_length: usize,
    order: &Order,
) -> Result<Plan, Error> {
    windows.check_overlap(overlap)?;
    // The lengths are all that counts here: the store is taken to end where the last user does.
    let end = stops.iter().copied().max().map_or(0, |stop| stop.max(0));
    let mut rows = Vec::new();
    for (user, start, stop) in bounds(starts, stops)? {
        let n = piece(user, start, stop, end as usize)?.len();
        if n < min_length.max(1) {
            continue;
        }
        let count = windows.count(n, overlap);
        buffer::reserve(&mut rows, count)?;
        for k in 0..count {
            rows.push(Row::new(user, k, windows.length(n, k)));
        }
    }
    arrange(rows, i32::MAX, order)
}

/// Up to `per_user` targets of each user: one from each of as many strata of its eligible positions,
/// or all of them. Each is a target in the same share of the epochs.
///
/// A position is eligible if an item stands before it and `first` says that its own is new. The
/// values of the plan are the positions; lengths above `max_length` count as equal.
///
/// # Errors
/// [`Error::Option`] for a size of 0, [`Error::Length`] and [`Error::Slice`] for bounds that are no
/// ranges of `first`.
pub fn plan_targets(
    first: &[u8],
    starts: &[i64],
    stops: &[i64],
    per_user: usize,
    max_length: usize,
    order: &Order,
) -> Result<Plan, Error> {
    at_least_one("per_user", per_user)?;
    at_least_one("max_length", max_length)?;
    let mut rows = Vec::new();
    let mut eligible = Vec::new();
    for (user, start, stop) in bounds(starts, stops)? {
        let first = &first[piece(user, start, stop, first.len())?];
        eligible.clear();
        buffer::reserve(&mut eligible, first.len())?;
        eligible.extend((1..first.len()).filter(|&position| first[position] != 0));
        let n = eligible.len();
        let count = n.min(per_user);
        // Strata differ by one position. Which are the larger ones is drawn, too.
        let moved = stream(order, user, count).below(n as u64) as usize;
        buffer::reserve(&mut rows, count)?;
        rows.extend((0..count).map(|k| {
            let index = drawn_in_stratum(n, count, &mut stream(order, user, k), k);
            Row::new(user, k, eligible[(index + moved) % n])
        }));
    }
    arrange(rows, i32::try_from(max_length).unwrap_or(i32::MAX), order)
}

/// Each user with its start and stop.
fn bounds<'a>(
    starts: &'a [i64],
    stops: &'a [i64],
) -> Result<impl Iterator<Item = (usize, i64, i64)> + 'a, Error> {
    if starts.len() != stops.len() {
        return Err(Error::Length {
            name: "stops",
            found: stops.len(),
            wanted: starts.len(),
            why: "one for each start",
        });
    }
    let pairs = starts.iter().zip(stops).enumerate();
    Ok(pairs.map(|(user, (&start, &stop))| (user, start, stop)))
}

/// The stream of the `k`-th target of a user.
fn stream(order: &Order, user: usize, k: usize) -> Stream {
    let Order { seed, epoch, .. } = *order;
    Stream::new(seed, epoch, user as u64, k as u64, Purpose::Window)
}

/// A uniform index in the `k`-th of `count` pieces of `0..n`, for `k < count <= n`.
fn drawn_in_stratum(n: usize, count: usize, stream: &mut Stream, k: usize) -> usize {
    let (low, high) = (k * n / count, (k + 1) * n / count);
    low + stream.below((high - low) as u64) as usize
}

/// Puts the rows in the order of training; values above `cap` count as equal lengths.
fn arrange(rows: Vec<Row>, cap: i32, order: &Order) -> Result<Plan, Error> {
    at_least_one("batch_size", order.batch_size)?;
    let mut rows = shuffled_rows(rows, order)?;
    let full = rows.len() / order.batch_size;
    let chunk = order.batch_size.saturating_mul(CHUNK_BATCHES);
    // The rows of an incomplete batch are any: those of the longest would weigh more in each epoch.
    fill_rows(&mut rows[..full * order.batch_size], chunk, |_, rows| {
        sort_by_value(rows, cap)
    })?;
    let batches = shuffled_batches(full, order)?;
    let starts = batches.into_iter().chain([full]);
    let mut plan = Plan {
        users: buffer::with_room(rows.len())?,
        ks: buffer::with_room(rows.len())?,
        values: buffer::with_room(rows.len())?,
    };
    for batch in starts {
        let batch = batch * order.batch_size..rows.len().min((batch + 1) * order.batch_size);
        let rows = &rows[batch];
        plan.users.extend(rows.iter().map(|row| row.user));
        plan.ks.extend(rows.iter().map(|row| row.k));
        plan.values.extend(rows.iter().map(|row| row.value));
    }
    Ok(plan)
}

/// The rows sorted by random keys of their own.
///
/// Such keys are spread evenly, so a key alone tells nearly where its row belongs: rows are put into
/// as many buckets as there is a few of them for each, and those few are sorted.
fn shuffled_rows(mut rows: Vec<Row>, order: &Order) -> Result<Vec<Row>, Error> {
    let epoch = Epoch::new(order.seed, order.epoch);
    fill_rows(&mut rows, KEY_ROWS, |_, rows| {
        draw_keys(epoch, rows);
        Ok(())
    })?;
    let buckets = rows.len() / BUCKET_ROWS + 1;
    let (mut shuffled, ends) = placed(&rows, buckets, |row| {
        ((u128::from(row.key) * buckets as u128) >> 64) as usize
    })?;
    let mut start = 0;
    for end in ends {
        shuffled[start..end].sort_unstable();
        start = end;
    }
    Ok(shuffled)
}

/// Gives each row the key of its own, in the lanes of vectors.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx+avx2"))]
fn draw_keys(epoch: Epoch, rows: &mut [Row]) {
    for row in rows {
        let mut stream = epoch.stream(row.user as u64, row.k as u64, Purpose::Order);
        row.key = stream.next_u64();
    }
}

/// Sorts rows by length, equal ones in the order that they had.
fn sort_by_value(rows: &mut [Row], cap: i32) -> Result<(), Error> {
    let value = |row: &Row| row.value.min(cap);
    let low = rows.iter().map(value).min().unwrap_or(0);
    let high = rows.iter().map(value).max().unwrap_or(0);
    let (sorted, _) = placed(rows, (high - low) as usize + 1, |row| {
        (value(row) - low) as usize
    })?;
    rows.copy_from_slice(&sorted);
    Ok(())
}

/// The rows by bucket, in their order inside each, and where each bucket ends ("counting sort").
fn placed(
    rows: &[Row],
    buckets: usize,
    bucket: impl Fn(&Row) -> usize,
) -> Result<(Vec<Row>, Vec<usize>), Error> {
    let mut ends = buffer::zeros::<usize>(buckets)?;
    for row in rows {
        ends[bucket(row)] += 1;
    }
    let mut start = 0;
    for end in &mut ends {
        start += std::mem::replace(end, start);
    }
    let mut placed = buffer::zeros::<Row>(rows.len())?;
    for row in rows {
        let place = &mut ends[bucket(row)]; // of the next one, so in the end its bucket's end
        placed[*place] = *row;
        *place += 1;
    }
    Ok((placed, ends))
}

/// A random order of the full batches (Fisher and Yates), from a key that no user has.
fn shuffled_batches(full: usize, order: &Order) -> Result<Vec<usize>, Error> {
    let mut batches = buffer::collected(0..full)?;
    let mut stream = Stream::new(order.seed, order.epoch, u64::MAX, 0, Purpose::Order);
    for i in (1..full).rev() {
        batches.swap(i, stream.below(i as u64 + 1) as usize);
    }
    Ok(batches)
}

fn at_least_one(name: &'static str, value: usize) -> Result<(), Error> {
    if value > 0 {
        return Ok(());
    }
    Err(Error::Option {
        name,
        value: value.to_string(),
        reason: "it must be at least 1",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::window::Policy;

    const ORDER: Order = Order {
        seed: 7,
        epoch: 2,
        batch_size: 3,
    };

    /// Starts and stops of users that follow one another.
    fn store(lengths: &[usize]) -> (Vec<i64>, Vec<i64>) {
        let mut bounds = vec![0];
        for &n in lengths {
            bounds.push(bounds[bounds.len() - 1] + n as i64);
        }
        (bounds[..lengths.len()].to_vec(), bounds[1..].to_vec())
    }

    #[test]
    fn users_with_too_few_items_have_no_row() {
        let (starts, stops) = store(&[0, 1, 2]);
        let windows = Windows::new(Policy::Last, 4, 0).unwrap();
        let plan = plan_windows(&starts, &stops, &windows, 1, 2, &ORDER).unwrap();
        assert_eq!((plan.users, plan.values), (vec![2], vec![2]));
        let plan = plan_windows(&starts, &stops, &windows, 0, 0, &ORDER).unwrap();
        assert_eq!(plan.users.len(), 2);
    }

    #[test]
    fn sizes_of_zero_are_refused() {
        let order = Order {
            batch_size: 0,
            ..ORDER
        };
        assert!(plan_targets(&[], &[], &[], 1, 1, &order).is_err());
        assert!(plan_targets(&[], &[], &[], 0, 1, &ORDER).is_err());
        assert!(plan_targets(&[], &[], &[], 1, 0, &ORDER).is_err());
        assert_eq!(
            plan_targets(&[], &[], &[], 1, 1, &ORDER),
            Ok(Plan::default())
        );
    }

    proptest! {
        #[test]
        fn every_window_comes_once(
            lengths in prop::collection::vec(0usize..30, 0..60), batch_size in 1usize..9,
        ) {
            let (starts, stops) = store(&lengths);
            let windows = Windows::new(Policy::Random, 5, 0).unwrap();
            let order = Order { batch_size, ..ORDER };
            let plan = plan_windows(&starts, &stops, &windows, 1, 2, &order).unwrap();
            let mut rows: Vec<_> = plan.users.into_iter().zip(plan.ks).collect();
            rows.sort_unstable();
            let wanted: Vec<_> = lengths
                .iter()
                .enumerate()
                .filter(|&(_, &n)| n >= 2)
                .flat_map(|(u, &n)| (0..windows.count(n, 1)).map(move |k| (u as i32, k as i32)))
                .collect();
            prop_assert_eq!(rows, wanted);
        }

        #[test]
        fn targets_are_distinct_and_eligible(
            marks in prop::collection::vec(0u8..2, 0..60), per_user in 1usize..12,
        ) {
            let (starts, stops) = store(&[marks.len()]);
            let mut positions = plan_targets(&marks, &starts, &stops, per_user, 9, &ORDER).unwrap().values;
            positions.sort_unstable();
            let eligible = marks.iter().skip(1).filter(|&&mark| mark != 0).count();
            prop_assert_eq!(positions.len(), eligible.min(per_user));
            prop_assert!(positions.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(positions.iter().all(|&p| p >= 1 && marks[p as usize] != 0));
        }
    }
}
