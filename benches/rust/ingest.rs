//! From a raw log to sequences: ids to codes, and events to users in the order of their times.

use std::sync::Arc;

use divan::{Bencher, counter::ItemsCount};
use seqrec_core::helpers::{Helpers, with_helpers};
use seqrec_core::log::group_events;
use seqrec_core::seed::{Purpose, Stream};
use seqrec_core::vocab::encode_integers;

const ROWS: usize = 1_000_000;

/// (users, threads): MovieLens-1M, and a film log with short histories.
const CASES: [(usize, usize); 4] = [(6040, 1), (6040, 2), (63_727, 1), (63_727, 2)];

fn main() {
    divan::main();
}

#[divan::bench(args = CASES)]
fn encode_dense_ids(bencher: Bencher, (users, threads): (usize, usize)) {
    encode(bencher, threads, &draw(users, |user| user));
}

#[divan::bench(args = CASES)]
fn encode_sparse_ids(bencher: Bencher, (users, threads): (usize, usize)) {
    let ids = draw(users, |user| user.wrapping_mul(0x5851_f42d_4c95_7f2d));
    encode(bencher, threads, &ids);
}

#[divan::bench(args = CASES)]
fn group_ordered_events(bencher: Bencher, (users, threads): (usize, usize)) {
    group(
        bencher,
        users,
        threads,
        &(0..ROWS as i64).collect::<Vec<_>>(),
    );
}

#[divan::bench(args = CASES)]
fn group_shuffled_events(bencher: Bencher, (users, threads): (usize, usize)) {
    group(bencher, users, threads, &draw(ROWS, |time| time));
}

fn draw(below: usize, id: impl Fn(i64) -> i64) -> Vec<i64> {
    let mut stream = Stream::new(0, 0, 0, 0, Purpose::Order);
    (0..ROWS)
        .map(|_| id(stream.below(below as u64) as i64))
        .collect()
}

fn helpers(threads: usize) -> Option<Arc<Helpers>> {
    let helpers = Helpers::new(threads).expect("threads can be started");
    helpers.map(Arc::new)
}

fn encode(bencher: Bencher, threads: usize, ids: &[i64]) {
    let helpers = helpers(threads);
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench(|| with_helpers(helpers.clone(), || encode_integers(ids)));
}

fn group(bencher: Bencher, n_users: usize, threads: usize, times: &[i64]) {
    let users: Vec<i32> = draw(n_users, |user| user)
        .into_iter()
        .map(|user| user as i32)
        .collect();
    let helpers = helpers(threads);
    bencher.counter(ItemsCount::new(ROWS)).bench(|| {
        with_helpers(helpers.clone(), || {
            group_events(&users, &users, Some(times), false, n_users)
        })
    });
}
