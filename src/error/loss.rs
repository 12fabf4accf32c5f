/// What became of a session that was taken from its writer ([`Error::Displaced`](crate::Error::Displaced)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Loss {
    /// The session's directory has not its name any more.
    #[error("it was removed or renamed while it was written")]
    Removed,
    /// Another directory has the session's name.
    #[error("it was replaced by another directory while it was written")]
    Replaced,
    /// The lock file is gone, so that another writer may come.
    #[error("it was removed, and nobody can tell any more who the writer is")]
    LockRemoved,
    /// The file of the journal that was written is gone, or another one has its name.
    #[error("it was removed or replaced while it was written")]
    Segment,
    /// Another file is the lock.
    #[error("it was replaced: another writer has come")]
    LockReplaced,
}
