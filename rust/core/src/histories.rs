//! What a model reads at inference: the last items of each user.

use std::ops::Range;

use multiversion::multiversion;

use crate::crew::Crew;
use crate::rows::{Out, split, write_back, write_front};
use crate::{Error, PAD, Sequences};

/// Writes the last `W` items of each user in `[B, W]`, [`PAD`] before or behind them.
///
/// ```
/// use seqrec_core::{Sequences, histories::histories_into, crew::Crew, rows::Out};
///
/// let sequences = Sequences::new(&[7, 8, 9, 5], &[0, 3], &[3, 4])?;
/// let mut tokens = [0; 4];
/// let out = Out { name: "tokens", values: &mut tokens, width: 2 };
/// histories_into(Crew::ALONE, &sequences, &[0, 1], true, out)?;
/// assert_eq!(tokens, [8, 9, 0, 5]);
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// What [`Sequences::row`] refuses, and a buffer of another number of rows.
pub fn histories_into(
    crew: Crew,
    sequences: &Sequences,
    users: &[i32],
    pad_left: bool,
    tokens: Out<i64>,
) -> Result<(), Error> {
    let write = if pad_left {
        history_row_back
    } else {
        history_row_front
    };
    let tokens = tokens.of_rows(users.len())?;
    let width = tokens.1;
    crew.fill(split(tokens), size_of::<i64>() * width, |row, tokens| {
        let history = sequences.row_range(users, row)?;
        let last = history.start.max(history.end.saturating_sub(width))..history.end;
        write(sequences.items(), last, tokens);
        Ok(history.len().min(width))
    })?;
    Ok(())
}

#[multiversion(targets("x86_64+avx+avx2"))]
fn history_row_front(items: &[i32], last: Range<usize>, tokens: &mut [i64]) {
    write_front(items, last, PAD, tokens);
}

#[multiversion(targets("x86_64+avx+avx2"))]
fn history_row_back(items: &[i32], last: Range<usize>, tokens: &mut [i64]) {
    write_back(items, last, PAD, tokens);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_histories_lose_their_oldest_items_and_short_ones_are_padded() {
        let sequences = Sequences::new(&[1, 2, 3, 4], &[0, 3, 4], &[3, 4, 4]).unwrap();
        let fill = |pad_left| {
            let mut values = [9; 6];
            let tokens = Out {
                name: "tokens",
                values: &mut values,
                width: 2,
            };
            histories_into(Crew::ALONE, &sequences, &[0, 1, 2], pad_left, tokens).unwrap();
            values
        };
        assert_eq!(fill(true), [2, 3, 0, 4, 0, 0]);
        assert_eq!(fill(false), [2, 3, 4, 0, 0, 0]);
    }
}
