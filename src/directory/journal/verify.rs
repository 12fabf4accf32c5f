//! Where in a journal damage is.

use super::segment::Segment;
use super::state::Journal;
use crate::backend::{Finding, Severity};
use crate::directory::names;
use crate::error::{Error, Result};
use crate::revision::Revision;
use crate::sys::{Access, Directory};

/// The files whose headers are lost, and the places of these revisions, which cannot be loaded.
pub(in crate::directory) fn locate(session: &Directory, lost: &[u64]) -> Result<Vec<Finding>> {
    let journal = match Journal::open(session, Access::Read) {
        Ok(journal) => journal,
        // A segment that is no file: its name tells.
        Err(Error::Corrupt { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut findings = Vec::new();
    for (name, len) in &journal.damaged {
        let what = format!("its header is lost, or it is of another journal: {len} bytes");
        findings.push(Finding::new(Severity::Damage, session.path().join(name), what));
    }
    for number in lost.iter().copied().filter(|number| *number > 0) {
        findings.push(where_is(session, &journal, number));
    }
    Ok(findings)
}

fn where_is(session: &Directory, journal: &Journal, number: u64) -> Finding {
    let record = journal.places().find(|it| journal.record(*it).header.revision == number);
    let gap = journal.segments.iter().find_map(|it| Some((it, gap(it, number)?)));
    let (place, at, what) = match (record, gap) {
        (Some(place), _) => {
            let what = "its bytes, or those it is stored against, are not what was written";
            (journal.segments[place.0].file.path().to_owned(), Some(journal.record(place).at), what)
        }
        (None, Some((segment, at))) => {
            (segment.file.path().to_owned(), Some(at), "its header is lost")
        }
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
