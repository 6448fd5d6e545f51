//! Pooled AUC: the share of all (positive, negative) pairs in which the positive scores higher,
//! a tie counting half.
//!
//! Each user has one positive, and one negative in each draw. A bootstrap resample weighs a user by
//! how often it was drawn, and a pair by the product of the weights of its two users:
//!
//! `AUC = sum_p w_p (below(p) + not_above(p)) / (2 W^2)`,
//!
//! where `below(p)` is the weight of the negatives that score less than `p`, `not_above(p)` of those
//! that score no more, and `W` the total weight, which is the number of users. The sums are exact
//! integers. Scores are sorted once; a resample then costs O(users) for each draw.
//!
//! ```
//! // Of four pairs the positive wins two and ties one.
//! assert_eq!(seqrec_core::auc::auc(&[0.8, 0.4], &[0.4, 0.6], 1)?, [0.625]);
//! # Ok::<(), seqrec_core::Error>(())
//! ```

use crate::Error;
use crate::bootstrap::{check_resampling, draws};
use crate::buffer::{collected, copies, filled, with_room, zeros};
use crate::parallel::{fill_rows, map_rows};

/// The AUC of each draw: positives `[users]` against each column of negatives `[users, n_draws]`.
///
/// # Errors
/// [`Error::PairScore`] for a score that is NaN or infinite; [`Error::Length`] for no user, no draw
/// or lengths that do not match.
pub fn auc(positives: &[f32], negatives: &[f32], n_draws: usize) -> Result<Vec<f64>, Error> {
    let pooled = Pooled::new(positives, negatives, n_draws)?;
    let once = copies(positives.len(), 1)?;
    map_rows(n_draws, |draw| {
        let mut running = with_room(once.len() + 1)?;
        let wins = pooled.draws[draw].twice_wins(&pooled.by_positive, &once, &mut running);
        Ok(wins as f64 / twice_pairs(positives.len()))
    })
}

/// For each resample the mean over draws of [`auc`], over users drawn as in
/// [`crate::bootstrap::bootstrap_means`].
///
/// # Errors
/// As [`auc`]; [`Error::Option`] for no resample, [`Error::Memory`] for too many of them.
pub fn bootstrap_auc(
    positives: &[f32],
    negatives: &[f32],
    n_draws: usize,
    resamples: usize,
    seed: u64,
) -> Result<Vec<f64>, Error> {
    check_resampling("positives", positives.len(), resamples)?;
    let pooled = Pooled::new(positives, negatives, n_draws)?;
    let mut means = filled((resamples, 1), 0.0, ("resamples", resamples))?;
    fill_rows(&mut means, 1, |resample, mean| {
        let weights = weights_of(draws(seed, resample, positives.len()))?;
        mean[0] = pooled.mean_auc(&weights)?;
        Ok(())
    })?;
    Ok(means)
}

/// How often each user was drawn.
fn weights_of(drawn: impl ExactSizeIterator<Item = usize>) -> Result<Vec<u32>, Error> {
    let mut weights = zeros(drawn.len())?;
    for user in drawn {
        weights[user] += 1;
    }
    Ok(weights)
}

/// Twice the number of (positive, negative) pairs of a draw.
fn twice_pairs(n_users: usize) -> f64 {
    2.0 * n_users as f64 * n_users as f64
}

/// The scores of all draws, sorted: what does not change between resamples.
struct Pooled {
    /// Users by ascending score of their positive.
    by_positive: Vec<u32>,
    draws: Vec<Draw>,
}

/// The negatives of one draw.
struct Draw {
    /// Users by ascending score of their negative.
    by_negative: Vec<u32>,
    /// For each positive, in ascending order, the number of negatives that score less.
    below: Vec<u32>,
    /// For each positive, in ascending order, the number of negatives that score no more.
    not_above: Vec<u32>,
}

impl Pooled {
    fn new(positives: &[f32], negatives: &[f32], n_draws: usize) -> Result<Self, Error> {
        check_scores(positives, negatives, n_draws)?;
        let by_positive = ascending(positives)?;
        let sorted = gather(positives, &by_positive)?;
        let draws = map_rows(n_draws, |draw| {
            let column = negatives.iter().skip(draw).step_by(n_draws);
            Draw::new(&sorted, &collected(column.copied())?)
        })?;
        Ok(Self { by_positive, draws })
    }

    fn mean_auc(&self, weights: &[u32]) -> Result<f64, Error> {
        let mut running = with_room(weights.len() + 1)?;
        let wins: f64 = (self.draws.iter())
            .map(|draw| draw.twice_wins(&self.by_positive, weights, &mut running) as f64)
            .sum();
        Ok(wins / (twice_pairs(weights.len()) * self.draws.len() as f64))
    }
}

impl Draw {
    fn new(sorted_positives: &[f32], negatives: &[f32]) -> Result<Self, Error> {
        let by_negative = ascending(negatives)?;
        let sorted = gather(negatives, &by_negative)?;
        let count = |is_in: fn(f32, f32) -> bool| {
            let count_of = |&p| sorted.partition_point(|&n| is_in(n, p)) as u32;
            collected(sorted_positives.iter().map(count_of))
        };
        Ok(Self {
            below: count(|n, p| n < p)?,
            not_above: count(|n, p| n <= p)?,
            by_negative,
        })
    }

    /// Twice the weight of the pairs that the positive wins, a tie being half a win. `running` is
    /// scratch with room for one more than there are users: the weight of the first `j` negatives.
    fn twice_wins(&self, by_positive: &[u32], weights: &[u32], running: &mut Vec<u32>) -> u64 {
        running.clear();
        running.push(0);
        running.extend(self.by_negative.iter().scan(0, |sum, &user| {
            *sum += weights[user as usize];
            Some(*sum)
        }));
        let places = self.below.iter().zip(&self.not_above);
        (by_positive.iter().zip(places))
            .map(|(&user, (&below, &not_above))| {
                let wins =
                    u64::from(running[below as usize]) + u64::from(running[not_above as usize]);
                u64::from(weights[user as usize]) * wins
            })
            .sum()
    }
}

fn check_scores(positives: &[f32], negatives: &[f32], n_draws: usize) -> Result<(), Error> {
    let n_users = positives.len();
    let length = |name, found, wanted, why| {
        Err(Error::Length {
            name,
            found,
            wanted,
            why,
        })
    };
    if n_users == 0 {
        return length("positives", 0, 1, "at least one user");
    }
    if i32::try_from(n_users).is_err() {
        return length("positives", n_users, i32::MAX as usize, "at most");
    }
    if n_draws == 0 {
        return length("negatives", 0, n_users, "at least one draw");
    }
    if negatives.len() != n_users * n_draws {
        return length(
            "negatives",
            negatives.len(),
            n_users * n_draws,
            "a row for each positive",
        );
    }
    check_finite("positives", positives, 1)?;
    check_finite("negatives", negatives, n_draws)
}

fn check_finite(name: &'static str, scores: &[f32], width: usize) -> Result<(), Error> {
    let Some(i) = scores.iter().position(|score| !score.is_finite()) else {
        return Ok(());
    };
    Err(Error::PairScore {
        name,
        row: i / width,
        column: i % width,
        value: scores[i].to_string(),
    })
}

/// The places of finite scores in ascending order.
fn ascending(scores: &[f32]) -> Result<Vec<u32>, Error> {
    let mut places = collected(0..scores.len() as u32)?;
    places.sort_unstable_by(|&a, &b| scores[a as usize].total_cmp(&scores[b as usize]));
    Ok(places)
}

fn gather(scores: &[f32], places: &[u32]) -> Result<Vec<f32>, Error> {
    collected(places.iter().map(|&place| scores[place as usize]))
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // these values are exact
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn constant_scores_give_one_half() {
        assert_eq!(auc(&[0.0; 3], &[-0.0; 6], 2), Ok(vec![0.5, 0.5]));
        assert_eq!(
            bootstrap_auc(&[1.0; 3], &[1.0; 6], 2, 2, 0),
            Ok(vec![0.5; 2])
        );
    }

    #[test]
    fn a_score_that_is_not_finite_is_named() {
        let negatives = [0.0, 0.0, 0.0, f32::NAN];
        let refused = auc(&[1.0, 1.0], &negatives, 2).unwrap_err().to_string();
        assert_eq!(
            refused,
            "`negatives` is NaN in row 1, column 1: scores must be finite"
        );
    }

    #[test]
    fn lengths_must_match() {
        assert!(auc(&[], &[], 1).is_err());
        assert!(auc(&[1.0], &[], 0).is_err());
        assert!(auc(&[1.0, 2.0], &[1.0; 3], 2).is_err());
    }

    /// Over users drawn with their repeats written out.
    fn auc_of_drawn(positives: &[f32], negatives: &[f32], resample: usize) -> f64 {
        let users: Vec<usize> = draws(3, resample, positives.len()).collect();
        let positives: Vec<f32> = users.iter().map(|&u| positives[u]).collect();
        let negatives: Vec<f32> = users.iter().map(|&u| negatives[u]).collect();
        auc(&positives, &negatives, 1).unwrap()[0]
    }

    proptest! {
        #[test]
        fn weights_stand_for_repeats(pairs in prop::collection::vec((-4i8..4, -4i8..4), 1..30)) {
            let positives: Vec<f32> = pairs.iter().map(|p| f32::from(p.0)).collect();
            let negatives: Vec<f32> = pairs.iter().map(|p| f32::from(p.1)).collect();
            let found = bootstrap_auc(&positives, &negatives, 1, 4, 3).unwrap();
            for (resample, &area) in found.iter().enumerate() {
                prop_assert_eq!(area, auc_of_drawn(&positives, &negatives, resample));
            }
        }
    }
}
