//! Where in a journal damage is.

use super::segment::{Damage, Segment};
use super::state::Journal;
use crate::backend::{Finding, Severity};
use crate::directory::names;
use crate::error::{Error, Result};
use crate::revision::Revision;
use crate::sys::{Access, Directory};

/// What is wrong with the files, and the places of these revisions, which cannot be loaded.
pub(in crate::directory) fn locate(session: &Directory, lost: &[u64]) -> Result<Vec<Finding>> {
    let journal = match Journal::open(session, Access::Read) {
        Ok(journal) => journal,
        // A segment that is no file: its name tells.
        Err(Error::Corrupt { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let at = |name: &str| session.path().join(name);
    let mut findings = Vec::new();
    for (name, len) in &journal.damaged {
        let what = format!("its header is lost, or it is of another journal: {len} bytes");
        findings.push(Finding::new(Severity::Damage, at(name), what));
    }
    for name in &journal.copies {
        let what = "a copy that somebody made of another file of this journal";
        findings.push(Finding::new(Severity::Note, at(name), what));
    }
    if journal.is_without_files() {
        let what = "all files of this journal are missing: session.journal-0 and so on";
        findings.push(Finding::new(Severity::Damage, at(names::JOURNAL), what));
    }
    let newest = journal.places(0).next();
    for segment in &journal.segments {
        findings.extend(damage(session, segment, journal.may_have_lost_newer(newest)));
    }
    for number in lost.iter().copied().filter(|number| *number > 0) {
        findings.push(where_is(session, &journal, number));
    }
    Ok(findings)
}

/// What is wrong with a segment whose records are good. That its end is missing is over once something newer
/// is saved.
fn damage(session: &Directory, segment: &Segment, newest_is_lost: bool) -> Option<Finding> {
    let (severity, what) = match segment.damage? {
        Damage::FirstBlock => {
            (Severity::Note, "its first block is lost; there was a copy of its header".to_owned())
        }
        Damage::CutShort => (
            if newest_is_lost { Severity::Damage } else { Severity::Note },
            format!("cut short to {} of {} bytes", segment.capacity, segment.header.capacity),
        ),
    };
    Some(Finding::new(severity, session.path().join(&segment.name), what))
}

fn where_is(session: &Directory, journal: &Journal, number: u64) -> Finding {
    let record = journal.places(0).find(|it| journal.record(*it).header.revision == number);
    let path = |segment: &Segment| session.path().join(&segment.name);
    let gap = journal.segments.iter().find_map(|it| Some((it, gap(it, number)?)));
    let (place, at, what) = match (record, gap) {
        (Some(place), _) => {
            let what = "its bytes, or those it is stored against, are not what was written";
            (path(&journal.segments[place.0]), Some(journal.record(place).at), what)
        }
        (None, Some((segment, at))) => (path(segment), Some(at), "its header is lost"),
        (None, None) => (session.path().join(names::JOURNAL), None, "no file holds it"),
    };
    let revision = Some(Revision::from_number(number));
    Finding { at, revision, ..Finding::new(Severity::Damage, place, what) }
}

/// Where in a segment the record of this number is missing.
fn gap(segment: &Segment, number: u64) -> Option<u64> {
    let before = segment.records.iter().rev().find(|it| it.header.revision < number);
    let behind = segment.records.iter().any(|it| it.header.revision > number);
    let at = before.map_or(super::BLOCK, |it| it.at + it.len);
    (behind || segment.closed.is_some_and(|closed| closed >= number)).then_some(at)
}
