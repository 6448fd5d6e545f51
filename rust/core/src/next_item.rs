//! Rows of the next-item task: a window without its last item, and the items that follow.

use std::ops::Range;

use multiversion::multiversion;

use rayon::prelude::*;

use crate::crew::Crew;
use crate::rows::{Out, Rows, fits, split, write_front};
use crate::window::Windows;
use crate::{Error, IGNORE, PAD, Sequences};

/// Writes the window of each row as inputs and targets, both `[B, W]`.
///
/// Real items come first, where the padding behind them cannot reach an earlier state of an LSTM;
/// inputs end with [`PAD`], targets with [`IGNORE`]. Returns the number of targets.
///
/// ```
/// use seqrec_core::{Sequences, next_item, crew::Crew, rows::{Out, Rows}, window::{Policy, Windows}};
///
/// let sequences = Sequences::new(&[7, 8, 9], &[0], &[3])?;
/// let rows = Rows::new(&[0], &[0], 1, 0)?;
/// let windows = Windows::new(Policy::Last, 5, 1)?;
/// let (mut inputs, mut targets) = ([0; 4], [0; 4]);
/// let n_targets = next_item::next_item_into(
///     Crew::ALONE, &sequences, &rows, &windows,
///     Out { name: "inputs", values: &mut inputs, width: 4 },
///     Out { name: "targets", values: &mut targets, width: 4 },
/// )?;
/// assert_eq!(inputs, [7, 8, 0, 0]);
/// assert_eq!((targets, n_targets), ([8, 9, -100, -100], 2));
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Width`] for a window that does not fit, and what [`Rows::key`] and
/// [`Sequences::range`] refuse.
pub fn next_item_into(
    crew: Crew,
    sequences: &Sequences,
    rows: &Rows,
    windows: &Windows,
    inputs: Out<i64>,
    targets: Out<i64>,
) -> Result<usize, Error> {
    let inputs = inputs.of_rows(rows.len())?;
    let targets = targets.beside(inputs.1, rows.len())?;
    let row_bytes = 2 * size_of::<i64>() * inputs.1;
    let outputs = split(inputs).zip(split(targets));
    windows.fill(
        crew,
        sequences,
        rows,
        outputs,
        row_bytes,
        |row, _, window, (inputs, targets)| {
            let n = window.len().saturating_sub(1);
            fits("inputs", row, n, inputs.len())?;
            next_item_row(sequences.items(), window, inputs, targets);
            Ok(n)
        },
    )
}

/// One row; a window of fewer than two items has no target and gives padding alone.
#[multiversion(targets("x86_64+avx+avx2"))]
fn next_item_row(items: &[i32], window: Range<usize>, inputs: &mut [i64], targets: &mut [i64]) {
    write_front(items, before_last(&window), PAD, inputs);
    write_front(items, after_first(&window), IGNORE, targets);
}

/// The places of a window that something follows.
#[inline]
pub(crate) fn before_last(window: &Range<usize>) -> Range<usize> {
    window.start..window.start.max(window.end.saturating_sub(1))
}

/// The places of a window that follow something.
#[inline]
pub(crate) fn after_first(window: &Range<usize>) -> Range<usize> {
    window.end.min(window.start + 1)..window.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_without_a_target_give_padding_alone() {
        for window in [1..1, 1..2] {
            let (mut inputs, mut targets) = ([9; 2], [9; 2]);
            next_item_row(&[4, 5, 6, 7], window, &mut inputs, &mut targets);
            assert_eq!((inputs, targets), ([PAD; 2], [IGNORE; 2]));
        }
    }
}
