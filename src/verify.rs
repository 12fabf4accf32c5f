//! Whether what is kept can still be loaded.

use std::path::PathBuf;

use crate::backend::{Backend, Format, Leftover, Problem};
use crate::checkpoint::{CheckpointInfo, Retention, Revision, SaveOptions};
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::repository::Repository;
use crate::session::Session;

/// What was found of a session.
#[derive(Debug)]
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
#[derive(Debug)]
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
#[derive(Debug, Default)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where: a file, a link or a directory.
    pub place: PathBuf,
    /// At which byte of the file, where that can be said.
    pub at: Option<u64>,
    /// Which revision it is about.
    pub revision: Option<Revision>,
    /// What it is.
    pub what: String,
}

impl Finding {
    pub(crate) fn new(severity: Severity, place: PathBuf, what: impl Into<String>) -> Self {
        Self { severity, place, at: None, revision: None, what: what.into() }
    }
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Nothing has to be done: something that is kept as evidence, or that is none of Pitstop's.
    Note,
    /// What a killed process left. The next writer, or [`Repository::sweep`], clears it away.
    Leftover,
    /// Something is lost, or in the way.
    Damage,
}

fn is_damage(findings: &[Finding]) -> bool {
    findings.iter().any(|it| it.severity == Severity::Damage)
}

/// What a repair did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Repair {
    /// What was moved aside, by the names that it has now. Nothing is ever deleted.
    pub moved_aside: Vec<PathBuf>,
    /// The newest good revision, and the number under which it is the newest again.
    pub renewed: Option<(Revision, Revision)>,
    /// How the session is now. Revisions that are lost stay listed until newer ones take their place.
    pub now: Verification,
}

impl Session {
    /// Reads every revision that is kept, and says which can be loaded, and where damage is. A plain
    /// session has nothing to check its checkpoint by: it is read, and that is all. Changes nothing and
    /// disturbs nobody.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the session is gone, [`Error::Storage`] if its directory cannot be read.
    /// Damage is no error: it is in the result.
    pub fn verify(&self) -> Result<Verification> {
        self.backend().verify(self.id())
    }

    /// Makes a damaged session one that loads again: what is in the way is moved aside, and if the newest
    /// revision is lost, the newest good one is saved again under a new number, with its labels.
    /// Nothing is deleted. Where no revision is good, none is made up: the session stays as it is.
    ///
    /// # Durability
    /// As for [`Writer::save`](crate::Writer::save). A repair that was killed can be repeated.
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify), [`writer`](Self::writer) and
    /// [`Writer::save`](crate::Writer::save).
    pub fn repair(&self) -> Result<Repair> {
        let before = self.verify()?;
        // In any case: where one that was killed moved it, nobody flushed that.
        self.backend().move_misplaced(Some(self.id()))?;
        if !before.is_damaged() {
            return Ok(Repair { moved_aside: Vec::new(), renewed: None, now: before });
        }
        let mut renewed = None;
        let newest = read(&**self.backend(), self.id(), None);
        if newest.is_ok() {
            // It moves aside what something newer than it was saved after.
            drop(self.writer()?);
        }
        if let Err(Error::Corrupt { newest_good: Some(good), .. }) = newest {
            let mut writer = self.writer()?;
            let checkpoint = self.backend().open_checkpoint(self.id(), Some(good))?;
            let mut options = SaveOptions::new().keep(Retention::All);
            for (name, value) in &checkpoint.info().labels {
                options = options.label(name, value);
            }
            renewed = Some((good, writer.save_from(checkpoint, &options)?.revision));
        }
        let now = self.verify()?;
        let is_new = |it: &&Finding| {
            it.severity == Severity::Note && before.findings.iter().all(|old| old.place != it.place)
        };
        let moved_aside = now.findings.iter().filter(is_new).map(|it| it.place.clone()).collect();
        Ok(Repair { moved_aside, renewed, now })
    }
}

impl Repository {
    /// Reads all that is kept in all sessions, and says what of it can be loaded, and what lies beside
    /// them. Changes nothing and disturbs nobody.
    ///
    /// # Errors
    /// If the repository itself cannot be read. What is wrong with a session is in the result.
    pub fn verify(&self) -> Result<RepositoryVerification> {
        let listing = self.list()?;
        let mut findings = self.backend.findings()?;
        let leftover = |it: Leftover| Finding::new(Severity::Leftover, it.place, it.what);
        findings.extend(self.backend.sweep(true)?.leftovers.into_iter().map(leftover));
        let mut found = RepositoryVerification { findings, ..Default::default() };
        let mut sessions: Vec<_> =
            listing.sessions.into_iter().map(|it| (it.id.to_string(), Some(it.id), None)).collect();
        sessions.extend(listing.problems.into_iter().map(|it| (it.name, it.id, Some(it.error))));
        sessions.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, id, error) in sessions {
            let outcome = id.clone().map(|id| self.session(id).verify());
            match (outcome, error) {
                (Some(Ok(session)), _) => found.sessions.push(session),
                // It was removed meanwhile.
                (Some(Err(Error::NotFound { .. })), None) => (),
                (Some(Err(error)), _) | (None, Some(error)) => {
                    found.problems.push(Problem { name, id, error });
                }
                (None, None) => (),
            }
        }
        Ok(found)
    }

    /// Moves aside what lies where the link to the last session belongs, if it is no link. Sessions are
    /// repaired one at a time, by [`Session::repair`].
    ///
    /// # Errors
    /// If the repository cannot be changed or flushed.
    pub fn repair_last(&self) -> Result<()> {
        self.backend.move_misplaced(None)
    }
}

/// Loads every revision of a session.
pub(crate) fn by_loading<B: Backend + ?Sized>(backend: &B, id: &SessionId) -> Result<Verification> {
    let format = match backend.status(id) {
        Ok(status) => status.summary.format,
        // Its newest revision is lost, so that it keeps some.
        Err(Error::Corrupt { .. }) => Format::Journal,
        Err(error) => return Err(error),
    };
    let (findings, id) = (Vec::new(), id.clone());
    let revisions = match backend.history(&id) {
        Ok(history) => {
            let kept = history.revisions.into_iter().map(|it| (it.info.revision, Some(it.info)));
            let lost = history.damaged.into_iter().map(|revision| (revision, None));
            let mut all: Vec<_> = kept.chain(lost).collect();
            all.sort_by_key(|(revision, _)| std::cmp::Reverse(revision.number()));
            let load = |(revision, info)| match read(backend, &id, Some(revision)) {
                // It was given up while we looked.
                Err(Error::NoRevision { .. }) => None,
                outcome => Some(Verified { revision, info, error: outcome.err() }),
            };
            all.into_iter().filter_map(load).collect()
        }
        Err(Error::Unsupported { .. }) => match read(backend, &id, None) {
            Ok(info) => {
                vec![Verified { revision: info.revision, info: Some(info), error: None }]
            }
            Err(Error::NoCheckpoint { .. }) => Vec::new(),
            Err(error @ Error::NotFound { .. }) => return Err(error),
            Err(error) => {
                vec![Verified { revision: Revision::NONE, info: None, error: Some(error) }]
            }
        },
        Err(error @ Error::Corrupt { .. }) => {
            vec![Verified { revision: Revision::NONE, info: None, error: Some(error) }]
        }
        Err(error) => return Err(error),
    };
    Ok(Verification { id, format, revisions, findings })
}

/// Opening it has its digest checked; what is too large for memory is not taken there.
fn read<B: Backend + ?Sized>(
    backend: &B,
    id: &SessionId,
    revision: Option<Revision>,
) -> Result<CheckpointInfo> {
    Ok(backend.open_checkpoint(id, revision)?.info().clone())
}
