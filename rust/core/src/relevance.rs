//! Rows of the relevance task: what was taken, against what was not.
//!
//! Two shapes. A model that judges a candidate after every item that it reads has windows, with one
//! positive and one negative for each item: the LSTM, and `BERT4Rec` with a prefix that it reads both
//! ways. A `BERT4Rec` that reads the whole row both ways has each pair as two rows that differ in
//! their last token.

use std::ops::Range;

use rayon::prelude::*;

use crate::crew::Crew;
use crate::negatives::Sampler;
use crate::next_item::before_last;
use crate::rows::{Out, Rows, fits, read_ahead, split, write_back, write_front};
use crate::seed::{Purpose, Stream};
use crate::taken::{Marks, Taken};
use crate::window::Windows;
use crate::{Error, PAD, Sequences};

/// Writes the windows of [`crate::next_item`] as inputs, positives and negatives, all `[B, W]`.
///
/// `first` holds, for each stored item, whether its user takes it for the first time there; a
/// repeated target makes no pair, and both of its places are [`PAD`]. Returns the number of pairs.
///
/// `prefixes` `[B]`, if given, gets how many of the inputs of each row are its prefix: `1 + U^2 n` of
/// n, U uniform in `[0, 1)`, and 0 where there are none. Whoever reads a prefix both ways has seen
/// what follows any item of it but the last, so the targets of those make no pair.
///
/// # Errors
/// [`Error::Width`] for a window that does not fit, and what [`Rows::key`], [`Sequences::range`]
/// and [`Sampler::draw`] refuse.
pub fn relevance_sequences_into(
    crew: Crew,
    sequences: &Sequences,
    first: &[u8],
    sets: &Taken,
    rows: &Rows,
    windows: &Windows,
    sampler: &Sampler,
    inputs: Out<i64>,
    positives: Out<i64>,
    negatives: Out<i64>,
    prefixes: Option<Out<i64>>,
) -> Result<usize, Error> {
    check_first(sequences, first)?;
    sets.check_users(sequences)?;
    let inputs = inputs.of_rows(rows.len())?;
    let positives = positives.beside(inputs.1, rows.len())?;
    let negatives = negatives.beside(inputs.1, rows.len())?;
    let row_bytes = 3 * size_of::<i64>() * inputs.1;
    let outputs = split(inputs).zip(split(positives)).zip(split(negatives));
    let find = |row| {
        let (key, window) = windows.of_row(sequences, rows, row)?;
        let taken = sets.of(key.0)?;
        read_ahead(taken);
        Ok((key, window, taken))
    };
    let fill = |marks: &mut Marks, row, found, outputs, prefix: Option<&mut i64>| {
        let (key, window, taken): (_, Range<usize>, _) = found;
        let ((inputs, positives), negatives): ((_, &mut [i64]), &mut [i64]) = outputs;
        let items = &sequences.items()[window.clone()];
        let n_inputs = items.len().saturating_sub(1);
        fits("inputs", row, n_inputs, positives.len())?;
        write_front(sequences.items(), before_last(&window), PAD, inputs);
        let inner = prefix.map_or(0, |prefix| {
            let length = prefix_length(n_inputs, rows.stream(key, Purpose::Prefix));
            *prefix = length as i64;
            length.saturating_sub(1)
        });
        let count = positives_row(items, &first[window], inner, positives);
        let mut stream = rows.stream(key, Purpose::Negative);
        let drawn = &mut negatives[..count];
        sampler.fill(key.0, taken, marks, &mut stream, drawn)?;
        negatives_row(count, positives, negatives);
        Ok(count)
    };
    let Some(prefixes) = prefixes else {
        let fill = |marks: &mut Marks, row, found, outputs| fill(marks, row, found, outputs, None);
        return crew.fill_found(outputs, row_bytes, Marks::default, find, fill);
    };
    let (prefixes, _) = prefixes.beside(1, rows.len())?;
    let fill = |marks: &mut Marks, row, found, (outputs, prefix)| {
        fill(marks, row, found, outputs, Some(prefix))
    };
    let outputs = outputs.zip(prefixes.par_iter_mut());
    crew.fill_found(outputs, row_bytes, Marks::default, find, fill)
}

/// From 1 to `n_inputs`, a third of them on average, as targets are what a prefix takes from a row; 0
/// where there are none.
#[inline]
fn prefix_length(n_inputs: usize, mut stream: Stream) -> usize {
    let unit = stream.unit();
    n_inputs.min(1 + (unit * unit * n_inputs as f64) as usize)
}

/// A positive for each item but the first ones, one and the `inner` ones of a prefix, that is new to
/// its user; returns how many.
#[inline]
fn positives_row(items: &[i32], first: &[u8], inner: usize, positives: &mut [i64]) -> usize {
    let items = items.get(1 + inner..).unwrap_or_default();
    let first = first.get(1 + inner..).unwrap_or_default();
    let (seen, positives) = positives.split_at_mut(inner);
    seen.fill(PAD);
    let (targets, padding) = positives.split_at_mut(items.len());
    padding.fill(PAD);
    let mut count = 0usize;
    for ((target, &item), &is_new) in targets.iter_mut().zip(items).zip(first) {
        *target = if is_new == 0 { PAD } else { i64::from(item) };
        count = count.wrapping_add(usize::from(is_new != 0));
    }
    count
}

/// Moves the draws at the front of `negatives`, one for each positive, to the places of those.
#[inline]
fn negatives_row(drawn: usize, positives: &[i64], negatives: &mut [i64]) {
    negatives[drawn..].fill(PAD);
    let mut left = drawn;
    for place in (0..positives.len()).rev() {
        if left == place + 1 {
            return; // from here to the front every place has its draw
        }
        if positives[place] == PAD {
            negatives[place] = PAD;
        } else {
            left -= 1;
            negatives[place] = negatives[left];
        }
    }
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
    crew: Crew,
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
    let outputs = split((tokens, 2 * width)).zip(split((labels, 2)));
    crew.fill(
        outputs,
        2 * size_of::<i64>() * width,
        |row, (tokens, labels)| {
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
            Ok(1)
        },
    )?;
    Ok(())
}

/// One row: padding, the end of the history, the candidate.
#[inline]
fn pair_row(history: &[i32], candidate: i64, tokens: &mut [i64]) {
    if let Some((last, before)) = tokens.split_last_mut() {
        let kept = history.len().min(before.len());
        write_back(history, history.len() - kept..history.len(), PAD, before);
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
        for (first, drawn, wanted) in [
            (
                [1, 1, 0, 1],
                [7, 8, 9, 9],
                [[2, PAD, 3, PAD], [7, PAD, 8, PAD]],
            ),
            (
                [1, 0, 1, 1],
                [7, 8, 9, 9],
                [[PAD, 1, 3, PAD], [PAD, 7, 8, PAD]],
            ),
            ([0, 1, 1, 1], [7, 8, 6, 9], [[2, 1, 3, PAD], [7, 8, 6, PAD]]),
            ([1, 0, 0, 0], [9, 9, 9, 9], [[PAD; 4], [PAD; 4]]),
        ] {
            let (mut positives, mut negatives) = ([9; 4], drawn);
            let count = positives_row(&[1, 2, 1, 3], &first, 0, &mut positives);
            assert_eq!(count, positives.iter().filter(|&&item| item != PAD).count());
            negatives_row(count, &positives, &mut negatives);
            assert_eq!([positives, negatives], wanted);
        }
    }

    #[test]
    fn what_a_prefix_shows_is_no_target() {
        for (inner, wanted) in [
            (0, [2, 5, 3, PAD]),
            (1, [PAD, 5, 3, PAD]),
            (2, [PAD, PAD, 3, PAD]),
        ] {
            let mut positives = [9; 4];
            let count = positives_row(&[1, 2, 5, 3], &[1; 4], inner, &mut positives);
            assert_eq!((positives, count), (wanted, 3 - inner));
        }
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
