//! Draws by popularity: the alias method, and the exact draw where it keeps missing.

use std::hint::select_unpredictable;

use crate::seed::Stream;
use crate::{Error, buffer};

/// Draws with probabilities in proportion to weights; see [`alias_table`].
#[derive(Debug, Clone, Copy)]
pub struct Popularity<'a> {
    /// Weight of item `i + 1`.
    pub weights: &'a [f64],
    /// What [`alias_table`] made of them.
    pub columns: &'a [u64],
}

impl Popularity<'_> {
    /// One item, taken or not.
    #[inline]
    pub(crate) fn draw(&self, stream: &mut Stream) -> i32 {
        let (i, place) = stream.below_with_rest(self.columns.len() as u64);
        let column = self.columns[i as usize];
        select_unpredictable(place >> 32 < column >> 32, i as i32 + 1, column as i32)
    }

    /// One item outside `taken`, from the cumulative weights of all such items; `None` if they
    /// have no weight.
    pub(crate) fn draw_outside(&self, taken: &[i32], stream: &mut Stream) -> Option<i32> {
        let free = || {
            let items = (1i32..).zip(self.weights.iter().copied());
            items.filter(|(item, weight)| *weight > 0.0 && taken.binary_search(item).is_err())
        };
        let total: f64 = free().map(|(_, weight)| weight).sum();
        let drawn = stream.unit() * total;
        let mut sum = 0.0;
        let reached = free().find(|(_, weight)| {
            sum += weight;
            drawn < sum
        });
        // Rounding can leave `drawn` at the total itself, which belongs to the last item.
        reached.or_else(|| free().last()).map(|(item, _)| item)
    }
}

/// The columns of the alias method for the items `1..=weights.len()`.
///
/// A draw picks a column `i` and a place in it, both uniform: below the column's threshold it is
/// item `i + 1`, else the column's alias (Vose, IEEE Trans. Software Eng. 1991). The threshold, in
/// units of `2^-32`, and the alias are the high and the low half of one number, so that a draw
/// reads one place of memory.
///
/// ```
/// use seqrec_core::alias::alias_table;
///
/// // Item 1 keeps half of its column, the other half goes to item 2.
/// assert_eq!(alias_table(&[1.0, 3.0])?, [1 << 63 | 2, 0xFFFF_FFFF << 32 | 2]);
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Weight`] for a weight that is negative, NaN or infinite, or if all are zero;
/// [`Error::Length`] if there is none.
pub fn alias_table(weights: &[f64]) -> Result<Vec<u64>, Error> {
    let mut shares = mean_one_shares(weights)?;
    let n = shares.len();
    // What is left at the end has a share of 1 up to rounding: it keeps all its draws.
    let mut columns = buffer::collected((1..=n).map(|item| column(u32::MAX, item)))?;
    let mut small = buffer::gathered((0..n).filter(|&i| shares[i] < 1.0))?;
    let mut large = buffer::gathered((0..n).filter(|&i| shares[i] >= 1.0))?;
    while let (Some(&giver), Some(taker)) = (large.last(), small.pop()) {
        columns[taker] = column((shares[taker] * TWO_32) as u32, giver + 1);
        shares[giver] = (shares[giver] + shares[taker]) - 1.0;
        if shares[giver] < 1.0 {
            large.pop();
            small.push(giver);
        }
    }
    Ok(columns)
}

const TWO_32: f64 = 4_294_967_296.0;

fn column(threshold: u32, alias: usize) -> u64 {
    u64::from(threshold) << 32 | alias as u64
}

/// The weights scaled to a mean of 1, by way of their maximum, so that no sum overflows.
fn mean_one_shares(weights: &[f64]) -> Result<Vec<f64>, Error> {
    if weights.is_empty() {
        return Err(Error::Length {
            name: "weights",
            found: 0,
            wanted: 1,
            why: "at least one item",
        });
    }
    let refuse = |i: usize| Error::Weight {
        item: i + 1,
        value: weights[i].to_string(),
    };
    let wrong = |weight: &f64| !(weight.is_finite() && *weight >= 0.0);
    if let Some(i) = weights.iter().position(wrong) {
        return Err(refuse(i));
    }
    let max = weights.iter().copied().fold(0.0, f64::max);
    if max == 0.0 {
        return Err(refuse(0));
    }
    let total: f64 = weights.iter().map(|weight| weight / max).sum();
    let scale = weights.len() as f64 / total;
    buffer::collected(weights.iter().map(|weight| weight / max * scale))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wrong_weights_are_named() {
        for (weights, item) in [
            (vec![1.0, -1.0], 2),
            (vec![1.0, f64::NAN], 2),
            (vec![f64::INFINITY], 1),
            (vec![0.0, 0.0], 1),
        ] {
            let error = alias_table(&weights).unwrap_err();
            assert!(matches!(error, Error::Weight { item: found, .. } if found == item));
        }
        assert!(alias_table(&[]).is_err());
    }

    #[test]
    fn huge_weights_do_not_overflow() {
        let columns = alias_table(&[f64::MAX, f64::MAX]).unwrap();
        assert_eq!(columns, [column(u32::MAX, 1), column(u32::MAX, 2)]);
    }

    proptest! {
        #[test]
        fn the_table_holds_the_probabilities(weights in prop::collection::vec(0.0f64..10.0, 1..40)) {
            prop_assume!(weights.iter().any(|&weight| weight > 0.0));
            let mut mass = vec![0.0; weights.len()];
            for (i, column) in alias_table(&weights).unwrap().into_iter().enumerate() {
                let kept = (column >> 32) as f64 / TWO_32;
                mass[i] += kept;
                mass[column as u32 as usize - 1] += 1.0 - kept;
            }
            let total: f64 = weights.iter().sum();
            for (mass, weight) in mass.iter().zip(&weights) {
                let wanted = weight / total * weights.len() as f64;
                prop_assert!((mass - wanted).abs() < weights.len() as f64 / TWO_32);
            }
        }
    }
}
