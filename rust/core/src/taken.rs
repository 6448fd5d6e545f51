//! What each user has taken: sorted sets, and marks for many questions about one of them.

use crate::sequences::piece;
use crate::{Error, Sequences};

/// The distinct items of each user, ascending; user `u` has `members[offsets[u]..offsets[u + 1]]`.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    offsets: &'a [i64],
    members: &'a [i32],
}

impl<'a> Taken<'a> {
    /// Wraps the two slices. As with [`Sequences`], ranges are checked where a user is read.
    ///
    /// # Errors
    /// [`Error::Length`] if there is no offset at all.
    pub fn new(offsets: &'a [i64], members: &'a [i32]) -> Result<Self, Error> {
        if offsets.is_empty() {
            return Err(Error::Length {
                name: "set_offsets",
                found: 0,
                wanted: 1,
                why: "one more than there are users",
            });
        }
        Ok(Self { offsets, members })
    }

    /// Number of users.
    #[must_use]
    pub const fn n_users(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Refuses sets that are not those of the users of `sequences`.
    ///
    /// # Errors
    /// [`Error::Length`] if the numbers of users differ.
    pub fn check_users(&self, sequences: &Sequences) -> Result<(), Error> {
        let (found, wanted) = (self.offsets.len(), sequences.n_users() + 1);
        if found == wanted {
            return Ok(());
        }
        Err(Error::Length {
            name: "set_offsets",
            found,
            wanted,
            why: "one more than there are starts",
        })
    }

    /// The set of one user, for `user < n_users`.
    ///
    /// # Errors
    /// [`Error::Slice`] if the offsets of the user are not a range of the members.
    #[inline]
    pub fn of(&self, user: usize) -> Result<&'a [i32], Error> {
        let (start, stop) = (self.offsets[user], self.offsets[user + 1]);
        let piece = piece(user, start, stop, self.members.len())?;
        Ok(&self.members[piece])
    }
}

/// Marks on the items that one user has taken, for many questions about that user.
///
/// All are clear between two users, so that they are made once for all the rows of a thread.
#[derive(Debug, Default)]
pub struct Marks(pub(crate) Vec<u8>);

impl Marks {
    /// Whether marking `taken` items and clearing the marks again takes less time than a search
    /// for each of `draws` items.
    pub(crate) const fn pay_off(n_items: usize, taken: usize, draws: usize) -> bool {
        draws >= 16 && taken / 4 <= draws && n_items <= 1 << 17
    }

    pub(crate) fn set(&mut self, n_items: usize, taken: &[i32]) {
        self.0.resize(n_items + 1, 0);
        for &item in taken {
            if let Some(mark) = self.0.get_mut(item as usize) {
                *mark = 1;
            }
        }
    }

    pub(crate) fn clear(&mut self, taken: &[i32]) {
        if self.0.len() / 32 <= taken.len() {
            return self.0.fill(0);
        }
        for &item in taken {
            if let Some(mark) = self.0.get_mut(item as usize) {
                *mark = 0;
            }
        }
    }
}
