//! Random streams that are functions of `(seed, epoch, user, k)`.
//!
//! A row of an epoch is the `k`-th window of a user. Everything drawn for it comes from a stream
//! of its own, so neither the batch it falls in, nor the order of the batches, nor the number of
//! threads can change it. The generator is `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014): one
//! addition and three mixes a draw, and a stream costs nothing to start. It is written out here,
//! with the bounded step, because the bytes of a training run must not depend on the release of a
//! dependency.

/// What a stream is drawn for; streams of different purposes are unrelated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Order of the rows in an epoch.
    Order = 1,
    /// Start of a window, or position of a target.
    Window = 2,
    /// Which positions are masked, and by what.
    Mask = 3,
    /// Negative items.
    Negative = 4,
    /// Bootstrap resamples.
    Bootstrap = 5,
    /// How much of a row is read both ways.
    Prefix = 6,
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// What the streams of an epoch share, mixed once for all of its rows.
#[derive(Debug, Clone, Copy)]
pub struct Epoch(u64);

impl Epoch {
    /// The streams of one epoch of a run.
    #[must_use]
    pub const fn new(seed: u64, epoch: u64) -> Self {
        Self(absorb(mix(seed ^ GOLDEN), epoch))
    }

    /// The stream of one row.
    #[inline]
    #[must_use]
    pub const fn stream(self, user: u64, k: u64, purpose: Purpose) -> Stream {
        Stream(absorb(absorb(absorb(self.0, user), k), purpose as u64))
    }
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Stream(u64);

impl Stream {
    /// The stream of one row.
    #[must_use]
    pub const fn new(seed: u64, epoch: u64, user: u64, k: u64, purpose: Purpose) -> Self {
        Epoch::new(seed, epoch).stream(user, k, purpose)
    }

    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number in `0..n`, by the high half of a 128-bit product; the bias is below `n / 2^64`.
    ///
    /// Returns 0 for `n = 0`.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        self.below_with_rest(n).0
    }

    /// A number in `0..n`, and the low half of the product as 64 bits that lie evenly within it.
    ///
    /// One draw for a column of an alias table and for what is compared with its threshold: the
    /// second number is a multiple of `n` away from the next one of the same column, so its
    /// resolution is `n / 2^64`.
    #[inline]
    pub fn below_with_rest(&mut self, n: u64) -> (u64, u64) {
        let product = u128::from(self.next_u64()) * u128::from(n);
        ((product >> 64) as u64, product as u64)
    }

    /// A number in `[0, 1)` with 53 random bits.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}

/// A key with one more word.
#[inline]
const fn absorb(state: u64, word: u64) -> u64 {
    mix(state.wrapping_add(GOLDEN) ^ mix(word.wrapping_add(GOLDEN)))
}

/// The finaliser of `SplitMix64`.
#[inline]
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_gives_its_published_sequence() {
        // First outputs for state 1234567, as in the reference implementation by S. Vigna.
        let mut stream = Stream(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| stream.next_u64()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn every_part_of_the_key_changes_the_stream() {
        let base = Stream::new(1, 2, 3, 4, Purpose::Mask).next_u64();
        for other in [
            Stream::new(0, 2, 3, 4, Purpose::Mask),
            Stream::new(1, 0, 3, 4, Purpose::Mask),
            Stream::new(1, 2, 0, 4, Purpose::Mask),
            Stream::new(1, 2, 3, 0, Purpose::Mask),
            Stream::new(1, 2, 3, 4, Purpose::Window),
            Stream::new(2, 1, 3, 4, Purpose::Mask),
        ] {
            assert_ne!(other.clone().next_u64(), base);
        }
    }

    #[test]
    fn bounded_draws_are_uniform() {
        let mut counts = [0u32; 7];
        let mut stream = Stream::new(0, 0, 0, 0, Purpose::Order);
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
        }
        let chi2: f64 = counts
            .iter()
            .map(|&c| (f64::from(c) - 10_000.0).powi(2) / 10_000.0)
            .sum();
        assert!(
            chi2 < 27.9,
            "chi-square {chi2} has p < 1e-4 for 6 degrees of freedom"
        );
    }
}
