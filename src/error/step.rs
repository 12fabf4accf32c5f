use serde::{Deserialize, Serialize};

/// The step of an operation that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Step {
    /// Opening a file or a directory.
    #[error("open")]
    Open,
    /// Making a file, a directory or a link.
    #[error("create")]
    Create,
    /// Deleting a name or an object.
    #[error("remove")]
    Remove,
    /// Renaming something to its place.
    #[error("put in place")]
    Rename,
    /// Giving a file a second name.
    #[error("link")]
    Link,
    /// Reading.
    #[error("read")]
    Read,
    /// Asking for the kind, the size or the times.
    #[error("look at")]
    Inspect,
    /// Listing names or objects.
    #[error("list")]
    List,
    /// Writing.
    #[error("write")]
    Write,
    /// Making a file or the names in a directory durable.
    #[error("flush")]
    Flush,
    /// Setting the time of the last change.
    #[error("set the time of")]
    SetTime,
    /// Taking a kernel lock, or asking who holds it.
    #[error("lock")]
    Lock,
    /// Giving a kernel lock back.
    #[error("unlock")]
    Unlock,
    /// Sharing a writer with other processes.
    #[error("share the writer of")]
    Share,
    /// Connecting to the process that shares a writer.
    #[error("reach the process that shares the writer of")]
    Connect,
    /// Saving through the process that shares a writer.
    #[error("save through the process that shares the writer of")]
    SaveThrough,
}
