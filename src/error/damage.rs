use std::fmt;

use crate::revision::Revision;

/// What is wrong with a file, a directory or an object that is [corrupt](crate::Error::Corrupt).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It is of the wrong kind.
    #[error("it is {found}, where {expected} belongs")]
    WrongKind {
        /// What is there.
        found: FileKind,
        /// What belongs there.
        expected: FileKind,
    },
    /// The marker `session.journal` is missing, but segments with a checkpoint exist.
    #[error("the journal marker is missing, but segments with a checkpoint exist")]
    NoMarker,
    /// The file of a journal has lost its header.
    #[error("{file} has lost its header")]
    NoHeader {
        /// The name of the file.
        file: String,
    },
    /// The file of a journal is shorter than it was made.
    #[error("{file} was cut short")]
    Truncated {
        /// The name of the file.
        file: String,
    },
    /// The journal marker is there, but no segment is.
    #[error("its segments are missing")]
    NoSegments,
    /// The bytes of a revision, or those that it is stored against, fail their checksum or are missing.
    #[error("revision {0} cannot be read")]
    Revision(Revision),
    /// The bytes of a revision are not those that were saved.
    #[error("revision {0} does not read back as it was saved")]
    NotAsSaved(Revision),
    /// The object is missing, or has the wrong length.
    #[error("the object is missing or has the wrong length")]
    NoObject,
    /// The bytes changed while they were read.
    #[error("it changed while it was read")]
    Changed,
    /// A copy of a file does not read back as it was written.
    #[error("it does not read back as it was written")]
    NotAsWritten,
    /// The name is none that a session can have.
    #[error("its name is not the name of a session")]
    ForeignName,
    /// The bytes are not in the format that belongs there.
    #[error("{0}")]
    Malformed(String),
}

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A device.
    Device,
    /// None that is known.
    Unknown,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Link => "a link",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Unknown => "something unknown",
        })
    }
}
