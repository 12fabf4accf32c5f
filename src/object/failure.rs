//! What went wrong with a request, in words that hold no secret.
//!
//! An answer of a store may repeat what was sent: a signature, a session token, a URL with a key in it.
//! So nothing of it is shown but its status and the name that the store has for the error.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use object_store::client::{HttpError, HttpErrorKind};

use crate::error::Error;

/// Why a request did not do what was asked.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) text: String,
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
        let kind = match error {
            _ if answer.is_about_the_bucket() => Kind::NoBucket,
            E::NotFound { .. } => Kind::NotFound,
            E::AlreadyExists { .. } | E::Precondition { .. } | E::NotModified { .. } => {
                Kind::Condition
            }
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => Kind::Refused,
            E::Generic { .. } => answer.kind(),
            _ => Kind::Refused,
        };
        Self { kind, text: answer.text(error) }
    }

    pub(super) fn local(source: &io::Error) -> Self {
        Self { kind: Kind::Refused, text: source.to_string() }
    }

    /// Whether it may go better a moment later.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.kind, Kind::Unknown | Kind::Unreachable)
    }

    /// The error for a step on an object.
    pub(super) fn at(self, step: &'static str, place: PathBuf) -> Error {
        Error::Storage { step, place, source: self.into_io() }
    }

    pub(super) fn into_io(self) -> io::Error {
        let kind = match self.kind {
            Kind::NotFound | Kind::NoBucket => io::ErrorKind::NotFound,
            Kind::Refused => io::ErrorKind::PermissionDenied,
            Kind::Unreachable => io::ErrorKind::NotConnected,
            Kind::Condition => io::ErrorKind::ResourceBusy,
            Kind::Unknown => io::ErrorKind::TimedOut,
        };
        io::Error::new(kind, self.text)
    }
}

/// What can be told of an answer, or of its absence.
struct Answer {
    status: Option<u16>,
    /// The store's own name of the error.
    code: Option<String>,
    transport: Option<(HttpErrorKind, Option<io::ErrorKind>)>,
    /// The address that only machines in a cloud have, and that gives them their credentials.
    asked_the_cloud: bool,
}

impl Answer {
    fn of(error: &object_store::Error) -> Self {
        let mut answer = Self { status: None, code: None, transport: None, asked_the_cloud: false };
        let mut source: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(cause) = source {
            if let Some(http) = cause.downcast_ref::<HttpError>() {
                answer.transport = Some((http.kind(), None));
            }
            if let (Some(io), Some((_, inner))) =
                (cause.downcast_ref::<io::Error>(), &mut answer.transport)
            {
                *inner = Some(io.kind());
            }
            let text = cause.to_string();
            answer.asked_the_cloud |= ["169.254.169.254", "metadata.google", "169.254.170.2"]
                .iter()
                .any(|address| text.contains(address));
            answer.status = answer.status.or_else(|| status(&text));
            answer.code = answer.code.or_else(|| code(&text));
            source = cause.source();
        }
        answer
    }

    fn is_about_the_bucket(&self) -> bool {
        matches!(self.code.as_deref(), Some("NoSuchBucket" | "ContainerNotFound"))
    }

    fn kind(&self) -> Kind {
        if self.asked_the_cloud {
            return Kind::Refused;
        }
        match (self.status, &self.transport) {
            (Some(408 | 429 | 500..), _) => Kind::Unknown,
            (Some(_), _) => Kind::Refused,
            (None, Some((HttpErrorKind::Connect, _))) => Kind::Unreachable,
            // That also comes of an error that the client makes before it sends anything: then doing it
            // again fails again, and the outcome is settled by looking.
            (None, _) => Kind::Unknown,
        }
    }

    fn text(&self, error: &object_store::Error) -> String {
        if self.asked_the_cloud {
            return "there are no credentials: none are in the environment, and this machine has none of \
                    its own"
                .to_owned();
        }
        let known = match (self.code.as_deref(), self.status) {
            (Some("NoSuchBucket" | "ContainerNotFound"), _) => "there is no such bucket",
            (Some("RequestTimeTooSkewed" | "RequestExpired"), _) => {
                "the clock of this machine is wrong"
            }
            (Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AuthenticationFailed"), _) => {
                "the credentials are wrong"
            }
            (Some("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired"), _) => {
                "the credentials have expired"
            }
            (Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocation"), _)
            | (_, Some(301 | 307)) => "the bucket is in another region",
            (Some("SlowDown" | "ServiceUnavailable" | "ServerBusy"), _) | (_, Some(429 | 503)) => {
                "the store is overloaded"
            }
            (_, Some(401)) => "there are no credentials, or wrong ones",
            (Some("AccessDenied" | "AuthorizationPermissionMismatch"), _) | (_, Some(403)) => {
                "these credentials do not allow it"
            }
            (_, Some(500..)) => "the store failed",
            _ => return self.unnamed(error),
        };
        let status = self.status.map(|status| format!("status {status}"));
        let details: Vec<String> = status.into_iter().chain(self.code.clone()).collect();
        match details.is_empty() {
            true => known.to_owned(),
            false => format!("{known} ({})", details.join(", ")),
        }
    }

    fn unnamed(&self, error: &object_store::Error) -> String {
        use object_store::Error as E;
        let bare_redirect = || {
            let mut source: Option<&(dyn StdError + 'static)> = Some(error);
            std::iter::from_fn(|| {
                let cause = source?;
                source = cause.source();
                Some(cause.to_string())
            })
            .any(|text| text.contains("redirect without LOCATION"))
        };
        match (error, &self.transport, self.status) {
            (_, Some((HttpErrorKind::Timeout, _)), _) => "the store did not answer in time".into(),
            (_, Some((HttpErrorKind::Connect, inner)), _) => match inner {
                Some(kind) => format!("the store cannot be reached: {kind}"),
                None => "the store cannot be reached".into(),
            },
            (_, Some(_), _) => "the connection to the store broke".into(),
            (_, _, Some(status)) => match &self.code {
                Some(code) => format!("the store answered with status {status}, {code}"),
                None => format!("the store answered with status {status}"),
            },
            (E::NotFound { .. }, ..) => "there is no such object".into(),
            (E::AlreadyExists { .. } | E::Precondition { .. }, ..) => {
                "the object was changed meanwhile".into()
            }
            (E::NotSupported { .. } | E::NotImplemented { .. }, ..) => {
                "the store cannot do that".into()
            }
            _ if bare_redirect() => "the bucket is in another region".into(),
            _ => "the request failed".into(),
        }
    }
}

/// The status in the words of the crate, which does not give it as a number.
fn status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// `<Code>NoSuchBucket</Code>`, which S3 and Azure send, and nothing else of the answer.
fn code(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    (code.len() <= 64 && code.chars().all(plain)).then(|| code.to_owned())
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
        assert_eq!(failure.text, "the credentials have expired (status 400, ExpiredToken)");
        let signature = "<Code>SignatureDoesNotMatch</Code><StringToSign>SECRET</StringToSign>";
        assert!(!format!("{:?}", Failure::of(&answered(403, signature))).contains("SECRET"));
        assert_eq!(code("<Code>SECRET with spaces</Code>"), None);
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
