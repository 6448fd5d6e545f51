//! The ten best items of each row of a batch of full-catalogue scores, without the seen ones.

use divan::{Bencher, counter::ItemsCount};
use seqrec_core::{Sequences, crew::Crew, helpers::Helpers, scores::Scores, topk::top_k};

mod problem;
use problem::{BATCH, CASES, Problem};

const K: usize = 10;

fn main() {
    divan::main();
}

/// Scores in no order, as a model gives them.
#[divan::bench(args = CASES)]
fn random_scores(bencher: Bencher, case: (usize, usize, usize)) {
    bench(bencher, case, |_| {});
}

/// Scores that rise with the id: every item is better than all before it.
#[divan::bench(args = CASES)]
fn rising_scores(bencher: Bencher, case: (usize, usize, usize)) {
    bench(bencher, case, |row| row.sort_unstable_by(f32::total_cmp));
}

fn bench(
    bencher: Bencher,
    (n_items, history, threads): (usize, usize, usize),
    arrange: impl Fn(&mut [f32]),
) {
    let mut problem = Problem::new(n_items, history);
    problem.scores.chunks_mut(n_items).for_each(arrange);
    let inputs = Sequences::new(&problem.items, &problem.starts, &problem.stops).unwrap();
    let scores = Scores::new(&problem.scores, n_items, &problem.users, inputs, true).unwrap();
    let helpers = Helpers::new(threads).unwrap();
    let crew = helpers.as_ref().map_or(Crew::ALONE, Crew::with);
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench(|| top_k(crew, &scores, K, &[]));
}
