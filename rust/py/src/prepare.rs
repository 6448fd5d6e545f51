//! From a raw log to sequences: ids, order, filters, sets, pairs and keyed draws.

use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use seqrec_core::kcore::{self, Side};
use seqrec_core::keyed::{self, Catalogue};
use seqrec_core::text::Texts;
use seqrec_core::{log, pairs, repeats, sets, vocab};

use crate::array::{optional, sequences, slice};
use crate::pool::run;

#[pyfunction]
fn encode_integers<'py>(
    py: Python<'py>,
    ids: PyReadonlyArray1<'py, i64>,
) -> PyResult<(Bound<'py, PyArray1<i32>>, Bound<'py, PyArray1<i64>>)> {
    let ids = slice("ids", &ids)?;
    let encoded = run(py, || vocab::encode_integers(ids))?;
    Ok((
        encoded.codes.into_pyarray(py),
        encoded.vocabulary.into_pyarray(py),
    ))
}

#[pyfunction]
fn encode_strings<'py>(
    py: Python<'py>,
    offsets: PyReadonlyArray1<'py, i64>,
    data: PyReadonlyArray1<'py, u8>,
) -> PyResult<(
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<u8>>,
)> {
    let (offsets, data) = (slice("offsets", &offsets)?, slice("data", &data)?);
    let encoded = run(py, || vocab::encode_strings(Texts::new(offsets, data)?))?;
    Ok((
        encoded.codes.into_pyarray(py),
        encoded.vocabulary.offsets.into_pyarray(py),
        encoded.vocabulary.data.into_pyarray(py),
    ))
}

#[pyfunction]
fn sort_events<'py>(
    py: Python<'py>,
    users: PyReadonlyArray1<'py, i32>,
    times: Option<PyReadonlyArray1<'py, i64>>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let users = slice("users", &users)?;
    let times = optional("times", times.as_ref())?;
    Ok(run(py, || log::sort_events(users, times))?.into_pyarray(py))
}

#[pyfunction]
fn group_events<'py>(
    py: Python<'py>,
    users: PyReadonlyArray1<'py, i32>,
    items: PyReadonlyArray1<'py, i32>,
    times: Option<PyReadonlyArray1<'py, i64>>,
    keep_times: bool,
    n_users: usize,
) -> PyResult<(
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i32>>,
    Option<Bound<'py, PyArray1<i64>>>,
)> {
    let (users, items) = (slice("users", &users)?, slice("items", &items)?);
    let ordered_by = optional("times", times.as_ref())?;
    let grouped = run(py, || {
        log::group_events(users, items, ordered_by, keep_times, n_users)
    })?;
    let times = times.filter(|_| keep_times);
    Ok((
        grouped.offsets.into_pyarray(py),
        grouped.items.into_pyarray(py),
        times.map(|_| grouped.times.into_pyarray(py)),
    ))
}

#[pyfunction]
fn mark_repeats<'py>(
    py: Python<'py>,
    offsets: PyReadonlyArray1<'py, i64>,
    items: PyReadonlyArray1<'py, i32>,
    times: Option<PyReadonlyArray1<'py, i64>>,
    policy: &str,
) -> PyResult<(Bound<'py, PyArray1<bool>>, usize, usize)> {
    let (offsets, items) = (slice("offsets", &offsets)?, slice("items", &items)?);
    let times = optional("times", times.as_ref())?;
    let marked = run(py, || {
        repeats::mark_repeats(offsets, items, times, policy.parse()?)
    })?;
    Ok((
        marked.keep.into_pyarray(py),
        marked.duplicates,
        marked.repeats,
    ))
}

#[pyfunction]
fn n_core<'py>(
    py: Python<'py>,
    users: PyReadonlyArray1<'py, i32>,
    items: PyReadonlyArray1<'py, i32>,
    n_users: usize,
    n_items: usize,
    min_user: usize,
    min_item: usize,
) -> PyResult<(Bound<'py, PyArray1<bool>>, Bound<'py, PyArray1<i64>>)> {
    let users = Side {
        name: "users",
        ids: slice("users", &users)?,
        n_ids: n_users,
        least: min_user,
    };
    let items = Side {
        name: "items",
        ids: slice("items", &items)?,
        // Codes (from 0) and item ids (from 1) are both welcome.
        n_ids: n_items.saturating_add(1),
        least: min_item,
    };
    let core = run(py, || kcore::n_core(users, items))?;
    Ok((core.keep.into_pyarray(py), core.rounds.into_pyarray(py)))
}

#[pyfunction]
fn first_occurrences<'py>(
    py: Python<'py>,
    items: PyReadonlyArray1<'py, i32>,
    starts: PyReadonlyArray1<'py, i64>,
    stops: PyReadonlyArray1<'py, i64>,
) -> PyResult<Bound<'py, PyArray1<u8>>> {
    let sequences = sequences(&items, &starts, &stops)?;
    let first = run(py, || sets::first_occurrences(&sequences))?;
    Ok(first.into_pyarray(py))
}

#[pyfunction]
fn sorted_sets<'py>(
    py: Python<'py>,
    items: PyReadonlyArray1<'py, i32>,
    starts: PyReadonlyArray1<'py, i64>,
    stops: PyReadonlyArray1<'py, i64>,
) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i32>>)> {
    let sequences = sequences(&items, &starts, &stops)?;
    let sets = run(py, || sets::sorted_sets(&sequences))?;
    Ok((sets.offsets.into_pyarray(py), sets.members.into_pyarray(py)))
}

#[pyfunction]
fn count_items<'py>(
    py: Python<'py>,
    items: PyReadonlyArray1<'py, i32>,
    starts: PyReadonlyArray1<'py, i64>,
    stops: PyReadonlyArray1<'py, i64>,
    n_items: usize,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let sequences = sequences(&items, &starts, &stops)?;
    Ok(run(py, || sets::count_items(&sequences, n_items))?.into_pyarray(py))
}

#[pyfunction]
fn contain<'py>(
    py: Python<'py>,
    items: PyReadonlyArray1<'py, i32>,
    starts: PyReadonlyArray1<'py, i64>,
    stops: PyReadonlyArray1<'py, i64>,
    users: PyReadonlyArray1<'py, i32>,
    targets: PyReadonlyArray1<'py, i32>,
) -> PyResult<Bound<'py, PyArray1<bool>>> {
    let sequences = sequences(&items, &starts, &stops)?;
    let (users, targets) = (slice("users", &users)?, slice("targets", &targets)?);
    Ok(run(py, || sets::contain(&sequences, users, targets))?.into_pyarray(py))
}

#[pyfunction]
fn weigh_pairs<'py>(
    py: Python<'py>,
    items: PyReadonlyArray1<'py, i32>,
    starts: PyReadonlyArray1<'py, i64>,
    stops: PyReadonlyArray1<'py, i64>,
    window: usize,
) -> PyResult<(
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<f64>>,
)> {
    let sequences = sequences(&items, &starts, &stops)?;
    let found = run(py, || pairs::weigh_pairs(&sequences, window))?;
    Ok((
        found.rows.into_pyarray(py),
        found.columns.into_pyarray(py),
        found.weights.into_pyarray(py),
    ))
}

#[pyfunction]
fn keyed_hash<'py>(
    py: Python<'py>,
    purpose: &str,
    part: &str,
    offsets: PyReadonlyArray1<'py, i64>,
    data: PyReadonlyArray1<'py, u8>,
    draw: &str,
    attempt: &str,
) -> PyResult<Bound<'py, PyArray1<u64>>> {
    let (offsets, data) = (slice("offsets", &offsets)?, slice("data", &data)?);
    let hashes = run(py, || {
        let raw_ids = Texts::new(offsets, data)?;
        keyed::keyed_hash(purpose, part, raw_ids, draw, attempt)
    })?;
    Ok(hashes.into_pyarray(py))
}

#[pyfunction]
fn draw_evaluation_negatives<'py>(
    py: Python<'py>,
    purpose: &str,
    part: &str,
    offsets: PyReadonlyArray1<'py, i64>,
    data: PyReadonlyArray1<'py, u8>,
    items: PyReadonlyArray1<'py, i32>,
    starts: PyReadonlyArray1<'py, i64>,
    stops: PyReadonlyArray1<'py, i64>,
    users: PyReadonlyArray1<'py, i32>,
    n_items: usize,
    draws: usize,
    counts: Option<PyReadonlyArray1<'py, i64>>,
) -> PyResult<Bound<'py, PyArray2<i32>>> {
    let (offsets, data, users) = (
        slice("offsets", &offsets)?,
        slice("data", &data)?,
        slice("users", &users)?,
    );
    let sequences = sequences(&items, &starts, &stops)?;
    let counts = optional("counts", counts.as_ref())?;
    let negatives = run(py, || {
        let raw_ids = Texts::new(offsets, data)?;
        let catalogue = Catalogue::new(n_items, counts)?;
        keyed::draw_evaluation_negatives(
            purpose, part, raw_ids, &sequences, users, &catalogue, draws,
        )
    })?;
    negatives.into_pyarray(py).reshape([users.len(), draws])
}

/// Adds the functions of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(encode_integers, module)?)?;
    module.add_function(wrap_pyfunction!(encode_strings, module)?)?;
    module.add_function(wrap_pyfunction!(sort_events, module)?)?;
    module.add_function(wrap_pyfunction!(group_events, module)?)?;
    module.add_function(wrap_pyfunction!(mark_repeats, module)?)?;
    module.add_function(wrap_pyfunction!(n_core, module)?)?;
    module.add_function(wrap_pyfunction!(first_occurrences, module)?)?;
    module.add_function(wrap_pyfunction!(sorted_sets, module)?)?;
    module.add_function(wrap_pyfunction!(count_items, module)?)?;
    module.add_function(wrap_pyfunction!(contain, module)?)?;
    module.add_function(wrap_pyfunction!(weigh_pairs, module)?)?;
    module.add_function(wrap_pyfunction!(keyed_hash, module)?)?;
    module.add_function(wrap_pyfunction!(draw_evaluation_negatives, module)?)
}
