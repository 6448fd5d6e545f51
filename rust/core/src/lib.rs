//! Kernels of sequential recommendation over plain slices.
//!
//! Data flows one way: `log -> sequences -> windows -> batches` on the way in,
//! `scores -> ranks -> metrics` on the way out. Slices come in, caller-owned slices are filled;
//! nothing here knows Python, reads a file, keeps a global or holds a generator.
//!
//! Four conventions hold everywhere:
//!
//! - **Ids.** Item ids are `1..=n_items`; [`PAD`] fills the rest of a row and `n_items + 1` is the
//!   mask token of the cloze task. Neither can be recommended. Users are `0..n_users`.
//! - **Randomness** is a function of `(seed, epoch, user, k)`, see [`seed`]: the number of threads
//!   and the order of the rows change nothing.
//! - **Parallelism** is the work of the calling thread and of the [`helpers`] that it brings, see
//!   [`parallel`], and [`crew`] for batches; rayon's global pool is never started, because a forked
//!   child would hang on it.
//! - **Memory** that grows with the events, users or items, or with what is asked for, is refused
//!   as [`Error::Memory`] where it is not to be had, by every kernel.
#![deny(missing_docs)]

mod buffer;
pub mod crew;
pub mod error;
pub mod helpers;
pub mod parallel;
mod queue;
pub mod seed;
pub mod sequences;

mod dealing;
pub mod kcore;
mod keys;
pub mod log;
mod placing;
pub mod repeats;
pub mod sets;
mod shares;
pub mod text;
pub mod vocab;

pub mod alias;
pub mod cloze;
pub mod histories;
pub mod negatives;
pub mod next_item;
pub mod plan;
pub mod relevance;
pub mod rows;
pub mod taken;
pub mod window;

pub mod auc;
pub mod bootstrap;
pub mod hidden;
pub mod keyed;
pub mod metrics;
pub mod pairs;
pub mod ranks;
pub mod scores;
pub mod topk;

pub use error::Error;
pub use sequences::Sequences;

/// The id that fills a row beyond its real items.
pub const PAD: i64 = 0;

/// The label of a position that carries no loss.
pub const IGNORE: i64 = -100;

/// Most items, and most distinct ids: an item's is its code + 1, and MASK lies one above the last.
const MOST_IDS: usize = i32::MAX as usize - 1;

/// Refuses more of something than there are ids.
pub(crate) fn check_count(what: &'static str, found: usize) -> Result<(), Error> {
    if found <= MOST_IDS {
        return Ok(());
    }
    Err(Error::TooMany {
        what,
        found,
        limit: MOST_IDS,
    })
}

/// The mask token of the cloze task: one above the last item.
#[must_use]
pub const fn mask_token(n_items: usize) -> i64 {
    n_items as i64 + 1
}
