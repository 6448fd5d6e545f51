//! Epochs of rows, and the rows of a batch.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadwriteArray1, PyReadwriteArray2};
use pyo3::prelude::*;
use seqrec_core::alias::{self, Popularity};
use seqrec_core::cloze::{self, Cloze};
use seqrec_core::negatives::{self, Sampler};
use seqrec_core::plan::{self, Order, Plan};
use seqrec_core::rows::Rows;
use seqrec_core::taken::Taken;
use seqrec_core::window::Windows;
use seqrec_core::{Error, histories, next_item, relevance};

use crate::array::{out, out_column, sequences, slice};
use crate::pool;
use crate::raise::raise;

type Ints<'py> = PyReadonlyArray1<'py, i32>;
type Longs<'py> = PyReadonlyArray1<'py, i64>;
type Bytes<'py> = PyReadonlyArray1<'py, u8>;
type Table<'py> = (PyReadonlyArray1<'py, f64>, PyReadonlyArray1<'py, u64>);
type Rows2<'py> = PyReadwriteArray2<'py, i64>;
type Columns<'py> = (
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<i32>>,
);

#[pyfunction]
fn plan_windows<'py>(
    py: Python<'py>,
    starts: Longs<'py>,
    stops: Longs<'py>,
    policy: &str,
    width: usize,
    stride: usize,
    overlap: usize,
    min_length: usize,
    seed: u64,
    epoch: u64,
    batch_size: usize,
) -> PyResult<Columns<'py>> {
    let (starts, stops) = (slice("starts", &starts)?, slice("stops", &stops)?);
    let windows = windows(policy, width, stride)?;
    let order = Order {
        seed,
        epoch,
        batch_size,
    };
    let plan = pool::run(py, || {
        plan::plan_windows(starts, stops, &windows, overlap, min_length, &order)
    })?;
    Ok(columns(py, plan))
}

#[pyfunction]
fn plan_targets<'py>(
    py: Python<'py>,
    first: Bytes<'py>,
    starts: Longs<'py>,
    stops: Longs<'py>,
    per_user: usize,
    max_length: usize,
    seed: u64,
    epoch: u64,
    batch_size: usize,
) -> PyResult<Columns<'py>> {
    let (starts, stops) = (slice("starts", &starts)?, slice("stops", &stops)?);
    let first = slice("first", &first)?;
    let order = Order {
        seed,
        epoch,
        batch_size,
    };
    let plan = pool::run(py, || {
        plan::plan_targets(first, starts, stops, per_user, max_length, &order)
    })?;
    Ok(columns(py, plan))
}

#[pyfunction]
fn fill_next_item<'py>(
    py: Python<'py>,
    items: Ints<'py>,
    starts: Longs<'py>,
    stops: Longs<'py>,
    users: Ints<'py>,
    ks: Ints<'py>,
    policy: &str,
    width: usize,
    stride: usize,
    seed: u64,
    epoch: u64,
    mut inputs: Rows2<'py>,
    mut targets: Rows2<'py>,
) -> PyResult<usize> {
    let sequences = sequences(&items, &starts, &stops)?;
    let rows = rows(&users, &ks, seed, epoch)?;
    let windows = windows(policy, width, stride)?;
    let inputs = out("inputs", &mut inputs)?;
    let targets = out("targets", &mut targets)?;
    pool::run_batch(py, |crew| {
        next_item::next_item_into(crew, &sequences, &rows, &windows, inputs, targets)
    })
}

#[pyfunction]
fn fill_cloze<'py>(
    py: Python<'py>,
    items: Ints<'py>,
    starts: Longs<'py>,
    stops: Longs<'py>,
    users: Ints<'py>,
    ks: Ints<'py>,
    policy: &str,
    width: usize,
    stride: usize,
    n_items: usize,
    mask_prob: f64,
    last_only_prob: f64,
    keep_prob: f64,
    random_prob: f64,
    seed: u64,
    epoch: u64,
    mut tokens: Rows2<'py>,
    mut labels: Rows2<'py>,
) -> PyResult<usize> {
    let sequences = sequences(&items, &starts, &stops)?;
    let rows = rows(&users, &ks, seed, epoch)?;
    let windows = windows(policy, width, stride)?;
    let cloze =
        Cloze::new(n_items, mask_prob, last_only_prob, keep_prob, random_prob).map_err(raise)?;
    let tokens = out("tokens", &mut tokens)?;
    let labels = out("labels", &mut labels)?;
    pool::run_batch(py, |crew| {
        cloze::cloze_into(crew, &sequences, &rows, &windows, &cloze, tokens, labels)
    })
}

#[pyfunction]
#[pyo3(signature = (
    items, starts, stops, first, set_offsets, set_members, users, ks, policy, width, stride,
    n_items, popularity, seed, epoch, inputs, positives, negatives, prefixes=None
))]
fn fill_relevance_sequences<'py>(
    py: Python<'py>,
    items: Ints<'py>,
    starts: Longs<'py>,
    stops: Longs<'py>,
    first: Bytes<'py>,
    set_offsets: Longs<'py>,
    set_members: Ints<'py>,
    users: Ints<'py>,
    ks: Ints<'py>,
    policy: &str,
    width: usize,
    stride: usize,
    n_items: usize,
    popularity: Option<Table<'py>>,
    seed: u64,
    epoch: u64,
    mut inputs: Rows2<'py>,
    mut positives: Rows2<'py>,
    mut negatives: Rows2<'py>,
    mut prefixes: Option<PyReadwriteArray1<'py, i64>>,
) -> PyResult<usize> {
    let sequences = sequences(&items, &starts, &stops)?;
    let first = slice("first", &first)?;
    let sets = sets(&set_offsets, &set_members)?;
    let rows = rows(&users, &ks, seed, epoch)?;
    let windows = windows(policy, width, stride)?;
    let sampler = sampler(n_items, popularity.as_ref())?;
    let inputs = out("inputs", &mut inputs)?;
    let positives = out("positives", &mut positives)?;
    let negatives = out("negatives", &mut negatives)?;
    let prefixes = prefixes.as_mut();
    let prefixes = prefixes
        .map(|array| out_column("prefixes", array))
        .transpose()?;
    pool::run_batch(py, |crew| {
        relevance::relevance_sequences_into(
            crew, &sequences, first, &sets, &rows, &windows, &sampler, inputs, positives,
            negatives, prefixes,
        )
    })
}

#[pyfunction]
#[pyo3(signature = (
    items, starts, stops, set_offsets, set_members, users, ks, positions, n_items, popularity,
    seed, epoch, tokens, labels
))]
fn fill_relevance_pairs<'py>(
    py: Python<'py>,
    items: Ints<'py>,
    starts: Longs<'py>,
    stops: Longs<'py>,
    set_offsets: Longs<'py>,
    set_members: Ints<'py>,
    users: Ints<'py>,
    ks: Ints<'py>,
    positions: Ints<'py>,
    n_items: usize,
    popularity: Option<Table<'py>>,
    seed: u64,
    epoch: u64,
    mut tokens: Rows2<'py>,
    mut labels: PyReadwriteArray1<'py, f32>,
) -> PyResult<()> {
    let sequences = sequences(&items, &starts, &stops)?;
    let sets = sets(&set_offsets, &set_members)?;
    let rows = rows(&users, &ks, seed, epoch)?;
    let positions = slice("positions", &positions)?;
    let sampler = sampler(n_items, popularity.as_ref())?;
    let tokens = out("tokens", &mut tokens)?;
    let labels = out_column("labels", &mut labels)?;
    pool::run_batch(py, |crew| {
        relevance::relevance_pairs_into(
            crew, &sequences, &sets, &rows, positions, &sampler, tokens, labels,
        )
    })
}

#[pyfunction]
fn fill_histories<'py>(
    py: Python<'py>,
    items: Ints<'py>,
    starts: Longs<'py>,
    stops: Longs<'py>,
    users: Ints<'py>,
    pad_left: bool,
    mut tokens: Rows2<'py>,
) -> PyResult<()> {
    let sequences = sequences(&items, &starts, &stops)?;
    let users = slice("users", &users)?;
    let tokens = out("tokens", &mut tokens)?;
    pool::run_batch(py, |crew| {
        histories::histories_into(crew, &sequences, users, pad_left, tokens)
    })
}

#[pyfunction]
#[pyo3(signature = (
    set_offsets, set_members, users, ks, n_items, popularity, seed, epoch, negatives
))]
fn fill_negatives<'py>(
    py: Python<'py>,
    set_offsets: Longs<'py>,
    set_members: Ints<'py>,
    users: Ints<'py>,
    ks: Ints<'py>,
    n_items: usize,
    popularity: Option<Table<'py>>,
    seed: u64,
    epoch: u64,
    mut negatives: Rows2<'py>,
) -> PyResult<()> {
    let sets = sets(&set_offsets, &set_members)?;
    let rows = rows(&users, &ks, seed, epoch)?;
    let sampler = sampler(n_items, popularity.as_ref())?;
    let negatives = out("negatives", &mut negatives)?;
    pool::run_batch(py, |crew| {
        negatives::negatives_into(crew, &sets, &rows, &sampler, negatives)
    })
}

#[pyfunction]
fn alias_table<'py>(
    py: Python<'py>,
    weights: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<u64>>> {
    let weights = slice("weights", &weights)?;
    Ok(pool::run(py, || alias::alias_table(weights))?.into_pyarray(py))
}

fn rows<'a>(users: &'a Ints<'_>, ks: &'a Ints<'_>, seed: u64, epoch: u64) -> PyResult<Rows<'a>> {
    Rows::new(slice("users", users)?, slice("ks", ks)?, seed, epoch).map_err(raise)
}

fn windows(policy: &str, width: usize, stride: usize) -> PyResult<Windows> {
    let windows = |policy| Windows::new(policy, width, stride);
    policy
        .parse()
        .and_then(windows)
        .map_err(|error: Error| raise(error))
}

fn sets<'a>(offsets: &'a Longs<'_>, members: &'a Ints<'_>) -> PyResult<Taken<'a>> {
    let (offsets, members) = (
        slice("set_offsets", offsets)?,
        slice("set_members", members)?,
    );
    Taken::new(offsets, members).map_err(raise)
}

fn sampler<'a>(n_items: usize, popularity: Option<&'a Table<'_>>) -> PyResult<Sampler<'a>> {
    let table = |(weights, columns): &'a Table<'_>| {
        Ok::<_, PyErr>(Popularity {
            weights: slice("popularity weights", weights)?,
            columns: slice("popularity columns", columns)?,
        })
    };
    Sampler::new(n_items, popularity.map(table).transpose()?).map_err(raise)
}

fn columns(py: Python<'_>, plan: Plan) -> Columns<'_> {
    (
        plan.users.into_pyarray(py),
        plan.ks.into_pyarray(py),
        plan.values.into_pyarray(py),
    )
}

/// Adds the functions of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(plan_windows, module)?)?;
    module.add_function(wrap_pyfunction!(plan_targets, module)?)?;
    module.add_function(wrap_pyfunction!(fill_next_item, module)?)?;
    module.add_function(wrap_pyfunction!(fill_cloze, module)?)?;
    module.add_function(wrap_pyfunction!(fill_relevance_sequences, module)?)?;
    module.add_function(wrap_pyfunction!(fill_relevance_pairs, module)?)?;
    module.add_function(wrap_pyfunction!(fill_histories, module)?)?;
    module.add_function(wrap_pyfunction!(fill_negatives, module)?)?;
    module.add_function(wrap_pyfunction!(alias_table, module)?)
}
