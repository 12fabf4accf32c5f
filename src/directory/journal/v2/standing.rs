//! Which commit of a journal is the newest.

use super::hint::Hint;
use super::layout::{Commit, Place};
use super::record::Record;
use super::ring::{Opened, Ring};
use super::survey::Survey;
use crate::directory::names;
use crate::error::{Damage, Error, Result};
use crate::revision::Revision;
use crate::sys::{Access, Directory};

/// The newest commit of a journal, and how that is known.
#[derive(Debug)]
pub(super) struct Standing {
    pub journal: u64,
    /// The newest commit, even if its record is lost.
    pub commit: Commit,
    /// Its record; `None` if there is no commit, or if it is lost.
    pub newest: Option<Record>,
    /// The ring it is in, or in which the first one goes.
    pub ring: u64,
    /// What is lost that may have held the newest commit.
    pub lost: Option<Lost>,
    /// Whether something of a later commit is there, which is not whole.
    pub is_torn: bool,
}

/// What is lost, and where.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    pub file: String,
    pub damage: Damage,
}

impl Standing {
    /// A journal in which there is nothing yet.
    pub(super) fn empty(journal: u64) -> Self {
        Self {
            journal,
            commit: Commit::default(),
            newest: None,
            ring: 0,
            lost: None,
            is_torn: false,
        }
    }

    /// What the hint says, or else what is on the disk; `None` if this is no journal of version 2.
    pub(super) fn find(session: &Directory, hint: Option<&Hint>) -> Result<Option<Self>> {
        match hint.filter(|it| it.is_exact) {
            Some(hint) => Self::of_hint(session, hint).map(Some),
            None => {
                let journal = hint.map(|it| it.published.journal);
                let survey = Survey::of(session, journal)?;
                survey.map(|survey| Self::of_survey(session, &survey)).transpose()
            }
        }
    }

    pub(super) fn of_hint(session: &Directory, hint: &Hint) -> Result<Self> {
        let published = hint.published;
        let Place { file, block, .. } = published.place;
        let mut standing =
            Self { commit: published.commit, ring: file, ..Self::empty(published.journal) };
        if published.commit.lsn > 0 {
            let ring = Ring::with_salt(session, file, published.salt)?;
            let record = ring.map(|ring| ring.record(block)).transpose()?.flatten();
            standing.newest = record.filter(|it| it.commit() == published.commit);
            if standing.newest.is_none() {
                let damage = Damage::Revision(Revision::from_number(published.commit.revision));
                standing.lost = Some(Lost { file: names::segment(file), damage });
            }
        }
        Ok(standing)
    }

    /// The whole record of the highest LSN in the ring of the highest number.
    pub(super) fn of_survey(session: &Directory, survey: &Survey) -> Result<Self> {
        let Some(header) = survey.newest() else { return Err(missing(session)) };
        let opened = Ring::open(session, header.number, Access::Read)?.and_then(Opened::ring);
        let Some((ring, header)) = opened else { return Err(missing(session)) };
        let name = names::segment(ring.number);
        let mut standing =
            Self { commit: header.follows, ring: ring.number, ..Self::empty(header.journal) };
        let records = ring.scan(&header)?;
        for record in &records {
            if ring.is_whole(record)? {
                standing.commit = record.commit();
                standing.newest = Some(record.clone());
                break;
            }
            standing.is_torn = true;
            if records.iter().any(|it| it.header.previous.1 == record.commit()) {
                let damage = Damage::Revision(Revision::from_number(record.header.revision));
                standing.lose(record.commit(), &name, damage);
            }
        }
        // A ring gets its name with a whole record in it, unless the journal began with it.
        if standing.newest.is_none() && header.follows != Commit::default() {
            let lost = Commit { lsn: header.follows.lsn + 1, ..header.follows };
            let revision = Revision::from_number(header.follows.revision + 1);
            standing.lose(lost, &name, Damage::Revision(revision));
        }
        if let Some((number, _)) = survey.damaged.iter().find(|(it, _)| *it > ring.number) {
            let name = names::segment(*number);
            standing.lose(standing.commit, &name, Damage::NoHeader { file: name.clone() });
        } else if survey.cut_short.contains(&ring.number) {
            standing.lose(standing.commit, &name, Damage::Truncated { file: name.clone() });
        }
        Ok(standing)
    }

    fn lose(&mut self, commit: Commit, file: &str, damage: Damage) {
        if commit.lsn > self.commit.lsn {
            self.commit = commit;
        }
        self.lost.get_or_insert(Lost { file: file.to_owned(), damage });
    }
}

/// The error of a journal whose files are all gone, or go while they are looked at.
fn missing(session: &Directory) -> Error {
    Error::Corrupt {
        path: session.path().join(names::JOURNAL),
        damage: Damage::NoSegments,
        newest_good: None,
    }
}

impl Lost {
    pub(super) fn error(&self, session: &Directory, good: Option<u64>) -> Error {
        Error::Corrupt {
            path: session.path().join(&self.file),
            damage: self.damage.clone(),
            newest_good: good.map(Revision::from_number),
        }
    }
}
