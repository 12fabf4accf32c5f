//! The bytes of the objects in a repository, and their keys.

pub(super) mod container;
pub(super) mod head;
pub(super) mod keys;
pub(super) mod nonce;
pub(super) mod table;
