//! Rows of the cloze task (Sun et al., `BERT4Rec`, CIKM 2019, section 3.6).
//!
//! Masks are drawn after the window is cut, over its real items alone: a window with an item has
//! at least one hidden, and no loss ever falls on padding.

use multiversion::multiversion;

use rayon::prelude::*;

use crate::crew::Crew;
use crate::rows::{Out, Rows, fits, split, write_front};
use crate::seed::{Purpose, Stream};
use crate::window::Windows;
use crate::{Error, IGNORE, PAD, Sequences, check_count, mask_token};

/// How items are hidden.
#[derive(Debug, Clone, Copy)]
pub struct Cloze {
    n_items: usize,
    /// The least half of a draw that hides nothing: `mask_prob` in units of `2^-32`, rounded up.
    mask_below: i64,
    last_only_prob: f64,
    keep_prob: f64,
    random_prob: f64,
}

impl Cloze {
    /// Checks the probabilities.
    ///
    /// # Errors
    /// [`Error::Option`] if `mask_prob` is not in `(0, 1]`, another one not in `[0, 1]`,
    /// `keep_prob + random_prob` above 1, or there is no item; [`Error::TooMany`] for more items than
    /// an `i32` can number.
    pub fn new(
        n_items: usize,
        mask_prob: f64,
        last_only_prob: f64,
        keep_prob: f64,
        random_prob: f64,
    ) -> Result<Self, Error> {
        let refuse = |name, value: f64, reason| Error::Option {
            name,
            value: value.to_string(),
            reason,
        };
        if n_items == 0 {
            return Err(refuse("n_items", 0.0, "there must be an item"));
        }
        check_count("items", n_items)?;
        if !(mask_prob > 0.0 && mask_prob <= 1.0) {
            let reason = "it must be above 0 and at most 1";
            return Err(refuse("mask_prob", mask_prob, reason));
        }
        for (name, value) in [
            ("last_only_prob", last_only_prob),
            ("keep_prob", keep_prob),
            ("random_prob", random_prob),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(refuse(name, value, "it must be from 0 to 1"));
            }
        }
        if keep_prob + random_prob > 1.0 {
            let reason = "keep_prob + random_prob must be at most 1";
            return Err(refuse("random_prob", random_prob, reason));
        }
        Ok(Self {
            n_items,
            mask_below: (mask_prob * 4_294_967_296.0).ceil() as i64,
            last_only_prob,
            keep_prob,
            random_prob,
        })
    }

    /// Writes one window with some of its items hidden, padding first; returns how many.
    fn row(
        &self,
        window: &[i32],
        stream: &mut Stream,
        tokens: &mut [i64],
        labels: &mut [i64],
    ) -> usize {
        let padding = tokens.len() - window.len();
        let (pads, tokens) = tokens.split_at_mut(padding);
        let (ignored, labels) = labels.split_at_mut(padding);
        pads.fill(PAD);
        ignored.fill(IGNORE);
        let hidden = self.hide(window, stream, tokens, labels);
        if self.keep_prob + self.random_prob > 0.0 {
            for (token, &label) in tokens.iter_mut().zip(&*labels) {
                if label != IGNORE {
                    *token = self.disguise(label, stream);
                }
            }
        }
        hidden
    }

    /// Puts the mask token in the place of the last item, or of each by chance and of one at least.
    fn hide(
        &self,
        window: &[i32],
        stream: &mut Stream,
        tokens: &mut [i64],
        labels: &mut [i64],
    ) -> usize {
        let (n, mask) = (window.len(), mask_token(self.n_items));
        if n == 0 {
            return 0;
        }
        let only = if stream.unit() < self.last_only_prob {
            write_front(window, 0..n, PAD, tokens);
            labels.fill(IGNORE);
            n - 1
        } else {
            let hide_some = if n < MANY { hide_few } else { hide_many };
            let hidden = hide_some(self.mask_below, mask, stream, window, tokens, labels);
            if hidden > 0 {
                return hidden;
            }
            stream.below(n as u64) as usize
        };
        labels[only] = tokens[only];
        tokens[only] = mask;
        1
    }

    /// What stands in the place of a hidden item.
    fn disguise(&self, item: i64, stream: &mut Stream) -> i64 {
        let draw = stream.unit();
        if draw < self.keep_prob {
            item
        } else if draw < self.keep_prob + self.random_prob {
            1 + stream.below(self.n_items as u64) as i64
        } else {
            mask_token(self.n_items)
        }
    }
}

/// Items of a window that are worth vectors of AVX-512: what is left behind the last whole one is
/// done item by item. A batch of MovieLens-1M (windows of 200) takes 17.7 µs for 22.0 on two threads,
/// one of films (15 items on average) would take 10.5 for 9.8.
const MANY: usize = 64;

#[multiversion(targets("x86_64+avx+avx2"))]
fn hide_few(
    below: i64,
    mask: i64,
    stream: &mut Stream,
    window: &[i32],
    tokens: &mut [i64],
    labels: &mut [i64],
) -> usize {
    hide_some(below, mask, stream, window, tokens, labels)
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx+avx2"))]
fn hide_many(
    below: i64,
    mask: i64,
    stream: &mut Stream,
    window: &[i32],
    tokens: &mut [i64],
    labels: &mut [i64],
) -> usize {
    hide_some(below, mask, stream, window, tokens, labels)
}

/// Hides each item of a window with probability `below / 2^32`; returns how many.
///
/// Half a draw decides on an item. The low halves belong to the first half of the window, the high
/// halves to the second, and the last item of an odd number has a draw of its own. So all items
/// are decided on in the lanes of a vector, without a branch.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a copy for each set of instructions")]
fn hide_some(
    below: i64,
    mask: i64,
    stream: &mut Stream,
    window: &[i32],
    tokens: &mut [i64],
    labels: &mut [i64],
) -> usize {
    let hide = |draw: u64, item: i32, token: &mut i64, label: &mut i64| {
        let (hidden, item) = (((draw & LOW_HALF) as i64) < below, i64::from(item));
        *token = if hidden { mask } else { item };
        *label = if hidden { item } else { IGNORE };
        u64::from(hidden)
    };
    let half = window.len() / 2;
    let (first, second) = window.split_at(half);
    let (first_tokens, second_tokens) = tokens.split_at_mut(half);
    let (first_labels, second_labels) = labels.split_at_mut(half);
    let firsts = first.iter().zip(first_tokens).zip(first_labels);
    let seconds = second
        .iter()
        .zip(&mut *second_tokens)
        .zip(&mut *second_labels);
    let mut count = 0u64;
    for (((&item, token), label), ((&other, other_token), other_label)) in firsts.zip(seconds) {
        let draw = stream.next_u64();
        let both = hide(draw, item, token, label).wrapping_add(hide(
            draw >> 32,
            other,
            other_token,
            other_label,
        ));
        count = count.wrapping_add(both);
    }
    if let Some(&last) = second.get(half) {
        let (token, label) = (&mut second_tokens[half], &mut second_labels[half]);
        count += hide(stream.next_u64(), last, token, label);
    }
    count as usize
}

/// The low 32 bits of a draw.
const LOW_HALF: u64 = u32::MAX as u64;

/// Writes the window of each row as tokens and labels, both `[B, W]`, padding first.
///
/// Returns the number of hidden items.
///
/// ```
/// use seqrec_core::{Sequences, cloze::{self, Cloze}, crew::Crew, rows::{Out, Rows}};
/// use seqrec_core::window::{Policy, Windows};
///
/// let sequences = Sequences::new(&[7, 8, 9], &[0], &[3])?;
/// let rows = Rows::new(&[0], &[0], 1, 0)?;
/// let windows = Windows::new(Policy::Last, 4, 1)?;
/// let last_only = Cloze::new(9, 0.2, 1.0, 0.0, 0.0)?;
/// let (mut tokens, mut labels) = ([0; 4], [0; 4]);
/// let n_hidden = cloze::cloze_into(
///     Crew::ALONE, &sequences, &rows, &windows, &last_only,
///     Out { name: "tokens", values: &mut tokens, width: 4 },
///     Out { name: "labels", values: &mut labels, width: 4 },
/// )?;
/// assert_eq!(tokens, [0, 7, 8, 10]);
/// assert_eq!((labels, n_hidden), ([-100, -100, -100, 9], 1));
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Width`] for a window that does not fit, and what [`Rows::key`] and
/// [`Sequences::range`] refuse.
pub fn cloze_into(
    crew: Crew,
    sequences: &Sequences,
    rows: &Rows,
    windows: &Windows,
    cloze: &Cloze,
    tokens: Out<i64>,
    labels: Out<i64>,
) -> Result<usize, Error> {
    let tokens = tokens.of_rows(rows.len())?;
    let labels = labels.beside(tokens.1, rows.len())?;
    let row_bytes = 2 * size_of::<i64>() * tokens.1;
    let outputs = split(tokens).zip(split(labels));
    windows.fill(
        crew,
        sequences,
        rows,
        outputs,
        row_bytes,
        |row, key, window, (tokens, labels)| {
            fits("tokens", row, window.len(), tokens.len())?;
            let mut stream = rows.stream(key, Purpose::Mask);
            Ok(cloze.row(&sequences.items()[window], &mut stream, tokens, labels))
        },
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hide(cloze: &Cloze, window: &[i32], seed: u64) -> (Vec<i64>, Vec<i64>) {
        let (mut tokens, mut labels) = (vec![77; window.len()], vec![77; window.len()]);
        let mut stream = Stream::new(seed, 0, 0, 0, Purpose::Mask);
        let count = cloze.row(window, &mut stream, &mut tokens, &mut labels);
        assert_eq!(count, labels.iter().filter(|&&l| l != IGNORE).count());
        (tokens, labels)
    }

    #[test]
    fn last_only_hides_the_last_item_alone() {
        let cloze = Cloze::new(9, 0.5, 1.0, 0.0, 0.0).unwrap();
        assert_eq!(
            hide(&cloze, &[4, 5, 6], 0),
            (vec![4, 5, 10], vec![IGNORE, IGNORE, 6])
        );
    }

    #[test]
    fn an_empty_window_has_nothing_to_hide() {
        let cloze = Cloze::new(9, 1.0, 0.5, 0.0, 0.0).unwrap();
        assert_eq!(hide(&cloze, &[], 0), (vec![], vec![]));
    }

    #[test]
    fn probabilities_out_of_range_are_named() {
        for (wrong, name) in [
            (Cloze::new(9, 0.0, 0.0, 0.0, 0.0), "`mask_prob`"),
            (Cloze::new(9, f64::NAN, 0.0, 0.0, 0.0), "`mask_prob`"),
            (Cloze::new(9, 0.2, 1.1, 0.0, 0.0), "`last_only_prob`"),
            (Cloze::new(9, 0.2, 0.0, -0.1, 0.0), "`keep_prob`"),
            (Cloze::new(9, 0.2, 0.0, 0.6, 0.6), "`random_prob`"),
            (Cloze::new(0, 0.2, 0.0, 0.0, 0.0), "`n_items`"),
        ] {
            let message = wrong.unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }

    proptest! {
        #[test]
        fn at_least_one_item_is_hidden_and_the_others_stay(
            n in 1usize..40, mask_prob in 0.001f64..=1.0, last in 0.0f64..=1.0, seed: u64,
        ) {
            let cloze = Cloze::new(50, mask_prob, last, 0.1, 0.1).unwrap();
            let window: Vec<i32> = (1..=n as i32).collect();
            let (tokens, labels) = hide(&cloze, &window, seed);
            prop_assert!(labels.iter().any(|&label| label != IGNORE));
            for ((&item, &token), &label) in window.iter().zip(&tokens).zip(&labels) {
                let unhidden = if label == IGNORE { token } else { label };
                prop_assert_eq!(unhidden, i64::from(item));
                prop_assert!((1..=51).contains(&token));
            }
        }
    }
}
