use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use twox_hash::XxHash3_128;

use crate::error::{Error, Operation, Result, Subject};
use crate::json;
use crate::revision::{HIGHEST, Revision};

/// Small strings that a program attaches to a checkpoint, readable without its payload.
pub type Labels = BTreeMap<String, String>;

/// What a program saved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// What is known of it.
    pub info: CheckpointInfo,
    /// The bytes, exactly as they were saved.
    pub data: Vec<u8>,
}

impl Checkpoint {
    /// A payload and what is known of it.
    pub fn new(info: CheckpointInfo, data: Vec<u8>) -> Self {
        Self { info, data }
    }
}

/// What is known of a checkpoint beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckpointInfo {
    /// Which checkpoint of its session this is.
    pub revision: Revision,
    /// When it was saved, by the clock of the machine that saved it.
    #[serde(serialize_with = "json::time")]
    pub saved: SystemTime,
    /// The length of its payload in bytes.
    pub size: u64,
    /// The digest of its payload.
    pub digest: Digest,
    /// Its labels.
    pub labels: Labels,
}

impl CheckpointInfo {
    /// A checkpoint with this payload, without labels.
    pub fn new(revision: Revision, saved: SystemTime, payload: &[u8]) -> Self {
        let digest = Digest::of(payload);
        Self { revision, saved, size: payload.len() as u64, digest, labels: Labels::new() }
    }

    /// The same checkpoint with these labels.
    pub fn with_labels(self, labels: Labels) -> Self {
        Self { labels, ..self }
    }
}

/// XXH3 (128 bits) of a payload. It finds accidents; it is no protection against forgery.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(u128);

impl Digest {
    /// The digest of these bytes.
    pub fn of(data: &[u8]) -> Self {
        Self(XxHash3_128::oneshot(data))
    }

    pub(crate) const fn from_u128(digest: u128) -> Self {
        Self(digest)
    }

    /// The digest as a number.
    pub fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "xxh3:{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Makes a [`Digest`] of what comes in pieces.
#[derive(Clone, Default)]
pub(crate) struct Digester {
    state: XxHash3_128,
    size: u64,
}

impl Digester {
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.state.write(piece);
        self.size += piece.len() as u64;
    }

    /// How many bytes came.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest(self.state.finish_128())
    }
}

/// What a save may be asked beside saving.
///
/// ```
/// # use pitstop::{Repository, SaveOptions, Error, MemoryBackend};
/// # fn main() -> Result<(), Error> {
/// # let session = Repository::with_backend(MemoryBackend::new()).get_or_create("job")?;
/// let first = session.save(b"one")?;
/// let follows_first = SaveOptions::new().follows(first.revision);
/// session.save_with(b"two", &follows_first)?;
/// assert!(matches!(session.save_with(b"2", &follows_first), Err(Error::Conflict { .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct SaveOptions {
    pub(crate) follows: Option<Revision>,
    pub(crate) labels: Labels,
    pub(crate) retention: Retention,
    /// What it was in the session that it is copied from: its number, if it had one, and its time.
    pub(crate) number: Option<u64>,
    pub(crate) saved: Option<SystemTime>,
}

/// Which older revisions a session that keeps a history keeps, beside the newest: at least these, for
/// space is given back in pieces that hold several. Two always stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retention {
    /// The newest 16, within 8 times the size of the newest (but 64 KiB in any case).
    #[default]
    Default,
    /// So many.
    Revisions(usize),
    /// As many as fit into so many bytes of storage.
    Bytes(u64),
    /// Those that are not older.
    Age(Duration),
    /// All of them.
    All,
}

impl SaveOptions {
    /// No conditions, no labels.
    pub fn new() -> Self {
        Self::default()
    }

    /// Save only if this is still the newest revision; otherwise [`Conflict`](crate::Error::Conflict).
    pub fn follows(mut self, revision: Revision) -> Self {
        self.follows = Some(revision);
        self
    }

    /// Give the space of older revisions back by this rule, when space is needed.
    pub fn keep(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// The labels of another checkpoint.
    pub(crate) fn labels_of(mut self, info: &CheckpointInfo) -> Self {
        self.labels.clone_from(&info.labels);
        self
    }

    /// The labels, the time and, where it has one, the number of another checkpoint.
    pub(crate) fn copy_of(self, info: &CheckpointInfo) -> Self {
        let options = self.labels_of(info);
        Self { number: info.revision.number(), saved: Some(info.saved), ..options }
    }

    /// The labels to keep with the checkpoint.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The rule for older revisions.
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// The number that the checkpoint must get, if it is the copy of one that has a number.
    pub fn number(&self) -> Option<u64> {
        self.number
    }

    /// The time at which the checkpoint was saved, if it is a copy.
    pub fn saved(&self) -> Option<SystemTime> {
        self.saved
    }

    /// The revision that the save expects to be the newest, if another one is. A save that keeps its number
    /// follows any revision that is lower.
    pub fn conflicts(&self, newest: Revision) -> Option<Revision> {
        let is_taken = |number: &u64| newest.number().is_some_and(|newest| newest >= *number);
        let below = |number: u64| Revision::from_number(number.saturating_sub(1));
        let expected = self.follows.filter(|expected| *expected != newest);
        expected.or_else(|| self.number.filter(is_taken).map(below))
    }

    /// Attach a label. Each takes its bytes and four more, and all together at most 3000. A session that keeps none answers [`Unsupported`](crate::Error::Unsupported).
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// For whoever keeps labels and numbers: labels must fit into a block with what else is known of a
    /// checkpoint, and numbers can be counted on from.
    pub(crate) fn check(&self) -> Result<()> {
        const MOST: usize = 3000;
        if self.number.is_some_and(|number| number > HIGHEST) {
            return Err(Error::Unsupported {
                operation: Operation::HighRevision,
                subject: Subject::Pitstop,
            });
        }
        match self.labels.iter().map(|(name, value)| 4 + name.len() + value.len()).sum() {
            0..=MOST => Ok(()),
            size => Err(Error::LabelsTooLong { size, limit: MOST }),
        }
    }
}
