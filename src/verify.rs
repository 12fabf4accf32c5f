//! Whether what is kept can still be loaded.

use std::path::PathBuf;

use serde::Serialize;

use crate::backend::{Finding, Leftover, Problem, RepositoryVerification, Severity, Verification};
use crate::checkpoint::{Retention, SaveOptions};
use crate::error::{Error, Operation, Result};
use crate::json;
use crate::repository::Repository;
use crate::revision::{At, Revision};
use crate::session::Session;

/// What a repair did.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Repair {
    /// What was moved aside, by the names that it has now. Nothing is ever deleted.
    #[serde(serialize_with = "json::paths")]
    pub moved_aside: Vec<PathBuf>,
    /// The newest good revision, and the number under which it is the newest again.
    #[serde(rename = "recovered")]
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
        if let Some(maintenance) = self.backend().maintenance() {
            maintenance.repair_layout(Some(self.id()))?;
        }
        if !before.is_damaged() {
            return Ok(Repair { moved_aside: Vec::new(), renewed: None, now: before });
        }
        let mut renewed = None;
        let newest = self.backend().open(self.id(), At::Newest).map(drop);
        if newest.is_ok() {
            // It moves aside what something newer than it was saved after.
            drop(self.writer()?);
        }
        if let Err(Error::Corrupt { newest_good: Some(good), .. }) = newest {
            let mut writer = self.writer()?;
            let checkpoint = self.backend().open(self.id(), good.into())?;
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
        let mut findings = Vec::new();
        if let Some(maintenance) = self.backend.maintenance() {
            let leftover = |it: Leftover| Finding::new(Severity::Leftover, it.place, it.what);
            findings = maintenance.verify_layout()?;
            findings.extend(maintenance.sweep(true)?.leftovers.into_iter().map(leftover));
        }
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
        self.maintenance(Operation::Layout)?.repair_layout(None)
    }
}
