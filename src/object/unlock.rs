//! Revoking a lease on a person's word.

use super::Inner;
use super::format::head::Head;
use super::lease::HolderState;
use super::requests::cas::{CasOutcome, Expected};
use crate::backend::Unlocked;
use crate::error::Result;
use crate::id::SessionId;

impl Inner {
    /// Revokes the lease of a writer that cannot be seen. Only the one that is found at first: another one that comes
    /// after that is not meant.
    pub(super) fn unlock(&self, id: &SessionId) -> Result<Unlocked> {
        self.probe()?;
        let mut revoked = None;
        loop {
            let (head, version) = self.head(id)?;
            let Some(lease) = head
                .lease
                .as_ref()
                .filter(|it| revoked.as_ref().is_none_or(|(token, _)| *token == it.token))
            else {
                return Ok(
                    revoked.map_or(Unlocked::Nothing, |(_, owner)| Unlocked::Displaced(owner))
                );
            };
            match lease.holder_state(&self.machine) {
                HolderState::Alive => return Err(self.busy(id, lease)),
                HolderState::Dead => return Ok(Unlocked::Nothing),
                HolderState::Unknown => (),
            }
            let owner = lease.owner.clone();
            let next = Head { epoch: head.epoch + 1, ..head.without_lease() };
            match self.put_head(id, &Expected::Version(version), &next.to_bytes(), None)? {
                CasOutcome::Applied(_) => return Ok(Unlocked::Displaced(owner)),
                _ => revoked = Some((lease.token, owner)),
            }
        }
    }
}
