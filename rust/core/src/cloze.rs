//! Rows of the cloze task (Sun et al., `BERT4Rec`, CIKM 2019, section 3.6).
//!
//! Masks are drawn after the window is cut, over its real items alone: a window with an item has
//! at least one hidden, and no loss ever falls on padding.

use crate::parallel::fill_rows_2;
use crate::rows::{Out, Rows, fits, write_back};
use crate::seed::{Purpose, Stream};
use crate::window::Windows;
use crate::{Error, IGNORE, PAD, Sequences, mask_token};

/// How items are hidden.
#[derive(Debug, Clone, Copy)]
pub struct Cloze {
    n_items: usize,
    mask_prob: f64,
    last_only_prob: f64,
    keep_prob: f64,
    random_prob: f64,
}

impl Cloze {
    /// Checks the probabilities.
    ///
    /// # Errors
    /// [`Error::Option`] if `mask_prob` is not in `(0, 1]`, another one not in `[0, 1]`,
    /// `keep_prob + random_prob` above 1, or there is no item.
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
            mask_prob,
            last_only_prob,
            keep_prob,
            random_prob,
        })
    }

    /// Hides items of one window: `tokens` holds it, `labels` is [`IGNORE`] everywhere.
    fn hide(&self, stream: &mut Stream, tokens: &mut [i64], labels: &mut [i64]) {
        let n = tokens.len();
        let mut hide_at = |i: usize, stream: &mut Stream| {
            labels[i] = tokens[i];
            tokens[i] = self.disguise(tokens[i], stream);
        };
        if n == 0 {
            return;
        }
        if stream.unit() < self.last_only_prob {
            hide_at(n - 1, stream);
            return;
        }
        let mut none_hidden = true;
        for i in 0..n {
            if stream.unit() < self.mask_prob {
                hide_at(i, stream);
                none_hidden = false;
            }
        }
        if none_hidden {
            let i = stream.below(n as u64) as usize;
            hide_at(i, stream);
        }
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

/// Writes the window of each row as tokens and labels, both `[B, W]`, padding first.
///
/// ```
/// use seqrec_core::{Sequences, cloze::{self, Cloze}, rows::{Out, Rows}, window::{Policy, Windows}};
///
/// let sequences = Sequences::new(&[7, 8, 9], &[0], &[3])?;
/// let rows = Rows::new(&[0], &[0], 1, 0)?;
/// let windows = Windows::new(Policy::Last, 4, 1)?;
/// let last_only = Cloze::new(9, 0.2, 1.0, 0.0, 0.0)?;
/// let (mut tokens, mut labels) = ([0; 4], [0; 4]);
/// cloze::cloze_into(
///     &sequences, &rows, &windows, &last_only,
///     Out { name: "tokens", values: &mut tokens, width: 4 },
///     Out { name: "labels", values: &mut labels, width: 4 },
/// )?;
/// assert_eq!(tokens, [0, 7, 8, 10]);
/// assert_eq!(labels, [-100, -100, -100, 9]);
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Width`] for a window that does not fit, and what [`Rows::key`] and
/// [`Sequences::range`] refuse.
pub fn cloze_into(
    sequences: &Sequences,
    rows: &Rows,
    windows: &Windows,
    cloze: &Cloze,
    tokens: Out<i64>,
    labels: Out<i64>,
) -> Result<(), Error> {
    let tokens = tokens.of_rows(rows.len())?;
    let labels = labels.beside(tokens.1, rows.len())?;
    fill_rows_2(tokens, labels, |row, tokens, labels| {
        let (key, window) = windows.of_row(sequences, rows, row)?;
        fits("tokens", row, window.len(), tokens.len())?;
        let front = tokens.len() - window.len();
        write_back(&sequences.items()[window], PAD, tokens);
        labels.fill(IGNORE);
        let mut stream = rows.stream(key, Purpose::Mask);
        cloze.hide(&mut stream, &mut tokens[front..], &mut labels[front..]);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hide(cloze: &Cloze, window: &[i64], seed: u64) -> (Vec<i64>, Vec<i64>) {
        let (mut tokens, mut labels) = (window.to_vec(), vec![IGNORE; window.len()]);
        let mut stream = Stream::new(seed, 0, 0, 0, Purpose::Mask);
        cloze.hide(&mut stream, &mut tokens, &mut labels);
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
            let window: Vec<i64> = (1..=n as i64).collect();
            let (tokens, labels) = hide(&cloze, &window, seed);
            prop_assert!(labels.iter().any(|&label| label != IGNORE));
            for ((&item, &token), &label) in window.iter().zip(&tokens).zip(&labels) {
                let unhidden = if label == IGNORE { token } else { label };
                prop_assert_eq!(unhidden, item);
                prop_assert!((1..=51).contains(&token));
            }
        }
    }
}
