//! `session.next`: PlainBox's lock, and what is left of it when its holder dies.

use std::time::Duration;

use super::names;
use crate::backend::{Unlocked, WriterState};
use crate::directory::move_aside;
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::sys::{Directory, Disk, Metadata, Outcome};

/// A `session.next` of PlainBox that nobody has open is left over once it is unchanged for so long.
/// PlainBox has it open for all of a save but its last few microseconds.
const STALE_AFTER: Duration = Duration::from_secs(60);
/// How far the time that files bear and the time since boot may be apart.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// The foreign `session.next`, if there is one. One of ours is a second name of a checkpoint.
fn foreign(session: &Directory) -> Outcome<Option<Metadata>> {
    let Some(next) = session.metadata(names::PLAINBOX_LOCK)? else { return Ok(None) };
    for ours in [names::NEW_CHECKPOINT, names::CHECKPOINT] {
        if session.metadata(ours)?.is_some_and(|it| it.is_same_file(&next)) {
            return Ok(None);
        }
    }
    Ok(Some(next))
}

pub(in crate::directory) fn is_foreign(session: &Directory) -> Result<bool> {
    Ok(foreign(session)?.is_some())
}

/// How a session with a foreign `session.next` and no writer of ours stands.
pub(in crate::directory) fn state(session: &Directory, disk: &dyn Disk) -> Result<WriterState> {
    match foreign(session)? {
        None => Ok(WriterState::Idle),
        Some(next) => Ok(WriterState::PlainBox {
            age: age(&next, disk),
            stale: is_stale(session, &next, disk)?,
        }),
    }
}

/// Fails with [`Error::Locked`] if a PlainBox may be saving.
pub(in crate::directory) fn check(
    session: &Directory,
    id: &SessionId,
    disk: &dyn Disk,
) -> Result<()> {
    match foreign(session)? {
        Some(next) if !is_stale(session, &next, disk)? => Err(locked(session, id, &next, disk)),
        _ => Ok(()),
    }
}

/// Clears what dead writers left: ours at once, PlainBox's if it is provably stale. The caller is
/// the writer.
pub(in crate::directory) fn clear(
    session: &Directory,
    id: &SessionId,
    disk: &dyn Disk,
) -> Result<()> {
    check(session, id, disk)?;
    move_away(session).map(drop)
}

/// Clears it on a person's word, unless somebody is seen to have it open.
pub(in crate::directory) fn clear_by_hand(
    session: &Directory,
    id: &SessionId,
    disk: &dyn Disk,
) -> Result<Unlocked> {
    match foreign(session)? {
        Some(next) if disk.is_open_anywhere(&next) == Some(true) => {
            Err(locked(session, id, &next, disk))
        }
        _ => move_away(session),
    }
}

fn move_away(session: &Directory) -> Result<Unlocked> {
    if foreign(session)?.is_some() {
        let place = move_aside(session, names::PLAINBOX_LOCK, names::LOCK_ASIDE)?;
        tracing::warn!(kept = %place.display(), "PlainBox left a save unfinished");
        return Ok(Unlocked::MovedAside(place));
    }
    if session.metadata(names::PLAINBOX_LOCK)?.is_some() {
        session.remove_file(names::PLAINBOX_LOCK)?;
    }
    Ok(Unlocked::Nothing)
}

fn locked(session: &Directory, id: &SessionId, next: &Metadata, disk: &dyn Disk) -> Error {
    let place = session.path().join(names::PLAINBOX_LOCK);
    Error::Locked { id: id.clone(), place, age: age(next, disk) }
}

fn age(next: &Metadata, disk: &dyn Disk) -> Duration {
    // A time that lies ahead proves nothing: it counts as now.
    disk.now().duration_since(next.changed).unwrap_or_default()
}

/// Whether it is proved that nobody is writing it: no process has it open, and it is unchanged for
/// long, or from before this machine started. On a shared file system that can never be proved.
fn is_stale(session: &Directory, next: &Metadata, disk: &dyn Disk) -> Result<bool> {
    let old = age(next, disk) >= STALE_AFTER;
    let before_boot = disk.boot_time().is_ok_and(|boot| next.changed + CLOCK_SLACK < boot);
    Ok((old || before_boot) && disk.is_open_anywhere(next) == Some(false) && session.is_local()?)
}
