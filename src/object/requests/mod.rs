//! Requests to an object store: sending, retrying, and settling what became of them.

pub(super) mod cas;
pub(super) mod client;
pub(super) mod clock;
pub(super) mod download;
pub(super) mod failure;
pub(super) mod interrupt;
pub(super) mod location;
pub(super) mod probe;
pub(super) mod problem;
pub(super) mod response;
pub(super) mod runtime;
pub(super) mod upload;
