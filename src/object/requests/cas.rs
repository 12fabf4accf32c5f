//! Changing an object on the condition that nobody else did, with an outcome that is true.
//!
//! An answer may get lost though the store did what it was asked, a proxy may ask twice, and a store
//! that is asked by two at once may refuse both. So whatever is not a plain success or a plain refusal is
//! settled by reading the object:
//!
//! 1. It is ours: done, whatever the response was.
//! 2. It is as it was: the same request is sent again. It names the same version and carries the same
//!    bytes, so that at most one of them counts.
//! 3. It is something else: the version that ours names is gone for ever. What stands knows whether ours came before it,
//!    or does not reach back so far.
//!
//! Where that cannot be known, the outcome is [`Error::Indeterminate`].

use bytes::Bytes;
use object_store::PutMode;

use super::client::{Object, Store, Version};
use super::failure::RequestError;
use super::response::FailureClass;
use crate::error::{Error, Result, Step};
use crate::object::format::changes::Trace;

/// How often a store may say that a condition does not hold that does, before that is taken for a fault.
const CONFLICTS: u32 = 20;

/// What must stand for a change to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing.
    Nothing,
    /// This version.
    Version(Version),
}

impl Expected {
    /// Whether it is a version whose tag no condition can name.
    fn is_weak(&self) -> bool {
        let Self::Version(Version { e_tag: Some(tag), .. }) = self else { return false };
        tag.starts_with("W/")
    }

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
    /// It was made, and something else came after it.
    Superseded,
    /// It was not made, and never will be: this is what stands.
    Rejected(Option<Object>),
}

impl Store {
    /// Puts `bytes` in the place of what is expected there. `trace` tells of something else that stands there, or of
    /// nothing, whether that came after these bytes.
    pub(crate) fn compare_and_put(
        &self,
        key: &str,
        expected: &Expected,
        bytes: &Bytes,
        trace: impl Fn(Option<&Object>) -> Result<Trace>,
    ) -> Result<CasOutcome> {
        if expected.is_weak() {
            return Err(RequestError::weak_tag().at(Step::Write, self.place(key)));
        }
        let mode = match expected {
            Expected::Nothing => PutMode::Create,
            Expected::Version(version) => PutMode::Update(version.clone()),
        };
        let mut backoff = self.backoff();
        let (mut may_have_counted, mut conflicts) = (false, 0);
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
                    FailureClass::Unreachable if backoff.wait(failure.class) => continue,
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
                there if expected.is_met(there.as_ref()) => (),
                _ => return self.settle(key, failure, there, may_have_counted, &trace),
            }
            let again = match failure.class {
                // Not silence: the store is busy with somebody who wants to change the same.
                FailureClass::Condition if conflicts < CONFLICTS => {
                    conflicts += 1;
                    backoff.yield_to_rivals();
                    true
                }
                class => backoff.wait(class),
            };
            if !again {
                // A copy of the request may be on its way yet, and what it names stands.
                return Err(self.indeterminate(key, failure.at(Step::Write, self.place(key))));
            }
        }
    }

    /// What became of a change, where something else stands by now.
    fn settle(
        &self,
        key: &str,
        failure: RequestError,
        there: Option<Object>,
        may_have_counted: bool,
        trace: impl Fn(Option<&Object>) -> Result<Trace>,
    ) -> Result<CasOutcome> {
        match trace(there.as_ref()) {
            Ok(Trace::Made) => Ok(CasOutcome::Superseded),
            Ok(Trace::NotMade) => Ok(CasOutcome::Rejected(there)),
            // Also a plain refusal may be the response to a second copy of the request.
            Ok(Trace::TooOld) => {
                Err(self.indeterminate(key, failure.at(Step::Write, self.place(key))))
            }
            Err(error) if may_have_counted => Err(self.indeterminate(key, error)),
            Err(error) => Err(error),
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
