//! Reading, beside a writer that may be at work.

use std::collections::HashSet;
use std::io::Cursor;

use super::state::{Journal, Payload, Place, info};
use crate::backend::{History, Kept};
use crate::checkpoint::{Checkpoint, CheckpointInfo};
use crate::directory::names;
use crate::directory::pieces::Part;
use crate::error::{Damage, Error, Result};
use crate::revision::Revision;
use crate::stream::{Buffer, CheckpointReader};
use crate::sys::{Access, Directory};

/// How often a reader looks again because a writer changed what it was reading.
const PATIENCE: usize = 100;

/// The newest checkpoint; `None` if nothing was ever saved.
///
/// Fails with [`Error::Corrupt`], which names the newest good revision, if a newer one was
/// acknowledged and is damaged.
pub(in crate::directory) fn load(session: &Directory) -> Result<Option<Checkpoint>> {
    Ok(newest_of(session, Journal::checkpoint)?.map(checkpoint))
}

/// A revision that is kept.
pub(in crate::directory) fn load_revision(
    session: &Directory,
    revision: Revision,
) -> Result<Option<Checkpoint>> {
    Ok(revision_of(session, revision, Journal::checkpoint)?.map(checkpoint))
}

/// The newest checkpoint, or a revision that is kept, into memory of the caller's.
pub(in crate::directory) fn load_into(
    session: &Directory,
    revision: Option<Revision>,
    buffer: &mut dyn Buffer,
) -> Result<Option<CheckpointInfo>> {
    let take = |journal: &Journal, place| journal.load_into(place, buffer);
    let loaded = match revision {
        Some(revision) => revision_of(session, revision, take)?,
        None => newest_of(session, take)?,
    };
    Ok(loaded.map(|(journal, place, ())| info(&journal.record(place).header)))
}

/// The newest checkpoint, to be read in pieces. Fails as [`load`] does.
pub(in crate::directory) fn open(session: &Directory) -> Result<Option<CheckpointReader>> {
    Ok(newest_of(session, Journal::payload)?.map(reader))
}

/// A revision that is kept, to be read in pieces.
pub(in crate::directory) fn open_revision(
    session: &Directory,
    revision: Revision,
) -> Result<Option<CheckpointReader>> {
    Ok(revision_of(session, revision, Journal::payload)?.map(reader))
}

/// What was looked for, where, and what was taken of it.
type Found<T> = (Journal, Place, T);

fn checkpoint((journal, place, data): Found<Vec<u8>>) -> Checkpoint {
    Checkpoint { info: info(&journal.record(place).header), data }
}

fn reader((mut journal, place, payload): Found<Payload>) -> CheckpointReader {
    let record = journal.record(place).clone();
    let info = info(&record.header);
    match payload {
        Payload::InMemory(data) => CheckpointReader::new(info, Cursor::new(data)),
        Payload::InPlace => {
            let at = record.at + record.header.stored_at();
            let (file, end) = (journal.segments.swap_remove(place.0).file, at + info.size);
            CheckpointReader::new(info, Part { file, at, end })
        }
    }
}

fn newest_of<T>(
    session: &Directory,
    mut take: impl FnMut(&Journal, Place) -> Result<Option<T>>,
) -> Result<Option<Found<T>>> {
    let (journal, newest) = undisturbed(session, |journal| {
        let newest = journal.newest_good(&mut take)?;
        let good = newest.as_ref().map_or(0, |(place, _)| journal.record(*place).header.revision);
        let place = newest.as_ref().map(|(place, _)| *place);
        if journal.proven() > good || journal.may_have_lost_newer(place) {
            return Err(damaged(session, journal, journal.proven(), good));
        }
        Ok(newest)
    })?;
    Ok(newest.map(|(place, taken)| (journal, place, taken)))
}

fn revision_of<T>(
    session: &Directory,
    revision: Revision,
    mut take: impl FnMut(&Journal, Place) -> Result<Option<T>>,
) -> Result<Option<Found<T>>> {
    let (journal, found) = undisturbed(session, |journal| {
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
        match take(journal, place)? {
            Some(taken) => Ok(Some((place, taken))),
            // Being written at this moment, or cut short when its writer was killed.
            None if !journal.is_proved(number) => Ok(None),
            None => Err(damaged(session, journal, number, 0)),
        }
    })?;
    Ok(found.map(|(place, taken)| (journal, place, taken)))
}

/// The newest revision; `None` if nothing was ever saved. Fails as [`load`] does if a newer one is lost.
pub(in crate::directory) fn newest(session: &Directory) -> Result<Option<Kept>> {
    let look = |journal: &Journal| {
        let place = standing(journal).next().transpose()?;
        let revision = place.map_or(0, |place| journal.record(place).header.revision);
        if journal.proven() > revision || journal.may_have_lost_newer(place) {
            return Err(damaged(session, journal, journal.proven(), 0));
        }
        Ok(place.map(|place| journal.kept(place)))
    };
    Ok(undisturbed(session, look)?.1)
}

/// Whether the segments hold a checkpoint, with or without [`marker`](super::marker).
pub(in crate::directory) fn is_saved(session: &Directory) -> Result<bool> {
    match Journal::open(session, Access::Read) {
        Ok(journal) => Ok(journal.newest_good(Journal::payload)?.is_some()),
        // What is no file is none of a journal's.
        Err(Error::Corrupt { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Every revision that is kept, the newest first.
pub(in crate::directory) fn history(session: &Directory) -> Result<History> {
    let look = |journal: &Journal| {
        let places = standing(journal).collect::<Result<Vec<Place>>>()?;
        let damaged = journal.lost().into_iter().map(Revision::from_number).collect();
        Ok(History {
            revisions: places.iter().map(|&place| journal.kept(place)).collect(),
            damaged,
            may_lack_newer: journal.may_have_lost_newer(places.first().copied()),
        })
    };
    Ok(undisturbed(session, look)?.1)
}

/// The revisions that are kept, the newest first, by their headers alone. Only what is not proved to
/// have been acknowledged is read, for it may be a part of one.
fn standing(journal: &Journal) -> impl Iterator<Item = Result<Place>> {
    let proved: HashSet<u64> = journal.proved().collect();
    journal.places().filter_map(move |place| {
        if proved.contains(&journal.record(place).header.revision) {
            return Some(Ok(place));
        }
        journal.payload(place).map(|payload| payload.map(|_| place)).transpose()
    })
}

/// Looks again as long as a writer was at work while something seemed to be damaged: segments are read
/// one after the other, and what was true of one may be over with the next.
fn undisturbed<T>(
    session: &Directory,
    mut look: impl FnMut(&Journal) -> Result<T>,
) -> Result<(Journal, T)> {
    let mut before = None;
    let mut patience = PATIENCE;
    loop {
        let journal = Journal::open(session, Access::Read)?;
        let outcome = look(&journal);
        let suspicious = matches!(outcome, Err(Error::Corrupt { .. }))
            || !journal.lost().is_empty()
            || journal.may_have_lost_newer(journal.places().next());
        if !suspicious || before == Some(journal.fingerprint()) || patience == 0 {
            return outcome.map(|found| (journal, found));
        }
        before = Some(journal.fingerprint());
        patience -= 1;
    }
}

fn damaged(session: &Directory, journal: &Journal, lost: u64, good: u64) -> Error {
    let cut_short = journal.segments.iter().rfind(|it| !it.is_whole());
    let damage = match (journal.damaged.first(), cut_short) {
        (Some((name, _)), _) => Damage::NoHeader { file: name.clone() },
        (None, Some(segment)) => Damage::Truncated { file: segment.name.clone() },
        (None, None) if journal.is_without_files() => Damage::NoSegments,
        (None, None) => Damage::Revision(Revision::from_number(lost)),
    };
    let good = match good {
        0 => newest_whole(journal),
        good => Some(good),
    };
    Error::Corrupt {
        path: session.path().join(names::JOURNAL),
        damage,
        newest_good: good.map(Revision::from_number),
    }
}

fn newest_whole(journal: &Journal) -> Option<u64> {
    let (place, _) = journal.newest_good(Journal::payload).ok()??;
    Some(journal.record(place).header.revision)
}
