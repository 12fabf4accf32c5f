//! What can go wrong, and what stands then.

mod damage;
mod location;
mod step;
mod unsupported;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::id::{InvalidId, SessionId};
use crate::owner::Owner;
use crate::revision::Revision;
pub use damage::{Damage, FileKind};
pub use location::LocationProblem;
pub use step::Step;
pub use unsupported::{Operation, Subject};

/// What an operation of Pitstop returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation did not do what was asked.
///
/// A variant exists only where a caller would act differently. Unless a variant says otherwise the
/// operation took no effect: what stood before it stands, and it can be tried again.
/// The cause below an error is in [`source`](std::error::Error::source), not in its text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The repository holds no session of this name, or it was removed meanwhile.
    #[error("there is no session '{id}' in {}", repository.display())]
    NotFound {
        /// The session that was asked for.
        id: SessionId,
        /// Where it was looked for.
        repository: PathBuf,
    },

    /// The session exists, but nothing was ever saved in it. An empty checkpoint is not this.
    #[error("session '{id}' has no checkpoint yet")]
    NoCheckpoint {
        /// The session that was never saved.
        id: SessionId,
    },

    /// The session does not keep this revision, or never had it.
    #[error("session '{id}' has no revision {revision}")]
    NoRevision {
        /// The session.
        id: SessionId,
        /// The revision that was asked for.
        revision: Revision,
    },

    /// A session of this name is there already.
    #[error("there is a session '{id}' in {} already", repository.display())]
    AlreadyExists {
        /// The name that is taken.
        id: SessionId,
        /// Where it is taken.
        repository: PathBuf,
    },

    /// PlainBox's `session.next` is there, and it cannot be proved that whoever made it has ended.
    #[error("session '{id}' is locked: PlainBox's {} exists and may be in use", path.display())]
    Locked {
        /// The locked session.
        id: SessionId,
        /// The file that is the lock.
        path: PathBuf,
        /// How long it has been unchanged.
        age: Duration,
    },

    /// Another writer lives. It was not disturbed.
    #[error("session '{id}' is in use{}", held_by(.owner))]
    Busy {
        /// The session in use.
        id: SessionId,
        /// Who holds it, where that can be read.
        owner: Option<Box<Owner>>,
    },

    /// This writer belongs to the process that forked this one, which got a copy of it: nothing was changed.
    /// Fork first, and become the writer then.
    #[error(
        "cannot use this writer of session '{id}': it belongs to process {pid}, which forked this one"
    )]
    Inherited {
        /// The session.
        id: SessionId,
        /// The process whose writer it is.
        pid: u32,
    },

    /// The save named the revision that it follows, but another came between. Neither is lost. In an
    /// object store also: this writer stood still for so long that another took its place, or removed the
    /// session; then this one is the writer no more.
    #[error("{}", conflict(id, *.expected, *.found))]
    Conflict {
        /// The session.
        id: SessionId,
        /// The revision that the save was to follow.
        expected: Revision,
        /// The revision that stands.
        found: Revision,
    },

    /// The session that something is copied to holds something else: its newest checkpoint is none of
    /// those that are copied.
    #[error("session '{id}' in {} has diverged: its revision {revision} is not in the source", repository.display())]
    Diverged {
        /// The session that is there.
        id: SessionId,
        /// Where it is.
        repository: PathBuf,
        /// The revision that is not the same.
        revision: Revision,
    },

    /// What lies there is not what Pitstop or PlainBox wrote. It was left as it is.
    #[error("{} is damaged: {damage}", path.display())]
    Corrupt {
        /// The damaged file, link or object.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
        /// The newest revision that can still be loaded, if any.
        newest_good: Option<Revision>,
    },

    /// The outcome cannot be known: what stands now may or may not survive a power cut; or an object store
    /// gave no answer, and may have made the change or make it yet. Look to see what stands; doing it
    /// again settles it.
    #[error("cannot {step} {}: unknown whether the change was made and is durable", path.display())]
    Indeterminate {
        /// The step that failed.
        step: Step,
        /// The file, directory or object.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },

    /// This file system cannot flush to stable storage, so nothing can be promised on it.
    #[error("{} cannot be flushed to stable storage: this file system does not support it", path.display())]
    NotDurable {
        /// The file or directory that could not be flushed.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// What was to be saved could not be read from its source. Nothing was saved.
    #[error("cannot read what is to be saved")]
    Input {
        /// What the source said.
        source: io::Error,
    },

    /// What was to be written somewhere else could not be. Nothing was changed in the repository.
    #[error("cannot write what was asked for")]
    Output {
        /// What the place said that it was written to.
        source: io::Error,
    },

    /// A name that no session can have.
    #[error(transparent)]
    InvalidId(#[from] InvalidId),

    /// More labels than are kept with a checkpoint.
    #[error("the labels take {size} bytes, and at most {limit} are kept with a checkpoint")]
    LabelsTooLong {
        /// What they take, in bytes.
        size: usize,
        /// What they may take.
        limit: usize,
    },

    /// A place that cannot be a repository.
    #[error("{} cannot be a repository: {problem}", location.display())]
    InvalidLocation {
        /// The place.
        location: PathBuf,
        /// What is wrong with it.
        problem: LocationProblem,
    },

    /// This kind of repository or session cannot do that.
    #[error("{operation} is not supported by {subject}")]
    Unsupported {
        /// What was asked for.
        operation: Operation,
        /// What cannot do it.
        subject: Subject,
    },

    /// A newer Pitstop wrote this file or object. It was left as it is.
    #[error("{} has format version {version}, which this Pitstop does not know", path.display())]
    NewerFormat {
        /// The file or object.
        path: PathBuf,
        /// The version of its format.
        version: u64,
    },

    /// The storage refused a step. The source says why (disk full is disk full).
    #[error("cannot {step} {}", path.display())]
    Storage {
        /// The step that failed.
        step: Step,
        /// The file, directory or object.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

fn conflict(id: &SessionId, expected: Revision, found: Revision) -> String {
    match found {
        _ if found == expected => {
            format!("another writer took the place of this one in session '{id}'")
        }
        Revision::NONE => format!(
            "session '{id}' has no checkpoint, and so not revision {expected}: it was removed, or made anew"
        ),
        _ => format!(
            "session '{id}' is at revision {found}, not at {expected}: somebody saved in between"
        ),
    }
}

/// For who reads or writes through [`std::io`]: [`io::Error::downcast`] gives the error back.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Storage { source, .. } | Error::Input { source } | Error::Output { source } => {
                source.kind()
            }
            Error::Corrupt { .. } => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

fn held_by(owner: &Option<Box<Owner>>) -> String {
    match owner {
        Some(owner) => format!(": {owner} is its writer"),
        None => " by an unknown process (no owner record)".to_owned(),
    }
}

impl Serialize for Error {
    /// As its text, with the texts of its causes.
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        serializer.serialize_str(&text)
    }
}
