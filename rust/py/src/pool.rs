//! The helping threads of this process, and the two ways to run a kernel.
//!
//! The threads are keyed by process id: a forked child finds its parent's, which it does
//! not have, forgets them and starts its own. The lock is only ever *tried*: a child forked while
//! another thread held it would wait forever, so on contention the calling thread works alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use seqrec_core::Error;
use seqrec_core::crew::Crew;
use seqrec_core::helpers::{Helpers, with_helpers};

use crate::raise::{ConfigError, raise, raise_panic, raise_threads};

/// The threads of one process beside the calling one, if there are any.
struct Pool {
    pid: u32,
    helpers: Option<Arc<Helpers>>,
}

static POOL: Mutex<Option<Pool>> = Mutex::new(None);

/// Runs a kernel with the interpreter detached, on this thread and its helpers, and maps what it
/// refuses.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    kernel: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    let helpers = current()?;
    guarded(py, || with_helpers(helpers, kernel))
}

/// Runs the kernel of a batch with the interpreter detached: on this thread, which calls helpers
/// if the batch is worth it.
pub(crate) fn run_batch<T: Send>(
    py: Python<'_>,
    kernel: impl FnOnce(Crew<'_>) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let helpers = current()?;
    guarded(py, || {
        kernel(helpers.as_deref().map_or(Crew::ALONE, Crew::with))
    })
}

fn guarded<T: Send>(
    py: Python<'_>,
    kernel: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    let outcome = py.detach(|| catch_unwind(AssertUnwindSafe(kernel)));
    outcome
        .map_err(|payload| raise_panic(&*payload))?
        .map_err(raise)
}

/// The helpers of this process, started at their first use; none while another thread starts them.
fn current() -> PyResult<Option<Arc<Helpers>>> {
    let pid = std::process::id();
    let Ok(mut slot) = POOL.try_lock() else {
        return Ok(None);
    };
    if let Some(pool) = slot.as_ref().filter(|pool| pool.pid == pid) {
        return Ok(pool.helpers.clone());
    }
    let helpers = build(default_threads()?)?;
    // Threads inherited by fork are not there to be stopped: dropping them would be wrong.
    std::mem::forget(slot.replace(Pool {
        pid,
        helpers: helpers.clone(),
    }));
    Ok(helpers)
}

fn build(threads: usize) -> PyResult<Option<Arc<Helpers>>> {
    let helpers = Helpers::new(threads).map_err(|error| raise_threads(&error))?;
    Ok(helpers.map(Arc::new))
}

/// `SEQREC_NUM_THREADS`, or this rank's share of the cores.
fn default_threads() -> PyResult<usize> {
    if let Some(threads) = positive("SEQREC_NUM_THREADS")? {
        return Ok(threads);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let ranks = positive("LOCAL_WORLD_SIZE")?.unwrap_or(1);
    Ok((cores / ranks).max(1))
}

fn positive(name: &str) -> PyResult<Option<usize>> {
    let Ok(text) = std::env::var(name) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(value) if (1..=1024).contains(&value) => Ok(Some(value)),
        _ => Err(ConfigError::new_err(format!(
            "{name} is {text:?}: it must be a number from 1 to 1024"
        ))),
    }
}

#[pyfunction]
fn set_threads(threads: usize) -> PyResult<()> {
    if !(1..=1024).contains(&threads) {
        return Err(ConfigError::new_err(format!(
            "threads is {threads}: it must be from 1 to 1024"
        )));
    }
    let helpers = build(threads)?;
    let pid = std::process::id();
    let Ok(mut slot) = POOL.try_lock() else {
        return Err(ConfigError::new_err(
            "threads cannot be set while another thread starts the pool",
        ));
    };
    let before = slot.replace(Pool { pid, helpers });
    drop(slot);
    match before {
        Some(pool) if pool.pid != pid => std::mem::forget(pool),
        other => drop(other),
    }
    Ok(())
}

#[pyfunction]
fn threads() -> PyResult<usize> {
    Ok(current()?.map_or(1, |helpers| helpers.threads()))
}

/// Adds the functions of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(set_threads, module)?)?;
    module.add_function(wrap_pyfunction!(threads, module)?)
}
