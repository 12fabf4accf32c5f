use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The name of a session: 1 to 200 bytes of UTF-8 that are safe as a file name, on a command line
/// and in a table.
///
/// No `/`, no control characters, no dot or dash at the start, no white space at either end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SessionId(String);

impl SessionId {
    /// The longest name, in bytes. File names end at 255, and Pitstop adds to them.
    pub const MAX_LEN: usize = 200;

    /// Checks a name.
    ///
    /// # Errors
    /// [`InvalidId`] says what is wrong with it.
    pub fn new(id: impl Into<String>) -> Result<Self, InvalidId> {
        let id = id.into();
        match problem(&id) {
            None => Ok(Self(id)),
            Some(problem) => Err(InvalidId::new(&id, problem)),
        }
    }

    /// A session whose directory is not named like one: the name of the directory, and a slash.
    pub(crate) fn of_directory(name: &str) -> Self {
        Self(format!("{name}/"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name that nobody else comes up with: the prefix made safe, the time (UTC, to the second)
    /// and eight random letters. `my job` gives `my-job-2026-11-23T12.00.00-k3v9x0ab`.
    pub(crate) fn generate(prefix: &str, now: std::time::SystemTime) -> Self {
        let stamp =
            jiff::Timestamp::try_from(now).unwrap_or_default().strftime("%Y-%m-%dT%H.%M.%S");
        let prefix = safe(prefix);
        let dash = if prefix.is_empty() { "" } else { "-" };
        Self(format!("{prefix}{dash}{stamp}-{}", random_letters()))
    }
}

/// A text that is not the name of a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{id}' cannot be the name of a session: {problem}")]
#[non_exhaustive]
pub struct InvalidId {
    /// The text, made printable.
    pub id: String,
    /// What is wrong with it.
    pub problem: NameProblem,
}

impl InvalidId {
    /// Refuses a text, which is cut short where it is long.
    pub fn new(id: &str, problem: NameProblem) -> Self {
        Self { id: printable(id), problem }
    }
}

/// Why a text is not the name of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameProblem {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It has a NUL in it.
    #[error("it has a NUL in it")]
    Nul,
    /// It has a `/` in it.
    #[error("it has a '/' in it")]
    Slash,
    /// It has a control character in it.
    #[error("it has a control character in it")]
    Control,
    /// It starts with a dot.
    #[error("it starts with a dot")]
    LeadingDot,
    /// It starts with a dash.
    #[error("it starts with a dash, like an option")]
    LeadingDash,
    /// It has white space at an end.
    #[error("it has white space at an end")]
    WhiteSpace,
    /// It is longer than [`SessionId::MAX_LEN`].
    #[error("it is longer than {} bytes", SessionId::MAX_LEN)]
    TooLong,
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
}

fn problem(id: &str) -> Option<NameProblem> {
    if id.is_empty() {
        Some(NameProblem::Empty)
    } else if id.contains('\0') {
        Some(NameProblem::Nul)
    } else if id.contains('/') {
        Some(NameProblem::Slash)
    } else if id.chars().any(char::is_control) {
        Some(NameProblem::Control)
    } else if id.starts_with('.') {
        Some(NameProblem::LeadingDot)
    } else if id.starts_with('-') {
        Some(NameProblem::LeadingDash)
    } else if id.trim() != id {
        Some(NameProblem::WhiteSpace)
    } else if id.len() > SessionId::MAX_LEN {
        Some(NameProblem::TooLong)
    } else {
        None
    }
}

/// The name as it can be shown in one line, cut short where it is very long.
pub(crate) fn printable(id: &str) -> String {
    let mut shown: String = id.chars().take(60).flat_map(char::escape_debug).collect();
    if id.chars().nth(60).is_some() {
        shown.push_str("...");
    }
    shown
}

/// A prefix that came from a title, turned into part of a file name.
fn safe(prefix: &str) -> String {
    let keep = |c: char| if c.is_alphanumeric() || "._+".contains(c) { c } else { '-' };
    let mut kept: String = prefix.chars().map(keep).collect();
    while kept.len() > 120 {
        kept.pop();
    }
    kept.trim_start_matches(['.', '-']).trim_end_matches('-').to_owned()
}

fn random_letters() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    crate::random::bytes().map(|byte| LETTERS[usize::from(byte % 32)] as char).iter().collect()
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for SessionId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionId {
    type Err = InvalidId;

    fn from_str(id: &str) -> Result<Self, InvalidId> {
        Self::new(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_safe_are_taken_as_they_are() {
        for good in ["a", "my job", "größe", "pbox-k3v9x0ab", "a..b", "x_(2)", &"x".repeat(200)] {
            assert_eq!(SessionId::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn names_that_are_not_are_refused_with_the_reason() {
        for (bad, reason) in [
            ("", "empty"),
            ("a/b", "'/'"),
            ("..", "dot"),
            (".hidden", "dot"),
            ("-rf", "dash"),
            ("a\0b", "NUL"),
            ("a\nb", "control"),
            ("  ", "white space"),
            ("a ", "white space"),
            (&"x".repeat(201), "200 bytes"),
        ] {
            let error = SessionId::new(bad).unwrap_err().to_string();
            assert!(error.contains(reason), "{bad:?}: {error}");
            assert!(error.len() < 200 && !error.contains(['\0', '\n']), "{error:?}");
        }
    }

    #[test]
    fn generated_names_are_valid_whatever_the_prefix() {
        let now = std::time::SystemTime::UNIX_EPOCH;
        for prefix in ["", "job", "../../etc", "My Title: 50% / größer", "-", &"ü".repeat(300)] {
            let id = SessionId::generate(prefix, now);
            assert!(SessionId::new(id.as_str()).is_ok(), "{id}");
            assert_ne!(id, SessionId::generate(prefix, now));
        }
        assert!(SessionId::generate("a b", now).as_str().starts_with("a-b-1970-01-01T00.00.00-"));
    }
}
