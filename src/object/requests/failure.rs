//! What went wrong with a request, and what follows from it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::problem::StoreProblem;
use super::response::{FailureClass, Response};
use crate::error::{Error, Step};

/// Why a request did not do what was asked, in words that hold no secret.
#[derive(Debug)]
pub(crate) struct RequestError {
    pub(crate) class: FailureClass,
    pub(crate) problem: Option<StoreProblem>,
    text: String,
}

impl RequestError {
    pub(crate) fn of(error: &object_store::Error) -> Self {
        use object_store::Error as E;
        let response = Response::of(error);
        let problem = response.problem(error);
        let class = match (error, problem) {
            (_, Some(StoreProblem::NoBucket)) => FailureClass::NoBucket,
            (_, Some(StoreProblem::NoCredentials | StoreProblem::HttpNotAllowed)) => {
                FailureClass::Refused
            }
            (E::NotFound { .. }, _) => FailureClass::NotFound,
            (E::AlreadyExists { .. } | E::Precondition { .. } | E::NotModified { .. }, _) => {
                FailureClass::Condition
            }
            (E::Generic { .. }, _) => response.class(),
            _ => FailureClass::Refused,
        };
        Self { class, problem, text: response.text(error, problem) }
    }

    /// A failure on this side. One of an interrupted wait says nothing of what the store did.
    pub(crate) fn local(source: &io::Error) -> Self {
        let class = match source.kind() {
            io::ErrorKind::Interrupted => FailureClass::Unknown,
            _ => FailureClass::Refused,
        };
        Self { class, problem: None, text: source.to_string() }
    }

    /// An answer that no store gives.
    pub(crate) fn strange() -> Self {
        let problem = StoreProblem::NotAStore;
        Self { class: FailureClass::Strange, problem: Some(problem), text: problem.to_string() }
    }

    /// Whether it may go better a moment later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self.class,
            FailureClass::Unknown | FailureClass::Strange | FailureClass::Unreachable
        )
    }

    /// The error for a step on an object.
    pub(crate) fn at(self, step: Step, path: PathBuf) -> Error {
        let kind = match self.class {
            FailureClass::NotFound | FailureClass::NoBucket => io::ErrorKind::NotFound,
            FailureClass::Refused => io::ErrorKind::PermissionDenied,
            FailureClass::Unreachable => io::ErrorKind::NotConnected,
            FailureClass::Condition => io::ErrorKind::ResourceBusy,
            FailureClass::Unknown => io::ErrorKind::TimedOut,
            FailureClass::Strange => io::ErrorKind::InvalidData,
        };
        Error::Storage { step, path, source: io::Error::new(kind, self) }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for RequestError {}

impl Error {
    /// What is wrong with the object store, if that is why an operation failed and it is known.
    pub fn store_problem(&self) -> Option<StoreProblem> {
        let (Self::Storage { source, .. } | Self::Indeterminate { source, .. }) = self else {
            return None;
        };
        source.get_ref()?.downcast_ref::<RequestError>()?.problem
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
        let failure = RequestError::of(&answered(400, body));
        assert_eq!(failure.class, FailureClass::Refused);
        assert_eq!(failure.to_string(), "the credentials have expired (status 400, ExpiredToken)");
        let signature = "<Code>SignatureDoesNotMatch</Code><StringToSign>SECRET</StringToSign>";
        assert!(!format!("{:?}", RequestError::of(&answered(403, signature))).contains("SECRET"));
    }

    #[test]
    fn what_may_go_better_later_is_told_from_what_will_not() {
        for (status, class) in [
            (503, FailureClass::Unknown),
            (429, FailureClass::Unknown),
            (500, FailureClass::Unknown),
            (400, FailureClass::Refused),
        ] {
            assert_eq!(RequestError::of(&answered(status, "")).class, class, "{status}");
        }
        let gone = |source: &str| object_store::Error::NotFound {
            path: "p".into(),
            source: source.to_owned().into(),
        };
        assert_eq!(RequestError::of(&gone("x")).class, FailureClass::NotFound);
        assert_eq!(
            RequestError::of(&gone("<Code>NoSuchBucket</Code>")).class,
            FailureClass::NoBucket
        );
    }
}
