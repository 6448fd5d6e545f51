//! The rows of a batch, and the caller's buffers that they fill.
//!
//! Row `i` belongs to user `users[i]` and is the `ks[i]`-th of that user in its epoch. What is
//! drawn for it comes from [`Rows::stream`], so its content depends on neither the batch nor the
//! width of the buffer; the buffer only decides how much padding stands beside it.

use rayon::prelude::*;
use rayon::slice::ChunksExactMut;
use std::hint::black_box;
use std::ops::Range;

use crate::Error;
use crate::seed::{Epoch, Purpose, Stream};

/// Who is in a batch, and the key of all that is drawn for it.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    users: &'a [i32],
    ks: &'a [i32],
    epoch: Epoch,
}

impl<'a> Rows<'a> {
    /// Wraps the slices of a batch.
    ///
    /// # Errors
    /// [`Error::Length`] if `users` and `ks` differ in length.
    pub fn new(users: &'a [i32], ks: &'a [i32], seed: u64, epoch: u64) -> Result<Self, Error> {
        if users.len() != ks.len() {
            return Err(Error::Length {
                name: "ks",
                found: ks.len(),
                wanted: users.len(),
                why: "one for each of users",
            });
        }
        Ok(Self {
            users,
            ks,
            epoch: Epoch::new(seed, epoch),
        })
    }

    /// Number of rows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether the batch has no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The user of a row, and which row of that user it is.
    ///
    /// # Errors
    /// [`Error::Range`] for a user outside `0..n_users` or a negative `k`.
    #[inline]
    pub fn key(&self, row: usize, n_users: usize) -> Result<(usize, usize), Error> {
        let user = in_range("users", row, self.users[row], n_users as i64 - 1)?;
        let k = in_range("ks", row, self.ks[row], i64::from(i32::MAX))?;
        Ok((user, k))
    }

    /// The random numbers of one row for one purpose.
    #[inline]
    #[must_use]
    pub fn stream(&self, (user, k): (usize, usize), purpose: Purpose) -> Stream {
        self.epoch.stream(user as u64, k as u64, purpose)
    }
}

#[inline]
fn in_range(name: &'static str, index: usize, value: i32, high: i64) -> Result<usize, Error> {
    let value = i64::from(value);
    if 0 <= value && value <= high {
        return Ok(value as usize);
    }
    Err(Error::Range {
        name,
        index,
        value,
        low: 0,
        high,
    })
}

/// A buffer of the caller: rows of `width` values, one after the other.
#[derive(Debug)]
pub struct Out<'a, T> {
    /// What the caller calls it.
    pub name: &'static str,
    /// All its values.
    pub values: &'a mut [T],
    /// Values in a row.
    pub width: usize,
}

impl<'a, T> Out<'a, T> {
    /// The values and their width, once it is sure that they make `rows` rows.
    ///
    /// # Errors
    /// [`Error::Length`] for another number of rows, [`Error::Width`] for rows without a value.
    pub fn of_rows(self, rows: usize) -> Result<(&'a mut [T], usize), Error> {
        let Self {
            name,
            values,
            width,
        } = self;
        if width == 0 && rows > 0 {
            return Err(Error::Width {
                name,
                row: 0,
                found: 0,
                wanted: 1,
            });
        }
        if values.len() != rows * width {
            return Err(Error::Length {
                name,
                found: values.len() / width.max(1),
                wanted: rows,
                why: "the rows of the batch",
            });
        }
        Ok((values, width))
    }

    /// As [`Self::of_rows`], for a buffer that stands beside another one of the given width.
    ///
    /// # Errors
    /// As [`Self::of_rows`], and [`Error::Length`] for another width.
    pub fn beside(self, width: usize, rows: usize) -> Result<(&'a mut [T], usize), Error> {
        if self.width != width {
            return Err(Error::Length {
                name: self.name,
                found: self.width,
                wanted: width,
                why: "the width of the first output",
            });
        }
        self.of_rows(rows)
    }
}

/// The rows of a buffer whose number and width were checked.
pub(crate) fn split<T: Send>((values, width): (&mut [T], usize)) -> ChunksExactMut<'_, T> {
    values.par_chunks_exact_mut(width.max(1)) // a batch without rows may have no width either
}

/// Refuses a row that is wider than its buffer.
pub(crate) fn fits(
    name: &'static str,
    row: usize,
    wanted: usize,
    found: usize,
) -> Result<(), Error> {
    if wanted <= found {
        return Ok(());
    }
    Err(Error::Width {
        name,
        row,
        found,
        wanted,
    })
}

/// Reads items here and there, so that they are in a cache when somebody works on them.
#[inline]
pub(crate) fn read_ahead(items: &[i32]) {
    let n = items.len();
    if n > 0 {
        black_box([0, n / 4, n / 2, n / 4 * 3, n - 1].map(|place| items[place]));
    }
}

/// Writes some of the stored `items` at the front of `out`, and `pad` behind them.
///
/// The loop runs over all of `out`, past the range and into the items of other users, which it reads
/// and does not keep: lengths are random, and a loop whose end nobody can predict takes longer.
#[inline]
pub(crate) fn write_front(items: &[i32], range: Range<usize>, pad: i64, out: &mut [i64]) {
    let n = range.len();
    let Some(wide) = items.get(range.start..range.start + out.len()) else {
        out[n..].fill(pad);
        return widen(&items[range], out);
    };
    for ((to, &item), place) in out.iter_mut().zip(wide).zip(0i64..) {
        *to = select(place < n as i64, i64::from(item), pad);
    }
}

/// Writes some of the stored `items` at the end of `out`, and `pad` before them; see
/// [`write_front`].
#[inline]
pub(crate) fn write_back(items: &[i32], range: Range<usize>, pad: i64, out: &mut [i64]) {
    let padding = out.len() - range.len();
    let Some(start) = range.end.checked_sub(out.len()) else {
        out[..padding].fill(pad);
        return widen(&items[range], &mut out[padding..]);
    };
    for (place, (to, &item)) in out.iter_mut().zip(&items[start..range.end]).enumerate() {
        *to = if place < padding {
            pad
        } else {
            i64::from(item)
        };
    }
}

/// One of two values, without a branch.
#[inline]
fn select(first: bool, a: i64, b: i64) -> i64 {
    let mask = -i64::from(first);
    (a & mask) | (b & !mask)
}

#[inline]
fn widen(items: &[i32], out: &mut [i64]) {
    for (to, &item) in out.iter_mut().zip(items) {
        *to = i64::from(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_outside_the_users_is_named() {
        let rows = Rows::new(&[0, 3], &[0, 0], 0, 0).unwrap();
        assert_eq!(rows.key(0, 3), Ok((0, 0)));
        assert_eq!(
            rows.key(1, 3),
            Err(Error::Range {
                name: "users",
                index: 1,
                value: 3,
                low: 0,
                high: 2
            })
        );
    }

    #[test]
    fn a_negative_k_is_named() {
        let rows = Rows::new(&[0], &[-1], 0, 0).unwrap();
        assert!(matches!(
            rows.key(0, 1),
            Err(Error::Range { name: "ks", .. })
        ));
    }

    #[test]
    fn a_buffer_must_have_the_rows_of_the_batch() {
        let accepts = |len, width, rows| {
            let out = Out {
                name: "inputs",
                values: &mut vec![0i64; len],
                width,
            };
            out.of_rows(rows).is_ok()
        };
        assert!(accepts(6, 3, 2));
        assert!(!accepts(6, 3, 3));
        assert!(!accepts(0, 0, 2));
        assert!(accepts(0, 0, 0));
    }

    #[test]
    fn outputs_of_a_row_have_one_width() {
        let out = Out {
            name: "targets",
            values: &mut [0i64; 6],
            width: 3,
        };
        assert!(out.beside(2, 2).is_err());
    }
}
