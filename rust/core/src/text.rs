//! A borrowed view of byte strings: string `i` is `data[offsets[i]..offsets[i + 1]]`.

use crate::Error;

/// Byte strings in one buffer, as Arrow stores them; a slice of a longer column is welcome.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    offsets: &'a [i64],
    data: &'a [u8],
}

impl<'a> Texts<'a> {
    /// Checks the offsets once, so that every string can be read afterwards.
    ///
    /// # Errors
    /// [`Error::Length`] without any offset, [`Error::Range`] for one that falls or leaves `data`.
    pub fn new(offsets: &'a [i64], data: &'a [u8]) -> Result<Self, Error> {
        if offsets.is_empty() {
            return Err(Error::Length {
                name: "offsets",
                found: 0,
                wanted: 1,
                why: "one more than there are strings",
            });
        }
        let (mut low, high) = (0, data.len() as i64);
        for (index, &value) in offsets.iter().enumerate() {
            if value < low || value > high {
                return Err(Error::Range {
                    name: "offsets",
                    index,
                    value,
                    low,
                    high,
                });
            }
            low = value;
        }
        Ok(Self { offsets, data })
    }

    /// Number of strings.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no string.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// String `i`.
    ///
    /// # Panics
    /// If `i` is not below [`Self::len`].
    #[must_use]
    pub fn get(&self, i: usize) -> &'a [u8] {
        &self.data[self.offsets[i] as usize..self.offsets[i + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_lie_between_their_offsets() {
        let texts = Texts::new(&[1, 3, 3, 4], b"xabcy").unwrap();
        assert_eq!(texts.len(), 3);
        assert_eq!(
            [texts.get(0), texts.get(1), texts.get(2)],
            [&b"ab"[..], b"", b"c"]
        );
    }

    #[test]
    fn falling_offsets_are_refused_with_their_place() {
        let refused = Texts::new(&[0, 2, 1], b"abc").unwrap_err();
        assert_eq!(refused.to_string(), "`offsets`[2] is 1, outside 2..=3");
        assert!(Texts::new(&[0, 4], b"abc").is_err());
        assert!(Texts::new(&[-1, 2], b"abc").is_err());
        assert!(Texts::new(&[], b"").is_err());
    }
}
