//! Revisions, and how many of them a session keeps.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use pyo3::IntoPyObjectExt;
use pyo3::basic::CompareOp;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyNotImplemented, PyType};

#[doc = doc!(Revision)]
#[pyclass(frozen, weakref, module = "pitstop")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Revision(pub(crate) pitstop::Revision);

#[pymethods]
impl Revision {
    #[new]
    #[pyo3(signature = (revision, /))]
    fn new(revision: RevisionArgument) -> Self {
        Self(revision.0)
    }

    #[classattr]
    const NONE: Self = Self(pitstop::Revision::NONE);

    #[doc = doc!(Revision.number)]
    #[getter]
    fn number(&self) -> Option<u64> {
        self.0.number()
    }

    /// Numbers have an order; revisions of plain sessions have none.
    fn __richcmp__<'py>(
        &self,
        py: Python<'py>,
        other: &Bound<'py, PyAny>,
        comparison: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Ok(other) = other.cast::<Self>() else {
            return PyNotImplemented::get(py).into_bound_py_any(py);
        };
        let (this, other) = (self.0, other.get().0);
        match (comparison, this.number(), other.number()) {
            (CompareOp::Eq, ..) => (this == other).into_bound_py_any(py),
            (CompareOp::Ne, ..) => (this != other).into_bound_py_any(py),
            (_, Some(this), Some(other)) => {
                comparison.matches(this.cmp(&other)).into_bound_py_any(py)
            }
            _ => PyNotImplemented::get(py).into_bound_py_any(py),
        }
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        match self.0.number() {
            Some(number) => format!("Revision({number})"),
            None => format!("Revision('{}')", self.0),
        }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyType>, (String,)) {
        (py.get_type::<Self>(), (self.0.to_string(),))
    }
}

/// A revision, its number, or its text.
pub(crate) struct RevisionArgument(pub(crate) pitstop::Revision);

impl<'py> FromPyObject<'_, 'py> for RevisionArgument {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(revision) = value.cast::<Revision>() {
            return Ok(Self(revision.get().0));
        }
        if let Ok(text) = value.extract::<String>() {
            let invalid = |_| PyValueError::new_err(format!("{text:?} is not a revision"));
            return text.parse().map(Self).map_err(invalid);
        }
        Ok(Self(pitstop::Revision::from_number(value.extract()?)))
    }
}

#[doc = doc!(Retention)]
#[pyclass(frozen, eq, weakref, module = "pitstop", from_py_object)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention(pub(crate) pitstop::Retention);

#[pymethods]
impl Retention {
    #[classattr]
    const ALL: Self = Self(pitstop::Retention::All);

    #[classattr]
    const DEFAULT: Self = Self(pitstop::Retention::Default);

    #[doc = doc!(Retention.revisions)]
    #[staticmethod]
    fn revisions(count: usize) -> Self {
        Self(pitstop::Retention::Revisions(count))
    }

    #[doc = doc!(Retention.bytes)]
    #[staticmethod]
    fn bytes(size: u64) -> Self {
        Self(pitstop::Retention::Bytes(size))
    }

    #[doc = doc!(Retention.age)]
    #[staticmethod]
    fn age(age: Duration) -> Self {
        Self(pitstop::Retention::Age(age))
    }

    fn __repr__(&self) -> String {
        match self.0 {
            pitstop::Retention::Revisions(count) => format!("Retention.revisions({count})"),
            pitstop::Retention::Bytes(size) => format!("Retention.bytes({size})"),
            pitstop::Retention::Age(age) => {
                format!("Retention.age(timedelta(seconds={}))", age.as_secs_f64())
            }
            pitstop::Retention::All => "Retention.ALL".to_owned(),
            _ => "Retention.DEFAULT".to_owned(),
        }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let class = py.get_type::<Self>();
        let made = |method: &str, argument: Bound<'py, PyAny>| {
            (class.getattr(method)?, (argument,)).into_bound_py_any(py)
        };
        match self.0 {
            pitstop::Retention::Revisions(count) => made("revisions", count.into_bound_py_any(py)?),
            pitstop::Retention::Bytes(size) => made("bytes", size.into_bound_py_any(py)?),
            pitstop::Retention::Age(age) => made("age", age.into_bound_py_any(py)?),
            // The name of a global.
            pitstop::Retention::All => "Retention.ALL".into_bound_py_any(py),
            _ => "Retention.DEFAULT".into_bound_py_any(py),
        }
    }
}
