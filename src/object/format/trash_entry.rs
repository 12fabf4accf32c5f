//! What an object in the trash says.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::container::{self, Unreadable};
use super::head::{Head, HeadFlags};
use super::nonce::Nonce;
use super::time::Time;
use crate::backend::{Trashed, Usage};
use crate::error::Result;
use crate::id::SessionId;
use crate::object::cached_summary::CachedSummary;

const ENTRY: &[u8; 8] = b"PITSTRSH";

/// A session in the trash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TrashEntry {
    pub(crate) nonce: Nonce,
    id: String,
    pub(crate) removed: Time,
    files: u64,
    bytes: u64,
    pub(crate) state: CopyState,
    /// The head, or the start of one of this length.
    #[serde(skip)]
    head: Bytes,
    #[serde(skip)]
    head_len: u64,
}

/// How far a session is on its way into the trash, or out of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CopyState {
    /// It takes effect when a tombstone names it.
    Pending,
    /// It takes effect whatever stands under its name.
    InTrash,
    /// So it does, and may be put back under these names.
    Restoring { to: Vec<String> },
    /// It is being deleted. It may be put back under these names, by who began before.
    Deleting { to: Vec<String> },
    /// It is out of the trash. What is left holds its key, so that a late copy of the request that once put it finds that
    /// taken: the bytes would be the same, and nobody could tell them apart.
    Retired,
}

impl CopyState {
    /// The names under which somebody was about to put it back.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::Pending | Self::InTrash | Self::Retired => &[],
            Self::Restoring { to } | Self::Deleting { to } => to,
        }
    }
}

impl TrashEntry {
    pub(crate) fn new(id: &SessionId, removed: Time, usage: Usage, head: Bytes) -> Self {
        let Usage { files, bytes } = usage;
        let (nonce, state) = (Nonce::fresh(), CopyState::Pending);
        let head_len = head.len() as u64;
        Self { nonce, id: id.to_string(), removed, files, bytes, state, head, head_len }
    }

    /// What is left of one that is out of the trash: shorter than one with a head.
    pub(crate) fn retired() -> Self {
        let (removed, head) = (Time::default(), Bytes::new());
        let (nonce, state, id) = (Nonce::fresh(), CopyState::Retired, String::new());
        Self { nonce, id, removed, files: 0, bytes: 0, state, head, head_len: 0 }
    }

    /// Whether an object in the trash is so short that it holds no head.
    pub(crate) fn is_short(len: u64) -> bool {
        HeadFlags::of(len).is_none()
    }

    /// The same in another state.
    pub(crate) fn next(&self, state: CopyState) -> Self {
        Self { nonce: Nonce::fresh(), state, ..self.clone() }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        container::write(ENTRY, self, [&self.head], |len| len)
    }

    /// Reads an entry, or the start of one that is `len` bytes long, which is not to be written again.
    pub(crate) fn read(bytes: &Bytes, len: u64) -> Result<Self, Unreadable> {
        let (entry, head): (Self, Bytes) = container::read(ENTRY, bytes)?;
        let head_len = len - (bytes.len() - head.len()) as u64;
        Ok(Self { head, head_len, ..entry })
    }

    pub(crate) fn head(&self) -> Result<Head, Unreadable> {
        Head::read(&self.head, self.head_len)
    }

    pub(crate) fn trashed(&self, head: &Head) -> Result<Trashed> {
        let id = SessionId::new(self.id.clone())?;
        Ok(Trashed {
            summary: Some(CachedSummary::of(&head.without_lease()).trashed(&id)),
            id,
            removed: self.removed.into(),
            usage: Usage::new(self.files, self.bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_retired_is_told_by_its_length() {
        let retired = TrashEntry::retired().to_bytes();
        assert!(TrashEntry::is_short(retired.len() as u64));
        let read = TrashEntry::read(&retired, retired.len() as u64).unwrap();
        assert_eq!(read.state, CopyState::Retired);
        let head = Head::new(&crate::backend::NewSession::default()).to_bytes();
        let id = SessionId::new("job").unwrap();
        let entry = TrashEntry::new(&id, Time::default(), Usage::default(), head).to_bytes();
        assert!(!TrashEntry::is_short(entry.len() as u64));
    }
}
