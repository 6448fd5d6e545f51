//! The items that leave the catalogue of one row, as a penalty on each column.
//!
//! A penalty is 0, or `-inf` where the item is hidden; it is added to the score on the way through
//! the row. That costs one store an item, however often the item is named, and no search.

use std::ops::Range;

use crate::Error;
use crate::scores::column_of;

/// Columns of a piece: the scores and penalties of one fit into the first level of a cache.
const PIECE: usize = 4096;

/// The penalties of a piece without a hidden item, so that those of a long row are not read.
static NONE: [f32; PIECE] = [0.0; PIECE];

/// Penalties of one row of scores; kept from row to row, so that nobody clears the whole of it.
#[derive(Debug, Clone)]
pub struct Hidden {
    penalties: Vec<f32>,
    touched: Vec<bool>,
}

impl Hidden {
    /// Nothing is hidden in rows of `n_items` scores.
    #[must_use]
    pub fn new(n_items: usize) -> Self {
        Self {
            penalties: vec![0.0; n_items],
            touched: vec![false; n_items.div_ceil(PIECE)],
        }
    }

    /// Hides items, which are the values of the argument `name` from the place `first` on.
    ///
    /// # Errors
    /// [`Error::Range`] for an id outside `1..=n_items`.
    pub fn hide(&mut self, name: &'static str, first: usize, items: &[i32]) -> Result<(), Error> {
        for (place, &item) in items.iter().enumerate() {
            let Some(penalty) = self.penalties.get_mut(column(item)) else {
                column_of(name, first + place, item, self.penalties.len())?;
                break;
            };
            *penalty = f32::NEG_INFINITY;
        }
        self.mark(items, true);
        Ok(())
    }

    /// Takes back what [`Self::hide`] did with these items.
    pub fn show(&mut self, items: &[i32]) {
        for &item in items {
            if let Some(penalty) = self.penalties.get_mut(column(item)) {
                *penalty = 0.0;
            }
        }
        self.mark(items, false);
    }

    /// Whether the item of a column is hidden.
    #[must_use]
    pub fn contains(&self, column: usize) -> bool {
        self.penalties[column] < 0.0
    }

    /// The columns of a range in pieces, each with the penalties of its columns.
    pub fn pieces(&self, columns: Range<usize>) -> impl Iterator<Item = (Range<usize>, &[f32])> {
        let first = columns.start / PIECE;
        (first..columns.end.div_ceil(PIECE)).map(move |piece| {
            let start = columns.start.max(piece * PIECE);
            let stop = columns.end.min((piece + 1) * PIECE);
            let penalties = if self.touched[piece] {
                &self.penalties[start..stop]
            } else {
                &NONE[..stop - start]
            };
            (start..stop, penalties)
        })
    }

    fn mark(&mut self, items: &[i32], touched: bool) {
        if let [piece] = &mut self.touched[..] {
            *piece = touched;
            return;
        }
        for &item in items {
            self.touched[column(item) / PIECE] = touched;
        }
    }
}

/// The column of an item; far outside every row if the id is below 1.
#[inline]
fn column(item: i32) -> usize {
    item.wrapping_sub(1) as u32 as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn penalties(hidden: &Hidden, columns: Range<usize>) -> Vec<f32> {
        let pieces = hidden.pieces(columns);
        pieces
            .flat_map(|(_, penalties)| penalties.to_vec())
            .collect()
    }

    #[test]
    fn an_item_is_hidden_until_it_is_shown() {
        let mut hidden = Hidden::new(3);
        hidden.hide("items", 0, &[2, 2]).unwrap();
        assert_eq!(penalties(&hidden, 0..3), [0.0, f32::NEG_INFINITY, 0.0]);
        assert!(hidden.contains(1));
        hidden.show(&[2, 2]);
        assert_eq!(penalties(&hidden, 0..3), [0.0; 3]);
    }

    #[test]
    fn pieces_cover_a_range_once() {
        let mut hidden = Hidden::new(2 * PIECE + 7);
        let last = 2 * PIECE as i32 + 7;
        hidden.hide("items", 0, &[1, last]).unwrap();
        let columns = hidden.pieces(5..2 * PIECE + 7);
        let columns: Vec<usize> = columns.flat_map(|(columns, _)| columns).collect();
        assert!(columns.into_iter().eq(5..2 * PIECE + 7));
        let found = penalties(&hidden, 0..2 * PIECE + 7);
        let at = |column: usize| found[column] < 0.0;
        assert_eq!((0..found.len()).filter(|&c| at(c)).count(), 2);
        assert!(at(0) && at(last as usize - 1));
    }

    #[test]
    fn an_item_outside_the_catalogue_is_named_by_its_place() {
        for item in [0, -1, 4, i32::MIN] {
            let refused = Hidden::new(3).hide("items", 7, &[1, item]).unwrap_err();
            let wanted = format!("`items`[8] is {item}, outside 1..=3");
            assert_eq!(refused.to_string(), wanted);
        }
    }
}
