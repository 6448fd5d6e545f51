//! Batches of 256 rows, as a training step takes them: windows, masks, negatives.
//!
//! The users of each batch are other ones, and every batch is an epoch of its own: neither a cache
//! nor a branch predictor knows it already.

use std::cell::Cell;

use divan::{Bencher, counter::ItemsCount};
use seqrec_core::cloze::{Cloze, cloze_into};
use seqrec_core::crew::Crew;
use seqrec_core::helpers::Helpers;
use seqrec_core::negatives::{Sampler, negatives_into};
use seqrec_core::next_item::next_item_into;
use seqrec_core::relevance::relevance_sequences_into;
use seqrec_core::rows::{Out, Rows};
use seqrec_core::seed::{Purpose, Stream};
use seqrec_core::sets::{Sets, first_occurrences, sorted_sets};
use seqrec_core::taken::Taken;
use seqrec_core::window::{Policy, Windows};
use seqrec_core::{Error, Sequences};

const BATCH: usize = 256;
const POOL: usize = 64; // batches

/// (users, items, mean history, width, threads): MovieLens-1M, and films with short histories.
const CASES: [(usize, usize, u64, usize, usize); 4] = [
    (6_040, 3_416, 165, 200, 1),
    (6_040, 3_416, 165, 200, 2),
    (63_727, 25_654, 15, 50, 1),
    (63_727, 25_654, 15, 50, 2),
];

fn main() {
    divan::main();
}

/// Histories from 3 items to about twice the mean, and batches of their users.
struct Log {
    items: Vec<i32>,
    starts: Vec<i64>,
    stops: Vec<i64>,
    batches: Vec<i32>,
    n_items: usize,
    width: usize,
}

impl Log {
    fn new((users, n_items, mean, width, _): (usize, usize, u64, usize, usize)) -> Self {
        let mut stream = Stream::new(0, 0, 0, 0, Purpose::Order);
        let (mut items, mut starts, mut stops) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..users {
            starts.push(items.len() as i64);
            let length = 3 + stream.below(2 * mean - 5);
            items.extend((0..length).map(|_| 1 + stream.below(n_items as u64) as i32));
            stops.push(items.len() as i64);
        }
        let batches = (0..BATCH * POOL).map(|_| stream.below(users as u64) as i32);
        Self {
            items,
            starts,
            stops,
            batches: batches.collect(),
            n_items,
            width,
        }
    }

    fn sequences(&self) -> Sequences<'_> {
        Sequences::new(&self.items, &self.starts, &self.stops).unwrap()
    }

    /// The distinct items of each user, and where an item occurs first.
    fn sets(&self) -> (Sets, Vec<u8>) {
        let first = first_occurrences(&self.sequences()).unwrap();
        (sorted_sets(&self.sequences()).unwrap(), first)
    }

    /// Times `fill` on one batch after the other, written into `outputs` buffers of `width`.
    fn bench<const OUTPUTS: usize>(
        &self,
        bencher: Bencher,
        (width, threads): (usize, usize),
        fill: impl Fn(Crew<'_>, &Rows<'_>, [Out<'_, i64>; OUTPUTS]) -> Result<(), Error>,
    ) {
        let helpers = Helpers::new(threads).unwrap();
        let crew = helpers.as_ref().map_or(Crew::ALONE, Crew::with);
        let (mut buffers, turn) = ([(); OUTPUTS].map(|()| vec![0; BATCH * width]), Cell::new(0));
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            let batch = turn.get() % POOL;
            turn.set(turn.get() + 1);
            let users = &self.batches[batch * BATCH..(batch + 1) * BATCH];
            let rows = Rows::new(users, &[0; BATCH], 0, turn.get() as u64).unwrap();
            let outputs = buffers.each_mut().map(|values| Out {
                name: "out",
                values,
                width,
            });
            fill(crew, &rows, outputs).unwrap();
        });
    }
}

#[divan::bench(args = CASES)]
fn cloze(bencher: Bencher, case: (usize, usize, u64, usize, usize)) {
    let log = Log::new(case);
    let windows = Windows::new(Policy::Last, log.width, 1).unwrap();
    let cloze = Cloze::new(log.n_items, 0.2, 0.0, 0.0, 0.0).unwrap();
    log.bench(
        bencher,
        (log.width, case.4),
        |crew, rows, [tokens, labels]| {
            cloze_into(
                crew,
                &log.sequences(),
                rows,
                &windows,
                &cloze,
                tokens,
                labels,
            )
            .map(|_| ())
        },
    );
}

#[divan::bench(args = CASES)]
fn next_item(bencher: Bencher, case: (usize, usize, u64, usize, usize)) {
    let log = Log::new(case);
    let windows = Windows::new(Policy::Last, log.width + 1, 1).unwrap();
    log.bench(
        bencher,
        (log.width, case.4),
        |crew, rows, [inputs, targets]| {
            next_item_into(crew, &log.sequences(), rows, &windows, inputs, targets).map(|_| ())
        },
    );
}

#[divan::bench(args = CASES)]
fn relevance(bencher: Bencher, case: (usize, usize, u64, usize, usize)) {
    let log = Log::new(case);
    let (sets, first) = log.sets();
    let taken = Taken::new(&sets.offsets, &sets.members).unwrap();
    let windows = Windows::new(Policy::Last, log.width + 1, 1).unwrap();
    let sampler = Sampler::new(log.n_items, None).unwrap();
    log.bench(
        bencher,
        (log.width, case.4),
        |crew, rows, [inputs, positives, negatives]| {
            relevance_sequences_into(
                crew,
                &log.sequences(),
                &first,
                &taken,
                rows,
                &windows,
                &sampler,
                inputs,
                positives,
                negatives,
                None,
            )
            .map(|_| ())
        },
    );
}

#[divan::bench(args = CASES, consts = [1, 100])]
fn negatives<const N: usize>(bencher: Bencher, case: (usize, usize, u64, usize, usize)) {
    let log = Log::new(case);
    let (sets, _) = log.sets();
    let taken = Taken::new(&sets.offsets, &sets.members).unwrap();
    let sampler = Sampler::new(log.n_items, None).unwrap();
    log.bench(bencher, (N, case.4), |crew, rows, [negatives]| {
        negatives_into(crew, &taken, rows, &sampler, negatives)
    });
}
