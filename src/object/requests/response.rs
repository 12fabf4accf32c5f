//! What can be told of a store's answer, or of its absence.
//!
//! An answer may repeat what was sent: a signature, a session token, a URL with a key in it. So nothing of it
//! is shown but its status, the name that the store has for the error, and a region.

use std::error::Error as StdError;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};

use super::problem::StoreProblem;

/// What follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureClass {
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
    /// What answered is no store, or does not answer as one: what became of the request is not known.
    Strange,
    /// The store may have done it, or may do it yet; later it may do it again.
    Unknown,
}

#[derive(Debug, Default)]
pub(crate) struct Response {
    status: Option<u16>,
    /// The store's own name of the error.
    code: Option<String>,
    /// Where the bucket is, if that is what is wrong.
    region: Option<String>,
    transport: Option<HttpErrorKind>,
    /// What the system said of the connection.
    io: Option<io::ErrorKind>,
    /// What TLS said of it.
    tls: Option<String>,
    /// There was no connection, and so nothing was sent.
    is_unconnected: bool,
    is_unknown_host: bool,
    is_http: bool,
    /// A redirect that says nothing, as S3 answers who asks in the wrong region.
    is_bare_redirect: bool,
    /// A part of an object was asked for, and all of it came.
    ignores_ranges: bool,
    /// What no store says.
    is_strange: bool,
    /// The address that only machines in a cloud have, and that gives them their credentials.
    asked_the_cloud: bool,
}

/// What the addresses have in them at which a machine in a cloud asks for its credentials.
const CLOUD: [&str; 4] =
    ["169.254.169.254", "169.254.170.2", "metadata.google", "/latest/api/token"];

/// What the clients say of answers that are none of a store: in words alone.
const STRANGE: [&str; 4] = [
    "Header missing from response",
    "invalid list response",
    "invalid HTTP version parsed",
    "invalid HTTP header parsed",
];

/// What they say where a store ignores a range.
const WHOLE: [&str; 2] = ["Received non-partial response", "Content-Range header not present"];

impl Response {
    pub(crate) fn of(error: &object_store::Error) -> Self {
        let mut answer = Self::default();
        let mut source: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(cause) = source {
            answer.note(cause);
            source = cause.source();
        }
        answer
    }

    fn note(&mut self, cause: &(dyn StdError + 'static)) {
        if let Some(http) = cause.downcast_ref::<HttpError>() {
            self.transport = Some(http.kind());
        }
        if let Some(client) = cause.downcast_ref::<reqwest::Error>() {
            self.is_unconnected |= client.is_connect();
            self.is_strange |= client.is_redirect();
        }
        // What is in an error of the system is not in the chain of causes: only what is below it.
        let mut io = cause.downcast_ref::<io::Error>();
        while let Some(it) = io {
            self.io = Some(it.kind());
            let inner = it.get_ref();
            let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
            self.tls = self.tls.take().or_else(|| tls.map(rustls::Error::to_string));
            io = inner.and_then(|inner| inner.downcast_ref());
        }
        let text = cause.to_string();
        self.asked_the_cloud |= CLOUD.iter().any(|address| text.contains(address));
        self.is_unknown_host |= text == "dns error";
        self.is_http |= text == "URL scheme is not allowed";
        self.is_bare_redirect |= text.contains("redirect without LOCATION");
        self.ignores_ranges |= WHOLE.iter().any(|it| text.contains(it));
        self.is_strange |= self.ignores_ranges || STRANGE.iter().any(|it| text.contains(it));
        self.status = self.status.or_else(|| status(&text));
        self.code = self.code.take().or_else(|| tagged(&text, "Code"));
        self.region = self.region.take().or_else(|| tagged(&text, "Region"));
    }

    /// What follows from an answer that is neither success nor a condition.
    pub(crate) fn class(&self) -> FailureClass {
        match (self.status, &self.transport) {
            // It took longer to come than the store waits: the same as silence.
            (Some(400), _) if self.code.as_deref() == Some("RequestTimeout") => {
                FailureClass::Unknown
            }
            (Some(507), _) => FailureClass::Refused,
            (Some(408 | 429 | 500..), _) => FailureClass::Unknown,
            (Some(_), _) => FailureClass::Refused,
            (None, _) if self.is_strange => FailureClass::Strange,
            (None, Some(HttpErrorKind::Connect)) => FailureClass::Unreachable,
            (None, _) if self.is_unconnected => FailureClass::Unreachable,
            (None, None) if self.is_bare_redirect => FailureClass::Refused,
            // That also comes of an error that the client makes before it sends anything: then doing it
            // again fails again, and the outcome is settled by looking.
            (None, _) => FailureClass::Unknown,
        }
    }

    pub(crate) fn problem(&self, error: &object_store::Error) -> Option<StoreProblem> {
        use StoreProblem as P;
        let is_passing = self.status.is_some_and(|status| status >= 500);
        if self.asked_the_cloud && !is_passing {
            return Some(P::NoCredentials);
        }
        let by_code = match self.code.as_deref().unwrap_or_default() {
            "NoSuchBucket" | "ContainerNotFound" => Some(P::NoBucket),
            "RequestTimeTooSkewed" | "RequestExpired" => Some(P::WrongClock),
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AuthenticationFailed" => {
                Some(P::WrongCredentials)
            }
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => Some(P::ExpiredCredentials),
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocation" => {
                Some(P::WrongRegion)
            }
            "SlowDown" | "ServiceUnavailable" | "ServerBusy" => Some(P::Overloaded),
            "AccessDenied" | "AuthorizationPermissionMismatch" => Some(P::NotAllowed),
            "QuotaExceeded" | "XMinioStorageFull" | "InsufficientCapacity" => Some(P::Full),
            "RequestTimeout" => Some(P::NoAnswer),
            _ => None,
        };
        let by_status = || match self.status? {
            301 | 307 => Some(P::WrongRegion),
            302 | 303 | 308 => Some(P::NotAStore),
            429 | 503 => Some(P::Overloaded),
            507 => Some(P::Full),
            401 => Some(P::WrongCredentials),
            403 => Some(P::NotAllowed),
            _ => None,
        };
        let of_transport = || match &self.transport {
            _ if self.is_bare_redirect => Some(P::WrongRegion),
            _ if self.is_http => Some(P::HttpNotAllowed),
            _ if self.is_strange => Some(P::NotAStore),
            _ if self.is_unknown_host => Some(P::UnknownHost),
            _ if self.tls.is_some() => Some(P::NotSecure),
            _ if self.is_unconnected => Some(P::Unreachable),
            Some(HttpErrorKind::Connect) => Some(P::Unreachable),
            Some(HttpErrorKind::Timeout) => Some(P::NoAnswer),
            _ => None,
        };
        let of_kind = || match error {
            object_store::Error::Unauthenticated { .. } => Some(P::WrongCredentials),
            object_store::Error::PermissionDenied { .. } => Some(P::NotAllowed),
            _ => None,
        };
        by_code.or_else(by_status).or_else(of_transport).or_else(of_kind)
    }

    pub(crate) fn text(
        &self,
        error: &object_store::Error,
        problem: Option<StoreProblem>,
    ) -> String {
        let mut text = match problem {
            Some(problem) => problem.to_string(),
            None => self.unnamed(error).to_owned(),
        };
        let more = match problem {
            Some(StoreProblem::WrongRegion) => self.region.clone(),
            Some(StoreProblem::NotSecure) => self.tls.clone(),
            Some(StoreProblem::NotAStore) if self.ignores_ranges => {
                Some("a whole object came where a part was asked for".to_owned())
            }
            Some(StoreProblem::Unreachable) => self.io.map(|kind| kind.to_string()),
            _ => None,
        };
        if let Some(more) = more {
            text = format!("{text}: {more}");
        }
        let status = self.status.map(|status| format!("status {status}"));
        let details: Vec<String> = status.into_iter().chain(self.code.clone()).collect();
        match details.is_empty() || problem == Some(StoreProblem::NoCredentials) {
            true => text,
            false => format!("{text} ({})", details.join(", ")),
        }
    }

    fn unnamed(&self, error: &object_store::Error) -> &'static str {
        use object_store::Error as E;
        match (error, self.status) {
            _ if self.transport.is_some() => "the connection to the store broke",
            (E::NotFound { .. }, _) => "there is no such object",
            (E::AlreadyExists { .. } | E::Precondition { .. }, _) => {
                "the object was changed meanwhile"
            }
            (E::NotSupported { .. } | E::NotImplemented { .. }, _) => "the store cannot do that",
            (_, Some(400)) => "the store calls the request invalid",
            (_, Some(500..)) => "the store failed",
            (_, Some(_)) => "the store refused",
            _ => "the request failed",
        }
    }
}

/// The status in the words of the crate, which does not give it as a number.
fn status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// `<Code>NoSuchBucket</Code>`, as S3 and Azure say it; only what can be no secret.
fn tagged(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (word, _) = rest.split_once(&format!("</{name}>"))?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    (word.len() <= 64 && word.chars().all(is_plain)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_secret_is_taken_from_an_answer() {
        assert_eq!(tagged("<Code>NoSuchKey</Code>", "Code"), Some("NoSuchKey".to_owned()));
        assert_eq!(tagged("<Code>SECRET with spaces</Code>", "Code"), None);
    }
}
