//! Changing an object on the condition that nobody else did, with an outcome that is true.
//!
//! An answer may get lost though the store did what it was asked, a proxy may ask twice, and a store
//! that is asked by two at once may refuse both. So whatever is not a plain success or a plain refusal is
//! settled by reading the object:
//!
//! 1. It is ours, or was made from ours: done, whatever the answer was.
//! 2. It is as it was: the same request is sent again. It names the same version and carries the same
//!    bytes, so that at most one of them counts.
//! 3. It is something else: somebody was faster, and ours can never count.
//!
//! Without an answer to that, the outcome is [`Error::Indeterminate`].

use bytes::Bytes;
use object_store::PutMode;

use super::client::{Object, Store, Version};
use super::response::FailureClass;
use crate::error::{Error, Result, Step};

/// What must stand for a change to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing.
    Nothing,
    /// This version.
    Version(Version),
}

impl Expected {
    fn is_met(&self, there: Option<&Object>) -> bool {
        match (self, there) {
            (Self::Nothing, None) => true,
            (Self::Version(version), Some(object)) => is_same(version, &object.version),
            _ => false,
        }
    }
}

/// Not every answer of a store has all that it knows of a version. Bytes never come twice, so that what
/// two answers have in common is enough.
pub(crate) fn is_same(one: &Version, other: &Version) -> bool {
    let same = |one: &Option<String>, other: &Option<String>| match (one, other) {
        (Some(one), Some(other)) => Some(one == other),
        _ => None,
    };
    let tags = same(&one.e_tag, &other.e_tag);
    tags.or_else(|| same(&one.version, &other.version)).unwrap_or(false)
}

/// What became of a change.
#[derive(Debug)]
pub(crate) enum CasOutcome {
    /// It was made, and this is the version.
    Applied(Version),
    /// It was made, and something else was made from it since.
    Superseded,
    /// It was not made, and never will be: this is what stands.
    Rejected(Option<Object>),
}

impl Store {
    /// Puts `bytes` in the place of what is expected there. `is_from_ours` tells of other bytes that they
    /// can only have been made from these.
    pub(crate) fn compare_and_put(
        &self,
        key: &str,
        expected: &Expected,
        bytes: &Bytes,
        is_from_ours: impl Fn(&Object) -> bool,
    ) -> Result<CasOutcome> {
        let mode = match expected {
            Expected::Nothing => PutMode::Create,
            Expected::Version(version) => PutMode::Update(version.clone()),
        };
        let mut pause = self.backoff();
        let mut may_have_counted = false;
        loop {
            let failure = match self.put_once(key, bytes.clone(), mode.clone()) {
                Ok(version) => return Ok(CasOutcome::Applied(version)),
                Err(failure) => failure,
            };
            may_have_counted |=
                matches!(failure.class, FailureClass::Unknown | FailureClass::Strange);
            if !may_have_counted {
                match failure.class {
                    FailureClass::Refused | FailureClass::NoBucket => {
                        return Err(failure.at(Step::Write, self.place(key)));
                    }
                    FailureClass::Unreachable if pause.wait(failure.class) => continue,
                    FailureClass::Unreachable => {
                        return Err(failure.at(Step::Write, self.place(key)));
                    }
                    _ => (),
                }
            }
            let there = match self.get(key) {
                Ok(there) => there,
                Err(error) if may_have_counted => return Err(self.indeterminate(key, error)),
                Err(error) => return Err(error),
            };
            match &there {
                Some(object) if object.bytes == *bytes => {
                    return Ok(CasOutcome::Applied(object.version.clone()));
                }
                Some(object) if is_from_ours(object) => return Ok(CasOutcome::Superseded),
                there if expected.is_met(there.as_ref()) => (),
                _ => return Ok(CasOutcome::Rejected(there)),
            }
            if !pause.wait(failure.class) {
                let error = failure.at(Step::Write, self.place(key));
                return Err(if may_have_counted { self.indeterminate(key, error) } else { error });
            }
        }
    }

    fn indeterminate(&self, key: &str, error: Error) -> Error {
        match error {
            Error::Storage { step, path, source } => Error::Indeterminate { step, path, source },
            other => Error::Indeterminate {
                step: Step::Write,
                path: self.place(key),
                source: std::io::Error::other(other.to_string()),
            },
        }
    }
}
