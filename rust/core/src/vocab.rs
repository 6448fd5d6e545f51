//! Raw ids -> codes: the place of each id in the ascending distinct ids.
//!
//! Order is that of the raw ids (integers as numbers, strings as bytes), never that of appearance
//! or popularity, so the order of the rows cannot leak into the ids. Integers that lie close
//! together go through a table of their range; everything else is hashed once a row, share by
//! share, and the few distinct ids are sorted and merged afterwards.

use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use crate::keys::{Column, Key, Table};
use crate::parallel::{self, fill_rows, map_rows};
use crate::text::Texts;
use crate::{Error, buffer, check_count};

/// Rows that a thread takes at a time.
const CHUNK: usize = 1 << 16;

/// Codes of the rows, and the ascending distinct ids that they number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded<V> {
    /// For each row, the place of its id in the vocabulary.
    pub codes: Vec<i32>,
    /// Ascending distinct ids.
    pub vocabulary: V,
}

/// Distinct strings, end to end; string `i` is `data[offsets[i]..offsets[i + 1]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strings {
    /// One more than there are strings.
    pub offsets: Vec<i64>,
    /// Bytes of all strings.
    pub data: Vec<u8>,
}

/// Codes of integer ids.
///
/// ```
/// let encoded = seqrec_core::vocab::encode_integers(&[30, -1, 30])?;
/// assert_eq!(encoded.codes, [1, 0, 1]);
/// assert_eq!(encoded.vocabulary, [-1, 30]);
/// # Ok::<(), seqrec_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::TooMany`] for more than `i32::MAX - 1` distinct ids.
pub fn encode_integers(ids: &[i64]) -> Result<Encoded<Vec<i64>>, Error> {
    // A table of at most four places a row costs less than hashing, in time and in memory.
    let is_wide = |(low, high): (i64, i64)| high.abs_diff(low) >= 4 * ids.len() as u64;
    let first = chunk_of(ids, 0);
    let mut bounds = bounds_of(first)?;
    if first.len() < ids.len() && !is_wide(bounds) {
        bounds = bounds_of(ids)?;
    }
    if is_wide(bounds) {
        return number_by_hash(ids, ids.len());
    }
    let (low, high) = bounds;
    tabulate(ids, low, high.abs_diff(low) as usize + 1)
}

/// Codes of byte strings, in the order of the bytes (for UTF-8, that of the code points).
///
/// # Errors
/// [`Error::TooMany`] for more than `i32::MAX - 1` distinct strings.
pub fn encode_strings(texts: Texts<'_>) -> Result<Encoded<Strings>, Error> {
    let Encoded { codes, vocabulary } = number_by_hash(&texts, texts.len())?;
    let mut offsets = buffer::with_room(vocabulary.len() + 1)?;
    offsets.push(0);
    let mut data = buffer::with_room(vocabulary.iter().map(|text| text.len()).sum())?;
    for text in vocabulary {
        data.extend_from_slice(text);
        offsets.push(data.len() as i64);
    }
    let vocabulary = Strings { offsets, data };
    Ok(Encoded { codes, vocabulary })
}

/// Smallest and largest id; `(0, 0)` without any.
fn bounds_of(ids: &[i64]) -> Result<(i64, i64), Error> {
    let each = map_rows(ids.len().div_ceil(CHUNK), |chunk| {
        Ok(chunk_of(ids, chunk)
            .iter()
            .fold((i64::MAX, i64::MIN), |(low, high), &id| {
                (low.min(id), high.max(id))
            }))
    })?;
    Ok(each
        .into_iter()
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        .unwrap_or((0, 0)))
}

fn chunk_of<T>(rows: &[T], chunk: usize) -> &[T] {
    let start = chunk * CHUNK;
    &rows[start..rows.len().min(start + CHUNK)]
}

/// Numbers ids through a table with a place for each integer from `low` on.
fn tabulate(ids: &[i64], low: i64, places: usize) -> Result<Encoded<Vec<i64>>, Error> {
    let place = |id: i64| id.abs_diff(low) as usize;
    // Every thread stores the same mark, so the order of the stores does not matter.
    let mut table = buffer::collected((0..places).map(|_| AtomicI32::new(-1)))?;
    map_rows(ids.len().div_ceil(CHUNK), |chunk| {
        for &id in chunk_of(ids, chunk) {
            let mark = &table[place(id)];
            // Threads that write to one line of the cache take it from each other every time.
            if mark.load(Relaxed) != 0 {
                mark.store(0, Relaxed);
            }
        }
        Ok(())
    })?;
    let mut vocabulary = Vec::new();
    for (offset, slot) in table.iter_mut().enumerate() {
        if *slot.get_mut() == 0 {
            *slot.get_mut() = vocabulary.len() as i32;
            buffer::push(&mut vocabulary, low.wrapping_add_unsigned(offset as u64))?;
        }
    }
    check_count("distinct ids", vocabulary.len())?;
    let mut codes = buffer::zeros(ids.len())?;
    fill_rows(&mut codes, CHUNK, |chunk, out| {
        for (code, &id) in out.iter_mut().zip(chunk_of(ids, chunk)) {
            *code = table[place(id)].load(Relaxed);
        }
        Ok(())
    })?;
    Ok(Encoded { codes, vocabulary })
}

/// Numbers the keys of `n` rows: each share by appearance, then all by order.
fn number_by_hash<K: Key>(
    column: &(impl Column<K> + ?Sized),
    n: usize,
) -> Result<Encoded<Vec<K>>, Error> {
    let share = n.div_ceil(parallel::threads()).max(1);
    let mut codes = buffer::zeros(n)?;
    let tables = parallel::map(codes.chunks_mut(share).enumerate(), |(i, out)| {
        let mut table = Table::new();
        table.number_all(column, i * share, out)?;
        Ok(table)
    });
    let mut tables = tables.into_iter().collect::<Result<Vec<_>, Error>>()?;
    // The keys of all shares are numbered as rows are, and sorted once.
    let (all, others) = match tables.split_first_mut() {
        Some((all, others)) => (all, &*others),
        None => (&mut Table::new(), &[][..]),
    };
    let numbers = others.iter().map(|table| {
        let mut numbers = buffer::zeros(table.keys.len())?;
        all.number_all(table.keys.as_slice(), 0, &mut numbers)?;
        Ok(numbers)
    });
    let numbers = numbers.collect::<Result<Vec<_>, Error>>()?;
    let mut sorted: Vec<(K, i32)> = buffer::collected(all.keys.iter().copied().zip(0..))?;
    parallel::sort_by(&mut sorted, |a, b| a.0.cmp(&b.0))?;
    let mut places = buffer::zeros(sorted.len())?;
    for ((_, number), place) in sorted.iter().zip(0..) {
        places[*number as usize] = place;
    }
    let first = Some(None).into_iter().chain(numbers.iter().map(Some));
    parallel::map(
        codes.chunks_mut(share).zip(first),
        |(codes, numbers)| match numbers {
            None => codes
                .iter_mut()
                .for_each(|code| *code = places[*code as usize]),
            Some(numbers) => {
                for code in codes {
                    *code = places[numbers[*code as usize] as usize];
                }
            }
        },
    );
    let vocabulary = sorted.into_iter().map(|(key, _)| key).collect();
    Ok(Encoded { codes, vocabulary })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_are_numbered_in_their_order() {
        let near = encode_integers(&[7, 5, 7, 6]).unwrap();
        assert_eq!(
            (near.codes, near.vocabulary),
            (vec![2, 0, 2, 1], vec![5, 6, 7])
        );
        let far = encode_integers(&[i64::MAX, i64::MIN, 0, i64::MAX]).unwrap();
        assert_eq!(far.codes, [2, 0, 1, 2]);
        assert_eq!(far.vocabulary, [i64::MIN, 0, i64::MAX]);
    }

    #[test]
    fn strings_are_numbered_by_their_bytes() {
        let texts = Texts::new(&[0, 1, 3, 3, 4], b"ba\xc3\x29b").unwrap();
        let encoded =
            encode_strings(Texts::new(&[0, 1, 3, 3, 5], b"b10\xc3\xa9").unwrap()).unwrap();
        assert_eq!(encoded.codes, [2, 1, 0, 3]);
        assert_eq!(encoded.vocabulary.offsets, [0, 0, 2, 3, 5]);
        assert_eq!(encoded.vocabulary.data, b"10b\xc3\xa9");
        assert_eq!(encode_strings(texts).unwrap().codes.len(), 4);
    }

    #[test]
    fn nothing_has_no_codes() {
        assert_eq!(encode_integers(&[]).unwrap().vocabulary, [0i64; 0]);
        let none = encode_strings(Texts::new(&[0], b"").unwrap()).unwrap();
        assert_eq!(none.vocabulary.offsets, [0]);
    }

    proptest! {
        #[test]
        fn table_and_hash_agree(ids in prop::collection::vec(-20i64..20, 1..60)) {
            let (low, high) = bounds_of(&ids).unwrap();
            let by_table = tabulate(&ids, low, high.abs_diff(low) as usize + 1);
            prop_assert_eq!(by_table, number_by_hash(&ids[..], ids.len()));
        }

        #[test]
        fn a_code_leads_back_to_its_id(ids in prop::collection::vec(any::<i64>(), 0..60)) {
            let encoded = encode_integers(&ids).unwrap();
            let back: Vec<i64> = encoded.codes.iter().map(|&c| encoded.vocabulary[c as usize]).collect();
            prop_assert_eq!(back, ids);
            prop_assert!(encoded.vocabulary.is_sorted_by(|a, b| a < b));
        }
    }
}
