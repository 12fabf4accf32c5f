//! What a file call fails with.

use std::io;
use std::path::PathBuf;

use crate::error::{Damage, Error, Step};

/// A file call that failed: which, on what, why.
#[derive(Debug)]
pub(crate) struct Failure {
    pub step: Step,
    pub path: PathBuf,
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

    /// The error of a step whose effect is visible, but may not last.
    pub(crate) fn indeterminate(self) -> Error {
        let Self { step, path, source } = self;
        Error::Indeterminate { step, path, source }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let unsupported = failure.is_unsupported();
        let Failure { step, path, source } = failure;
        if step == Step::Flush && unsupported {
            return Self::NotDurable { path, source };
        }
        if source.kind() == io::ErrorKind::InvalidData {
            let damage = source.downcast().unwrap_or_else(|it| Damage::Malformed(it.to_string()));
            return Self::Corrupt { path, damage, newest_good: None };
        }
        Self::Storage { step, path, source }
    }
}

pub(crate) type Outcome<T> = std::result::Result<T, Failure>;

/// Makes "it is not there" a value.
pub(crate) fn found<T>(outcome: Outcome<T>) -> Outcome<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}
