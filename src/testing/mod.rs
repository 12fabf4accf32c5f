//! What shows that a backend keeps the promises.

pub mod conformance;
