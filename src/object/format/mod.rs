//! The bytes of the objects in a repository, and their keys.

pub(super) mod changes;
pub(super) mod container;
pub(super) mod entry;
pub(super) mod head;
pub(super) mod keys;
pub(super) mod nonce;
pub(super) mod table;
pub(super) mod time;
pub(super) mod tombstone;
pub(super) mod trash_entry;
