//! Repositories and sessions as objects of Python. Their methods are in the files named like them.

use std::sync::atomic::{AtomicUsize, Ordering};

use pitstop::MemoryBackend;
use pyo3::prelude::*;

use crate::arguments::Format;

#[doc = doc!(Repository)]
#[pyclass(frozen, weakref, module = "pitstop")]
#[derive(Clone)]
pub(crate) struct Repository {
    pub(crate) inner: pitstop::Repository,
    pub(crate) format: Option<Format>,
    /// Tells repositories in memory apart, which have no location.
    pub(crate) memory: Option<usize>,
}

#[doc = doc!(Session)]
#[pyclass(frozen, weakref, module = "pitstop")]
pub(crate) struct Session {
    pub(crate) inner: pitstop::Session,
    pub(crate) repository: Repository,
}

impl Repository {
    pub(crate) fn stored(inner: pitstop::Repository, format: Option<Format>) -> Self {
        let inner = match format {
            Some(Format(format)) => inner.with_format(format),
            None => inner,
        };
        Self { inner, format, memory: None }
    }

    pub(crate) fn new_in_memory() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let inner = pitstop::Repository::with_backend(MemoryBackend::new());
        Self { inner, format: None, memory: Some(NEXT.fetch_add(1, Ordering::Relaxed)) }
    }

    pub(crate) fn handle(&self, inner: pitstop::Session) -> Session {
        Session { inner, repository: self.clone() }
    }

    /// What two objects for the same repository have in common.
    pub(crate) fn identity(&self) -> (Option<usize>, &std::path::Path) {
        (self.memory, self.inner.location())
    }
}
