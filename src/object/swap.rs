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

use super::answer::Kind;
use super::store::{Object, Store, Version};
use crate::error::{Error, Result};

/// What must stand for a change to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
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
pub(super) fn is_same(one: &Version, other: &Version) -> bool {
    let same = |one: &Option<String>, other: &Option<String>| match (one, other) {
        (Some(one), Some(other)) => Some(one == other),
        _ => None,
    };
    let tags = same(&one.e_tag, &other.e_tag);
    tags.or_else(|| same(&one.version, &other.version)).unwrap_or(false)
}

/// What became of a change.
#[derive(Debug)]
pub(super) enum Swapped {
    /// It was made, and this is the version.
    Done(Version),
    /// It was made, and something else was made from it since.
    Since,
    /// It was not made, and never will be: this is what stands.
    Other(Option<Object>),
}

impl Store {
    /// Puts `bytes` in the place of what is expected there. `is_from_ours` tells of other bytes that they
    /// can only have been made from these.
    pub(super) fn swap(
        &self,
        key: &str,
        expected: &Expected,
        bytes: &Bytes,
        is_from_ours: impl Fn(&Object) -> bool,
    ) -> Result<Swapped> {
        let mode = match expected {
            Expected::Nothing => PutMode::Create,
            Expected::Version(version) => PutMode::Update(version.clone()),
        };
        let mut pause = self.pause();
        let mut may_have_counted = false;
        loop {
            let failure = match self.put_once(key, bytes.clone(), mode.clone()) {
                Ok(version) => return Ok(Swapped::Done(version)),
                Err(failure) => failure,
            };
            may_have_counted |= matches!(failure.kind, Kind::Unknown | Kind::Strange);
            if !may_have_counted {
                match failure.kind {
                    Kind::Refused | Kind::NoBucket => {
                        return Err(failure.at("write", self.place(key)));
                    }
                    Kind::Unreachable if pause.wait(failure.kind) => continue,
                    Kind::Unreachable => return Err(failure.at("write", self.place(key))),
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
                    return Ok(Swapped::Done(object.version.clone()));
                }
                Some(object) if is_from_ours(object) => return Ok(Swapped::Since),
                there if expected.is_met(there.as_ref()) => (),
                _ => return Ok(Swapped::Other(there)),
            }
            if !pause.wait(failure.kind) {
                let error = failure.at("write", self.place(key));
                return Err(if may_have_counted { self.indeterminate(key, error) } else { error });
            }
        }
    }

    fn indeterminate(&self, key: &str, error: Error) -> Error {
        match error {
            Error::Storage { step, place, source } => Error::Indeterminate { step, place, source },
            other => Error::Indeterminate {
                step: "write",
                place: self.place(key),
                source: std::io::Error::other(other.to_string()),
            },
        }
    }
}
