//! What a file call fails with.

use std::io;
use std::path::PathBuf;

use crate::error::Error;

/// A file call that failed: which, on what, why.
#[derive(Debug)]
pub(crate) struct Failure {
    pub step: &'static str,
    pub place: PathBuf,
    pub source: io::Error,
}

impl Failure {
    pub(crate) fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether this file system has no such call.
    pub(crate) fn is_unsupported(&self) -> bool {
        use rustix::io::Errno;
        const NONE: [Errno; 4] = [Errno::NOTSUP, Errno::NOSYS, Errno::INVAL, Errno::NOLCK];
        self.source
            .raw_os_error()
            .is_some_and(|code| NONE.iter().any(|errno| errno.raw_os_error() == code))
    }

    /// Whether there is no room on the disk, or not for this user.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Whether a directory cannot get another name here: one of a lower layer of an overlay.
    pub(crate) fn is_immovable(&self) -> bool {
        self.kind() == io::ErrorKind::CrossesDevices
    }

    /// The error of a step whose effect is visible, but may not last.
    pub(crate) fn indeterminate(self) -> Error {
        let Self { step, place, source } = self;
        Error::Indeterminate { step, place, source }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let unsupported = failure.is_unsupported();
        let Failure { step, place, source } = failure;
        if step == SYNC && unsupported {
            return Self::NotDurable { place, source };
        }
        if source.kind() == io::ErrorKind::InvalidData {
            return Self::Corrupt { place, problem: source.to_string(), newest_good: None };
        }
        Self::Storage { step, place, source }
    }
}

/// The step that makes something durable.
pub(super) const SYNC: &str = "flush";

pub(crate) type Outcome<T> = std::result::Result<T, Failure>;

/// Makes "it is not there" a value.
pub(crate) fn found<T>(outcome: Outcome<T>) -> Outcome<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}
