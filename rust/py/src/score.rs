//! From scores to ranks, lists, metrics and their intervals.

use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
    PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use seqrec_core::scores::Scores;
use seqrec_core::{auc as areas, bootstrap, metrics, ranks, topk};

use crate::array::{sequences, slice};
use crate::pool::{run, run_batch};

#[pyfunction]
fn rank_counts<'py>(
    py: Python<'py>,
    scores: PyReadonlyArray2<'py, f32>,
    targets: PyReadonlyArray1<'py, i32>,
    items: PyReadonlyArray1<'py, i32>,
    starts: PyReadonlyArray1<'py, i64>,
    stops: PyReadonlyArray1<'py, i64>,
    users: PyReadonlyArray1<'py, i32>,
    filter_seen: bool,
) -> PyResult<(
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<i32>>,
)> {
    let n_items = scores.shape()[1];
    let (scores, targets, users) = (
        slice("scores", &scores)?,
        slice("targets", &targets)?,
        slice("users", &users)?,
    );
    let inputs = sequences(&items, &starts, &stops)?;
    let counts = run_batch(py, |crew| {
        let scores = Scores::new(scores, n_items, users, inputs, filter_seen)?;
        ranks::rank_counts(crew, &scores, targets)
    })?;
    let column = |of: fn(&ranks::Counts) -> i32| PyArray1::from_iter(py, counts.iter().map(of));
    Ok((
        column(|c| c.greater),
        column(|c| c.equal),
        column(|c| c.equal_before),
    ))
}

#[pyfunction]
fn top_k<'py>(
    py: Python<'py>,
    scores: PyReadonlyArray2<'py, f32>,
    k: usize,
    items: PyReadonlyArray1<'py, i32>,
    starts: PyReadonlyArray1<'py, i64>,
    stops: PyReadonlyArray1<'py, i64>,
    users: PyReadonlyArray1<'py, i32>,
    filter_seen: bool,
    excluded: PyReadonlyArray1<'py, i32>,
) -> PyResult<(Bound<'py, PyArray2<i32>>, Bound<'py, PyArray2<f32>>)> {
    let n_items = scores.shape()[1];
    let (scores, users, excluded) = (
        slice("scores", &scores)?,
        slice("users", &users)?,
        slice("excluded", &excluded)?,
    );
    let inputs = sequences(&items, &starts, &stops)?;
    let (best, values) = run_batch(py, |crew| {
        let scores = Scores::new(scores, n_items, users, inputs, filter_seen)?;
        topk::top_k(crew, &scores, k, excluded)
    })?;
    let shape = [users.len(), k];
    Ok((
        best.into_pyarray(py).reshape(shape)?,
        values.into_pyarray(py).reshape(shape)?,
    ))
}

#[pyfunction]
fn rank_metrics<'py>(
    py: Python<'py>,
    ranks: PyReadonlyArray1<'py, f64>,
    k: usize,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let ranks = slice("ranks", &ranks)?;
    let rows = run_batch(py, |_| metrics::rank_metrics(ranks, k))?;
    rows.into_pyarray(py)
        .reshape([ranks.len(), metrics::COLUMNS])
}

#[pyfunction]
fn bootstrap_means<'py>(
    py: Python<'py>,
    values: PyReadonlyArray2<'py, f64>,
    resamples: usize,
    seed: u64,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let width = values.shape()[1];
    let values = slice("values", &values)?;
    let means = run(py, || {
        bootstrap::bootstrap_means(values, width, resamples, seed)
    })?;
    means.into_pyarray(py).reshape([resamples, width])
}

#[pyfunction]
fn auc<'py>(
    py: Python<'py>,
    positives: PyReadonlyArray1<'py, f32>,
    negatives: PyReadonlyArray2<'py, f32>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let n_draws = negatives.shape()[1];
    let (positives, negatives) = (
        slice("positives", &positives)?,
        slice("negatives", &negatives)?,
    );
    Ok(run(py, || areas::auc(positives, negatives, n_draws))?.into_pyarray(py))
}

#[pyfunction]
fn bootstrap_auc<'py>(
    py: Python<'py>,
    positives: PyReadonlyArray1<'py, f32>,
    negatives: PyReadonlyArray2<'py, f32>,
    resamples: usize,
    seed: u64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let n_draws = negatives.shape()[1];
    let (positives, negatives) = (
        slice("positives", &positives)?,
        slice("negatives", &negatives)?,
    );
    let means = run(py, || {
        areas::bootstrap_auc(positives, negatives, n_draws, resamples, seed)
    })?;
    Ok(means.into_pyarray(py))
}

/// Adds the functions of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(rank_counts, module)?)?;
    module.add_function(wrap_pyfunction!(top_k, module)?)?;
    module.add_function(wrap_pyfunction!(rank_metrics, module)?)?;
    module.add_function(wrap_pyfunction!(bootstrap_means, module)?)?;
    module.add_function(wrap_pyfunction!(auc, module)?)?;
    module.add_function(wrap_pyfunction!(bootstrap_auc, module)?)
}
