//! Moving damaged objects aside: nothing that might be needed is ever deleted.

use std::time::SystemTime;

use super::Inner;
use super::format::keys;
use super::format::nonce::Nonce;
use super::format::tombstone::Tombstone;
use super::requests::cas::{CasOutcome, Expected};
use crate::backend::{Backend, Finding, Format, Severity, Verification, verify_by_loading};
use crate::error::{Error, Result};
use crate::id::SessionId;

impl Inner {
    /// Puts a head that cannot be read under a key of its own, and a tombstone in its place. Then the name is free; the
    /// records of the session stay, since nothing tells which they are.
    pub(super) fn move_aside(&self, id: &SessionId) -> Result<()> {
        self.probe()?;
        let key = keys::head(id);
        while let Some(there) = self.store.get(&key)? {
            if !matches!(self.read_state(id, Some(&there)), Err(Error::Corrupt { .. })) {
                return Ok(());
            }
            let now = SystemTime::now().into();
            let aside = keys::aside(id, now, Nonce::fresh());
            self.put_new(&aside, &there.bytes)?;
            let (expected, tombstone) =
                (Expected::Version(there.version), Tombstone::of_damaged(now));
            match self.put_head(id, &expected, &tombstone.to_bytes(), None)? {
                CasOutcome::Rejected(_) => self.store.delete_best_effort(&[aside]),
                CasOutcome::Applied(_) | CasOutcome::Superseded => return Ok(()),
            }
        }
        Ok(())
    }

    /// Loads every revision, and says what of the session was moved aside.
    pub(super) fn verify(&self, backend: &dyn Backend, id: &SessionId) -> Result<Verification> {
        let findings = self.moved_aside(keys::aside_of(id))?;
        match verify_by_loading(backend, id) {
            Ok(verified) => Ok(Verification { findings, ..verified }),
            Err(Error::NotFound { .. }) if !findings.is_empty() => {
                let (id, revisions) = (id.clone(), Vec::new());
                Ok(Verification { id, format: Format::Object, revisions, findings })
            }
            Err(error) => Err(error),
        }
    }

    /// What there is beside sessions: what was moved aside, and what is damaged.
    pub(super) fn findings(&self) -> Result<Vec<Finding>> {
        let mut findings = self.moved_aside(keys::ASIDE.to_owned())?;
        let damaged = |error: &Error| match error {
            Error::Corrupt { path, damage, .. } => {
                Some(Finding::new(Severity::Damage, path.clone(), damage.to_string()))
            }
            _ => None,
        };
        if let Err(error) = self.last() {
            findings.push(damaged(&error).ok_or(error)?);
        }
        let trash = self.store.list([keys::TRASH.to_owned()])?;
        let keys: Vec<String> = trash.iter().map(|it| self.store.key(&it.location)).collect();
        let copies = self.copies(&keys, Some(super::list::BEGINNING))?;
        findings.extend(copies.iter().filter_map(|copy| damaged(copy.as_ref().err()?)));
        Ok(findings)
    }

    fn moved_aside(&self, below: String) -> Result<Vec<Finding>> {
        let finding = |it: &object_store::ObjectMeta| {
            let place = self.store.place(&self.store.key(&it.location));
            Finding::new(Severity::Note, place, "moved aside and kept as evidence")
        };
        Ok(self.store.list([below])?.iter().map(finding).collect())
    }
}
