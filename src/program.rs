//! The program that a session belongs to: what it does, and how it ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::owner::Owner;

/// How the program of a session ended: see [`Writer::finish`](crate::Writer::finish).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ProgramEnd {
    /// It has nothing left to do.
    Done,
    /// It was asked to stop, and can be resumed.
    Stopped,
    /// It was killed, and can be resumed.
    Interrupted,
    /// It failed by itself, with this exit code.
    Failed(i32),
}

/// The state of a session's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
#[non_exhaustive]
pub enum ProgramState {
    /// It runs: the session has a live writer.
    Running,
    /// It was asked to stop, and can be resumed.
    Stopped,
    /// It was killed, or its machine stopped, and it can be resumed.
    Interrupted,
    /// It failed by itself.
    Failed {
        /// Its exit code.
        exit_code: i32,
    },
    /// It has nothing left to do.
    Done,
    /// No program runs, and the last writer recorded no end.
    Idle,
}

impl ProgramState {
    /// The name of the state: `running`, `stopped`, `interrupted`, `failed`, `done` or `idle`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::Failed { .. } => "failed",
            Self::Done => "done",
            Self::Idle => "idle",
        }
    }
}

impl fmt::Display for ProgramState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { exit_code } => f.pad(&format!("failed (exit {exit_code})")),
            other => f.pad(other.name()),
        }
    }
}

impl From<ProgramEnd> for ProgramState {
    fn from(end: ProgramEnd) -> Self {
        match end {
            ProgramEnd::Done => Self::Done,
            ProgramEnd::Stopped => Self::Stopped,
            ProgramEnd::Interrupted => Self::Interrupted,
            ProgramEnd::Failed(exit_code) => Self::Failed { exit_code },
        }
    }
}

/// A writer's record as it is stored: who it is and, once its program has ended, how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WriterRecord {
    #[serde(flatten)]
    pub(crate) owner: Owner,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<ProgramEnd>,
}
