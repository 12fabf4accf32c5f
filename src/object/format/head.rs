//! A session's head: the one object that is changed, and the only one that says what stands.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::container::{self, Unreadable};
use super::nonce::Nonce;
use crate::backend::NewSession;
use crate::checkpoint::{CheckpointInfo, Digest, Labels};
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
const TOMBSTONE: &[u8; 8] = b"PITSTOMB";

/// A session, in the state that counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Another one in each version.
    pub(crate) nonce: Nonce,
    /// Which of the sessions that ever had this name it is.
    #[serde(rename = "made")]
    pub(crate) incarnation: Nonce,
    pub(crate) created: Time,
    /// How often the place of the writer was taken.
    pub(crate) epoch: u64,
    /// The one writer; none if the last one ended in order.
    pub(crate) writer: Option<Lease>,
    /// How the program ended, and whose it was: from the writer that recorded it until the next one comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<WriterRecord>,
    /// The session that this one replaces with its first checkpoint.
    pub(crate) replaces: Option<SessionIdText>,
    /// The key of the copy in the trash that it came from, which may still be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restored_from: Option<String>,
    pub(crate) table: Table,
}

/// The name of another session, as it was written: it is checked when it is used.
type SessionIdText = String;

/// What is left of a session that was removed, so that what comes late finds no free name. What it says has to
/// be done before something else takes its place.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    pub(crate) nonce: Nonce,
    /// The life that was removed, and of which nothing is needed any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed: Option<Nonce>,
    /// The last part of the key of the copy in the trash that counts by this. The whole may be too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trashed: Option<String>,
}

/// The revisions that are kept, the newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) entries: Vec<RevisionEntry>,
    /// Where those are that are older than the entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) packs: Vec<PackRef>,
}

/// One revision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RevisionEntry {
    pub(crate) revision: u64,
    /// By which a writer knows its own.
    pub(crate) nonce: Nonce,
    pub(crate) saved: Time,
    pub(crate) size: u64,
    digest: DigestText,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub(crate) labels: Labels,
    /// The object that holds the payload; none if that is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) record: Option<String>,
    /// The payload, if it is here and was read.
    #[serde(skip)]
    pub(crate) payload: Option<Bytes>,
}

/// An object with older revisions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PackRef {
    pub(crate) name: String,
    pub(crate) newest: u64,
    pub(crate) oldest: u64,
    pub(crate) count: usize,
    /// How many bytes their payloads are.
    pub(crate) bytes: u64,
    /// When the newest of them was saved.
    pub(crate) saved: Time,
}

impl Head {
    pub(crate) fn new(new: &NewSession) -> Self {
        Self {
            nonce: Nonce::fresh(),
            incarnation: Nonce::fresh(),
            created: SystemTime::now().into(),
            epoch: 0,
            writer: None,
            ended: None,
            replaces: new.replaces.as_ref().map(SessionId::to_string),
            restored_from: None,
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

    /// The next version, without a writer that did not end in order: that is recorded.
    pub(crate) fn without_writer(&self) -> Self {
        let interrupted = |lease: &Lease| WriterRecord {
            owner: lease.owner.clone(),
            ended: Some(ProgramEnd::Interrupted),
        };
        let ended = self.writer.as_ref().map(interrupted).or_else(|| self.ended.clone());
        Self { writer: None, ended, ..self.next() }
    }

    pub(crate) fn has_writer(&self, token: Nonce) -> bool {
        self.writer.as_ref().is_some_and(|place| place.token == token)
    }

    /// Reads a head, or the start of one that is `len` bytes long. `None` for a tombstone.
    pub(crate) fn read(bytes: &Bytes, len: u64) -> Result<Option<Self>, Unreadable> {
        if bytes.starts_with(TOMBSTONE) {
            Tombstone::read(bytes)?;
            return Ok(None);
        }
        let (mut head, payloads): (Self, Bytes) = container::read(HEAD, bytes)?;
        head.table.attach(&payloads, len - (bytes.len() - payloads.len()) as u64)?;
        Ok(Some(head))
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        container::write(HEAD, self, self.table.inline(), |len| {
            let wanted = HeadFlags { saved: self.newest().is_some(), live: self.writer.is_some() };
            wanted.pad(len.max(SHORTEST))
        })
    }
}

impl Tombstone {
    pub(crate) fn of_removed(incarnation: Nonce) -> Self {
        Self { nonce: Nonce::fresh(), removed: Some(incarnation), trashed: None }
    }

    pub(crate) fn of_trashed(key: &str) -> Self {
        let name = key.rsplit('/').next().map(str::to_owned);
        Self { nonce: Nonce::fresh(), removed: None, trashed: name }
    }

    /// Whether the copy of this key, of the same session, counts by it.
    pub(crate) fn names(&self, key: &str) -> bool {
        self.trashed.as_deref().is_some_and(|name| key.rsplit('/').next() == Some(name))
    }

    /// The same in another version.
    pub(crate) fn next(&self) -> Self {
        Self { nonce: Nonce::fresh(), ..self.clone() }
    }

    pub(crate) fn read(bytes: &Bytes) -> Result<Self, Unreadable> {
        Ok(container::read(TOMBSTONE, bytes)?.0)
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        container::write(TOMBSTONE, self, [], |len| len)
    }
}

impl Table {
    /// The payloads that are in the same object, in the order of the entries.
    pub(crate) fn inline(&self) -> impl Iterator<Item = &Bytes> {
        self.entries.iter().filter_map(|entry| entry.payload.as_ref())
    }

    /// Gives the entries their payloads, as far as these were read.
    pub(crate) fn attach(&mut self, payloads: &Bytes, len: u64) -> Result<(), Unreadable> {
        let mut start = 0;
        for entry in self.entries.iter_mut().filter(|entry| entry.record.is_none()) {
            let end = start + entry.size;
            if end > len {
                let problem = format!("revision {} is cut short", entry.revision);
                return Err(Unreadable::Damaged(problem));
            }
            if end <= payloads.len() as u64 {
                entry.payload = Some(payloads.slice(start as usize..end as usize));
            }
            start = end;
        }
        Ok(())
    }
}

impl RevisionEntry {
    pub(crate) fn new(info: &CheckpointInfo, nonce: Nonce) -> Self {
        Self {
            revision: info.revision.number().unwrap_or(0),
            nonce,
            saved: info.saved.into(),
            size: info.size,
            digest: DigestText(info.digest),
            labels: info.labels.clone(),
            record: None,
            payload: None,
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest.0
    }

    pub(crate) fn info(&self) -> CheckpointInfo {
        CheckpointInfo {
            revision: Revision::from_number(self.revision),
            saved: self.saved.into(),
            size: self.size,
            digest: self.digest(),
            labels: self.labels.clone(),
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

/// A time, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Time(i64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}", self.0)
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let nanoseconds = |it: Duration| i64::try_from(it.as_nanos()).unwrap_or(i64::MAX);
        Self(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => nanoseconds(since),
            Err(before) => -nanoseconds(before.duration()),
        })
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> Self {
        let distance = Duration::from_nanos(time.0.unsigned_abs());
        match time.0 {
            0.. => Self::UNIX_EPOCH + distance,
            _ => Self::UNIX_EPOCH - distance,
        }
    }
}

/// 32 hexadecimal digits.
#[derive(Clone, Copy, Debug)]
struct DigestText(Digest);

impl Serialize for DigestText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0.as_u128()))
    }
}

impl<'de> Deserialize<'de> for DigestText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digest = u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)?;
        Ok(Self(Digest::from_u128(digest)))
    }
}
