//! Giving up older revisions before a save does.

use std::sync::Arc;

use super::Inner;
use super::write::ObjectWriter;
use crate::backend::{GivenUp, Usage};
use crate::error::{Error, Result};
use crate::id::SessionId;

/// Gives up the revisions before this one.
pub(super) fn discard(inner: &Arc<Inner>, id: &SessionId, before: u64) -> Result<GivenUp> {
    loop {
        let mut writer = ObjectWriter::for_one_save(inner, id)?;
        match writer.discard(before) {
            // A save was faster, and deleted what it gave up.
            Err(Error::Corrupt { .. }) if writer.was_overtaken()? => (),
            outcome => return outcome,
        }
    }
}

/// What that would delete. Packs that hold also what stays are counted when they are made anew.
pub(super) fn would_discard(inner: &Inner, id: &SessionId, before: u64) -> Result<GivenUp> {
    let (head, _) = inner.head(id)?;
    let garbage = inner.garbage(id, &head, before, &inner.named(id, &head, 0)?)?;
    let older = head.table.entries.iter().filter(|entry| entry.revision < before);
    let in_head = older.filter(|entry| entry.record.is_none()).map(|entry| entry.size).sum();
    let objects: Usage = garbage.into_iter().map(|(_, size)| Usage::new(1, size)).sum();
    let usage = [objects, Usage::new(0, in_head)].into_iter().sum();
    Ok(GivenUp { usage, remains: Vec::new() })
}
