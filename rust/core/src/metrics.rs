//! From the rank of a user's one relevant item to hit, ndcg and mrr at a cut.
//!
//! With one relevant item the ideal gain is 1, so `ndcg = 1 / log2(1 + rank)` inside the cut.
//! Ranks may be fractional, and stay so: 10.5 is no hit at 10. An infinite rank is a miss.
//!
//! ```
//! let rows = seqrec_core::metrics::rank_metrics(&[3.0, 10.5], 10)?;
//! assert_eq!(rows, [1.0, 0.5, 1.0 / 3.0, 0.0, 0.0, 0.0]);
//! # Ok::<(), seqrec_core::Error>(())
//! ```

use crate::{Error, buffer};

/// Columns of [`rank_metrics`]: hit, ndcg, mrr.
pub const COLUMNS: usize = 3;

/// Hit, ndcg and mrr of each rank at the cut `k`, as rows of [`COLUMNS`].
///
/// # Errors
/// [`Error::Rank`] for a rank below 1 or NaN, [`Error::Option`] if `k` is 0.
pub fn rank_metrics(ranks: &[f64], k: usize) -> Result<Vec<f64>, Error> {
    if k == 0 {
        return Err(Error::Option {
            name: "k",
            value: k.to_string(),
            reason: "it must be at least 1",
        });
    }
    // A few nanoseconds a rank: other threads would take longer to wake than this takes to finish.
    let mut metrics: Vec<[f64; COLUMNS]> = buffer::with_room(ranks.len())?;
    for (index, &rank) in ranks.iter().enumerate() {
        if rank.is_nan() || rank < 1.0 {
            let value = rank.to_string();
            return Err(Error::Rank { index, value });
        }
        metrics.push(at(rank, k));
    }
    Ok(metrics.into_flattened())
}

/// Hit, ndcg and mrr of one rank at the cut `k`.
#[must_use]
pub fn at(rank: f64, k: usize) -> [f64; COLUMNS] {
    if rank <= k as f64 {
        [1.0, 1.0 / (1.0 + rank).log2(), 1.0 / rank]
    } else {
        [0.0; COLUMNS]
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // these values are exact
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fractional_rank_beyond_the_cut_is_a_miss() {
        assert_eq!(at(10.0, 10)[0], 1.0);
        assert_eq!(at(10.5, 10), [0.0; COLUMNS]);
        assert_eq!(at(f64::INFINITY, 10), [0.0; COLUMNS]);
    }

    #[test]
    fn a_rank_that_cannot_be_is_named() {
        let refused = |rank| rank_metrics(&[1.0, rank], 10).unwrap_err().to_string();
        assert_eq!(refused(0.5), "`ranks`[1] is 0.5: a rank is at least 1");
        assert_eq!(refused(f64::NAN), "`ranks`[1] is NaN: a rank is at least 1");
    }

    proptest! {
        #[test]
        fn no_metric_falls_when_the_cut_grows(twice in 2u16..100, k in 1usize..60) {
            let rank = f64::from(twice) / 2.0;
            for (near, far) in at(rank, k).into_iter().zip(at(rank, k + 1)) {
                prop_assert!(near <= far);
            }
        }
    }
}
