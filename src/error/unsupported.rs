use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::format::Format;
use crate::id::SessionId;

/// What [`Error::Unsupported`](crate::Error::Unsupported) says cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Operation {
    /// Loading or restoring an older revision.
    #[error("an older revision")]
    OlderRevision,
    /// Listing or discarding older revisions.
    #[error("a history")]
    History,
    /// Keeping labels with a checkpoint.
    #[error("a label")]
    Label,
    /// Keeping older revisions by a rule.
    #[error("a retention rule")]
    Retention,
    /// Keeping a history or a label, which a conversion would lose.
    #[error("keeping the history or the labels")]
    KeepHistory,
    /// A session in this format.
    #[error("the format '{0}'")]
    Format(Format),
    /// A revision with a number so high that the next could not be counted.
    #[error("a revision with such a high number")]
    HighRevision,
    /// A checkpoint that is larger than a file can be.
    #[error("a checkpoint of this size")]
    Size,
    /// Locking a file, without which two writers cannot be kept apart.
    #[error("locking a file")]
    Locking,
    /// Conditional requests, without which two writers cannot be kept apart.
    #[error("a conditional request (If-Match, If-None-Match)")]
    ConditionalRequest,
    /// A URL as a location: this build has no object stores.
    #[error("a URL as a location")]
    Url,
    /// Clearing what a dead writer left.
    #[error("unlocking a session")]
    Unlock,
    /// Finding or moving aside what lies beside the sessions.
    #[error("verifying what lies beside the sessions")]
    Layout,
    /// Measuring the storage that a session takes.
    #[error("measuring the storage of a session")]
    Usage,
    /// Removed sessions that can be put back.
    #[error("a trash")]
    Trash,
    /// Deleting what killed processes left.
    #[error("sweeping what killed processes left")]
    Sweep,
    /// Renaming a session's directory, which the trash takes.
    #[error("moving a session to the trash")]
    Rename,
}

/// What cannot do an [`Operation`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A session.
    Session(SessionId),
    /// A session in PlainBox's format.
    PlainSession(SessionId),
    /// A repository in a directory.
    Directory(PathBuf),
    /// A file on a file system that lacks the operation.
    FileSystem(PathBuf),
    /// An object store, by its URL.
    Store(PathBuf),
    /// A repository of another kind.
    Repository(PathBuf),
    /// A format.
    Format(Format),
    /// This build of Pitstop.
    Pitstop,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => write!(f, "session '{id}'"),
            Self::PlainSession(id) => write!(f, "the plain session '{id}'"),
            Self::Directory(path) => write!(f, "the directory {}", path.display()),
            Self::FileSystem(path) => write!(f, "the file system of {}", path.display()),
            Self::Store(url) => write!(f, "the object store {}", url.display()),
            Self::Repository(location) => write!(f, "the repository {}", location.display()),
            Self::Format(format) => write!(f, "the format '{format}'"),
            Self::Pitstop => f.write_str("this build of Pitstop"),
        }
    }
}
