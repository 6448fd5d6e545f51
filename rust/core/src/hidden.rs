//! The items that leave the catalogue of one row, as a mark on each column.
//!
//! A column is hidden if its mark is the current one, so a new row takes another mark and nobody
//! takes back the old ones. Hiding costs a store an item, however often the item is named, and no
//! search; a mark is a byte, so that the scores of a row stay in the first level of a cache.

use crate::scores::column_of;
use crate::{Error, buffer};

/// Marks of the columns; kept from row to row, so that nobody clears the whole of them.
#[derive(Debug, Clone)]
pub struct Hidden {
    marks: Vec<u8>,
    current: u8,
}

impl Hidden {
    /// Nothing is hidden in rows of `n_items` scores.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn new(n_items: usize) -> Result<Self, Error> {
        Ok(Self {
            marks: buffer::zeros(n_items)?,
            current: 1,
        })
    }

    /// Shows all items again.
    pub fn clear(&mut self) {
        self.current = self.current.wrapping_add(1);
        if self.current == 0 {
            self.marks.fill(0);
            self.current = 1;
        }
    }

    /// Hides items, which are the values of the argument `name` from the place `first` on.
    ///
    /// # Errors
    /// [`Error::Range`] for an id outside `1..=n_items`.
    #[inline]
    pub fn hide(&mut self, name: &'static str, first: usize, items: &[i32]) -> Result<(), Error> {
        self.hide_each(name, first, items, |_| ())
    }

    /// As [`Self::hide`], and counts those of them whose score in a row is above one, each item once.
    ///
    /// # Errors
    /// As [`Self::hide`].
    #[inline]
    pub fn hide_above(
        &mut self,
        name: &'static str,
        first: usize,
        items: &[i32],
        row: &[f32],
        score: f32,
    ) -> Result<u32, Error> {
        let row = &row[..self.marks.len()];
        let mut above = 0u32;
        self.hide_each(name, first, items, |column| {
            above = above.wrapping_add(u32::from(row[column] > score));
        })?;
        Ok(above)
    }

    /// Hides items, and calls `visit` with each column that was not hidden before.
    #[inline]
    fn hide_each(
        &mut self,
        name: &'static str,
        first: usize,
        items: &[i32],
        mut visit: impl FnMut(usize),
    ) -> Result<(), Error> {
        // Four at a time, which are looked at for being in the row together.
        let (fours, rest) = items.as_chunks::<4>();
        let inside = fours.iter().all(|&four| self.hide_all(four, &mut visit))
            && rest.iter().all(|&item| self.hide_all([item], &mut visit));
        if inside {
            return Ok(());
        }
        let mut places = (first..).zip(items);
        places.try_for_each(|(place, &item)| {
            column_of(name, place, item, self.marks.len()).map(|_| ())
        })
    }

    /// Hides all of some items, or none and returns `false` if one of them is outside the row.
    #[inline]
    fn hide_all<const N: usize>(&mut self, items: [i32; N], visit: &mut impl FnMut(usize)) -> bool {
        let marks = &mut self.marks[..];
        // Far outside every row if the id is below 1.
        let columns = items.map(|item| item.wrapping_sub(1) as u32 as usize);
        if columns.iter().any(|&column| column >= marks.len()) {
            return false;
        }
        for column in columns {
            if marks[column] != self.current {
                marks[column] = self.current;
                visit(column);
            }
        }
        true
    }

    /// Whether the item of a column is hidden.
    #[inline]
    #[must_use]
    pub fn contains(&self, column: usize) -> bool {
        self.marks[column] == self.current
    }

    /// The mark of each column, and the one that hides.
    #[must_use]
    pub fn marks(&self) -> (&[u8], u8) {
        (&self.marks, self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(hidden: &Hidden) -> Vec<usize> {
        let n_items = hidden.marks().0.len();
        (0..n_items).filter(|&c| hidden.contains(c)).collect()
    }

    #[test]
    fn an_item_is_hidden_until_all_are_shown() {
        let mut hidden = Hidden::new(3).unwrap();
        assert_eq!(columns(&hidden), []);
        hidden.hide("items", 0, &[2, 2]).unwrap();
        assert_eq!(columns(&hidden), [1]);
        hidden.clear();
        assert_eq!(columns(&hidden), []);
    }

    #[test]
    fn an_item_that_is_named_twice_is_visited_once() {
        let mut visited = Vec::new();
        let mut hidden = Hidden::new(3).unwrap();
        hidden.hide("items", 0, &[1]).unwrap();
        let visit = |column| visited.push(column);
        hidden.hide_each("items", 0, &[3, 1, 3], visit).unwrap();
        assert_eq!(visited, [2]);
    }

    #[test]
    fn an_item_above_is_counted_once_and_only_if_it_was_shown() {
        let mut hidden = Hidden::new(4).unwrap();
        hidden.hide("items", 0, &[1]).unwrap();
        let row = [0.9, 0.1, 0.8, 0.7];
        let above = hidden.hide_above("items", 0, &[3, 1, 2, 3], &row, 0.5);
        assert_eq!(above, Ok(1));
        assert_eq!(columns(&hidden), [0, 1, 2]);
    }

    #[test]
    fn no_mark_outlives_its_row() {
        let mut hidden = Hidden::new(2).unwrap();
        hidden.hide("items", 0, &[1]).unwrap();
        for _ in 0..1000 {
            hidden.clear();
            assert_eq!(columns(&hidden), []);
        }
    }

    #[test]
    fn an_item_outside_the_catalogue_is_named_by_its_place() {
        for item in [0, -1, 4, i32::MIN] {
            let refused = Hidden::new(3)
                .unwrap()
                .hide("items", 7, &[1, item])
                .unwrap_err();
            let wanted = format!("`items`[8] is {item}, outside 1..=3");
            assert_eq!(refused.to_string(), wanted);
            let refused = Hidden::new(3)
                .unwrap()
                .hide("items", 7, &[1, item, 2, 3, 1]);
            assert_eq!(refused.unwrap_err().to_string(), wanted);
        }
    }
}
