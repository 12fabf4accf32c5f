//! What was found to be damaged.

use std::path::PathBuf;

use super::status::Problem;
use crate::checkpoint::CheckpointInfo;
use crate::error::Error;
use crate::format::Format;
use crate::id::SessionId;
use crate::json;
use crate::revision::Revision;
use serde::Serialize;

/// What was found of a session.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// Its name.
    pub id: SessionId,
    /// How it keeps its checkpoints.
    pub format: Format,
    /// Every revision that is kept or should be, the newest first.
    pub revisions: Vec<Verified>,
    /// What else there is to say, and where damage is.
    pub findings: Vec<Finding>,
}

impl Verification {
    /// Whether something that was saved cannot be loaded, or the session cannot be used.
    pub fn is_damaged(&self) -> bool {
        let is_lost = |it: &Verified| it.error.is_some();
        self.revisions.iter().any(is_lost) || is_damage(&self.findings)
    }

    /// The newest revision that can be loaded.
    pub fn newest_good(&self) -> Option<Revision> {
        self.revisions.iter().find(|it| it.error.is_none()).map(|it| it.revision)
    }
}

/// A revision whose payload was read.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Verified {
    /// Its number.
    pub revision: Revision,
    /// What is known of it.
    pub info: Option<CheckpointInfo>,
    /// Why it cannot be loaded; `None` if it can.
    pub error: Option<Error>,
}

/// What was found of a repository.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct RepositoryVerification {
    /// The sessions, by their names.
    pub sessions: Vec<Verification>,
    /// The sessions that could not be looked into.
    pub problems: Vec<Problem>,
    /// What there is beside them.
    pub findings: Vec<Finding>,
}

impl RepositoryVerification {
    /// Whether anything in it is damaged.
    pub fn is_damaged(&self) -> bool {
        let is_corrupt = |it: &Problem| matches!(it.error, Error::Corrupt { .. });
        self.sessions.iter().any(Verification::is_damaged)
            || self.problems.iter().any(is_corrupt)
            || is_damage(&self.findings)
    }
}

/// Something that is worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where: a file, a link or a directory.
    #[serde(rename = "path", serialize_with = "json::path")]
    pub place: PathBuf,
    /// At which byte of the file, where that can be said.
    #[serde(rename = "offset")]
    pub at: Option<u64>,
    /// Which revision it is about.
    pub revision: Option<Revision>,
    /// What it is.
    #[serde(rename = "message")]
    pub what: String,
}

impl Finding {
    /// Something at this path. `what` says what it is.
    pub fn new(severity: Severity, place: PathBuf, what: impl Into<String>) -> Self {
        Self { severity, place, at: None, revision: None, what: what.into() }
    }
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Nothing has to be done: something that is kept as evidence, or that is none of Pitstop's.
    Note,
    /// What a killed process left. The next writer, or [`Repository::sweep`](crate::Repository::sweep), clears it away.
    Leftover,
    /// Something is lost, or in the way.
    Damage,
}

fn is_damage(findings: &[Finding]) -> bool {
    findings.iter().any(|it| it.severity == Severity::Damage)
}
