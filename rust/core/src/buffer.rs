//! Memory that is asked for, and refused where it is not to be had: it does not end the process.

use crate::Error;

/// An empty vector with room for `n` values.
pub(crate) fn with_room<T>(n: usize) -> Result<Vec<T>, Error> {
    let mut values = Vec::new();
    let asked = values.try_reserve_exact(n);
    asked.map_err(|_| refused::<T>(n))?;
    Ok(values)
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
        assert_eq!(filled((2, 3), 7u8, ("k", 3)), Ok(vec![7; 6]));
    }

    #[test]
    fn an_impossible_size_is_refused() {
        let bytes = usize::MAX;
        let refused = Error::Memory {
            bytes,
            option: None,
        };
        assert_eq!(copies(usize::MAX, 7i32), Err(refused));
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
