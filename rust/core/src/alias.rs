//! Draws by popularity: the alias method, and the exact draw where it keeps missing.

use crate::Error;
use crate::seed::Stream;

/// Draws with probabilities in proportion to weights; see [`alias_table`].
#[derive(Debug, Clone, Copy)]
pub struct Popularity<'a> {
    /// Weight of item `i + 1`.
    pub weights: &'a [f64],
    /// Share of the draws of item `i + 1` that it keeps, in units of `2^-64`.
    pub thresholds: &'a [u64],
    /// The item that gets the other draws.
    pub aliases: &'a [i32],
}

impl Popularity<'_> {
    /// One item, taken or not.
    #[inline]
    pub(crate) fn draw(&self, stream: &mut Stream) -> i32 {
        let i = stream.below(self.thresholds.len() as u64) as usize;
        if stream.next_u64() < self.thresholds[i] {
            i as i32 + 1
        } else {
            self.aliases[i]
        }
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

/// `(thresholds, aliases)` of the alias method for the items `1..=weights.len()`.
///
/// A draw picks a column `i` uniformly and 64 random bits: below `thresholds[i]` it is item
/// `i + 1`, else item `aliases[i]` (Vose, IEEE Trans. Software Eng. 1991).
///
/// ```
/// use seqrec_core::alias::alias_table;
///
/// // Item 1 keeps half of its column, the other half goes to item 2.
/// let (thresholds, aliases) = alias_table(&[1.0, 3.0])?;
/// assert_eq!(thresholds, [1 << 63, u64::MAX]);
/// assert_eq!(aliases, [2, 2]);
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Weight`] for a weight that is negative, NaN or infinite, or if all are zero;
/// [`Error::Length`] if there is none.
pub fn alias_table(weights: &[f64]) -> Result<(Vec<u64>, Vec<i32>), Error> {
    let mut shares = mean_one_shares(weights)?;
    let n = shares.len();
    let mut thresholds = vec![u64::MAX; n];
    let mut aliases: Vec<i32> = (1..=n as i32).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|&i| shares[i] < 1.0);
    while let (Some(&giver), Some(taker)) = (large.last(), small.pop()) {
        thresholds[taker] = (shares[taker] * TWO_64) as u64;
        aliases[taker] = giver as i32 + 1;
        shares[giver] = (shares[giver] + shares[taker]) - 1.0;
        if shares[giver] < 1.0 {
            large.pop();
            small.push(giver);
        }
    }
    // What is left has a share of 1 up to rounding: it keeps all its draws.
    Ok((thresholds, aliases))
}

const TWO_64: f64 = 18_446_744_073_709_551_616.0;

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
    Ok(weights.iter().map(|weight| weight / max * scale).collect())
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
        let (thresholds, _) = alias_table(&[f64::MAX, f64::MAX]).unwrap();
        assert_eq!(thresholds, [u64::MAX; 2]);
    }

    proptest! {
        #[test]
        fn the_table_holds_the_probabilities(weights in prop::collection::vec(0.0f64..10.0, 1..40)) {
            prop_assume!(weights.iter().any(|&weight| weight > 0.0));
            let (thresholds, aliases) = alias_table(&weights).unwrap();
            let mut mass = vec![0.0; weights.len()];
            for i in 0..weights.len() {
                let kept = thresholds[i] as f64 / TWO_64;
                mass[i] += kept;
                mass[aliases[i] as usize - 1] += 1.0 - kept;
            }
            let total: f64 = weights.iter().sum();
            for (mass, weight) in mass.iter().zip(&weights) {
                let wanted = weight / total * weights.len() as f64;
                prop_assert!((mass - wanted).abs() < 1e-9 * weights.len() as f64);
            }
        }
    }
}
