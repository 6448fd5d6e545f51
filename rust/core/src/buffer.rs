//! Outputs whose size a caller chooses: too large a size is refused and does not end the process.

use crate::Error;

/// `rows * width` copies of `value`; `name` and `size` are the option that sets the size.
///
/// # Errors
/// [`Error::Option`] if the memory is not to be had.
pub(crate) fn filled<T: Clone>(
    (rows, width): (usize, usize),
    value: T,
    (name, size): (&'static str, usize),
) -> Result<Vec<T>, Error> {
    let too_large = |_| Error::Option {
        name,
        value: size.to_string(),
        reason: "the result does not fit into memory",
    };
    let mut buffer = Vec::new();
    let length = rows.saturating_mul(width);
    buffer.try_reserve_exact(length).map_err(too_large)?;
    buffer.resize(length, value);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_size_is_refused() {
        assert_eq!(filled((2, 3), 7u8, ("k", 3)), Ok(vec![7; 6]));
        let refused = filled((usize::MAX, 2), 0.0f64, ("k", 2));
        assert!(matches!(refused, Err(Error::Option { name: "k", .. })));
    }
}
