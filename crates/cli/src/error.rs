//! How a command ends.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// What a command returns: how it ended, or why it could not do what was asked.
pub(crate) type Outcome = Result<Exit, CommandError>;

/// The exit codes. Scripts rely on them, so that a number never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok,
    Failed,
    Usage,
    NotFound,
    InUse,
    Conflict,
    Damaged,
    /// That of the program which `run` ran.
    Program(u8),
}

impl Exit {
    pub(crate) const TABLE: &[(Self, &'static str)] = &[
        (Self::Ok, "done"),
        (Self::Failed, "failed; earlier checkpoints are unchanged"),
        (Self::Usage, "invalid command line"),
        (Self::NotFound, "no such session or revision, or nothing was ever saved"),
        (Self::InUse, "the session is in use or locked"),
        (
            Self::Conflict,
            "conflict: another save came between (see save --follows), or a copy has diverged",
        ),
        (Self::Damaged, "damage found"),
    ];

    /// The first failure, where one thing is done after another.
    pub(crate) fn or(self, later: Self) -> Self {
        if self == Self::Ok { later } else { self }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::InUse => 4,
            Self::Conflict => 5,
            Self::Damaged => 6,
            Self::Program(code) => code,
        }
    }

    pub(crate) fn of(error: &pitstop::Error) -> Self {
        use pitstop::Error as E;
        match error {
            E::InvalidId { .. } | E::LabelsTooLong { .. } => Self::Usage,
            E::NotFound { .. } | E::NoCheckpoint { .. } | E::NoRevision { .. } => Self::NotFound,
            E::Busy { .. } | E::Locked { .. } => Self::InUse,
            E::Conflict { .. } | E::Diverged { .. } => Self::Conflict,
            E::Corrupt { .. } => Self::Damaged,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not do what was asked.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) exit: Exit,
    pub(crate) error: Box<dyn Error + Send + Sync>,
    /// What to do next. Errors of the library that have none here get theirs from
    /// [`hints`](crate::hints).
    pub(crate) hints: Vec<String>,
}

impl CommandError {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        let error = Message { text: message.into(), source: None };
        Self { exit, error: error.into(), hints: Vec::new() }
    }

    /// A failed read or write of something that is no part of a repository.
    pub(crate) fn io(message: impl Into<String>, source: io::Error) -> Self {
        let error = Message { text: message.into(), source: Some(source) };
        Self { exit: Exit::Failed, error: error.into(), hints: Vec::new() }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<pitstop::Error> for CommandError {
    fn from(error: pitstop::Error) -> Self {
        Self { exit: Exit::of(&error), error: error.into(), hints: Vec::new() }
    }
}

#[derive(Debug)]
struct Message {
    text: String,
    source: Option<io::Error>,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Message {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
