//! What is said over the socket: each message is its length, in four bytes, and JSON; a payload is
//! bytes alone.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{CheckpointInfo, Digest, Labels, Retention, SaveOptions};
use crate::error::{Error, Operation, Result, Step, Subject};
use crate::id::SessionId;
use crate::owner::Owner;
use crate::revision::Revision;

pub(crate) const PROTOCOL: u32 = 1;

/// No message is longer.
const LONGEST: usize = 1 << 20;

/// What a program says first.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u32,
    pub(crate) owner: Owner,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Request {
    /// A payload follows: so many bytes, or pieces up to the last one.
    Save(Save),
    /// The program is no longer the writer.
    End,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Save {
    pub(crate) size: Option<u64>,
    follows: Option<String>,
    labels: Labels,
    keep: Keep,
    number: Option<u64>,
    saved: Option<Duration>,
}

#[derive(Serialize, Deserialize)]
enum Keep {
    Default,
    Revisions(usize),
    Bytes(u64),
    Age(Duration),
    All,
}

/// Errors that a program may act on come as they are; of the others, as what they say.
#[derive(Serialize, Deserialize)]
pub(crate) enum Answer<T> {
    Ok(T),
    Busy(Owner),
    Conflict { expected: String, found: String },
    Unsupported { operation: Operation },
    NewerFormat { path: PathBuf, version: u64 },
    NotFound { repository: PathBuf },
    LabelsTooLong { size: usize, limit: usize },
    Indeterminate { step: Step, path: PathBuf, cause: Cause },
    NotDurable { path: PathBuf, cause: Cause },
    Storage { step: Step, path: PathBuf, cause: Cause },
    Other(String),
}

/// An error of the system.
#[derive(Serialize, Deserialize)]
pub(crate) struct Cause {
    code: Option<i32>,
    text: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    revision: String,
    saved: Duration,
    size: u64,
    digest: String,
    labels: Labels,
}

pub(crate) fn send(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let message = serde_json::to_vec(message)?;
    let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    to.write_all(&[&length.to_le_bytes(), message.as_slice()].concat())
}

pub(crate) fn receive<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    from.read_exact(&mut message)?;
    Ok(serde_json::from_slice(&message)?)
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Sends a payload whose size nobody knows, in pieces. A source that fails is told from its end.
pub(crate) fn send_pieces(mut to: impl Write, source: &mut dyn Read) -> io::Result<Sent> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = match source.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                to.write_all(&BROKEN.to_le_bytes())?;
                return Ok(Sent::Broken(error));
            }
            Ok(read) => read,
        };
        to.write_all(&(read as u32).to_le_bytes())?;
        to.write_all(&piece[..read])?;
        if read == 0 {
            return Ok(Sent::Whole);
        }
    }
}

const PIECE: usize = 64 << 10;
const BROKEN: u32 = u32::MAX;

/// What was sent of a source.
pub(crate) enum Sent {
    Whole,
    Broken(io::Error),
}

/// A payload that comes in pieces.
pub(crate) struct Pieces<R> {
    from: R,
    left: u32,
    ended: bool,
}

impl<R: Read> Pieces<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, left: 0, ended: false }
    }

    /// Reads what nobody wanted, so that the next request is where it belongs.
    pub(crate) fn skip_rest(mut self) -> io::Result<()> {
        match io::copy(&mut self, &mut io::sink()) {
            Err(error) if !self.ended => Err(error),
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Pieces<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            let mut length = [0; 4];
            self.from.read_exact(&mut length)?;
            self.left = u32::from_le_bytes(length);
            self.ended = self.left == 0 || self.left == BROKEN;
            if self.left == BROKEN {
                self.left = 0;
                return Err(io::Error::other("what was to be saved could not be read"));
            }
        }
        let most = buffer.len().min(self.left as usize);
        if self.ended || most == 0 {
            return Ok(0);
        }
        let read = self.from.read(&mut buffer[..most])?;
        self.left -= read as u32;
        match read {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

impl Save {
    pub(crate) fn new(size: Option<u64>, options: &SaveOptions) -> Self {
        Self {
            size,
            follows: options.follows.map(|it| it.to_string()),
            labels: options.labels.clone(),
            keep: match options.retention {
                Retention::Default => Keep::Default,
                Retention::Revisions(count) => Keep::Revisions(count),
                Retention::Bytes(bytes) => Keep::Bytes(bytes),
                Retention::Age(age) => Keep::Age(age),
                Retention::All => Keep::All,
            },
            number: options.number,
            saved: options.saved.map(since_epoch),
        }
    }

    pub(crate) fn options(self) -> SaveOptions {
        SaveOptions {
            follows: self.follows.and_then(|it| it.parse().ok()),
            labels: self.labels,
            retention: match self.keep {
                Keep::Default => Retention::Default,
                Keep::Revisions(count) => Retention::Revisions(count),
                Keep::Bytes(bytes) => Retention::Bytes(bytes),
                Keep::Age(age) => Retention::Age(age),
                Keep::All => Retention::All,
            },
            number: self.number,
            saved: self.saved.and_then(|it| SystemTime::UNIX_EPOCH.checked_add(it)),
        }
    }
}

impl Saved {
    pub(crate) fn of(info: &CheckpointInfo) -> Self {
        Self {
            revision: info.revision.to_string(),
            saved: since_epoch(info.saved),
            size: info.size,
            digest: format!("{:x}", info.digest.as_u128()),
            labels: info.labels.clone(),
        }
    }

    pub(crate) fn info(self) -> Option<CheckpointInfo> {
        Some(CheckpointInfo {
            revision: self.revision.parse().ok()?,
            saved: SystemTime::UNIX_EPOCH.checked_add(self.saved)?,
            size: self.size,
            digest: Digest::from_u128(u128::from_str_radix(&self.digest, 16).ok()?),
            labels: self.labels,
        })
    }
}

impl<T> Answer<T> {
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::Busy { owner: Some(owner), .. } => Self::Busy((**owner).clone()),
            Error::Conflict { expected, found, .. } => {
                Self::Conflict { expected: expected.to_string(), found: found.to_string() }
            }
            Error::Unsupported { operation, .. } => Self::Unsupported { operation: *operation },
            Error::NewerFormat { path, version } => {
                Self::NewerFormat { path: path.clone(), version: *version }
            }
            Error::NotFound { repository, .. } => Self::NotFound { repository: repository.clone() },
            Error::LabelsTooLong { size, limit } => {
                Self::LabelsTooLong { size: *size, limit: *limit }
            }
            Error::Indeterminate { step, path, source } => {
                Self::Indeterminate { step: *step, path: path.clone(), cause: Cause::of(source) }
            }
            Error::NotDurable { path, source } => {
                Self::NotDurable { path: path.clone(), cause: Cause::of(source) }
            }
            Error::Storage { step, path, source } => {
                Self::Storage { step: *step, path: path.clone(), cause: Cause::of(source) }
            }
            other => Self::Other(other.to_string()),
        }
    }

    /// The error is that of a session, which is at this place.
    pub(crate) fn into_result(self, id: &SessionId, place: &std::path::Path) -> Result<T> {
        let id = id.clone();
        let revision = |text: String| text.parse().unwrap_or(Revision::NONE);
        Err(match self {
            Self::Ok(value) => return Ok(value),
            Self::Busy(owner) => Error::Busy { id, owner: Some(Box::new(owner)) },
            Self::Conflict { expected, found } => {
                Error::Conflict { id, expected: revision(expected), found: revision(found) }
            }
            Self::Unsupported { operation } => {
                Error::Unsupported { operation, subject: Subject::Session(id) }
            }
            Self::NewerFormat { path, version } => Error::NewerFormat { path, version },
            Self::NotFound { repository } => Error::NotFound { id, repository },
            Self::LabelsTooLong { size, limit } => Error::LabelsTooLong { size, limit },
            Self::Indeterminate { step, path, cause } => {
                Error::Indeterminate { step, path, source: cause.into() }
            }
            Self::NotDurable { path, cause } => Error::NotDurable { path, source: cause.into() },
            Self::Storage { step, path, cause } => {
                Error::Storage { step, path, source: cause.into() }
            }
            Self::Other(text) => Error::Storage {
                step: Step::SaveThrough,
                path: place.to_owned(),
                source: io::Error::other(text),
            },
        })
    }
}

impl Cause {
    fn of(error: &io::Error) -> Self {
        Self { code: error.raw_os_error(), text: error.to_string() }
    }
}

impl From<Cause> for io::Error {
    fn from(cause: Cause) -> Self {
        match cause.code {
            Some(code) => Self::from_raw_os_error(code),
            None => Self::other(cause.text),
        }
    }
}
