//! A session's head: the one object that is changed, and the only one that says what stands.

use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::changes::{Changes, IN_HEAD};
use super::container::{self, Unreadable};
use super::entry::RevisionEntry;
use super::nonce::Nonce;
use super::table::Table;
use super::time::Time;
use super::tombstone::Tombstone;
use crate::backend::NewSession;
use crate::id::SessionId;
use crate::object::lease::Lease;
use crate::program::{ProgramEnd, WriterRecord};
use crate::revision::Revision;

/// A payload that is no longer is kept in the head itself.
pub(crate) const INLINE: usize = 64 * 1024;

/// How much of a head is read to learn what it says: enough for the newest payload, if that is in it.
pub(crate) const START: u64 = 80 * 1024;

/// What a head is at least as long as, and a tombstone is shorter than: a listing tells them apart by it.
const SHORTEST: usize = 256;

const HEAD: &[u8; 8] = b"PITSHEAD";

/// A session, in the state that counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Another one in each version.
    pub(crate) nonce: Nonce,
    /// Which of the sessions that ever had this name it is.
    #[serde(rename = "made")]
    pub(crate) incarnation: Nonce,
    pub(crate) created: Time,
    /// Counts changes of the lease.
    pub(crate) epoch: u64,
    /// The lease of the one writer; none if the last one released it.
    #[serde(rename = "writer")]
    pub(crate) lease: Option<Lease>,
    /// How the program ended, and whose it was: from the writer that recorded it until the next one comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<WriterRecord>,
    /// The session that this one replaces with its first checkpoint.
    pub(crate) replaces: Option<SessionIdText>,
    /// The key of the copy in the trash that it came from, which may still be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restored_from: Option<String>,
    #[serde(default)]
    pub(crate) changes: Changes,
    /// Records and packs up to this revision that the head does not name may be deleted at any time.
    #[serde(default)]
    pub(crate) fence: u64,
    pub(crate) table: Table,
}

/// The name of another session, as it was written: it is checked when it is used.
type SessionIdText = String;

impl Head {
    pub(crate) fn new(new: &NewSession) -> Self {
        Self {
            nonce: Nonce::fresh(),
            incarnation: Nonce::fresh(),
            created: SystemTime::now().into(),
            epoch: 0,
            lease: None,
            ended: None,
            replaces: new.replaces.as_ref().map(SessionId::to_string),
            restored_from: None,
            changes: Changes::default(),
            fence: 0,
            table: Table::default(),
        }
    }

    /// The same, about to be changed.
    pub(crate) fn next(&self) -> Self {
        Self { nonce: Nonce::fresh(), ..self.clone() }
    }

    pub(crate) fn newest(&self) -> Option<&RevisionEntry> {
        self.table.entries.first()
    }

    pub(crate) fn revision(&self) -> Revision {
        self.newest().map_or(Revision::NONE, |newest| Revision::from_number(newest.revision))
    }

    /// The same after another recorded change of `changes`, made by the request of this nonce.
    pub(crate) fn after(self, changes: &Changes, request: Nonce) -> Self {
        Self { changes: changes.with(request, IN_HEAD), ..self }
    }

    /// The next version, without a lease whose holder did not end in order: that is recorded.
    pub(crate) fn without_lease(&self) -> Self {
        let interrupted = |lease: &Lease| WriterRecord {
            owner: lease.owner.clone(),
            ended: Some(ProgramEnd::Interrupted),
        };
        let ended = self.lease.as_ref().map(interrupted).or_else(|| self.ended.clone());
        Self { lease: None, ended, ..self.next() }
    }

    /// Raises the fence to the newest revision: what is up to there and not named can never be named again.
    pub(crate) fn raise_fence(&mut self) {
        self.fence = self.fence.max(self.revision().number().unwrap_or(0));
    }

    pub(crate) fn has_lease(&self, token: Nonce) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.token == token)
    }

    /// Reads a head, or the start of one that is `len` bytes long.
    pub(crate) fn read(bytes: &Bytes, len: u64) -> Result<Self, Unreadable> {
        let (mut head, payloads): (Self, Bytes) = container::read(HEAD, bytes)?;
        head.table.attach(&payloads, len - (bytes.len() - payloads.len()) as u64)?;
        Ok(head)
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        container::write(HEAD, self, self.table.inline(), |len| {
            let wanted = HeadFlags { saved: self.newest().is_some(), live: self.lease.is_some() };
            wanted.pad(len.max(SHORTEST))
        })
    }
}

/// What is under the name of a session.
#[derive(Clone, Debug)]
pub(crate) enum HeadState {
    Nothing,
    Tombstone(Tombstone),
    Session(Box<Head>),
}

impl HeadState {
    /// Reads what stands, or the start of it if it is `len` bytes long.
    pub(crate) fn read(bytes: &Bytes, len: u64) -> Result<Self, Unreadable> {
        match Tombstone::is_one(bytes) {
            true => Ok(Self::Tombstone(Tombstone::read(bytes)?)),
            false => Ok(Self::Session(Box::new(Head::read(bytes, len)?))),
        }
    }

    /// The log of the changes of the name.
    pub(crate) fn changes(&self) -> Changes {
        match self {
            Self::Nothing => Changes::default(),
            Self::Tombstone(tombstone) => tombstone.changes.clone(),
            Self::Session(head) => head.changes.clone(),
        }
    }
}

/// What a listing tells of a head that it does not read, by the length of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadFlags {
    pub(crate) saved: bool,
    pub(crate) live: bool,
}

impl HeadFlags {
    /// `None` for a tombstone.
    pub(crate) fn of(len: u64) -> Option<Self> {
        (len >= SHORTEST as u64).then_some(Self { saved: len & 1 != 0, live: len & 2 != 0 })
    }

    /// The least length from this one on that tells it.
    fn pad(self, len: usize) -> usize {
        (len..len + 4).find(|len| Self::of(*len as u64) == Some(self)).unwrap_or(len)
    }
}
