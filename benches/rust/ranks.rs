//! Rank of one target in each row of a batch of full-catalogue scores.

use divan::{Bencher, counter::ItemsCount};
use seqrec_core::{Sequences, crew::Crew, helpers::Helpers, ranks::rank_counts, scores::Scores};

mod problem;
use problem::{BATCH, CASES, Problem};

fn main() {
    divan::main();
}

#[divan::bench(args = CASES)]
fn all_items(bencher: Bencher, case: (usize, usize, usize)) {
    bench(bencher, case, false);
}

#[divan::bench(args = CASES)]
fn without_seen_items(bencher: Bencher, case: (usize, usize, usize)) {
    bench(bencher, case, true);
}

fn bench(bencher: Bencher, (n_items, history, threads): (usize, usize, usize), filter_seen: bool) {
    let problem = Problem::new(n_items, history);
    let inputs = Sequences::new(&problem.items, &problem.starts, &problem.stops).unwrap();
    let scores = Scores::new(
        &problem.scores,
        n_items,
        &problem.users,
        inputs,
        filter_seen,
    )
    .unwrap();
    let targets: Vec<i32> = (1..=BATCH as i32).collect();
    let helpers = Helpers::new(threads).unwrap();
    let crew = helpers.as_ref().map_or(Crew::ALONE, Crew::with);
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench(|| rank_counts(crew, &scores, &targets));
}
