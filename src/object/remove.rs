//! Removing sessions.

use super::Inner;
use super::format::keys;
use super::format::nonce::Nonce;
use super::format::tombstone::Tombstone;
use super::requests::cas::{CasOutcome, Expected};
use super::requests::client::Version;
use crate::backend::Removal;
use crate::error::{Error, Result};
use crate::id::SessionId;

impl Inner {
    /// Puts a tombstone in the place of the head, and then deletes what that stood for. The tombstone stays:
    /// a delete has no condition, so that it could hit a session that was made anew under that name. A head that
    /// cannot be read is moved aside before: what it stood for is not known.
    pub(super) fn remove(&self, id: &SessionId) -> Result<Removal> {
        let (mut head, mut version) = match self.unleased_head(id) {
            Err(Error::Corrupt { .. }) => {
                self.move_aside(id)?;
                return Ok(Removal::default());
            }
            outcome => outcome?,
        };
        let (incarnation, request) = (head.incarnation, Nonce::fresh());
        loop {
            self.end_restoring(&head)?;
            if self.put_tombstone(id, &version, &Tombstone::of_removed(&head, request))? {
                break;
            }
            (head, version) = self.unleased_head(id)?;
            if head.incarnation != incarnation {
                return Err(self.not_found(id));
            }
        }
        let mut keys = self.objects(incarnation)?;
        keys.extend(head.lease.map(|lease| keys::heartbeat(id, lease.token)));
        Ok(Removal { remains: self.store.delete(&keys) })
    }

    /// Puts a tombstone in the place of a head; whether that still was the one.
    pub(super) fn put_tombstone(
        &self,
        id: &SessionId,
        head: &Version,
        tombstone: &Tombstone,
    ) -> Result<bool> {
        let expected = Expected::Version(head.clone());
        let bytes = tombstone.to_bytes();
        let outcome = self.put_head(id, &expected, &bytes, tombstone.changes.newest())?;
        Ok(!matches!(outcome, CasOutcome::Rejected(_)))
    }
}
