//! A batch of random scores with the catalogue and the history length of a public data set.

use seqrec_core::seed::{Purpose, Stream};

/// Rows of a batch.
pub(crate) const BATCH: usize = 512;

/// (items, history, threads): MovieLens-1M, and a film catalogue with short histories.
pub(crate) const CASES: [(usize, usize, usize); 4] = [
    (3416, 165, 1),
    (3416, 165, 2),
    (25_654, 15, 1),
    (25_654, 15, 2),
];

/// The arguments of a scoring kernel.
pub(crate) struct Problem {
    pub(crate) scores: Vec<f32>,
    pub(crate) users: Vec<i32>,
    pub(crate) items: Vec<i32>,
    pub(crate) starts: Vec<i64>,
    pub(crate) stops: Vec<i64>,
}

impl Problem {
    pub(crate) fn new(n_items: usize, history: usize) -> Self {
        let mut stream = Stream::new(0, 0, 0, 0, Purpose::Order);
        let scores = (0..BATCH * n_items).map(|_| stream.unit() as f32).collect();
        let items = (0..BATCH * history)
            .map(|_| stream.below(n_items as u64) as i32 + 1)
            .collect();
        let start_of = |user: usize| (user * history) as i64;
        Self {
            scores,
            users: (0..BATCH as i32).collect(),
            items,
            starts: (0..BATCH).map(start_of).collect(),
            stops: (1..=BATCH).map(start_of).collect(),
        }
    }
}
