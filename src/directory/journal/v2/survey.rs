//! All files of a journal, where it is not known which commit is the newest, or where something is lost.

use super::layout::FileHeader;
use super::record::Record;
use super::ring::{Opened, Ring};
use crate::directory::names;
use crate::error::Result;
use crate::sys::{Access, Directory};

/// The files of a journal.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The rings of this journal, by their numbers.
    pub rings: Vec<FileHeader>,
    /// Those of them that are shorter than they were made.
    pub cut_short: Vec<u64>,
    /// Files whose headers are lost, and rings of other journals or of other numbers, with their lengths.
    pub damaged: Vec<(u64, u64)>,
    /// The highest number of any file, also of version 1.
    pub top: u64,
    /// Files that were being made when their writer ended.
    pub staged: Vec<String>,
}

impl Survey {
    /// Reads the headers of all files; `journal` is the journal's number, if that is known. `None` if no file
    /// is a ring.
    pub(super) fn of(session: &Directory, journal: Option<u64>) -> Result<Option<Self>> {
        let mut survey = Self::default();
        let mut numbers = Vec::new();
        for (name, _) in session.entries()? {
            let Some(name) = name.to_str() else { continue };
            numbers.extend(names::segment_number(name));
            if names::is_staged(name) {
                survey.staged.push(name.to_owned());
            }
        }
        numbers.sort_unstable();
        survey.top = numbers.last().copied().unwrap_or(0);
        for number in numbers.into_iter().rev() {
            match Ring::open(session, number, Access::Read)? {
                Some(Opened::Ring(_, header)) => survey.rings.push(header),
                Some(Opened::CutShort(_, header)) => {
                    survey.cut_short.push(number);
                    survey.rings.push(header);
                }
                Some(Opened::Damaged(len)) => survey.damaged.push((number, len)),
                // What goes on in version 2 does so in files of higher numbers.
                Some(Opened::Older) => break,
                // The writer may take one away while we look.
                None => (),
            }
        }
        survey.rings.reverse();
        let Some(first) = survey.rings.first() else { return Ok(None) };
        let journal = journal.unwrap_or(first.journal);
        for foreign in survey.rings.extract_if(.., |it| it.journal != journal) {
            survey.damaged.push((foreign.number, foreign.len));
        }
        Ok(Some(survey))
    }

    pub(super) fn newest(&self) -> Option<&FileHeader> {
        self.rings.last()
    }

    /// Every record of every ring whose header is good and that counts, the newest first. A ring says what
    /// counts in those of lower numbers.
    pub(super) fn records(&self, session: &Directory) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        let mut cut = u64::MAX;
        for header in self.rings.iter().rev() {
            if let Some((ring, header)) =
                Ring::open(session, header.number, Access::Read)?.and_then(Opened::ring)
            {
                let found = ring.scan(&header)?;
                records.extend(found.into_iter().filter(|it| it.header.lsn <= cut));
            }
            cut = cut.min(header.follows.lsn);
        }
        records.sort_by_key(|it| std::cmp::Reverse(it.header.lsn));
        Ok(records)
    }
}
