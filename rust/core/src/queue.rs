//! The rows of a batch as pieces that threads come for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::iter::plumbing::Producer;

use crate::Error;

/// Rows that threads take in pieces: the calling one from the front, its helpers from the back.
pub(crate) struct Queue<P> {
    left: Mutex<Option<Piece<P>>>,
    /// Rows of a piece.
    piece: usize,
    total: AtomicUsize,
    failure: Mutex<Option<(usize, Error)>>,
}

/// Rows that follow each other, from the row `start` on.
pub(crate) struct Piece<P> {
    start: usize,
    len: usize,
    rows: P,
}

impl<P: Producer> Piece<P> {
    /// The first `n` rows, and the others.
    fn cut(self, n: usize) -> (Self, Self) {
        let Self { start, len, rows } = self;
        let (first, rest) = rows.split_at(n);
        let piece = |start, len, rows| Self { start, len, rows };
        (piece(start, n, first), piece(start + n, len - n, rest))
    }
}

impl<P: Producer> Queue<P> {
    /// All `len` rows, to be taken `piece` at a time.
    pub(crate) fn new(rows: P, len: usize, piece: usize) -> Self {
        let all = Piece {
            start: 0,
            len,
            rows,
        };
        Self {
            left: Mutex::new(Some(all)),
            piece,
            total: AtomicUsize::new(0),
            failure: Mutex::new(None),
        }
    }

    /// A piece from the front.
    pub(crate) fn first(&self) -> Option<Piece<P>> {
        self.take(Piece::cut)
    }

    /// A piece from the back.
    pub(crate) fn last(&self) -> Option<Piece<P>> {
        self.take(|all, n| {
            let others = all.len - n;
            let (rest, piece) = all.cut(others);
            (piece, rest)
        })
    }

    /// The next piece, which `cut` makes of what is left: `n` rows, and the others.
    fn take(&self, cut: impl Fn(Piece<P>, usize) -> (Piece<P>, Piece<P>)) -> Option<Piece<P>> {
        let mut left = locked(&self.left);
        let all = left.take()?;
        if self.piece >= all.len {
            return Some(all);
        }
        let (piece, rest) = cut(all, self.piece);
        *left = Some(rest);
        Some(piece)
    }

    /// Fills one piece after the other until there is none. Rows after one that fails are filled,
    /// too: which error is the lowest is known at the end.
    pub(crate) fn work<S, F>(
        &self,
        next: impl Fn(&Self) -> Option<Piece<P>>,
        scratch: &mut S,
        find: impl Fn(usize) -> Result<F, Error>,
        row: impl Fn(&mut S, usize, F, P::Item) -> Result<usize, Error>,
    ) {
        let (mut sum, mut found) = (0, Vec::new());
        while let Some(Piece { start, len, rows }) = next(self) {
            found.extend((start..start + len).map(&find));
            for ((i, out), found) in (start..).zip(rows.into_iter()).zip(found.drain(..)) {
                match found.and_then(|found| row(scratch, i, found, out)) {
                    Ok(n) => sum += n,
                    Err(error) => self.keep(i, error),
                }
            }
        }
        self.total.fetch_add(sum, Ordering::Relaxed);
    }

    /// Keeps the error of the lowest row.
    fn keep(&self, row: usize, error: Error) {
        let mut kept = locked(&self.failure);
        if kept.as_ref().is_none_or(|(lowest, _)| row < *lowest) {
            *kept = Some((row, error));
        }
    }

    /// The sum of what the rows returned, or the error of the lowest that failed.
    pub(crate) fn outcome(self) -> Result<usize, Error> {
        let failure = self.failure.into_inner();
        match failure.unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(self.total.into_inner()),
        }
    }
}

/// A panic in a row is passed on by the scope: what the lock guards is not read any more.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
