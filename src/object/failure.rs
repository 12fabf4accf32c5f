//! What went wrong with a request, and what follows from it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::answer::Answer;
use super::problem::StoreProblem;
use crate::error::Error;

/// Why a request did not do what was asked, in words that hold no secret.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) problem: Option<StoreProblem>,
    text: String,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is no such object.
    NotFound,
    /// The condition of the request does not hold, or somebody is changing the object.
    Condition,
    /// There is no such bucket, so that nothing is there and nothing can be.
    NoBucket,
    /// The store will not do it, now or later.
    Refused,
    /// Nobody listens there: nothing was sent.
    Unreachable,
    /// The store may have done it, or may do it yet; later it may do it again.
    Unknown,
}

impl Failure {
    pub(super) fn of(error: &object_store::Error) -> Self {
        use object_store::Error as E;
        let answer = Answer::of(error);
        let problem = answer.problem(error);
        let kind = match (error, problem) {
            (_, Some(StoreProblem::NoBucket)) => Kind::NoBucket,
            (_, Some(StoreProblem::NoCredentials | StoreProblem::HttpNotAllowed)) => Kind::Refused,
            (E::NotFound { .. }, _) => Kind::NotFound,
            (E::AlreadyExists { .. } | E::Precondition { .. } | E::NotModified { .. }, _) => {
                Kind::Condition
            }
            (E::Generic { .. }, _) => answer.kind(),
            _ => Kind::Refused,
        };
        Self { kind, problem, text: answer.text(error, problem) }
    }

    pub(super) fn local(source: &io::Error) -> Self {
        Self { kind: Kind::Refused, problem: None, text: source.to_string() }
    }

    /// Whether it may go better a moment later.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.kind, Kind::Unknown | Kind::Unreachable)
    }

    /// The error for a step on an object.
    pub(super) fn at(self, step: &'static str, place: PathBuf) -> Error {
        let kind = match self.kind {
            Kind::NotFound | Kind::NoBucket => io::ErrorKind::NotFound,
            Kind::Refused => io::ErrorKind::PermissionDenied,
            Kind::Unreachable => io::ErrorKind::NotConnected,
            Kind::Condition => io::ErrorKind::ResourceBusy,
            Kind::Unknown => io::ErrorKind::TimedOut,
        };
        Error::Storage { step, place, source: io::Error::new(kind, self) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}
