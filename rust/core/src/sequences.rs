//! A borrowed view of what each user took, oldest first.

use std::ops::Range;

use crate::Error;

/// Items of all users in one slice; user `u` owns `items[starts[u]..stops[u]]`.
///
/// The same storage serves every part of a split: the training part of a leave-one-out split has
/// `stops - 2`, its test input `stops - 1`. No prefix is ever copied.
#[derive(Debug, Clone, Copy)]
pub struct Sequences<'a> {
    items: &'a [i32],
    starts: &'a [i64],
    stops: &'a [i64],
}

impl<'a> Sequences<'a> {
    /// Wraps the three slices. Ranges are checked where a user is read, so that a batch costs
    /// time in its rows and not in the number of users.
    ///
    /// # Errors
    /// [`Error::Length`] if `starts` and `stops` differ in length.
    pub fn new(items: &'a [i32], starts: &'a [i64], stops: &'a [i64]) -> Result<Self, Error> {
        if starts.len() != stops.len() {
            let (found, wanted) = (stops.len(), starts.len());
            return Err(Error::Length {
                name: "stops",
                found,
                wanted,
                why: "one for each start",
            });
        }
        Ok(Self {
            items,
            starts,
            stops,
        })
    }

    /// Number of users.
    #[must_use]
    pub const fn n_users(&self) -> usize {
        self.starts.len()
    }

    /// All stored items, of every user and of every part.
    #[must_use]
    pub const fn items(&self) -> &'a [i32] {
        self.items
    }

    /// The items of one user.
    ///
    /// # Errors
    /// [`Error::Slice`] if the user's range is not inside the stored items.
    pub fn user(&self, user: usize) -> Result<&'a [i32], Error> {
        let (start, stop) = self.range(user)?;
        Ok(&self.items[start..stop])
    }

    /// Where the items of one user lie in [`Self::items`], as `(start, stop)`.
    ///
    /// # Errors
    /// [`Error::Range`] for a user outside `0..n_users`, [`Error::Slice`] for a bad range.
    pub fn range(&self, user: usize) -> Result<(usize, usize), Error> {
        let (Some(&start), Some(&stop)) = (self.starts.get(user), self.stops.get(user)) else {
            let high = self.n_users() as i64 - 1;
            return Err(Error::Range {
                name: "users",
                index: 0,
                value: user as i64,
                low: 0,
                high,
            });
        };
        let piece = piece(user, start, stop, self.items.len())?;
        Ok((piece.start, piece.end))
    }

    /// The items of the user named in `users[row]`, which may be any integer.
    ///
    /// # Errors
    /// As [`Self::range`], with the row in the message.
    pub fn row(&self, users: &[i32], row: usize) -> Result<&'a [i32], Error> {
        Ok(&self.items[self.row_range(users, row)?])
    }

    /// Where the items of that user lie in [`Self::items`].
    ///
    /// # Errors
    /// As [`Self::row`].
    pub(crate) fn row_range(&self, users: &[i32], row: usize) -> Result<Range<usize>, Error> {
        let user = users[row];
        if user < 0 || user as usize >= self.n_users() {
            let high = self.n_users() as i64 - 1;
            return Err(Error::Range {
                name: "users",
                index: row,
                value: i64::from(user),
                low: 0,
                high,
            });
        }
        let (start, stop) = self.range(user as usize)?;
        Ok(start..stop)
    }
}

/// The piece of a store of `len` values that belongs to a user.
///
/// # Errors
/// [`Error::Slice`] if it is not inside the store.
#[inline]
pub(crate) fn piece(user: usize, start: i64, stop: i64, len: usize) -> Result<Range<usize>, Error> {
    if 0 <= start && start <= stop && stop <= len as i64 {
        return Ok(start as usize..stop as usize);
    }
    Err(Error::Slice {
        user,
        start,
        stop,
        len,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_reads_its_own_piece() {
        let sequences = Sequences::new(&[5, 6, 7], &[0, 1, 3], &[1, 3, 3]).unwrap();
        assert_eq!(sequences.user(1), Ok(&[6, 7][..]));
        assert_eq!(sequences.user(2), Ok(&[][..]));
    }

    #[test]
    fn a_bad_range_names_the_user() {
        let sequences = Sequences::new(&[5, 6, 7], &[0, 2], &[1, 4]).unwrap();
        assert_eq!(
            sequences.user(1),
            Err(Error::Slice {
                user: 1,
                start: 2,
                stop: 4,
                len: 3
            })
        );
        assert!(sequences.row(&[9], 0).is_err());
        assert!(sequences.row(&[-1], 0).is_err());
    }
}
