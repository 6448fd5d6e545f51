//! Memory that is asked for, and refused where it is not to be had: it does not end the process.

use crate::Error;

/// An empty vector with room for `n` values.
pub(crate) fn with_room<T>(n: usize) -> Result<Vec<T>, Error> {
    let mut values = Vec::new();
    let asked = values.try_reserve_exact(n);
    asked.map_err(|_| refused::<T>(n))?;
    Ok(values)
}

/// `n` default values, which are zeros for numbers.
///
/// Zeros that the system gives out cost nothing until they are written to, but cannot be asked for
/// in a way that fails; so as much is asked for and given back first.
pub(crate) fn zeros<T: Clone + Default>(n: usize) -> Result<Vec<T>, Error> {
    check_room::<T>(n)?;
    Ok(vec![T::default(); n])
}

/// `n` copies of a value.
pub(crate) fn copies<T: Clone>(n: usize, value: T) -> Result<Vec<T>, Error> {
    let mut values = with_room(n)?;
    values.resize(n, value);
    Ok(values)
}

/// `rows * width` copies of `value`; `option` is the one that sets the size, and its value.
///
/// # Errors
/// [`Error::Memory`], which names the option.
pub(crate) fn filled<T: Clone>(
    (rows, width): (usize, usize),
    value: T,
    option: (&'static str, usize),
) -> Result<Vec<T>, Error> {
    copies(rows.saturating_mul(width), value).map_err(|error| match error {
        Error::Memory { bytes, .. } => Error::Memory {
            bytes,
            option: Some(option),
        },
        other => other,
    })
}

/// The values of an iterator that knows how many they are.
pub(crate) fn collected<T>(values: impl Iterator<Item = T>) -> Result<Vec<T>, Error> {
    let mut all = with_room(values.size_hint().0)?;
    all.extend(values);
    Ok(all)
}

/// The values of an iterator that does not.
pub(crate) fn gathered<T>(values: impl Iterator<Item = T>) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    for value in values {
        push(&mut all, value)?;
    }
    Ok(all)
}

/// All parts, end to end.
pub(crate) fn joined<T: Copy>(parts: &[&[T]]) -> Result<Vec<T>, Error> {
    let mut all = with_room(parts.iter().map(|part| part.len()).sum())?;
    for part in parts {
        all.extend_from_slice(part);
    }
    Ok(all)
}

/// Adds one value.
#[inline]
pub(crate) fn push<T>(values: &mut Vec<T>, value: T) -> Result<(), Error> {
    if values.len() == values.capacity() {
        reserve(values, 1)?;
    }
    values.push(value);
    Ok(())
}

/// Makes room for `n` more values, and for others to come.
pub(crate) fn reserve<T>(values: &mut Vec<T>, n: usize) -> Result<(), Error> {
    let asked = values.try_reserve(n);
    asked.map_err(|_| refused::<T>(values.len().saturating_add(n)))
}

/// Refuses what would ask for `n` values in a way that ends the process: a stable sort, for one.
pub(crate) fn check_room<T>(n: usize) -> Result<(), Error> {
    with_room::<T>(n).map(drop)
}

fn refused<T>(n: usize) -> Error {
    Error::Memory {
        bytes: n.saturating_mul(size_of::<T>()),
        option: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_room_for_is_there() {
        assert_eq!(zeros(2), Ok(vec![0u8; 2]));
        assert_eq!(filled((2, 3), 7u8, ("k", 3)), Ok(vec![7; 6]));
        assert_eq!(collected(3..5), Ok(vec![3, 4]));
        assert_eq!(gathered((0..5).filter(|i| i % 2 == 0)), Ok(vec![0, 2, 4]));
        assert_eq!(joined(&[&[1, 2][..], &[], &[3]]), Ok(vec![1, 2, 3]));
    }

    #[test]
    fn an_impossible_size_is_refused() {
        let bytes = usize::MAX;
        let refused = Error::Memory {
            bytes,
            option: None,
        };
        assert_eq!(zeros::<i64>(usize::MAX), Err(refused.clone()));
        assert_eq!(copies(usize::MAX, 7i32), Err(refused.clone()));
        assert_eq!(collected(0..u64::MAX), Err(refused.clone()));
        assert_eq!(reserve(&mut vec![0u16], usize::MAX), Err(refused));
    }

    #[test]
    fn the_option_that_asks_for_too_much_is_named() {
        let refused = filled((1 << 60, 2), 0.0f64, ("k", 2)).unwrap_err();
        let said = format!(
            "out of memory: {} bytes are not to be had for `k` = 2",
            usize::MAX
        );
        assert_eq!(refused.to_string(), said);
        let refused = with_room::<u8>(1 << 63).unwrap_err();
        let said = format!("out of memory: {} bytes are not to be had", 1u64 << 63);
        assert_eq!(refused.to_string(), said);
    }
}
