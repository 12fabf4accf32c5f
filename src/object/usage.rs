//! How much of the store a session takes.

use super::Inner;
use super::format::keys;
use super::format::nonce::Nonce;
use super::list::BEGINNING;
use crate::backend::Usage;
use crate::error::Result;
use crate::id::SessionId;

impl Inner {
    /// What a removal would give back.
    pub(super) fn usage(&self, id: &SessionId) -> Result<Usage> {
        let start = self.store.get_start(&keys::head(id), BEGINNING)?;
        let len = start.as_ref().map_or(0, |it| it.len);
        let (head, _) = self.beginning_of_head(id, start)?;
        self.usage_of(head.incarnation, len)
    }

    /// What an incarnation takes whose head is so long.
    pub(super) fn usage_of(&self, incarnation: Nonce, head: u64) -> Result<Usage> {
        let records = self.store.list([keys::records(incarnation)])?;
        let records = records.iter().map(|it| Usage::new(1, it.size));
        Ok([Usage::new(1, head)].into_iter().chain(records).sum())
    }
}
