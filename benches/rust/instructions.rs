//! One kernel on fixed input, for counting instructions: `benches/instructions.py` runs it under
//! callgrind and compares the counts with those that are committed.
//!
//!     instructions KERNEL REPEATS      # instructions for 1 minus those for 0 are the kernel's own
//!     instructions                     # lists the kernels
//!
//! No pool is installed, so kernels run in one thread and a count is the same each time.

#![allow(clippy::print_stdout)] // a program, whose output this is

use std::hint::black_box;

use seqrec_core::alias::{Popularity, alias_table};
use seqrec_core::cloze::{Cloze, cloze_into};
use seqrec_core::crew::Crew;
use seqrec_core::log::sort_events;
use seqrec_core::metrics::rank_metrics;
use seqrec_core::negatives::{Sampler, negatives_into};
use seqrec_core::next_item::next_item_into;
use seqrec_core::plan::{Order, plan_windows};
use seqrec_core::ranks::rank_counts;
use seqrec_core::relevance::relevance_sequences_into;
use seqrec_core::rows::{Out, Rows};
use seqrec_core::scores::Scores;
use seqrec_core::seed::{Purpose, Stream};
use seqrec_core::sets::{first_occurrences, sorted_sets};
use seqrec_core::taken::Taken;
use seqrec_core::topk::top_k;
use seqrec_core::vocab::encode_integers;
use seqrec_core::window::{Policy, Windows};
use seqrec_core::{Error, Sequences};

const N_ITEMS: usize = 3416;
const USERS: usize = 256;
const WIDTH: usize = 200;
const LONGEST: u64 = 400;

type Kernel = fn(&Input, usize) -> Result<(), Error>;

const KERNELS: [(&str, Kernel); 12] = [
    ("cloze", cloze),
    ("next_item", next_item),
    ("relevance", relevance),
    ("negatives_1", |input, repeats| {
        negatives(input, repeats, 1, false)
    }),
    ("negatives_100", |input, repeats| {
        negatives(input, repeats, 100, false)
    }),
    ("negatives_100_popularity", |input, repeats| {
        negatives(input, repeats, 100, true)
    }),
    ("rank", rank),
    ("top_k", best),
    ("rank_metrics", metrics),
    ("encode_integers", encode),
    ("sort_events", sort),
    ("plan_windows", plan),
];

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, repeats] = arguments.as_slice() else {
        for (name, _) in KERNELS {
            println!("{name}");
        }
        return Ok(());
    };
    let (_, kernel) = KERNELS
        .iter()
        .find(|(known, _)| known == name)
        .expect("the first argument is a kernel");
    kernel(
        &Input::new(),
        repeats.parse().expect("the second argument is a number"),
    )
}

/// Histories of 3 to 400 items, scores, and a raw log, all drawn from one fixed stream.
struct Input {
    items: Vec<i32>,
    starts: Vec<i64>,
    stops: Vec<i64>,
    users: Vec<i32>,
    ks: Vec<i32>,
    scores: Vec<f32>,
}

impl Input {
    fn new() -> Self {
        let mut stream = Stream::new(0, 0, 0, 0, Purpose::Order);
        let (mut items, mut starts, mut stops) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..USERS {
            starts.push(items.len() as i64);
            for _ in 0..3 + stream.below(LONGEST - 2) {
                items.push(1 + stream.below(N_ITEMS as u64) as i32);
            }
            stops.push(items.len() as i64);
        }
        Self {
            items,
            starts,
            stops,
            users: (0..USERS as i32).collect(),
            ks: vec![0; USERS],
            scores: (0..USERS * N_ITEMS).map(|_| stream.unit() as f32).collect(),
        }
    }

    fn sequences(&self) -> Result<Sequences<'_>, Error> {
        Sequences::new(&self.items, &self.starts, &self.stops)
    }

    fn rows(&self, epoch: usize) -> Result<Rows<'_>, Error> {
        Rows::new(&self.users, &self.ks, 0, epoch as u64)
    }
}

fn out<'a>(name: &'static str, values: &'a mut [i64]) -> Out<'a, i64> {
    let width = values.len() / USERS;
    Out {
        name,
        values,
        width,
    }
}

fn cloze(input: &Input, repeats: usize) -> Result<(), Error> {
    let windows = Windows::new(Policy::Last, WIDTH, WIDTH)?;
    let cloze = Cloze::new(N_ITEMS, 0.2, 0.0, 0.0, 0.0)?;
    let (mut tokens, mut labels) = (vec![0; USERS * WIDTH], vec![0; USERS * WIDTH]);
    for epoch in 0..repeats {
        cloze_into(
            Crew::ALONE,
            &input.sequences()?,
            &input.rows(epoch)?,
            &windows,
            &cloze,
            out("tokens", &mut tokens),
            out("labels", &mut labels),
        )?;
    }
    black_box((tokens, labels));
    Ok(())
}

fn next_item(input: &Input, repeats: usize) -> Result<(), Error> {
    let windows = Windows::new(Policy::Last, WIDTH + 1, WIDTH)?;
    let (mut inputs, mut targets) = (vec![0; USERS * WIDTH], vec![0; USERS * WIDTH]);
    for epoch in 0..repeats {
        next_item_into(
            Crew::ALONE,
            &input.sequences()?,
            &input.rows(epoch)?,
            &windows,
            out("inputs", &mut inputs),
            out("targets", &mut targets),
        )?;
    }
    black_box((inputs, targets));
    Ok(())
}

fn relevance(input: &Input, repeats: usize) -> Result<(), Error> {
    let windows = Windows::new(Policy::Last, WIDTH + 1, WIDTH)?;
    let sequences = input.sequences()?;
    let (first, sets) = (first_occurrences(&sequences)?, sorted_sets(&sequences)?);
    let taken = Taken::new(&sets.offsets, &sets.members)?;
    let sampler = Sampler::new(N_ITEMS, None)?;
    let mut outputs = vec![vec![0; USERS * WIDTH]; 3];
    for epoch in 0..repeats {
        let [inputs, positives, negatives] = outputs.as_mut_slice() else {
            unreachable!("three were made");
        };
        relevance_sequences_into(
            Crew::ALONE,
            &sequences,
            &first,
            &taken,
            &input.rows(epoch)?,
            &windows,
            &sampler,
            out("inputs", inputs),
            out("positives", positives),
            out("negatives", negatives),
            None,
        )?;
    }
    black_box(outputs);
    Ok(())
}

fn negatives(input: &Input, repeats: usize, n: usize, popular: bool) -> Result<(), Error> {
    let sets = sorted_sets(&input.sequences()?)?;
    let taken = Taken::new(&sets.offsets, &sets.members)?;
    let weights: Vec<f64> = (0..N_ITEMS).map(|item| 1.0 / (item as f64 + 6.0)).collect();
    let popularity = Popularity {
        weights: &weights,
        columns: &alias_table(&weights)?,
    };
    let sampler = Sampler::new(N_ITEMS, popular.then_some(popularity))?;
    let mut drawn = vec![0; USERS * n];
    for epoch in 0..repeats {
        negatives_into(
            Crew::ALONE,
            &taken,
            &input.rows(epoch)?,
            &sampler,
            out("negatives", &mut drawn),
        )?;
    }
    black_box(drawn);
    Ok(())
}

fn rank(input: &Input, repeats: usize) -> Result<(), Error> {
    let targets: Vec<i32> = (1..=USERS as i32).collect();
    for _ in 0..repeats {
        let scores = Scores::new(
            &input.scores,
            N_ITEMS,
            &input.users,
            input.sequences()?,
            true,
        )?;
        black_box(rank_counts(Crew::ALONE, &scores, &targets)?);
    }
    Ok(())
}

fn best(input: &Input, repeats: usize) -> Result<(), Error> {
    for _ in 0..repeats {
        let scores = Scores::new(
            &input.scores,
            N_ITEMS,
            &input.users,
            input.sequences()?,
            true,
        )?;
        black_box(top_k(Crew::ALONE, &scores, 10, &[])?);
    }
    Ok(())
}

fn metrics(_: &Input, repeats: usize) -> Result<(), Error> {
    let ranks: Vec<f64> = (0..10_000).map(|user| f64::from(1 + user % 40)).collect();
    for _ in 0..repeats {
        black_box(rank_metrics(&ranks, 10)?);
    }
    Ok(())
}

fn encode(input: &Input, repeats: usize) -> Result<(), Error> {
    let spread = |&item: &i32| i64::from(item).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64);
    let ids: Vec<i64> = input.items.iter().map(spread).collect();
    for _ in 0..repeats {
        black_box(encode_integers(&ids)?);
    }
    Ok(())
}

fn sort(input: &Input, repeats: usize) -> Result<(), Error> {
    let mut stream = Stream::new(1, 0, 0, 0, Purpose::Order);
    let users: Vec<i32> = input
        .items
        .iter()
        .map(|_| stream.below(USERS as u64) as i32)
        .collect();
    let times: Vec<i64> = users.iter().map(|_| stream.below(1000) as i64).collect();
    for _ in 0..repeats {
        black_box(sort_events(&users, Some(&times))?);
    }
    Ok(())
}

fn plan(input: &Input, repeats: usize) -> Result<(), Error> {
    let windows = Windows::new(Policy::Random, WIDTH, WIDTH)?;
    for epoch in 0..repeats as u64 {
        let order = Order {
            seed: 0,
            epoch,
            batch_size: 64,
        };
        black_box(plan_windows(
            &input.starts,
            &input.stops,
            &windows,
            0,
            1,
            &order,
        )?);
    }
    Ok(())
}
