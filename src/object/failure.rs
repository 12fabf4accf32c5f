//! What went wrong with a request, and what follows from it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::answer::{Answer, Kind};
use super::problem::StoreProblem;
use crate::error::Error;

/// Why a request did not do what was asked, in words that hold no secret.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) problem: Option<StoreProblem>,
    text: String,
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

    /// A failure on this side. One of an interrupted wait says nothing of what the store did.
    pub(super) fn local(source: &io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::Interrupted => Kind::Unknown,
            _ => Kind::Refused,
        };
        Self { kind, problem: None, text: source.to_string() }
    }

    /// An answer that no store gives.
    pub(super) fn strange() -> Self {
        let problem = StoreProblem::NotAStore;
        Self { kind: Kind::Strange, problem: Some(problem), text: problem.to_string() }
    }

    /// Whether it may go better a moment later.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.kind, Kind::Unknown | Kind::Strange | Kind::Unreachable)
    }

    /// The error for a step on an object.
    pub(super) fn at(self, step: &'static str, place: PathBuf) -> Error {
        let kind = match self.kind {
            Kind::NotFound | Kind::NoBucket => io::ErrorKind::NotFound,
            Kind::Refused => io::ErrorKind::PermissionDenied,
            Kind::Unreachable => io::ErrorKind::NotConnected,
            Kind::Condition => io::ErrorKind::ResourceBusy,
            Kind::Unknown => io::ErrorKind::TimedOut,
            Kind::Strange => io::ErrorKind::InvalidData,
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

impl Error {
    /// What is wrong with the object store, if that is why an operation failed and it is known.
    pub fn store_problem(&self) -> Option<StoreProblem> {
        let (Self::Storage { source, .. } | Self::Indeterminate { source, .. }) = self else {
            return None;
        };
        source.get_ref()?.downcast_ref::<Failure>()?.problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: format!("Server returned non-2xx status code: {status} Something: {body}")
                .into(),
        }
    }

    #[test]
    fn an_answer_is_told_without_what_it_repeats() {
        let body = "<Error><Code>ExpiredToken</Code><Token-0>SECRET</Token-0></Error>";
        let failure = Failure::of(&answered(400, body));
        assert_eq!(failure.kind, Kind::Refused);
        assert_eq!(failure.to_string(), "the credentials have expired (status 400, ExpiredToken)");
        let signature = "<Code>SignatureDoesNotMatch</Code><StringToSign>SECRET</StringToSign>";
        assert!(!format!("{:?}", Failure::of(&answered(403, signature))).contains("SECRET"));
    }

    #[test]
    fn what_may_go_better_later_is_told_from_what_will_not() {
        for (status, kind) in
            [(503, Kind::Unknown), (429, Kind::Unknown), (500, Kind::Unknown), (400, Kind::Refused)]
        {
            assert_eq!(Failure::of(&answered(status, "")).kind, kind, "{status}");
        }
        let gone = |source: &str| object_store::Error::NotFound {
            path: "p".into(),
            source: source.to_owned().into(),
        };
        assert_eq!(Failure::of(&gone("x")).kind, Kind::NotFound);
        assert_eq!(Failure::of(&gone("<Code>NoSuchBucket</Code>")).kind, Kind::NoBucket);
    }
}
