//! Reading, beside a writer that may be at work. No call takes a lock.

use std::collections::BTreeSet;
use std::io::Cursor;

use super::record::{Kind, Record};
use super::ring::{Payload, Ring};
use super::view::{Step, View, look};
use crate::backend::{History, Kept};
use crate::checkpoint::CheckpointInfo;
use crate::directory::pieces::Part;
use crate::error::{Error, Result};
use crate::revision::{At, Revision};
use crate::stream::{Buffer, CheckpointReader};
use crate::sys::Directory;

/// What a call finds; the outer `None` if this is no journal of version 2.
pub(super) type Found<T> = Option<Option<T>>;

/// Loads the newest checkpoint, or a revision that is kept, into memory of the caller's.
pub(in crate::directory) fn load_into(
    session: &Directory,
    at: At,
    buffer: &mut dyn Buffer,
) -> Result<Found<CheckpointInfo>> {
    look(session, |view| {
        let found = find(view, at, |ring, record| ring.load_into(record, buffer))?;
        Ok(found.map(|(record, ())| record.info()))
    })
}

/// Opens the same, to be read in pieces.
pub(in crate::directory) fn open(session: &Directory, at: At) -> Result<Found<CheckpointReader>> {
    look(session, |view| {
        let Some((record, payload)) = find(view, at, Ring::payload)? else { return Ok(None) };
        let info = record.info();
        Ok(match payload {
            Payload::InMemory(data) => Some(CheckpointReader::new(info, Cursor::new(data))),
            Payload::InPlace => view.take_ring(&record)?.map(|ring| {
                let at = record.stored_at();
                let end = at + info.size;
                CheckpointReader::new(info, Part { file: ring.file, at, end })
            }),
        })
    })
}

/// The newest checkpoint without its payload; `None` if nothing was ever saved.
pub(in crate::directory) fn newest(session: &Directory) -> Result<Found<Kept>> {
    look(session, |view| match view.newest()? {
        Step::To(record) => Ok(Some(kept(&record))),
        Step::End => Ok(None),
        Step::Broken => Err(lost_newest(view)?),
    })
}

/// Every revision that is kept, the newest first, by their headers alone.
pub(in crate::directory) fn history(session: &Directory) -> Result<Option<History>> {
    look(session, |view| {
        let mut revisions = Vec::new();
        let oldest = view.kept();
        let mut step = view.newest()?;
        loop {
            match step {
                Step::To(record) => {
                    revisions.push(kept(&record));
                    // The space of what is before the oldest may be in use again.
                    step = match record.header.revision > oldest {
                        true => view.checkpoint_before(&record)?,
                        false => Step::End,
                    };
                }
                Step::End => return Ok(History { revisions, ..History::default() }),
                Step::Broken => return what_is_left(view),
            }
        }
    })
}

/// The history of a journal in which something is lost, or seems so beside a writer: then it is looked at again.
fn what_is_left(view: &mut View<'_>) -> Result<History> {
    let records = view.survey()?;
    let oldest = records.iter().map(|it| it.header.kept).max().unwrap_or(0).max(view.kept());
    let there: BTreeSet<u64> = records.iter().filter_map(checkpoint_number).collect();
    let named = records.iter().map(|it| it.header.previous.1.revision);
    let newest = view.standing.commit.revision;
    let lost: BTreeSet<u64> =
        named.chain([newest]).filter(|it| *it >= oldest.max(1) && !there.contains(it)).collect();
    let is_kept = |it: &&Record| checkpoint_number(it).is_some_and(|number| number >= oldest);
    Ok(History {
        revisions: records.iter().filter(is_kept).map(kept).collect(),
        damaged: lost.into_iter().rev().map(Revision::from_number).collect(),
        may_lack_newer: view.standing.lost.is_some(),
    })
}

fn checkpoint_number(record: &Record) -> Option<u64> {
    (record.header.kind != Kind::Mark).then_some(record.header.revision)
}

fn kept(record: &Record) -> Kept {
    Kept { info: record.info(), stored: record.place.len() }
}

/// What `take` makes of the newest checkpoint or of a revision; `None` if there is none.
fn find<T>(
    view: &mut View<'_>,
    at: At,
    take: impl FnMut(&Ring, &Record) -> Result<Option<T>>,
) -> Result<Option<(Record, T)>> {
    match at {
        At::Newest => find_newest(view, take),
        At::Revision(revision) => find_revision(view, revision.number().unwrap_or(0), take),
    }
}

fn find_newest<T>(
    view: &mut View<'_>,
    mut take: impl FnMut(&Ring, &Record) -> Result<Option<T>>,
) -> Result<Option<(Record, T)>> {
    match view.newest()? {
        Step::End => Ok(None),
        Step::Broken => Err(lost_newest(view)?),
        Step::To(record) => match view.of(&record, &mut take)? {
            Some(taken) => Ok(Some((record, taken))),
            None => Err(view.corrupt(record.header.revision, record.place.file)?),
        },
    }
}

fn lost_newest(view: &mut View<'_>) -> Result<Error> {
    let good = view.newest_good(u64::MAX)?;
    Ok(match &view.standing.lost {
        Some(lost) => lost.error(view.session, good),
        None => view.corrupt(view.standing.commit.revision, view.standing.ring)?,
    })
}

fn find_revision<T>(
    view: &mut View<'_>,
    number: u64,
    mut take: impl FnMut(&Ring, &Record) -> Result<Option<T>>,
) -> Result<Option<(Record, T)>> {
    if number == 0 {
        return Ok(None);
    }
    let step = match view.newest_commit() {
        Step::To(_) if number < view.kept() => return Ok(None),
        Step::To(record) => view.back_to(record, number)?,
        step => step,
    };
    let record = match step {
        Step::End => return Ok(None),
        Step::To(record) if record.header.revision != number => return Ok(None),
        Step::To(record) => Some(record),
        Step::Broken => {
            let left = view.survey()?;
            let found = left.iter().find(|it| checkpoint_number(it) == Some(number));
            let is_named = || left.iter().any(|it| it.header.previous.1.revision == number);
            if found.is_none() && !is_named() && view.standing.commit.revision != number {
                return Ok(None);
            }
            found.cloned()
        }
    };
    if let Some(record) = record
        && let Some(taken) = view.of(&record, &mut take)?
    {
        return Ok(Some((record, taken)));
    }
    // What is torn and named by none was never acknowledged: but where the way back leads, all was.
    let file = view.standing.ring;
    Err(view.corrupt(number, file)?)
}
