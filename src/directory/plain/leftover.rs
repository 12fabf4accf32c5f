//! `session.next`: PlainBox's lock, and what is left of it when its holder dies.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use super::names;
use crate::backend::{Unlocked, WriterState};
use crate::directory::aside::{move_aside, rename_aside};
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::sys::{Dated, Directory, Disk, Outcome, found};

/// A `session.next` of PlainBox that nobody has open is left over once it is unchanged for so long.
/// PlainBox has it open for all of a save but its last few microseconds.
const STALE_AFTER: Duration = Duration::from_secs(60);
/// How far the time that files bear and the time since boot may be apart.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// The foreign `session.next`, if there is one.
fn foreign(session: &Directory) -> Outcome<Option<Dated>> {
    match session.dated(names::PLAINBOX_LOCK)? {
        Some(next) if !is_ours(session, &next)? => Ok(Some(next)),
        _ => Ok(None),
    }
}

/// Ours is a second name of a checkpoint, or of what is about to be one or was one.
fn is_ours(session: &Directory, next: &Dated) -> Outcome<bool> {
    for ours in [names::NEW_CHECKPOINT, names::CHECKPOINT, names::JOURNAL] {
        if session.metadata(ours)?.is_some_and(|it| it.is_same_file(next)) {
            return Ok(true);
        }
    }
    Ok(false)
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
    let Some(next) = session.dated(names::PLAINBOX_LOCK)? else { return Ok(()) };
    let is_foreign = !is_ours(session, &next)?;
    if is_foreign && !is_stale(session, &next, disk)? {
        return Err(locked(session, id, &next, disk));
    }
    let aside = |session: &Directory, from: &str, name: &str| {
        let place = session.path().join(rename_aside(session, from, name)?);
        // Not undone where that fails: it would be changed by that, and no longer be stale.
        session.sync().map(|()| place)
    };
    if let Unlocked::MovedAside(place) = move_away(session, id, &next, is_foreign, disk, aside)? {
        tracing::warn!(kept = %place.display(), "PlainBox left a save unfinished");
    }
    Ok(())
}

/// Clears it on a person's word, unless somebody is seen to have it open.
pub(in crate::directory) fn clear_by_hand(
    session: &Directory,
    id: &SessionId,
    disk: &dyn Disk,
) -> Result<Unlocked> {
    let Some(next) = session.dated(names::PLAINBOX_LOCK)? else { return Ok(Unlocked::Nothing) };
    let is_foreign = !is_ours(session, &next)?;
    if is_foreign && disk.is_open_anywhere(&next) == Some(true) {
        return Err(locked(session, id, &next, disk));
    }
    move_away(session, id, &next, is_foreign, disk, move_aside)
}

/// Clears the `session.next` that was looked at, and no other: while we looked, a PlainBox may have
/// ended the save that this was and begun the next one.
fn move_away(
    session: &Directory,
    id: &SessionId,
    seen: &Dated,
    is_foreign: bool,
    disk: &dyn Disk,
    aside: impl Fn(&Directory, &str, &str) -> Outcome<PathBuf>,
) -> Result<Unlocked> {
    match session.dated(names::PLAINBOX_LOCK)? {
        None => return Ok(Unlocked::Nothing),
        // An inode can come again; the time of its last change cannot.
        Some(now) if now.is_same_file(seen) && now.changed == seen.changed => (),
        Some(now) => return Err(locked(session, id, &now, disk)),
    }
    if !is_foreign {
        found(session.remove_file(names::PLAINBOX_LOCK))?;
        return Ok(Unlocked::Nothing);
    }
    match found(aside(session, names::PLAINBOX_LOCK, names::LOCK_ASIDE))? {
        Some(place) => Ok(Unlocked::MovedAside(place)),
        None => Ok(Unlocked::Nothing),
    }
}

/// Takes PlainBox's lock. It is a second name of a file that is complete and flushed: whatever a
/// PlainBox that was stopped half-way through its own save does with the name, it never puts anything but
/// a whole checkpoint in place.
pub(in crate::directory) fn lock_out(
    session: &Directory,
    id: &SessionId,
    disk: &dyn Disk,
    file: &str,
) -> Result<()> {
    match session.link(file, names::PLAINBOX_LOCK) {
        Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {
            clear(session, id, disk)?;
            match session.link(file, names::PLAINBOX_LOCK) {
                // A PlainBox was faster.
                Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {
                    Err(taken(session, id))
                }
                outcome => Ok(outcome?),
            }
        }
        // A file system without hard links: the lock can be looked at, not taken.
        Err(failure)
            if matches!(
                failure.kind(),
                ErrorKind::PermissionDenied | ErrorKind::Unsupported | ErrorKind::TooManyLinks
            ) =>
        {
            clear(session, id, disk)
        }
        outcome => Ok(outcome?),
    }
}

/// The error of a writer that finds that a PlainBox began to save a moment ago.
pub(in crate::directory) fn taken(session: &Directory, id: &SessionId) -> Error {
    let path = session.path().join(names::PLAINBOX_LOCK);
    Error::Locked { id: id.clone(), path, age: Duration::ZERO }
}

fn locked(session: &Directory, id: &SessionId, next: &Dated, disk: &dyn Disk) -> Error {
    let path = session.path().join(names::PLAINBOX_LOCK);
    Error::Locked { id: id.clone(), path, age: age(next, disk) }
}

fn age(next: &Dated, disk: &dyn Disk) -> Duration {
    // A time that lies ahead proves nothing: it counts as now.
    disk.now().duration_since(next.changed).unwrap_or_default()
}

/// Whether it is proved that nobody is writing it: no process has it open, and it is unchanged for
/// long, or from before this machine started. On a shared file system that can never be proved.
fn is_stale(session: &Directory, next: &Dated, disk: &dyn Disk) -> Result<bool> {
    let old = age(next, disk) >= STALE_AFTER;
    let before_boot = disk.boot_time().is_ok_and(|boot| next.changed + CLOCK_SLACK < boot);
    Ok((old || before_boot) && disk.is_open_anywhere(next) == Some(false) && session.is_local()?)
}
