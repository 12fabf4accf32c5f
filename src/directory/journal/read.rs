//! Reading, beside a writer that may be at work.

use super::state::{Journal, Place, info};
use crate::backend::{History, Kept};
use crate::checkpoint::{Checkpoint, Revision};
use crate::directory::names;
use crate::error::{Error, Result};
use crate::sys::{Access, Directory};

/// How often a reader looks again because a writer changed what it was reading.
const PATIENCE: usize = 100;

/// The newest checkpoint; `None` if nothing was ever saved.
///
/// Fails with [`Error::Corrupt`], which names the newest good revision, if a newer one was
/// acknowledged and is damaged.
pub(in crate::directory) fn load(session: &Directory) -> Result<Option<Checkpoint>> {
    undisturbed(session, |journal| {
        let newest = journal.newest_good()?;
        let good = newest.as_ref().map_or(0, |(place, _)| journal.record(*place).header.revision);
        if journal.proven() > good || !journal.damaged.is_empty() {
            return Err(damaged(session, journal, journal.proven(), good));
        }
        Ok(newest
            .map(|(place, data)| Checkpoint { info: info(&journal.record(place).header), data }))
    })
}

/// A revision that is kept.
pub(in crate::directory) fn load_revision(
    session: &Directory,
    revision: Revision,
) -> Result<Option<Checkpoint>> {
    undisturbed(session, |journal| {
        let number = revision.number().unwrap_or(0);
        let place = journal.places().find(|&it| journal.record(it).header.revision == number);
        let Some(place) = place else {
            // One that a later record names, but that is not there: its header is lost.
            return if journal.lost().contains(&number) {
                Err(damaged(session, journal, number, 0))
            } else {
                Ok(None)
            };
        };
        match journal.checkpoint(place)? {
            Some(data) => Ok(Some(Checkpoint { info: info(&journal.record(place).header), data })),
            // Being written at this moment, or cut short when its writer was killed.
            None if number > journal.proven() => Ok(None),
            None => Err(damaged(session, journal, number, 0)),
        }
    })
}

/// The newest revision; `None` if nothing was ever saved. Fails as [`load`] does if a newer one is lost.
pub(in crate::directory) fn newest(session: &Directory) -> Result<Option<Kept>> {
    undisturbed(session, |journal| {
        let place = standing(journal).next().transpose()?;
        let revision = place.map_or(0, |place| journal.record(place).header.revision);
        if journal.proven() > revision || !journal.damaged.is_empty() {
            return Err(damaged(session, journal, journal.proven(), 0));
        }
        Ok(place.map(|place| journal.kept(place)))
    })
}

/// Every revision that is kept, the newest first.
pub(in crate::directory) fn history(session: &Directory) -> Result<History> {
    undisturbed(session, |journal| {
        let revisions = standing(journal).map(|place| Ok(journal.kept(place?)));
        let revisions = revisions.collect::<Result<Vec<Kept>>>()?;
        let damaged = journal.lost().into_iter().map(Revision::from_number).collect();
        Ok(History { revisions, damaged })
    })
}

/// The revisions that are kept, the newest first, by their headers alone. Only what is not proved to
/// have been acknowledged is read, for it may be a part of one.
fn standing(journal: &Journal) -> impl Iterator<Item = Result<Place>> {
    let proven = journal.proven();
    journal.places().filter_map(move |place| {
        if journal.record(place).header.revision <= proven {
            return Some(Ok(place));
        }
        journal.checkpoint(place).map(|data| data.map(|_| place)).transpose()
    })
}

/// Looks again as long as a writer was at work while something seemed to be damaged: segments are read
/// one after the other, and what was true of one may be over with the next.
fn undisturbed<T>(session: &Directory, look: impl Fn(&Journal) -> Result<T>) -> Result<T> {
    let mut before = Vec::new();
    let mut patience = PATIENCE;
    loop {
        let journal = Journal::open(session, Access::Read)?;
        let outcome = look(&journal);
        let suspicious =
            matches!(outcome, Err(Error::Corrupt { .. })) || !journal.lost().is_empty();
        if !suspicious || journal.fingerprint() == before || patience == 0 {
            return outcome;
        }
        before = journal.fingerprint();
        patience -= 1;
    }
}

fn damaged(session: &Directory, journal: &Journal, lost: u64, good: u64) -> Error {
    let problem = match journal.damaged.first() {
        Some((name, _)) => format!("{name} has lost its header"),
        None => format!("revision {lost} cannot be read"),
    };
    let good = match good {
        0 => newest_whole(journal),
        good => Some(good),
    };
    Error::Corrupt {
        place: session.path().join(names::JOURNAL),
        problem,
        newest_good: good.map(Revision::from_number),
    }
}

fn newest_whole(journal: &Journal) -> Option<u64> {
    let (place, _) = journal.newest_good().ok()??;
    Some(journal.record(place).header.revision)
}
