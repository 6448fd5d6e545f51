//! Rows of the relevance task: what was taken, against what was not.
//!
//! Two shapes serve two models. The LSTM judges a candidate after every step, so a window brings
//! one positive and one negative for each step. `BERT4Rec` reads the candidate as the last token of
//! its input, so each pair is two rows that differ in that token.

use crate::negatives::{Sampler, Taken};
use crate::next_item::before_last;
use crate::parallel::{fill_rows_2, fill_rows_3};
use crate::rows::{Out, Rows, fits, write_back, write_front};
use crate::seed::{Purpose, Stream};
use crate::window::Windows;
use crate::{Error, PAD, Sequences};

/// Writes the windows of [`crate::next_item`] as inputs, positives and negatives, all `[B, W]`.
///
/// `first` holds, for each stored item, whether its user takes it for the first time there; a
/// repeated target makes no pair, and both of its places are [`PAD`].
///
/// # Errors
/// [`Error::Width`] for a window that does not fit, and what [`Rows::key`], [`Sequences::range`]
/// and [`Sampler::draw`] refuse.
pub fn relevance_sequences_into(
    sequences: &Sequences,
    first: &[u8],
    sets: &Taken,
    rows: &Rows,
    windows: &Windows,
    sampler: &Sampler,
    inputs: Out<i64>,
    positives: Out<i64>,
    negatives: Out<i64>,
) -> Result<(), Error> {
    check_first(sequences, first)?;
    sets.check_users(sequences)?;
    let inputs = inputs.of_rows(rows.len())?;
    let positives = positives.beside(inputs.1, rows.len())?;
    let negatives = negatives.beside(inputs.1, rows.len())?;
    fill_rows_3(inputs, positives, negatives, |row, inputs, pos, neg| {
        let (key, window) = windows.of_row(sequences, rows, row)?;
        let items = &sequences.items()[window.clone()];
        fits("inputs", row, items.len().saturating_sub(1), inputs.len())?;
        write_front(before_last(items), PAD, inputs);
        let taken = sets.of(key.0)?;
        let mut stream = rows.stream(key, Purpose::Negative);
        pairs_of_window(items, &first[window], pos, neg, || {
            sampler.draw(key.0, taken, &mut stream)
        })
    })
}

/// A positive and a negative for each item but the first that is new to its user.
#[inline]
fn pairs_of_window(
    items: &[i32],
    first: &[u8],
    positives: &mut [i64],
    negatives: &mut [i64],
    mut draw: impl FnMut() -> Result<i64, Error>,
) -> Result<(), Error> {
    positives.fill(PAD);
    negatives.fill(PAD);
    let targets = items.iter().zip(first).skip(1);
    let places = positives.iter_mut().zip(negatives);
    for ((&item, &is_new), (positive, negative)) in targets.zip(places) {
        if is_new != 0 {
            *positive = i64::from(item);
            *negative = draw()?;
        }
    }
    Ok(())
}

/// Refuses marks that do not belong to the stored items.
pub(crate) fn check_first(sequences: &Sequences, first: &[u8]) -> Result<(), Error> {
    let (found, wanted) = (first.len(), sequences.items().len());
    if found == wanted {
        return Ok(());
    }
    Err(Error::Length {
        name: "first",
        found,
        wanted,
        why: "one for each of items",
    })
}

/// Writes pairs as rows `[2B, W]` of padding, history and candidate, and their labels `[2B]`.
///
/// Pair `i` is the target at `positions[i]` of its user, with the items before it: row `2i` ends
/// with the target (label 1), row `2i + 1` with a negative (label 0). The last `W - 1` items of
/// the history stay.
///
/// # Errors
/// [`Error::Range`] for a position without an item before it or outside its user's items, and
/// what [`Rows::key`], [`Sequences::range`] and [`Sampler::draw`] refuse.
pub fn relevance_pairs_into(
    sequences: &Sequences,
    sets: &Taken,
    rows: &Rows,
    positions: &[i32],
    sampler: &Sampler,
    tokens: Out<i64>,
    labels: Out<f32>,
) -> Result<(), Error> {
    sets.check_users(sequences)?;
    if positions.len() != rows.len() {
        return Err(Error::Length {
            name: "positions",
            found: positions.len(),
            wanted: rows.len(),
            why: "one for each of users",
        });
    }
    let (tokens, width) = tokens.of_rows(2 * rows.len())?;
    let (labels, _) = labels.beside(1, 2 * rows.len())?;
    fill_rows_2((tokens, 2 * width), (labels, 2), |row, tokens, labels| {
        fits("tokens", 2 * row, 2, width)?;
        let key = rows.key(row, sequences.n_users())?;
        let items = sequences.user(key.0)?;
        let position = position_in(items, positions, row)?;
        let mut stream: Stream = rows.stream(key, Purpose::Negative);
        let negative = sampler.draw(key.0, sets.of(key.0)?, &mut stream)?;
        let (positive_row, negative_row) = tokens.split_at_mut(width);
        pair_row(&items[..position], i64::from(items[position]), positive_row);
        pair_row(&items[..position], negative, negative_row);
        labels.copy_from_slice(&[1.0, 0.0]);
        Ok(())
    })
}

/// One row: padding, the end of the history, the candidate.
#[inline]
fn pair_row(history: &[i32], candidate: i64, tokens: &mut [i64]) {
    if let Some((last, before)) = tokens.split_last_mut() {
        let kept = history.len().min(before.len());
        write_back(&history[history.len() - kept..], PAD, before);
        *last = candidate;
    }
}

fn position_in(items: &[i32], positions: &[i32], row: usize) -> Result<usize, Error> {
    let (value, high) = (i64::from(positions[row]), items.len() as i64 - 1);
    if 1 <= value && value <= high {
        return Ok(value as usize);
    }
    Err(Error::Range {
        name: "positions",
        index: row,
        value,
        low: 1,
        high,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_target_makes_no_pair() {
        let (mut positives, mut negatives) = ([9; 4], [9; 4]);
        let draw = || Ok(7);
        pairs_of_window(
            &[1, 2, 1, 3],
            &[1, 1, 0, 1],
            &mut positives,
            &mut negatives,
            draw,
        )
        .unwrap();
        assert_eq!((positives, negatives), ([2, PAD, 3, PAD], [7, PAD, 7, PAD]));
    }

    #[test]
    fn the_candidate_stands_last_and_the_oldest_items_fall_out() {
        let mut tokens = [9; 3];
        pair_row(&[1, 2, 3], 8, &mut tokens);
        assert_eq!(tokens, [2, 3, 8]);
        pair_row(&[1], 8, &mut tokens);
        assert_eq!(tokens, [PAD, 1, 8]);
    }

    #[test]
    fn a_target_needs_an_item_before_it() {
        assert_eq!(position_in(&[4, 5], &[1], 0), Ok(1));
        assert!(position_in(&[4, 5], &[0], 0).is_err());
        assert!(position_in(&[4, 5], &[2], 0).is_err());
    }
}
