//! Reading, beside a writer that may be at work.

use super::state::{Journal, info};
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
            return Err(damaged(session, journal, good));
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
            return if is_lost(journal, number) {
                Err(damaged(session, journal, 0))
            } else {
                Ok(None)
            };
        };
        match journal.checkpoint(place)? {
            Some(data) => Ok(Some(Checkpoint { info: info(&journal.record(place).header), data })),
            // Being written at this moment, or cut short when its writer was killed.
            None if number > journal.proven() => Ok(None),
            None => Err(damaged(session, journal, 0)),
        }
    })
}

/// The newest record, by its header alone; `None` if nothing was ever saved.
pub(in crate::directory) fn newest(session: &Directory) -> Result<Option<Kept>> {
    let journal = Journal::open(session, Access::Read)?;
    let place = journal.places().next();
    Ok(place.map(|place| journal.kept(place)))
}

/// Every revision that is kept, the newest first, by their headers alone. What is not proved to have
/// been acknowledged is read, for it may be a part of one only.
pub(in crate::directory) fn history(session: &Directory) -> Result<History> {
    undisturbed(session, |journal| {
        let proven = journal.proven();
        let mut revisions: Vec<Kept> = Vec::new();
        for place in journal.places() {
            let kept = journal.kept(place);
            let is_proven = journal.record(place).header.revision <= proven;
            if is_proven || journal.checkpoint(place)?.is_some() {
                revisions.push(kept);
            }
        }
        let oldest = journal.places().last().map(|place| journal.record(place).header.revision);
        let lost = |number: &u64| Some(*number) > oldest && is_lost(journal, *number);
        let mut damaged: Vec<Revision> =
            named(journal).filter(lost).map(Revision::from_number).collect();
        damaged.sort_by_key(|revision| std::cmp::Reverse(revision.number()));
        damaged.dedup();
        Ok(History { revisions, damaged })
    })
}

/// The revisions that records and writers' ends name as acknowledged.
fn named(journal: &Journal) -> impl Iterator<Item = u64> {
    let segments = journal.segments.iter();
    segments.flat_map(|segment| {
        let previous = segment.records.iter().map(|record| record.header.previous);
        previous.chain(segment.closed)
    })
}

fn is_lost(journal: &Journal, number: u64) -> bool {
    let there = |place| journal.record(place).header.revision == number;
    number > 0
        && number >= journal.oldest_kept()
        && named(journal).any(|it| it == number)
        && !journal.places().any(there)
}

/// Looks again as long as a writer was at work while something seemed to be damaged or missing:
/// segments are read one after the other, and what was true of one may be over with the next.
fn undisturbed<T>(session: &Directory, look: impl Fn(&Journal) -> Result<T>) -> Result<T> {
    let mut before = Vec::new();
    for _ in 0..PATIENCE {
        let journal = Journal::open(session, Access::Read)?;
        match look(&journal) {
            Err(Error::Corrupt { .. }) if journal.fingerprint() != before => {
                before = journal.fingerprint();
            }
            outcome => return outcome,
        }
    }
    look(&Journal::open(session, Access::Read)?)
}

fn damaged(session: &Directory, journal: &Journal, good: u64) -> Error {
    let newest = journal.proven();
    let problem = match journal.damaged.first() {
        Some((name, _)) => format!("{name} has lost its header"),
        None => format!("revision {newest} cannot be read"),
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
