//! Text that can be shown.

use pyo3::prelude::*;

#[doc = doc!(printable)]
#[pyfunction]
#[pyo3(signature = (text, /))]
pub(crate) fn printable(text: &str) -> String {
    pitstop::printable(text).into_owned()
}
