//! What shows that a backend keeps the promises.
