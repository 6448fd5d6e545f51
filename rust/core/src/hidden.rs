//! The items that leave the catalogue of one row, as a mark on each column.
//!
//! A column is hidden if its mark is the current one, so a new row takes another mark and nobody
//! takes back the old ones. Hiding costs a store an item, however often the item is named, and no
//! search; a mark is a byte, so that the scores of a row stay in the first level of a cache.

use crate::Error;
use crate::scores::column_of;

/// Marks of the columns; kept from row to row, so that nobody clears the whole of them.
#[derive(Debug, Clone)]
pub struct Hidden {
    marks: Vec<u8>,
    current: u8,
}

impl Hidden {
    /// Nothing is hidden in rows of `n_items` scores.
    #[must_use]
    pub fn new(n_items: usize) -> Self {
        Self {
            marks: vec![0; n_items],
            current: 1,
        }
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

    /// As [`Self::hide`], and calls `visit` with each column that was not hidden before.
    ///
    /// # Errors
    /// As [`Self::hide`].
    #[inline]
    pub fn hide_each(
        &mut self,
        name: &'static str,
        first: usize,
        items: &[i32],
        mut visit: impl FnMut(usize),
    ) -> Result<(), Error> {
        let n_items = self.marks.len();
        for (place, &item) in items.iter().enumerate() {
            // Far outside every row if the id is below 1.
            let column = item.wrapping_sub(1) as u32 as usize;
            let Some(mark) = self.marks.get_mut(column) else {
                return column_of(name, first + place, item, n_items).map(|_| ());
            };
            if *mark != self.current {
                *mark = self.current;
                visit(column);
            }
        }
        Ok(())
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
        let mut hidden = Hidden::new(3);
        assert_eq!(columns(&hidden), []);
        hidden.hide("items", 0, &[2, 2]).unwrap();
        assert_eq!(columns(&hidden), [1]);
        hidden.clear();
        assert_eq!(columns(&hidden), []);
    }

    #[test]
    fn an_item_that_is_named_twice_is_visited_once() {
        let mut visited = Vec::new();
        let mut hidden = Hidden::new(3);
        hidden.hide("items", 0, &[1]).unwrap();
        let visit = |column| visited.push(column);
        hidden.hide_each("items", 0, &[3, 1, 3], visit).unwrap();
        assert_eq!(visited, [2]);
    }

    #[test]
    fn no_mark_outlives_its_row() {
        let mut hidden = Hidden::new(2);
        hidden.hide("items", 0, &[1]).unwrap();
        for _ in 0..1000 {
            hidden.clear();
            assert_eq!(columns(&hidden), []);
        }
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
