//! Giving up older revisions before a save does, and the space that they took.

use super::state::Journal;
use super::tail::Tail;
use crate::backend::GivenUp;
use crate::directory::usage;
use crate::error::Result;
use crate::revision::Revision;
use crate::sys::{Access, Directory, found};

/// Gives up the revisions before this one, and deletes the segments that hold nothing else. The caller is
/// the writer.
pub(in crate::directory) fn give_up(session: &Directory, before: Revision) -> Result<GivenUp> {
    let mut tail = Tail::open(session)?;
    tail.give_up_before(session, before.number().unwrap_or(0))?;
    let mut given_up = GivenUp::default();
    let newest = tail.segments.iter().rposition(|it| it.newest().is_some()).unwrap_or(0);
    for n in tail.free().into_iter().filter(|n| *n < newest) {
        let segment = &tail.segments[n];
        let deleted = session.metadata(&segment.name).and_then(|file| {
            found(session.remove_file(&segment.name))?;
            Ok(file)
        });
        match deleted {
            Ok(file) => file.iter().for_each(|it| given_up.usage += usage::of(it)),
            Err(failure) => given_up.remains.push(failure.into()),
        }
    }
    Ok(given_up)
}

/// What [`give_up`] would delete.
pub(in crate::directory) fn would_give_up(
    session: &Directory,
    before: Revision,
) -> Result<GivenUp> {
    let journal = Journal::open(session, Access::Read)?;
    let newest = journal.newest_good(Journal::payload)?.map(|(place, _)| place);
    let kept = before.number().unwrap_or(0).max(journal.oldest_kept(newest));
    let mut given_up = GivenUp::default();
    let newest = journal.segments.iter().rposition(|it| it.newest().is_some()).unwrap_or(0);
    for segment in &journal.segments[..newest] {
        if segment.newest_revision() < kept {
            let file = session.metadata(&segment.name)?;
            file.iter().for_each(|it| given_up.usage += usage::of(it));
        }
    }
    Ok(given_up)
}
