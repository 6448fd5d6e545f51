//! From a refusal of the core to an exception of `seqrec.errors`.

use pyo3::{PyErr, import_exception};
use seqrec_core::Error;

import_exception!(seqrec.errors, ConfigError);
import_exception!(seqrec.errors, DataError);
import_exception!(seqrec.errors, KernelPanicError);
import_exception!(seqrec.errors, OutOfMemoryError);
import_exception!(seqrec.errors, ResourceError);

/// The exception that stands for a refusal.
pub(crate) fn raise(error: Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::Option { .. } => ConfigError::new_err(message),
        Error::Memory { .. } => OutOfMemoryError::new_err(message),
        Error::Length { .. }
        | Error::Width { .. }
        | Error::Range { .. }
        | Error::Slice { .. }
        | Error::Score { .. }
        | Error::PairScore { .. }
        | Error::Rank { .. }
        | Error::NoNegative { .. }
        | Error::Weight { .. }
        | Error::TooMany { .. } => DataError::new_err(message),
    }
}

/// The exception that stands for a panic: a defect of ours, never of the caller's.
pub(crate) fn raise_panic(payload: &(dyn std::any::Any + Send)) -> PyErr {
    let said = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    KernelPanicError::new_err(format!("a kernel of seqrec panicked: {said}"))
}

/// The exception for threads that the system refuses to start.
pub(crate) fn raise_threads(error: &rayon::ThreadPoolBuildError) -> PyErr {
    ResourceError::new_err(format!("cannot start the threads of seqrec: {error}"))
}
