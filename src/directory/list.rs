//! Finding the sessions of a repository.

use std::ffi::OsString;
use std::time::SystemTime;

use super::open::{is_current, open_directory, retry_if_converted};
use super::{journal, lock, names};
use crate::backend::{Format, Kept, Listing, Problem, Summary};
use crate::checkpoint::Labels;
use crate::error::{Damage, Error, Result};
use crate::id::{SessionId, printable};
use crate::program::ProgramState;
use crate::sys::{Ask, Dated, Directory, Kind};

/// From here on it pays to look at sessions with more than one thread.
const MANY: usize = 1000;

/// Every real directory that is a session; links and files are passed over.
pub(super) fn list(repository: &Directory) -> Result<Listing> {
    let mut names = repository.entries()?;
    names.retain(|(name, kind)| *kind == Kind::Directory && names::is_session(name));
    if names.len() < MANY {
        return Ok(look_at(repository, &names));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let share = names.len().div_ceil(threads);
    let parts: Vec<Listing> = std::thread::scope(|scope| {
        let started: Vec<_> = names
            .chunks(share)
            .map(|names| scope.spawn(move || look_at(repository, names)))
            .collect();
        started.into_iter().map(|part| part.join().unwrap_or_default()).collect()
    });
    let mut listing = Listing::default();
    for part in parts {
        listing.sessions.extend(part.sessions);
        listing.problems.extend(part.problems);
    }
    Ok(listing)
}

fn look_at(repository: &Directory, names: &[(OsString, Kind)]) -> Listing {
    let mut listing = Listing::default();
    // Most are of the same format as the one before.
    let mut format = Format::Plain;
    for (name, _) in names {
        match summary(repository, name, format) {
            Ok(Some(summary)) => {
                format = summary.format;
                listing.sessions.push(summary);
            }
            Ok(None) => (),
            Err(error) => {
                let (id, name) = (names::id(name).ok(), printable(&name.to_string_lossy()));
                listing.problems.push(Problem { name, id, error });
            }
        }
    }
    listing
}

/// `None` if it was removed while we looked.
fn summary(repository: &Directory, name: &OsString, guess: Format) -> Result<Option<Summary>> {
    let id = names::id(name)?;
    if guess == Format::Plain
        && let Some(summary) = at_a_glance(repository, name, &id)?
    {
        return Ok(Some(summary));
    }
    let Some(session) = open_directory(repository, &names::session(&id))? else { return Ok(None) };
    match summarize(&session, &id) {
        Ok(summary) if summary.saved.is_some() => Ok(Some(summary)),
        // It is empty or, as it seems, damaged; or its files go one after the other.
        outcome => match is_current(repository, &session, &id)? {
            true => outcome.map(Some),
            false => Ok(None),
        },
    }
}

/// A plain session that was saved and that nobody writes, as nearly all of many are: two calls tell.
fn at_a_glance(repository: &Directory, name: &OsString, id: &SessionId) -> Result<Option<Summary>> {
    let look = |file, ask| repository.metadata_below(name, file, ask);
    // What else is there, or is wrong, is looked at more closely.
    let Ok(Some(checkpoint)) = look(names::CHECKPOINT, Ask::Times) else { return Ok(None) };
    let writer = look(names::WRITER, Ask::Metadata)?;
    if checkpoint.kind != Kind::File || writer.is_some_and(|it| it.size > 0) {
        return Ok(None);
    }
    Ok(Some(plain(id, &checkpoint, ProgramState::Idle)))
}

fn plain(id: &SessionId, checkpoint: &Dated, state: ProgramState) -> Summary {
    Summary {
        id: id.clone(),
        saved: Some(checkpoint.modified),
        size: Some(checkpoint.size),
        labels: Some(Labels::new()),
        changed: checkpoint.modified,
        format: Format::Plain,
        live: state == ProgramState::Running,
        state: Some(state),
        version: None,
    }
}

/// How a session stands, from its names and their sizes alone.
pub(super) fn summarize(session: &Directory, id: &SessionId) -> Result<Summary> {
    let state = lock::program(session)?;
    let saved = retry_if_converted(session, |format| match format {
        Format::Journal => Ok(Some(match journal::newest(session)? {
            Some(Kept { info, .. }) => Summary {
                saved: Some(info.saved),
                size: Some(info.size),
                labels: Some(info.labels),
                ..unsaved(id, info.saved, format, state)
            },
            None => unsaved(id, session.own_dated()?.modified, format, state),
        })),
        _ => match session.dated(names::CHECKPOINT)? {
            Some(there) if there.kind == Kind::File => Ok(Some(plain(id, &there, state))),
            Some(there) => Err(Error::Corrupt {
                path: session.path().join(names::CHECKPOINT),
                damage: Damage::WrongKind { found: there.kind, expected: Kind::File },
                newest_good: None,
            }),
            None => Ok(None),
        },
    })?;
    match saved {
        Some(summary) => Ok(summary),
        None => Ok(unsaved(id, session.own_dated()?.modified, Format::Plain, state)),
    }
}

/// A session without a checkpoint.
fn unsaved(id: &SessionId, changed: SystemTime, format: Format, state: ProgramState) -> Summary {
    Summary {
        id: id.clone(),
        saved: None,
        size: None,
        labels: Some(Labels::new()),
        changed,
        format,
        live: state == ProgramState::Running,
        state: Some(state),
        version: None,
    }
}
