//! Windows: the pieces of a long history that become rows.
//!
//! A window is a range of a user's items, cut where it is read; nothing is copied ahead of time.
//! Window 0 is always the last `width` items, the piece that inference sees too.

use std::ops::Range;
use std::str::FromStr;

use rayon::prelude::*;

use crate::crew::Crew;
use crate::rows::{Rows, read_ahead};
use crate::seed::{Purpose, Stream};
use crate::{Error, Sequences};

/// Which windows a user has in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The last `width` items.
    Last,
    /// Windows whose ends step back from the last item by `stride`, to the first item.
    Sliding,
    /// The last window, then windows that start anywhere, as many as would cover the history.
    Random,
    /// The last window, then as many that step back by `stride` from an item near the last, which is
    /// drawn for all of them.
    Shifted,
    /// The last `width` items of every beginning of the history that holds two items or more.
    Prefixes,
}

impl Policy {
    /// Whether windows lie `stride` apart.
    const fn steps(self) -> bool {
        matches!(self, Self::Sliding | Self::Shifted)
    }
}

impl FromStr for Policy {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "last" => Ok(Self::Last),
            "sliding" => Ok(Self::Sliding),
            "random" => Ok(Self::Random),
            "shifted" => Ok(Self::Shifted),
            "prefixes" => Ok(Self::Prefixes),
            _ => Err(refuse(
                "policy",
                name.to_owned(),
                "it must be last, sliding, random, shifted or prefixes",
            )),
        }
    }
}

/// A policy with its sizes.
///
/// ```
/// use seqrec_core::seed::{Purpose, Stream};
/// use seqrec_core::window::{Policy, Windows};
///
/// let windows = Windows::new(Policy::Sliding, 4, 3).unwrap();
/// let cut = |k| windows.cut(9, k, |_| Stream::new(0, 0, 0, 0, Purpose::Window));
/// assert_eq!(windows.count(9, 1), 3);
/// assert_eq!((cut(0), cut(1), cut(2)), (Some(5..9), Some(2..6), Some(0..3)));
/// assert_eq!(cut(3), None);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    policy: Policy,
    width: usize,
    stride: usize,
}

impl Windows {
    /// Windows of at most `width` items; `stride` counts for [`Policy::Sliding`] and
    /// [`Policy::Shifted`] alone, as that of [`Policy::Prefixes`] is 1.
    ///
    /// # Errors
    /// [`Error::Option`] for a width of 0 or a stride outside `1..=width`.
    pub fn new(policy: Policy, width: usize, stride: usize) -> Result<Self, Error> {
        if width == 0 {
            return Err(refuse(
                "width",
                width.to_string(),
                "a window holds at least one item",
            ));
        }
        if policy.steps() && !(1..=width).contains(&stride) {
            let reason = "it must be from 1 to the width of a window, or items are left out";
            return Err(refuse("stride", stride.to_string(), reason));
        }
        Ok(Self {
            policy,
            width,
            stride: if policy == Policy::Prefixes {
                1
            } else {
                stride
            },
        })
    }

    /// Refuses an overlap that leaves items uncovered.
    ///
    /// # Errors
    /// [`Error::Option`] if windows of `width` items that share `overlap` cannot cover a history.
    pub fn check_overlap(&self, overlap: usize) -> Result<(), Error> {
        if overlap >= self.width {
            let reason = "it must be less than the width of a window";
            return Err(refuse("overlap", overlap.to_string(), reason));
        }
        if self.policy.steps() && self.stride > self.width - overlap {
            let reason = "it must be at most width - overlap, or targets are left out";
            return Err(refuse("stride", self.stride.to_string(), reason));
        }
        Ok(())
    }

    /// How many windows a history of `n` items has, for an `overlap` that was checked.
    #[must_use]
    pub fn count(&self, n: usize, overlap: usize) -> usize {
        match self.policy {
            Policy::Last => 1,
            Policy::Sliding => 1 + n.saturating_sub(self.width).div_ceil(self.stride),
            Policy::Random => n
                .saturating_sub(overlap)
                .div_ceil(self.width - overlap)
                .max(1),
            Policy::Shifted => n.saturating_sub(overlap).div_ceil(self.stride).max(1),
            Policy::Prefixes => n.saturating_sub(1).max(1),
        }
    }

    /// How many items the `k`-th window of a history of `n` items holds, for `k` below the count; of
    /// shifted ones at most, as the first of a history may hold fewer.
    #[must_use]
    pub fn length(&self, n: usize, k: usize) -> usize {
        let before_end = match self.policy {
            Policy::Sliding | Policy::Prefixes => n.saturating_sub(k.saturating_mul(self.stride)),
            Policy::Last | Policy::Random | Policy::Shifted => n,
        };
        before_end.min(self.width)
    }

    /// The items of the `k`-th window of a history of `n` items; `None` if there is none.
    ///
    /// `drawn(j)` is the stream of the `j`-th window: a random one starts where its own says, and
    /// shifted ones where that of the 0-th says; other windows don't ask for it.
    #[inline]
    #[must_use]
    pub fn cut(
        &self,
        n: usize,
        k: usize,
        drawn: impl FnOnce(usize) -> Stream,
    ) -> Option<Range<usize>> {
        if k == 0 {
            return Some(n.saturating_sub(self.width)..n);
        }
        match self.policy {
            Policy::Last => None,
            Policy::Sliding | Policy::Prefixes => {
                if k >= self.count(n, 0) {
                    return None;
                }
                let end = n - k * self.stride;
                Some(end.saturating_sub(self.width)..end)
            }
            Policy::Random => {
                let free = n.saturating_sub(self.width);
                let start = drawn(k).below(free as u64 + 1) as usize;
                Some(start..n.min(start + self.width))
            }
            Policy::Shifted => {
                let shift = drawn(0).below(self.stride as u64) as usize;
                let end =
                    n.checked_sub((k - 1).saturating_mul(self.stride).saturating_add(shift))?;
                (end > 0).then(|| end.saturating_sub(self.width)..end)
            }
        }
    }

    /// Calls `row(i, key, window, outputs[i])` on each row of a batch, whose windows are found ahead
    /// ([`Crew::fill_found`]), and adds up what it returns.
    ///
    /// # Errors
    /// What [`Self::of_row`] and `row` refuse, of the lowest row.
    pub(crate) fn fill<T: Send>(
        &self,
        crew: Crew,
        sequences: &Sequences,
        rows: &Rows,
        outputs: impl IndexedParallelIterator<Item = T>,
        row_bytes: usize,
        row: impl Fn(usize, (usize, usize), Range<usize>, T) -> Result<usize, Error> + Sync,
    ) -> Result<usize, Error> {
        let find = |i| self.of_row(sequences, rows, i);
        let fill = |(): &mut (), i, (key, window), out| row(i, key, window, out);
        crew.fill_found(outputs, row_bytes, || (), find, fill)
    }

    /// The key `(user, k)` of a row, and where its window lies in the stored items, which are read
    /// ahead.
    ///
    /// # Errors
    /// [`Error::Range`] for a row whose user or window does not exist, [`Error::Slice`] for a bad
    /// range of its user.
    #[inline]
    pub(crate) fn of_row(
        &self,
        sequences: &Sequences,
        rows: &Rows,
        row: usize,
    ) -> Result<((usize, usize), Range<usize>), Error> {
        let key = rows.key(row, sequences.n_users())?;
        let (start, stop) = sequences.range(key.0)?;
        let drawn = |k| rows.stream((key.0, k), Purpose::Window);
        let cut = self.cut(stop - start, key.1, drawn);
        let Some(window) = cut else {
            return Err(Error::Range {
                name: "ks",
                index: row,
                value: key.1 as i64,
                low: 0,
                high: self.count(stop - start, 0) as i64 - 1,
            });
        };
        let window = start + window.start..start + window.end;
        read_ahead(&sequences.items()[window.clone()]);
        Ok((key, window))
    }
}

fn refuse(name: &'static str, value: String, reason: &'static str) -> Error {
    Error::Option {
        name,
        value,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(k: usize) -> Stream {
        Stream::new(3, 1, 4, k as u64, Purpose::Window)
    }

    #[test]
    fn sizes_that_leave_items_out_are_refused() {
        assert!(Windows::new(Policy::Last, 0, 1).is_err());
        assert!(Windows::new(Policy::Sliding, 3, 0).is_err());
        assert!(Windows::new(Policy::Sliding, 3, 4).is_err());
        assert!(Windows::new(Policy::Shifted, 3, 4).is_err());
        let windows = Windows::new(Policy::Sliding, 3, 3).unwrap();
        assert!(windows.check_overlap(0).is_ok());
        assert!(windows.check_overlap(1).is_err());
        assert!(windows.check_overlap(3).is_err());
    }

    #[test]
    fn an_empty_history_has_one_empty_window() {
        for policy in [
            Policy::Last,
            Policy::Sliding,
            Policy::Random,
            Policy::Shifted,
            Policy::Prefixes,
        ] {
            let windows = Windows::new(policy, 3, 2).unwrap();
            assert_eq!(windows.count(0, 1), 1);
            assert_eq!(windows.cut(0, 0, stream), Some(0..0));
        }
    }

    #[test]
    fn an_unknown_policy_is_named() {
        let error = "lsat".parse::<Policy>().unwrap_err().to_string();
        assert!(error.contains("`policy` is lsat"), "{error}");
    }

    proptest! {
        #[test]
        fn sliding_windows_cover_every_target(n in 1usize..200, width in 2usize..20, stride in 1usize..20) {
            let stride = stride.min(width - 1);
            let windows = Windows::new(Policy::Sliding, width, stride).unwrap();
            windows.check_overlap(1).unwrap();
            let mut covered = vec![false; n];
            for k in 0..windows.count(n, 1) {
                let window = windows.cut(n, k, stream).unwrap();
                prop_assert!(window.len() >= n.min(2) && window.len() <= width);
                prop_assert_eq!(windows.length(n, k), window.len());
                covered[window].iter_mut().skip(1).for_each(|c| *c = true);
            }
            prop_assert!(covered[1..].iter().all(|&c| c));
        }

        #[test]
        fn prefixes_end_with_every_item_but_the_first(n in 1usize..200, width in 2usize..20) {
            let windows = Windows::new(Policy::Prefixes, width, 0).unwrap();
            let count = windows.count(n, 0);
            let mut ends = Vec::new();
            for k in 0..count {
                let window = windows.cut(n, k, stream).unwrap();
                prop_assert_eq!(windows.length(n, k), window.len());
                prop_assert_eq!(window.len(), window.end.min(width));
                ends.push(window.end);
            }
            let wanted: Vec<_> = (n.min(2)..=n).rev().collect();
            prop_assert_eq!(ends, wanted);
            prop_assert_eq!(windows.cut(n, count, stream), None);
        }

        #[test]
        fn random_windows_are_full_and_count_once_over_the_length(n in 1usize..200, width in 2usize..20) {
            let windows = Windows::new(Policy::Random, width, 0).unwrap();
            let count = windows.count(n, 1);
            prop_assert!(count * (width - 1) >= n - 1);
            prop_assert!(count == 1 || (count - 1) * (width - 1) < n - 1);
            for k in 0..count {
                let window = windows.cut(n, k, stream).unwrap();
                prop_assert_eq!(windows.length(n, k), window.len());
                prop_assert_eq!(window.len(), n.min(width));
                prop_assert!(window.end <= n);
            }
        }

        #[test]
        fn shifted_windows_follow_each_other(n in 1usize..200, width in 2usize..20) {
            let stride = width - 1;
            let windows = Windows::new(Policy::Shifted, width, stride).unwrap();
            windows.check_overlap(1).unwrap();
            let cuts: Vec<_> = (0..windows.count(n, 1)).map(|k| windows.cut(n, k, stream)).collect();
            let cuts: Vec<_> = cuts.into_iter().collect::<Option<_>>().unwrap();
            prop_assert_eq!(cuts.len(), (n - 1).div_ceil(stride).max(1));
            for (k, window) in cuts.iter().enumerate() {
                prop_assert!(window.len() >= n.min(2) && window.len() <= windows.length(n, k));
                prop_assert!(window.len() == width || window.start == 0);
            }
            prop_assert_eq!(cuts[0].end, n);
            if let [_, first, ..] = &cuts[..] {
                prop_assert!(first.end + stride > n);
            }
            for pair in cuts.get(1..).unwrap_or(&[]).windows(2) {
                prop_assert_eq!(pair[1].end, pair[0].end - stride); // its last item opens the next
            }
        }
    }
}
