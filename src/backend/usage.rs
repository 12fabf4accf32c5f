//! How much of the storage sessions take, and what removing gives back.

use std::iter::Sum;
use std::ops::AddAssign;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;

use super::status::Summary;
use crate::error::Error;
use crate::id::SessionId;
use crate::json;

/// What a removal left behind, though the session is gone.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Removal {
    /// The files that could not be deleted, each with the reason.
    #[serde(rename = "undeleted")]
    pub remains: Vec<Error>,
}

/// How much of the storage something takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// How many files.
    pub files: u64,
    /// How many bytes they take, which is what their removal gives back. A file of which a part was
    /// never written takes less than its length; small ones take a block.
    #[serde(rename = "stored_size")]
    pub bytes: u64,
}

impl Usage {
    /// This many files, which take this many bytes.
    pub const fn new(files: u64, bytes: u64) -> Self {
        Self { files, bytes }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// What giving up revisions gave back.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct GivenUp {
    /// What was deleted, or would be. What else the revisions took is used again for later ones.
    #[serde(flatten)]
    pub usage: Usage,
    /// What could not be deleted, each with the reason, though the revisions are given up.
    #[serde(rename = "undeleted")]
    pub remains: Vec<Error>,
}

/// A session in the trash.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Trashed {
    /// The name that it had.
    pub id: SessionId,
    /// When it was put there. With the name, this tells it from all others.
    #[serde(serialize_with = "json::time")]
    pub removed: SystemTime,
    /// How it stood; `None` if that cannot be read.
    pub summary: Option<Summary>,
    /// What it takes.
    #[serde(flatten)]
    pub usage: Usage,
}

impl Trashed {
    /// A session that was put into the trash at this time.
    pub fn new(id: SessionId, removed: SystemTime, summary: Option<Summary>, usage: Usage) -> Self {
        Self { id, removed, summary, usage }
    }
}

/// What killed processes left in a repository.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Sweep {
    /// What was deleted, or would be.
    pub leftovers: Vec<Leftover>,
    /// What could not be deleted, each with the reason.
    #[serde(rename = "undeleted")]
    pub remains: Vec<Error>,
}

/// Something that a killed process left in a repository.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Leftover {
    /// Where it is.
    #[serde(rename = "path", serialize_with = "json::path")]
    pub place: PathBuf,
    /// What it is.
    #[serde(rename = "message")]
    pub what: &'static str,
    /// What it takes.
    #[serde(flatten)]
    pub usage: Usage,
}
