//! What a reader asks, and its answer as a text that can be compared.

use std::fmt;
use std::io::Read;

use pitstop::{
    CheckpointInfo, Digest, Error, History, Problem, Repository, Revision, Severity, Summary,
    Verification,
};

use crate::step::Id;

/// What is told of a checkpoint whose bytes were written over while they were read in pieces.
pub(super) const GIVEN_UP: &str = ", and was then given up";

/// One call of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    Load(Id),
    LoadInto(Id),
    /// Opens the newest checkpoint, and reads it in pieces.
    Open(Id),
    /// Loads the revision of this number.
    Revision(Id, u64),
    History(Id),
    Status(Id),
    /// The session's row of a listing.
    Row(Id),
    /// Whether damage is reported.
    Verify(Id),
}

impl Question {
    /// What is asked of a session, beside its revisions.
    pub(super) fn of(id: Id) -> [Self; 7] {
        [
            Self::Load(id),
            Self::LoadInto(id),
            Self::Open(id),
            Self::History(id),
            Self::Status(id),
            Self::Row(id),
            Self::Verify(id),
        ]
    }

    /// Asks it.
    pub(super) fn ask(self, repository: &Repository) -> String {
        self.answer(repository).unwrap_or_else(|error| told(&error))
    }

    fn answer(self, repository: &Repository) -> Result<String, Error> {
        Ok(match self {
            Self::Load(id) => {
                let loaded = repository.get(id)?.load()?;
                checkpoint(&loaded.info, &loaded.data)
            }
            Self::LoadInto(id) => {
                let mut data = Vec::new();
                let info = repository.get(id)?.load_into(None, &mut data)?;
                checkpoint(&info, &data)
            }
            Self::Open(id) => {
                let mut reader = repository.get(id)?.open_checkpoint()?;
                let (info, mut data) = (reader.info().clone(), Vec::new());
                match reader.read_to_end(&mut data) {
                    Ok(_) => checkpoint(&info, &data),
                    // It was given up, and written over, after it was opened.
                    Err(_) => format!("{}{GIVEN_UP}", told_of(&info)),
                }
            }
            Self::Revision(id, number) => {
                let loaded = repository.get(id)?.load_revision(Revision::from_number(number))?;
                checkpoint(&loaded.info, &loaded.data)
            }
            Self::History(id) => history(&repository.get(id)?.history()?),
            Self::Status(id) => row(&repository.get(id)?.status()?.summary),
            Self::Row(id) => {
                let listing = repository.list()?;
                let is_it = |it: &&Problem| it.id.as_ref().is_some_and(|it| it.as_str() == id);
                let problem = listing.problems.iter().find(is_it);
                let found = listing.sessions.iter().find(|it| it.id.as_str() == id);
                match (found, problem) {
                    (Some(summary), _) => row(summary),
                    (None, Some(problem)) => told(&problem.error),
                    (None, None) => "NotFound".to_owned(),
                }
            }
            Self::Verify(id) => verification(&repository.get(id)?.verify()?),
        })
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(id) => write!(f, "load {id}"),
            Self::LoadInto(id) => write!(f, "load-into {id}"),
            Self::Open(id) => write!(f, "open {id}"),
            Self::Revision(id, revision) => write!(f, "revision {revision} of {id}"),
            Self::History(id) => write!(f, "history {id}"),
            Self::Status(id) => write!(f, "status {id}"),
            Self::Row(id) => write!(f, "row {id}"),
            Self::Verify(id) => write!(f, "verify {id}"),
        }
    }
}

fn checkpoint(info: &CheckpointInfo, data: &[u8]) -> String {
    let torn = if Digest::of(data) == info.digest { "" } else { ", BUT OTHER BYTES" };
    format!("{}{torn}", told_of(info))
}

fn told_of(info: &CheckpointInfo) -> String {
    let CheckpointInfo { revision, size, digest, labels, .. } = info;
    format!("revision {revision}, {size} bytes, {digest:?} {labels:?}")
}

fn history(history: &History) -> String {
    let revisions = history.revisions.iter().map(|kept| kept.info.revision.to_string());
    let (damaged, newer) = (&history.damaged, history.may_lack_newer);
    let revisions = revisions.collect::<Vec<_>>().join(" ");
    let damage =
        if newer || !damaged.is_empty() { format!(" {damaged:?} {newer}") } else { String::new() };
    format!("revisions {revisions}{damage}")
}

/// Only damage is told: what else is found may be gone with the next call.
fn verification(found: &Verification) -> String {
    let lost = found.revisions.iter().filter(|it| it.error.is_some()).map(|it| it.revision);
    let lost: Vec<Revision> = lost.collect();
    let damage = found.findings.iter().filter(|it| it.severity == Severity::Damage);
    let damage: Vec<_> = damage.map(|it| (&it.place, &it.what)).collect();
    match found.is_damaged() {
        true => format!("damaged: {lost:?} {damage:?}"),
        false => "whole".to_owned(),
    }
}

fn row(summary: &Summary) -> String {
    let Summary { saved, size, labels, format, .. } = summary;
    format!("{format}, {size:?} bytes, {saved:?} {labels:?}")
}

fn told(error: &Error) -> String {
    match error {
        Error::NotFound { .. } => "NotFound".to_owned(),
        Error::NoCheckpoint { .. } => "NoCheckpoint".to_owned(),
        Error::NoRevision { .. } => "NoRevision".to_owned(),
        error => format!("{error:?}"),
    }
}
