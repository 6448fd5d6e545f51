//! Arrays at the door: borrowed as slices in the order of C, or refused by name.

use numpy::{
    Element, Ix1, PyReadonlyArray, PyReadwriteArray, PyReadwriteArray2, PyUntypedArrayMethods,
    ndarray::Dimension,
};
use pyo3::prelude::*;
use seqrec_core::rows::Out;
use seqrec_core::{Error, Sequences};

use crate::raise::{DataError, raise};

/// The values of an array, row by row.
///
/// `as_slice` alone would also take the columns of a Fortran-ordered matrix for its rows.
pub(crate) fn slice<'a, T: Element, D: Dimension>(
    name: &'static str,
    array: &'a PyReadonlyArray<'_, T, D>,
) -> PyResult<&'a [T]> {
    if !array.is_c_contiguous() {
        return Err(not_contiguous(name));
    }
    array.as_slice().map_err(|_| not_contiguous(name))
}

/// As [`slice`], for an argument that may be left out.
pub(crate) fn optional<'a, T: Element>(
    name: &'static str,
    array: Option<&'a PyReadonlyArray<'_, T, Ix1>>,
) -> PyResult<Option<&'a [T]>> {
    array.map(|array| slice(name, array)).transpose()
}

/// A matrix to be filled.
pub(crate) fn out<'a>(
    name: &'static str,
    array: &'a mut PyReadwriteArray2<'_, i64>,
) -> PyResult<Out<'a, i64>> {
    let width = array.shape()[1];
    let values = slice_mut(name, array)?;
    Ok(Out {
        name,
        values,
        width,
    })
}

/// A column to be filled.
pub(crate) fn out_column<'a, T: Element>(
    name: &'static str,
    array: &'a mut PyReadwriteArray<'_, T, Ix1>,
) -> PyResult<Out<'a, T>> {
    let values = slice_mut(name, array)?;
    Ok(Out {
        name,
        values,
        width: 1,
    })
}

/// The items of all users, with the bounds of each.
pub(crate) fn sequences<'a>(
    items: &'a PyReadonlyArray<'_, i32, Ix1>,
    starts: &'a PyReadonlyArray<'_, i64, Ix1>,
    stops: &'a PyReadonlyArray<'_, i64, Ix1>,
) -> PyResult<Sequences<'a>> {
    let (items, starts) = (slice("items", items)?, slice("starts", starts)?);
    Sequences::new(items, starts, slice("stops", stops)?).map_err(|error: Error| raise(error))
}

fn slice_mut<'a, T: Element, D: Dimension>(
    name: &'static str,
    array: &'a mut PyReadwriteArray<'_, T, D>,
) -> PyResult<&'a mut [T]> {
    if !array.is_c_contiguous() {
        return Err(not_contiguous(name));
    }
    array.as_slice_mut().map_err(|_| not_contiguous(name))
}

fn not_contiguous(name: &'static str) -> PyErr {
    DataError::new_err(format!(
        "`{name}` must be C-contiguous and aligned: use numpy.ascontiguousarray"
    ))
}
