//! How fast plain loops are on this machine: the yardstick that figures are shown as a share of.
//!
//!     rustc --edition 2024 -C opt-level=3 -C target-cpu=native benches/rust/limits.rs -o target/limits
//!     target/limits limits.json
//!
//! Bandwidths of reading, copying (bytes read and written) and filling arrays that lie in the L2,
//! the L3 or memory, and bounded random numbers drawn into an array that lies in the L2. Each thread
//! has arrays of its own and all threads start together; the best of several passes counts, since a
//! limit is what the machine can do. That is why it is compiled for this very processor, alone of all
//! that is here: the kernels of the wheel run on any x86-64 and choose by processor where it pays.

#![allow(clippy::print_stdout)] // a program, whose output this is

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

const WORD: usize = size_of::<u64>();
const PASSES: usize = 7;
/// Bytes that all threads together go through in one pass, at least.
const PASS_BYTES: usize = 1 << 30;
/// (level, bytes of all arrays of all threads; in the L2 of each thread).
const LEVELS: [(&str, usize); 3] = [("L2", 256 << 10), ("L3", 8 << 20), ("RAM", 512 << 20)];

fn main() {
    let path = std::env::args().nth(1);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut tables = Vec::new();
    let mut threads = 1;
    while threads <= cores {
        tables.push((threads, table(threads)));
        threads *= 2;
    }
    let json = document(&tables);
    match path {
        Some(path) => std::fs::write(path, json).expect("the file can be written"),
        None => println!("{json}"),
    }
}

/// (name, GB/s or G/s) of each figure.
fn table(threads: usize) -> Vec<(String, f64)> {
    let mut figures = Vec::new();
    for (level, bytes) in LEVELS {
        let own = if level == "L2" {
            bytes
        } else {
            bytes / threads
        };
        let words = own / WORD;
        let passes = (PASS_BYTES / (own * threads)).max(1);
        for kind in ["read", "fill", "copy"] {
            let seconds = best(threads, |barrier| pass(kind, words, passes, barrier));
            let total = (own * threads * passes) as f64;
            figures.push((format!("{kind} {level}"), total / seconds / 1e9));
        }
    }
    let (draws, passes) = (LEVELS[0].1 / WORD, 256);
    let seconds = best(threads, |barrier| random(draws, passes, barrier));
    figures.push((
        "draws".into(),
        (draws * passes * threads) as f64 / seconds / 1e9,
    ));
    figures
}

/// The least time that the slowest thread takes.
fn best(threads: usize, run: impl Fn(&Barrier) -> f64 + Sync) -> f64 {
    (0..PASSES)
        .map(|_| {
            let barrier = Barrier::new(threads);
            std::thread::scope(|scope| {
                let running: Vec<_> = (0..threads)
                    .map(|_| scope.spawn(|| run(&barrier)))
                    .collect();
                running
                    .into_iter()
                    .map(|thread| thread.join().expect("the loop ends"))
                    .fold(0.0, f64::max)
            })
        })
        .fold(f64::INFINITY, f64::min)
}

/// Seconds of some passes over an array of so many words; a copy has half of them on each side.
fn pass(kind: &str, words: usize, passes: usize, barrier: &Barrier) -> f64 {
    if kind == "fill" {
        let mut bytes = vec![1_u8; words * WORD]; // whose filling is the library's memset
        return timed(barrier, || {
            for value in 0..passes {
                black_box(&mut bytes).fill(value as u8);
            }
        });
    }
    let mut array = vec![1_u64; words];
    if kind == "read" {
        return timed(barrier, || {
            for _ in 0..passes {
                black_box(sum(black_box(&array)));
            }
        });
    }
    let (from, to) = array.split_at_mut(words / 2);
    timed(barrier, || {
        for _ in 0..passes {
            black_box(&mut *to).copy_from_slice(black_box(from));
        }
    })
}

/// Seconds of drawing bounded random numbers into an array: `SplitMix64`, two to 64 bits.
fn random(draws: usize, passes: usize, barrier: &Barrier) -> f64 {
    let mut array = vec![0_u64; draws];
    timed(barrier, || {
        for seed in 0..passes as u64 {
            draw(black_box(&mut array), seed, black_box(3416));
        }
    })
}

fn timed(barrier: &Barrier, run: impl FnOnce()) -> f64 {
    barrier.wait();
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

fn sum(array: &[u64]) -> u64 {
    array.iter().copied().fold(0, u64::wrapping_add)
}

/// Counters in place of a state that is passed on, so that draws do not wait for each other.
fn draw(array: &mut [u64], seed: u64, bound: u64) {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let start = seed.wrapping_mul(array.len() as u64);
    for (place, pair) in array.chunks_exact_mut(2).enumerate() {
        let mut z = start.wrapping_add(place as u64).wrapping_mul(GOLDEN);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        pair[0] = ((z >> 32) * bound) >> 32;
        pair[1] = ((z & 0xFFFF_FFFF) * bound) >> 32;
    }
}

fn document(tables: &[(usize, Vec<(String, f64)>)]) -> String {
    let threads: Vec<String> = tables
        .iter()
        .map(|(threads, figures)| {
            let lines: Vec<String> = figures
                .iter()
                .map(|(name, value)| format!("      \"{name}\": {value:.2}"))
                .collect();
            format!("    \"{threads}\": {{\n{}\n    }}", lines.join(",\n"))
        })
        .collect();
    let simd = if cfg!(target_feature = "avx512f") {
        "avx512f"
    } else if cfg!(target_feature = "avx2") {
        "avx2"
    } else {
        "baseline"
    };
    format!(
        "{{\n  \"simd\": \"{simd}\",\n  \"threads\": {{\n{}\n  }}\n}}\n",
        threads.join(",\n")
    )
}
