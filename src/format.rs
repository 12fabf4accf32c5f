use std::fmt;

use serde::{Deserialize, Serialize};

/// How a session keeps its checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// PlainBox's: one file, put in place by a rename.
    Plain,
    /// Pitstop's own: a log of checksummed records, with history and labels.
    Journal,
    /// In the memory of this process.
    Memory,
    /// In an object store, with history and labels.
    Object,
    /// That of a backend outside this library.
    Other,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plain => "plain",
            Self::Journal => "journal",
            Self::Memory => "memory",
            Self::Object => "object",
            Self::Other => "other",
        })
    }
}
