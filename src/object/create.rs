//! Making a session, and what has to be done before something takes the place of a tombstone.

use super::Inner;
use super::format::head::{Head, HeadState};
use super::format::keys;
use super::format::nonce::Nonce;
use super::format::tombstone::Tombstone;
use super::requests::cas::{CasOutcome, Expected};
use super::requests::problem::StoreProblem;
use crate::backend::NewSession;
use crate::error::Result;
use crate::id::SessionId;

impl Inner {
    pub(super) fn create(&self, id: &SessionId, new: &NewSession) -> Result<()> {
        self.probe()?;
        let (head, request) = (Head::new(new), Nonce::fresh());
        loop {
            let (expected, state) = self.head_state(id)?;
            match &state {
                HeadState::Session(_) => return Err(self.already_exists(id)),
                HeadState::Tombstone(tombstone) => self.settle(id, tombstone)?,
                HeadState::Nothing => (),
            }
            let next = head.next().after(&state.changes(), request);
            match self.put_head(id, &expected, &next.to_bytes(), next.changes.newest())? {
                CasOutcome::Applied(_) | CasOutcome::Superseded => return Ok(()),
                CasOutcome::Rejected(_) => (),
            }
        }
    }

    /// Does what a tombstone stands for. Then something else may take its place.
    pub(super) fn settle(&self, id: &SessionId, tombstone: &Tombstone) -> Result<()> {
        if let Some(name) = &tombstone.trashed {
            self.keep_in_trash(&format!("{}/{name}", keys::trash_of(id)))?;
        }
        let Some(incarnation) = tombstone.removed else { return Ok(()) };
        for error in self.store.delete(&self.objects(incarnation)?) {
            // Nothing shares a thing with it: it is only never deleted.
            if error.store_problem() != Some(StoreProblem::NotAllowed) {
                return Err(error);
            }
            tracing::warn!("what a session left that was removed stays: {error}");
        }
        Ok(())
    }

    /// What is under a name.
    pub(super) fn head_state(&self, id: &SessionId) -> Result<(Expected, HeadState)> {
        let there = self.store.get(&keys::head(id))?;
        let state = self.read_state(id, there.as_ref())?;
        Ok((there.map_or(Expected::Nothing, |it| Expected::Version(it.version)), state))
    }
}
