//! Finding the sessions of a repository.

use std::ffi::OsString;

use super::open::{is_current, open_directory, require_marker};
use super::{journal, lock, names};
use crate::backend::{Format, Listing, Problem, Summary};
use crate::checkpoint::Labels;
use crate::error::{Damage, Error, Result};
use crate::id::{SessionId, printable};
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
    Ok(Some(plain(id, &checkpoint, false)))
}

fn plain(id: &SessionId, checkpoint: &Dated, live: bool) -> Summary {
    Summary {
        id: id.clone(),
        saved: Some(checkpoint.modified),
        size: Some(checkpoint.size),
        labels: Some(Labels::new()),
        changed: checkpoint.modified,
        format: Format::Plain,
        live,
        version: None,
    }
}

/// How a session stands, from its names and their sizes alone.
pub(super) fn summarize(session: &Directory, id: &SessionId) -> Result<Summary> {
    if journal::is_there(session)? {
        let newest = journal::newest(session)?;
        return Ok(Summary {
            id: id.clone(),
            saved: newest.as_ref().map(|it| it.info.saved),
            size: newest.as_ref().map(|it| it.info.size),
            labels: Some(newest.as_ref().map(|it| it.info.labels.clone()).unwrap_or_default()),
            changed: match newest {
                Some(newest) => newest.info.saved,
                None => session.own_dated()?.modified,
            },
            format: Format::Journal,
            live: lock::is_live(session)?,
            version: None,
        });
    }
    let live = lock::is_live(session)?;
    match session.dated(names::CHECKPOINT)? {
        Some(there) if there.kind == Kind::File => Ok(plain(id, &there, live)),
        Some(there) => Err(Error::Corrupt {
            path: session.path().join(names::CHECKPOINT),
            damage: Damage::WrongKind { found: there.kind, expected: Kind::File },
            newest_good: None,
        }),
        // It became a journal just now.
        None if journal::is_there(session)? => summarize(session, id),
        None => {
            require_marker(session)?;
            Ok(Summary {
                id: id.clone(),
                saved: None,
                size: None,
                labels: Some(Labels::new()),
                changed: session.own_dated()?.modified,
                format: Format::Plain,
                live,
                version: None,
            })
        }
    }
}
