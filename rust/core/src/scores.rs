//! A borrowed score matrix: one row for each user asked about, one column for each item.

use crate::{Error, Sequences};

/// Scores `[rows, n_items]`; column `j` is item `j + 1`, and row `i` belongs to `users[i]`.
#[derive(Debug, Clone, Copy)]
pub struct Scores<'a> {
    values: &'a [f32],
    n_items: usize,
    users: &'a [i32],
    inputs: Sequences<'a>,
    filter_seen: bool,
}

impl<'a> Scores<'a> {
    /// Wraps the matrix. `inputs` is what the model read of each user; with `filter_seen` its items
    /// leave the catalogue of that user's row.
    ///
    /// # Errors
    /// [`Error::Length`] if `values` is not `users.len()` rows of `n_items`.
    pub fn new(
        values: &'a [f32],
        n_items: usize,
        users: &'a [i32],
        inputs: Sequences<'a>,
        filter_seen: bool,
    ) -> Result<Self, Error> {
        let (found, wanted) = (values.len(), users.len().saturating_mul(n_items));
        if found != wanted {
            return Err(Error::Length {
                name: "scores",
                found,
                wanted,
                why: "a row of n_items for each user",
            });
        }
        Ok(Self {
            values,
            n_items,
            users,
            inputs,
            filter_seen,
        })
    }

    /// Number of rows.
    #[must_use]
    pub const fn n_rows(&self) -> usize {
        self.users.len()
    }

    /// Number of items.
    #[must_use]
    pub const fn n_items(&self) -> usize {
        self.n_items
    }

    /// What a row weighs beside a byte that is written into a batch: to read two bytes of scores
    /// from memory takes about as long.
    #[must_use]
    pub const fn row_work(&self) -> usize {
        2 * self.n_items
    }

    /// The scores of one row.
    #[must_use]
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.n_items..(row + 1) * self.n_items]
    }

    /// What leaves the catalogue of one row, and where that begins in the stored items.
    ///
    /// # Errors
    /// [`Error::Range`] for a user that does not exist, [`Error::Slice`] for a bad range.
    #[inline]
    pub fn seen(&self, row: usize) -> Result<(usize, &'a [i32]), Error> {
        let input = self.inputs.row(self.users, row)?;
        if !self.filter_seen {
            return Ok((0, &[]));
        }
        let (first, _) = self.inputs.range(self.users[row] as usize)?;
        Ok((first, input))
    }

    /// The refusal of the score in one column of a row.
    #[must_use]
    pub fn refuse(&self, row: usize, column: usize) -> Error {
        Error::Score {
            row,
            user: i64::from(self.users[row]),
            item: column + 1,
            value: self.row(row)[column].to_string(),
        }
    }
}

/// The column of an item, which is the value at `index` of an argument.
///
/// # Errors
/// [`Error::Range`] for an id outside `1..=n_items`.
pub(crate) fn column_of(
    name: &'static str,
    index: usize,
    item: i32,
    n_items: usize,
) -> Result<usize, Error> {
    if item >= 1 && item as usize <= n_items {
        return Ok(item as usize - 1);
    }
    Err(Error::Range {
        name,
        index,
        value: i64::from(item),
        low: 1,
        high: n_items as i64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(filter_seen: bool) -> Scores<'static> {
        let inputs = Sequences::new(&[3, 1, 3, 9], &[0, 3], &[3, 4]).unwrap();
        Scores::new(&[0.0; 6], 3, &[0, 1], inputs, filter_seen).unwrap()
    }

    #[test]
    fn the_input_of_a_user_is_seen_where_it_is_filtered() {
        assert_eq!(scores(true).seen(1), Ok((3, &[9][..])));
        assert_eq!(scores(false).seen(1), Ok((0, &[][..])));
    }

    #[test]
    fn a_user_that_does_not_exist_is_refused_without_the_filter_too() {
        let inputs = Sequences::new(&[], &[0], &[0]).unwrap();
        let scores = Scores::new(&[0.0], 1, &[7], inputs, false).unwrap();
        let refused = scores.seen(0).unwrap_err().to_string();
        assert_eq!(refused, "`users`[0] is 7, outside 0..=0");
    }
}
