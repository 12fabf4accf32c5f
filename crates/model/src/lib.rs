//! The protocol by which sessions are kept in an object store, as a model: hosts that make one request after the other,
//! a store that carries each out at once, and a network that loses answers and brings copies of requests later.
//! docs/object-store.md has the protocol. A model checker (`tests/`) looks at every state that can be reached.
//!
//! What a host does between two requests takes no time, and no request takes effect while the host waits for nothing:
//! so one request, with what the host makes of its answer, is one step. Reads are made again until they are answered,
//! so that only changes go wrong. Time is left out: a watcher may find a writer silent only while its host stands still
//! or is dead.

#![allow(missing_docs)] // Names say it; what they do not is said.

mod ghost;
mod host;
mod ops;
mod store;
mod trash;
mod world;

pub use ghost::{Op, PROPERTIES, Property, Told};
pub use ops::Kind;
pub use world::{Action, Fate, HOSTS, Late, State, World};

/// A fault in the protocol, planted to see that it is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planted {
    /// None: the protocol as it is.
    #[default]
    Nothing,
    /// A copy for the trash is put without a condition, again and again, while later steps change the same object.
    UnconditionalCopy,
    /// A copy that is no longer needed is deleted, so that a late put makes it anew.
    CopyDeleted,
    /// The same, while a tombstone still names it.
    NamedCopyDeleted,
    /// A save is recognised by the revisions that are kept, which prunes and later saves drop.
    SaveKnownByTable,
    /// All writers of a session show by one object that they live, whoever has the place.
    SharedHeartbeat,
    /// Objects that no head names are deleted without a fence against those who are about to name them.
    NoFence,
    /// Who takes a session out of the trash does not keep out those who claimed it before.
    NoKeepOut,
    /// A record is deleted after a save whose outcome is unknown.
    UnknownIsNo,
    /// A head is put without the condition that it is the version that was read.
    BlindPut,
}
