//! The module `seqrec._core`: convert, detach, map the error, convert back. Nothing else.

mod array;
mod batch;
mod pool;
mod prepare;
mod raise;
mod score;

use pyo3::prelude::*;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    pool::register(module)?;
    prepare::register(module)?;
    batch::register(module)?;
    score::register(module)
}
