//! Distinct keys numbered by appearance: a hash table that looks up a block of rows at a time.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use crate::text::Texts;
use crate::{Error, buffer, check_count};

/// What a table of keys needs to know of one.
pub(crate) trait Key: Copy + Ord + Send + Sync {
    /// Equal for equal keys.
    fn print(self) -> u64;

    /// Whether keys with the same print are the same.
    fn is(self, other: Self) -> bool;
}

impl Key for i64 {
    fn print(self) -> u64 {
        self as u64
    }

    fn is(self, _: Self) -> bool {
        true
    }
}

impl Key for &[u8] {
    fn print(self) -> u64 {
        FixedState::default().hash_one(self)
    }

    fn is(self, other: Self) -> bool {
        self == other
    }
}

/// The keys of rows.
pub(crate) trait Column<K: Key>: Sync {
    fn key(&self, row: usize) -> K;

    /// Writes the prints of the keys from `row` on.
    fn prints(&self, row: usize, out: &mut [u64]);
}

impl<K: Key> Column<K> for [K] {
    fn key(&self, row: usize) -> K {
        self[row]
    }

    fn prints(&self, row: usize, out: &mut [u64]) {
        for (print, key) in out.iter_mut().zip(&self[row..]) {
            *print = key.print();
        }
    }
}

impl<'a> Column<&'a [u8]> for Texts<'a> {
    fn key(&self, row: usize) -> &'a [u8] {
        self.get(row)
    }

    fn prints(&self, row: usize, out: &mut [u64]) {
        for (row, print) in (row..).zip(out) {
            *print = self.get(row).print();
        }
    }
}

/// Keys in order of appearance, and a table of their numbers that is probed place by place.
pub(crate) struct Table<K> {
    pub(crate) keys: Vec<K>,
    /// Of the keys.
    prints: Vec<u64>,
    /// Number of a key, [`FREE`] where there is none; a power of 2, 1 in [`ROOM`] taken at most.
    slots: Vec<i32>,
}

const FREE: i32 = -1;

const ROOM: usize = 4;

/// Slots of a table to begin with.
const LEAST: usize = 1 << 10;

/// Rows that are looked up at a time.
const BLOCK: usize = 512;

impl<K: Key> Table<K> {
    pub(crate) fn new() -> Self {
        Self {
            keys: Vec::with_capacity(LEAST / ROOM + 1),
            prints: Vec::with_capacity(LEAST / ROOM + 1),
            slots: vec![FREE; LEAST],
        }
    }

    /// Writes the number of the key of each row from `first` on.
    ///
    /// Most keys are known, and found where they are looked for first. That is tried for a block of
    /// rows at once, so that no load waits for another row's; the rest is probed for one by one.
    pub(crate) fn number_all(
        &mut self,
        column: &(impl Column<K> + ?Sized),
        first: usize,
        out: &mut [i32],
    ) -> Result<(), Error> {
        let (mut prints, mut rest) = ([0; BLOCK], [0; BLOCK]);
        for (first, out) in (first..).step_by(BLOCK).zip(out.chunks_mut(BLOCK)) {
            let prints = &mut prints[..out.len()];
            column.prints(first, prints);
            for (number, &print) in out.iter_mut().zip(&*prints) {
                *number = self.slots[self.first_slot(print)];
            }
            let mut n_rest = 0;
            for (i, (&number, &print)) in out.iter().zip(&*prints).enumerate() {
                rest[n_rest] = i;
                n_rest += usize::from(!self.is(number, print, || column.key(first + i)));
            }
            for &i in &rest[..n_rest] {
                out[i] = self.number(column.key(first + i), prints[i])?;
            }
        }
        Ok(())
    }

    /// Whether a key has this number; for integers without a branch that depends on it.
    fn is(&self, number: i32, print: u64, key: impl Fn() -> K) -> bool {
        match self.prints.get(number as usize) {
            Some(&other) => (other == print) & self.keys[number as usize].is(key()),
            None => false,
        }
    }

    /// The number of a key, which is a new one at its first appearance.
    fn number(&mut self, key: K, print: u64) -> Result<i32, Error> {
        let mut slot = self.first_slot(print);
        loop {
            match self.slots[slot] {
                FREE => break,
                number if self.is(number, print, || key) => return Ok(number),
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
        let number = self.keys.len() as i32;
        self.slots[slot] = number;
        self.keys.push(key);
        self.prints.push(print);
        check_count("distinct ids", self.keys.len())?;
        if ROOM * self.keys.len() > self.slots.len() {
            self.grow()?;
        }
        Ok(number)
    }

    /// Makes the table larger, with room for the keys that it takes before it grows again.
    fn grow(&mut self) -> Result<(), Error> {
        self.slots = buffer::copies(4 * self.slots.len(), FREE)?;
        let room = self.slots.len() / ROOM + 1 - self.keys.len();
        buffer::reserve(&mut self.keys, room)?;
        buffer::reserve(&mut self.prints, room)?;
        for (&print, number) in self.prints.iter().zip(0..) {
            let mut slot = self.first_slot(print);
            while self.slots[slot] != FREE {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = number;
        }
        Ok(())
    }

    /// A multiplication folded upon itself spreads prints that differ in few bits.
    fn first_slot(&self, print: u64) -> usize {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let wide = u128::from(print ^ SPREAD) * u128::from(SPREAD);
        ((wide >> 64) as u64 ^ wide as u64) as usize & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_grows_keeps_its_numbers() {
        let (mut table, mut numbers) = (Table::new(), vec![0; 10_000]);
        let keys: Vec<i64> = (0..10_000).map(|row| (row % 5000) << 40).collect();
        assert_eq!(table.number_all(&keys[..], 0, &mut numbers), Ok(()));
        assert!(numbers.iter().copied().eq((0..5000).chain(0..5000)));
    }
}
