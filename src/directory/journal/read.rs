//! Reading, beside a writer that may be at work.

use std::collections::HashSet;
use std::io::Cursor;

use super::state::{Journal, Payload, Place, info};
use crate::backend::{History, Kept};
use crate::checkpoint::CheckpointInfo;
use crate::directory::names;
use crate::directory::pieces::Part;
use crate::error::{Damage, Error, Result};
use crate::revision::{At, Revision};
use crate::stream::{Buffer, CheckpointReader};
use crate::sys::{Access, Directory};

/// How often a reader looks again because a writer changed what it was reading.
const PATIENCE: usize = 100;

/// Loads a checkpoint into the caller's memory; `None` if it is not kept.
///
/// Fails with [`Error::Corrupt`], which names the newest good revision, if a newer one was
/// acknowledged and is damaged.
pub(in crate::directory) fn load_into(
    session: &Directory,
    at: At,
    buffer: &mut dyn Buffer,
) -> Result<Option<CheckpointInfo>> {
    let take = |journal: &Journal, place| journal.load_into(place, buffer);
    let loaded = look_up(session, at, take)?;
    Ok(loaded.map(|(journal, place, ())| info(&journal.record(place).header)))
}

/// Opens a checkpoint to be read in pieces. Fails as [`load_into`] does.
pub(in crate::directory) fn open(session: &Directory, at: At) -> Result<Option<CheckpointReader>> {
    Ok(look_up(session, at, Journal::payload)?.map(reader))
}

fn look_up<T>(
    session: &Directory,
    at: At,
    take: impl FnMut(&Journal, Place) -> Result<Option<T>>,
) -> Result<Option<Found<T>>> {
    match at {
        At::Newest => newest_of(session, take),
        At::Revision(revision) => revision_of(session, revision, take),
    }
}

/// What was looked for, where, and what was taken of it.
type Found<T> = (Journal, Place, T);

fn reader((journal, place, payload): Found<Payload>) -> CheckpointReader {
    let record = journal.record(place);
    let info = info(&record.header);
    match payload {
        Payload::InMemory(data) => CheckpointReader::new(info, Cursor::new(data)),
        Payload::InPlace(file) => {
            let at = record.at + record.header.stored_at();
            let end = at + info.size;
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
        let is_it = |it: &Place| journal.record(*it).header.revision == number;
        let kept = kept_until(journal, number)?;
        let Some(place) = journal.places(kept).find(is_it) else {
            // One that a later record names, but that is not there: its header is lost.
            return if journal.lost(kept).contains(&number) {
                Err(damaged(session, journal, number, 0))
            } else {
                Ok(None)
            };
        };
        match journal.take(place, &mut take)? {
            Some(taken) => Ok(Some((place, taken))),
            // Being written at this moment, or cut short when its writer was killed.
            None if !journal.is_proved(number) => Ok(None),
            None => Err(damaged(session, journal, number, 0)),
        }
    })?;
    Ok(found.map(|(place, taken)| (journal, place, taken)))
}

/// The oldest revision that is kept, as far as it matters for this one: the newest record is read only if what it
/// says decides, for it may not be whole.
fn kept_until(journal: &Journal, number: u64) -> Result<u64> {
    let surely = journal.surely_given_up();
    let may_be_given_up = journal.places(surely).any(|it| journal.record(it).header.kept > number);
    if number < surely || !may_be_given_up {
        return Ok(surely);
    }
    let newest = standing(journal).next().transpose()?;
    Ok(journal.oldest_kept(newest))
}

/// The newest revision; `None` if nothing was ever saved. Fails as [`load_into`] does if a newer one is lost.
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
        let newest = places.first().copied();
        let kept = journal.oldest_kept(newest);
        let is_kept = |it: &&Place| journal.record(**it).header.revision >= kept;
        let lost = journal.lost(kept);
        let may_lack_newer = journal.may_have_lost_newer(newest);
        if may_lack_newer || !lost.is_empty() {
            journal.is_doubtful.set(true);
        }
        Ok(History {
            revisions: places.iter().filter(is_kept).map(|&place| journal.kept(place)).collect(),
            damaged: lost.into_iter().map(Revision::from_number).collect(),
            may_lack_newer,
        })
    };
    Ok(undisturbed(session, look)?.1)
}

/// The revisions that are not surely given up, the newest first, by their headers alone. Only what is not proved to
/// have been acknowledged is read, for it may be a part of one.
fn standing(journal: &Journal) -> impl Iterator<Item = Result<Place>> {
    let proved: HashSet<u64> = journal.proved().collect();
    journal.places(journal.surely_given_up()).filter_map(move |place| {
        if proved.contains(&journal.record(place).header.revision) {
            return Some(Ok(place));
        }
        let payload = journal.take(place, Journal::payload);
        payload.map(|payload| payload.map(|_| place)).transpose()
    })
}

/// Looks again as long as a writer was at work while something seemed not to be whole: segments are read
/// one after the other, and what was true of one may be over with the next. That no writer was is seen behind
/// the look.
fn undisturbed<T>(
    session: &Directory,
    mut look: impl FnMut(&Journal) -> Result<T>,
) -> Result<(Journal, T)> {
    let mut journal = Journal::open(session, Access::Read)?;
    let mut patience = PATIENCE;
    loop {
        let outcome = look(&journal);
        let is_clear = match &outcome {
            Ok(_) => !journal.is_doubtful.get(),
            Err(error) => !may_be_disturbed(error),
        };
        if is_clear || patience == 0 {
            return outcome.map(|found| (journal, found));
        }
        let now = Journal::open(session, Access::Read)?;
        if now.is_as(&journal) {
            return outcome.map(|found| (journal, found));
        }
        journal = now;
        patience -= 1;
    }
}

/// Whether this is what a reader finds whose files are written or replaced meanwhile.
fn may_be_disturbed(error: &Error) -> bool {
    match error {
        Error::Corrupt { .. } => true,
        Error::Storage { source, .. } => source.kind() == std::io::ErrorKind::UnexpectedEof,
        _ => false,
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
