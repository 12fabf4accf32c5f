//! What lies in a session and in a repository beside what is kept, and where damage is.

use std::ffi::OsStr;
use std::io::ErrorKind;

use super::aside::move_aside;
use super::names::{self, Hidden};
use super::open::{self, OpenSession};
use super::{journal, last};
use crate::backend::{Backend, Finding, Format, Severity, Verification, verify_by_loading};
use crate::error::{Error, Result};
use crate::sys::{Access, Directory, Kind, found};

/// Loads every revision, and says where in which file those are that cannot be loaded.
pub(super) fn verify(backend: &dyn Backend, session: &OpenSession) -> Result<Verification> {
    let verified =
        session.with_stable_format(|format| verify_in(format, backend, session).map(Some))?;
    session.require_current()?;
    verified.ok_or_else(|| session.not_found())
}

fn verify_in(format: Format, backend: &dyn Backend, session: &OpenSession) -> Result<Verification> {
    let (dir, id) = (&session.dir, &session.id);
    let mut verified = Verification { format, ..verify_by_loading(backend, id)? };
    verified.findings = entries(dir)?;
    match format {
        Format::Journal => {
            let lost = verified.revisions.iter().filter(|it| it.error.is_some());
            let lost: Vec<u64> = lost.filter_map(|it| it.revision.number()).collect();
            verified.findings.extend(journal::locate(dir, &lost)?);
        }
        _ => verified.findings.extend(no_checksum(dir)?),
    }
    verified
        .findings
        .sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.place.cmp(&b.place)));
    Ok(verified)
}

/// What can be told of a file that nothing vouches for.
fn no_checksum(session: &Directory) -> Result<Option<Finding>> {
    let place = session.path().join(names::CHECKPOINT);
    let data = match super::plain::load(session) {
        Ok(Some(checkpoint)) => checkpoint.data,
        Ok(None) => return Ok(None),
        // That is an error of its one revision.
        Err(_) => return Ok(None),
    };
    let what = match data.len() {
        0 => "it is empty: saved so, or cut short; a plain session cannot tell".to_owned(),
        len if data.iter().all(|byte| *byte == 0) => {
            format!("all its {len} bytes are zero: likely lost, but a plain session cannot tell")
        }
        _ => return Ok(None),
    };
    Ok(Some(Finding::new(Severity::Note, place, what)))
}

/// The names in a session that are Pitstop's or PlainBox's, where there is something to say.
fn entries(session: &Directory) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (name, kind) in session.entries()? {
        let Some(name) = name.to_str() else { continue };
        let is_aside = |aside: &str| name.strip_prefix(aside).is_some_and(|it| it.starts_with('-'));
        let (severity, what) = match (name, kind) {
            (names::REPLACES, Kind::Link) => continue,
            (names::REPLACES, _) => (Severity::Damage, "no link, where one belongs".to_owned()),
            _ if is_regular(name) && kind != Kind::File => {
                (Severity::Damage, format!("it is {}, where a file belongs", kind))
            }
            (names::NEW_CHECKPOINT, _) => (Severity::Leftover, "a save that was cut short".into()),
            (names::NEW_SEGMENT, _) => (Severity::Leftover, "a segment that was begun".to_owned()),
            (names::PLAINBOX_LOCK, _) => {
                (Severity::Note, "PlainBox's lock: see `status`".to_owned())
            }
            _ if is_aside(names::LOCK_ASIDE) || is_aside(names::SEGMENT_ASIDE) => {
                (Severity::Note, "moved aside and kept as evidence".to_owned())
            }
            _ => continue,
        };
        findings.push(Finding::new(severity, session.path().join(name), what));
    }
    Ok(findings)
}

/// Whether only a file may have this name in a session.
fn is_regular(name: &str) -> bool {
    let files = [names::CHECKPOINT, names::WRITER, names::JOURNAL, names::NEW_CHECKPOINT];
    files.contains(&name) || names::segment_number(name).is_some()
}

/// What is in a repository beside sessions.
pub(super) fn place(repository: &Directory) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let at = |name: &OsStr| repository.path().join(name);
    match last::last(repository) {
        Err(Error::Corrupt { damage, .. }) => {
            let place = at(OsStr::new(names::LAST));
            findings.push(Finding::new(Severity::Damage, place, damage.to_string()));
        }
        Err(error) => return Err(error),
        Ok(None) if repository.metadata(names::LAST)?.is_some() => {
            let what = "it names no session that is there";
            findings.push(Finding::new(Severity::Note, at(OsStr::new(names::LAST)), what));
        }
        Ok(_) => (),
    }
    for (name, kind) in repository.entries()? {
        let is_aside = name.to_str().is_some_and(|it| it.starts_with(names::LAST_ASIDE));
        let what = match names::of_hidden(&name) {
            _ if is_aside => "moved aside and kept as evidence".to_owned(),
            _ if name == names::LAST => continue,
            _ if names::is_session(&name) && kind == Kind::Directory => continue,
            Some(Hidden::Trashed(..)) if kind == Kind::Directory => continue,
            // Those are told by what sweeps them.
            Some(Hidden::Removed | Hidden::Staged) if kind == Kind::Directory => continue,
            Some(Hidden::NewLast) if kind == Kind::Link => continue,
            _ if names::is_session(&name) => {
                let what = format!("it is {}, where a session's directory belongs", kind);
                findings.push(Finding::new(Severity::Damage, at(&name), what));
                continue;
            }
            _ => format!("{}, and no session", kind),
        };
        findings.push(Finding::new(Severity::Note, at(&name), what));
    }
    Ok(findings)
}

/// Moves aside what keeps a session from being used: what is no file or no link where one belongs.
pub(super) fn move_misplaced(session: &OpenSession) -> Result<()> {
    let dir = &session.dir;
    let mut misplaced = entries(dir)?;
    misplaced.retain(|it| it.severity == Severity::Damage);
    // What is no file nobody has locked.
    misplaced.sort_by_key(|it| !it.place.ends_with(names::WRITER));
    let mut lock = None;
    for finding in misplaced {
        let Some(name) = finding.place.file_name().and_then(OsStr::to_str) else { continue };
        let aside = match names::segment_number(name) {
            Some(_) => names::SEGMENT_ASIDE,
            None => names::LOCK_ASIDE,
        };
        if name != names::WRITER && lock.is_none() {
            lock = Some(session.lock()?);
        }
        found(move_aside(dir, name, aside))?;
    }
    let is_made = match open::require_marker(dir) {
        Err(Error::Corrupt { .. }) => {
            if lock.is_none() {
                lock = Some(session.lock()?);
            }
            dir.open_file(names::JOURNAL, Access::CreateNew)?;
            true
        }
        outcome => outcome.map(|()| false)?,
    };
    // They may have been moved by a repair that was killed.
    let flushed = dir.sync();
    if flushed.is_err() && is_made {
        // A later flush may not make up for it: the next one is of a file made anew.
        let _ = dir.remove_file(names::JOURNAL);
    }
    drop(lock);
    Ok(flushed?)
}

/// What lies where the link to the last session belongs.
pub(super) fn move_last(repository: &Directory) -> Result<()> {
    if repository.metadata(names::LAST)?.is_some_and(|it| it.kind != Kind::Link)
        && let Some(aside) = found(move_aside(repository, names::LAST, names::LAST_ASIDE))?
        && let Some(name) = aside.file_name()
        && repository.metadata(name)?.is_some_and(|it| it.kind == Kind::Link)
    {
        // Somebody had put a link there meanwhile. Where there is a newer one, that stays.
        match repository.rename_new(name, names::LAST) {
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => (),
            outcome => outcome?,
        }
    }
    // It may have been moved by a repair that was killed.
    Ok(repository.sync()?)
}
