//! Calls of the library: without the interpreter's lock, and interrupted by signals.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::error::raise;

/// How often a call that waits looks for signals.
const LOOK: Duration = Duration::from_millis(50);

thread_local! {
    /// What the handler of a signal raised while this thread waited for a store.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Calls the library while other threads of Python run.
///
/// A signal that came before is handled first, and then nothing is done. One that comes while a store does not
/// answer ends the call, and what its handler raises has the outcome of the call as its cause. One that comes
/// at another moment is handled after the call.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    call: impl FnOnce() -> pitstop::Result<T> + Send,
) -> PyResult<T> {
    interruptible(py, call)?.map_err(|error| raise(py, error))
}

/// The same of a call that has an outcome in any case.
pub(crate) fn interruptible<T: Send, E: IntoRaised + Send>(
    py: Python<'_>,
    call: impl FnOnce() -> Result<T, E> + Send,
) -> PyResult<Result<T, E>> {
    py.check_signals()?;
    let outcome = py.detach(|| pitstop::interruptible(is_interrupted, call));
    match (RAISED.take(), outcome) {
        (None, outcome) => Ok(outcome),
        (Some(raised), Ok(_)) => Err(raised),
        (Some(raised), Err(error)) => {
            raised.set_cause(py, Some(error.into_raised(py)));
            Err(raised)
        }
    }
}

/// An error of a call as an exception.
pub(crate) trait IntoRaised {
    fn into_raised(self, py: Python<'_>) -> PyErr;
}

impl IntoRaised for pitstop::Error {
    fn into_raised(self, py: Python<'_>) -> PyErr {
        raise(py, self)
    }
}

impl IntoRaised for PyErr {
    fn into_raised(self, _: Python<'_>) -> PyErr {
        self
    }
}

fn is_interrupted() -> bool {
    RAISED.with_borrow_mut(|raised| {
        if raised.is_none() {
            *raised = Python::attach(|py| py.check_signals()).err();
        }
        raised.is_some()
    })
}

/// Calls again and again until something else than `Busy` or `Locked` comes of it, or the time is over.
pub(crate) fn until_free<T: Send>(
    py: Python<'_>,
    timeout: f64,
    call: impl Fn() -> pitstop::Result<T> + Send + Sync,
) -> PyResult<T> {
    use pitstop::Error::{Busy, Locked};
    let end =
        Duration::try_from_secs_f64(timeout).ok().and_then(|it| Instant::now().checked_add(it));
    loop {
        match interruptible(py, &call)? {
            Err(Busy { .. } | Locked { .. })
                if timeout > 0.0 && end.is_none_or(|it| Instant::now() < it) =>
            {
                py.detach(|| std::thread::sleep(LOOK));
            }
            outcome => return outcome.map_err(|error| raise(py, error)),
        }
    }
}
