//! Discarding older revisions before a save does.

use std::sync::Arc;

use super::Inner;
use super::format::head::Head;
use super::writer::ObjectWriter;
use crate::backend::{GivenUp, Usage};
use crate::error::{Error, Result};
use crate::id::SessionId;

/// Discards the revisions before this one.
pub(super) fn discard(inner: &Arc<Inner>, id: &SessionId, before: u64) -> Result<GivenUp> {
    loop {
        let mut writer = ObjectWriter::for_one_save(inner, id)?;
        match writer.discard(before) {
            // A save was faster, and deleted what it discarded.
            Err(Error::Corrupt { .. }) if writer.was_overtaken()? => (),
            outcome => return outcome,
        }
    }
}

/// What that would delete. Packs that hold also what stays are counted when they are made anew.
pub(super) fn would_discard(inner: &Inner, id: &SessionId, before: u64) -> Result<GivenUp> {
    let (head, _) = inner.head(id)?;
    let fence = inner.possible_fence(&head);
    let garbage = inner.garbage(id, &head, before, fence, &inner.named(id, &head, 0)?)?;
    let older = head.table.entries.iter().filter(|entry| entry.revision < before);
    let in_head = older.filter(|entry| entry.record.is_none()).map(|entry| entry.size).sum();
    let objects: Usage = garbage.into_iter().map(|(_, size)| Usage::new(1, size)).sum();
    let usage = [objects, Usage::new(0, in_head)].into_iter().sum();
    Ok(GivenUp { usage, remains: Vec::new() })
}

impl ObjectWriter {
    /// Discards the revisions before this one, and deletes what nothing names any more.
    fn discard(&mut self, before: u64) -> Result<GivenUp> {
        let len = |head: &Head| head.to_bytes().len() as u64;
        let was = len(&self.head);
        let change = |writer: &mut Self| {
            let mut next = writer.head.without_lease();
            next.raise_fence();
            let mut read = |name: &str| {
                let pack = writer.inner.pack(name, &writer.head)?;
                pack.map_err(|key| writer.inner.gone(&key))
            };
            let newest = writer.head.revision().number().unwrap_or(0);
            // They come with a later one, as what is saved next does: so nobody takes them for garbage.
            let packs = next.table.discard_before(before.min(newest), newest + 1, &mut read)?;
            let mut made = 0;
            for pack in packs {
                made += pack.bytes.len() as u64;
                writer.inner.store.put(&writer.key(&pack.name), pack.bytes)?;
            }
            Ok((next, (made, writer.inner.named(&writer.id, &writer.head, 0)?)))
        };
        let (made, named) = self.change(change)?;
        let (keys, sizes): (Vec<_>, Vec<_>) = self
            .inner
            .garbage(&self.id, &self.head, 0, self.head.fence, &named)?
            .into_iter()
            .unzip();
        let remains = self.inner.store.delete(&keys);
        let mut usage = Usage::default();
        if remains.is_empty() {
            let freed = sizes.iter().sum::<u64>() + was.saturating_sub(len(&self.head));
            usage = Usage::new(keys.len() as u64, freed.saturating_sub(made));
        }
        Ok(GivenUp { usage, remains })
    }
}
