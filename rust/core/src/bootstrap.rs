//! Means over users drawn with replacement: what else the same experiment could have shown.
//!
//! Resample `r` of a seed draws the same users for every matrix of the same height, so two runs,
//! or two metrics of one run, are compared on the same users.

use crate::Error;
use crate::buffer::filled;
use crate::parallel::fill_rows;
use crate::seed::{Purpose, Stream};

/// The users of one resample: `n_users` draws from `0..n_users`, with replacement.
#[must_use]
pub fn draws(seed: u64, resample: usize, n_users: usize) -> impl ExactSizeIterator<Item = usize> {
    let mut stream = Stream::new(seed, resample as u64, 0, 0, Purpose::Bootstrap);
    (0..n_users).map(move |_| stream.below(n_users as u64) as usize)
}

/// `[resamples, width]`: for each resample the means of the columns of `values`, `[users, width]`,
/// over its users. Sums run in the order of the draws, so the threads cannot move a digit.
///
/// # Errors
/// [`Error::Option`] for no resample, [`Error::Memory`] for too many of them, [`Error::Length`] for
/// no user or a ragged matrix.
pub fn bootstrap_means(
    values: &[f64],
    width: usize,
    resamples: usize,
    seed: u64,
) -> Result<Vec<f64>, Error> {
    let n_users = values.len().checked_div(width).unwrap_or(0);
    check_resampling("values", n_users, resamples)?;
    if n_users * width != values.len() {
        return Err(Error::Length {
            name: "values",
            found: values.len(),
            wanted: n_users * width,
            why: "rows of equal width",
        });
    }
    let mut means = filled((resamples, width), 0.0, ("resamples", resamples))?;
    fill_rows(&mut means, width, |resample, means| {
        mean_of(values, draws(seed, resample, n_users), means);
        Ok(())
    })?;
    Ok(means)
}

/// Refuses what cannot be resampled.
pub(crate) fn check_resampling(
    name: &'static str,
    n_users: usize,
    resamples: usize,
) -> Result<(), Error> {
    if n_users == 0 {
        return Err(Error::Length {
            name,
            found: 0,
            wanted: 1,
            why: "at least one user",
        });
    }
    if resamples == 0 {
        return Err(Error::Option {
            name: "resamples",
            value: resamples.to_string(),
            reason: "it must be at least 1",
        });
    }
    Ok(())
}

/// The mean of the drawn rows, into `means`, which is zero.
fn mean_of(values: &[f64], rows: impl ExactSizeIterator<Item = usize>, means: &mut [f64]) {
    let (n, width) = (rows.len() as f64, means.len());
    for row in rows {
        for (sum, value) in means.iter_mut().zip(&values[row * width..]) {
            *sum += value;
        }
    }
    for mean in means {
        *mean /= n;
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // these values are exact
mod tests {
    use super::*;

    #[test]
    fn columns_share_their_users() {
        let values = [1.0, 8.0, 2.0, 16.0, 4.0, 32.0];
        for row in bootstrap_means(&values, 2, 50, 7).unwrap().chunks(2) {
            assert_eq!(row[0] * 8.0, row[1]);
        }
    }

    #[test]
    fn resamples_differ() {
        let first: Vec<usize> = draws(0, 0, 20).collect();
        assert_ne!(first, draws(0, 1, 20).collect::<Vec<_>>());
        assert_ne!(first, draws(1, 0, 20).collect::<Vec<_>>());
    }

    #[test]
    fn the_spread_is_that_of_a_mean() {
        // Values 0 and 1 in equal parts: the standard deviation of a mean of 100 is 0.05.
        let values: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let means = bootstrap_means(&values, 1, 4000, 0).unwrap();
        let spread = means.iter().map(|m| (m - 0.5).powi(2)).sum::<f64>() / 4000.0;
        assert!((spread.sqrt() - 0.05).abs() < 0.003);
    }

    #[test]
    fn nothing_to_draw_is_refused() {
        assert!(bootstrap_means(&[], 1, 1, 0).is_err());
        assert!(bootstrap_means(&[1.0], 1, 0, 0).is_err());
        assert!(bootstrap_means(&[1.0; 5], 2, 1, 0).is_err());
    }
}
