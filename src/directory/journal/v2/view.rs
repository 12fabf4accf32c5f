//! A journal as it stands at one moment, and the way back from its newest commit.

use super::hint::Hint;
use super::layout::{Commit, Place};
use super::record::{Kind, Record};
use super::ring::{Opened, Ring};
use super::standing::{Lost, Standing};
use super::survey::Survey;
use crate::directory::names;
use crate::error::{Damage, Error, Result};
use crate::revision::Revision;
use crate::sys::{Access, Directory, Failure};

/// How often a reader begins again because a writer used the space of what it was reading.
const PATIENCE: usize = 1000;

/// How many rings are open at once.
const OPEN: usize = 3;

/// A journal as it stands at one moment.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub session: &'a Directory,
    pub standing: Standing,
    /// Rings that are open, the one that was asked for last at the end.
    open: Vec<Ring>,
    /// Whether a record was not where it should be: it is damaged, or a writer has used its space again.
    is_in_doubt: bool,
}

/// Where a way back leads.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one is handed on at a time")]
pub(super) enum Step {
    To(Record),
    /// There is no commit before, or it was version 1's.
    End,
    /// Its record is lost, or its space was used again since.
    Broken,
}

/// Takes something from a journal as it stands at one moment between the beginning and the end of this call;
/// `None` if it is no journal of version 2. docs/format.md has the argument.
pub(super) fn look<T>(
    session: &Directory,
    mut take: impl FnMut(&mut View<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut hint = Hint::read(session)?;
    for _ in 0..PATIENCE {
        let mut is_sure = hint.is_some_and(|it| it.is_exact);
        let outcome = match Standing::find(session, hint.as_ref()) {
            Ok(Some(standing)) => {
                let mut view = View::new(session, standing);
                let taken = take(&mut view).map(Some);
                is_sure &= !view.is_in_doubt;
                taken
            }
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        if is_sure && !matches!(outcome, Err(Error::Corrupt { .. })) {
            return outcome;
        }
        let now = Hint::read(session)?;
        if now == hint {
            return outcome;
        }
        hint = now;
    }
    let path = session.path().join(names::HINT);
    let source =
        std::io::Error::new(std::io::ErrorKind::TimedOut, "it is saved faster than it can be read");
    Err(Failure { step: crate::error::Step::Read, path, source }.into())
}

impl<'a> View<'a> {
    pub(super) fn new(session: &'a Directory, standing: Standing) -> Self {
        Self { session, standing, open: Vec::new(), is_in_doubt: false }
    }

    /// The ring of this number. A few are kept open.
    pub(super) fn ring(&mut self, number: u64) -> Result<Option<&Ring>> {
        match self.open.iter().position(|it| it.number == number) {
            Some(at) => {
                let ring = self.open.remove(at);
                self.open.push(ring);
            }
            None => {
                let opened = Ring::open(self.session, number, Access::Read)?;
                let Some((ring, _)) = opened.and_then(Opened::ring) else { return Ok(None) };
                if self.open.len() == OPEN {
                    self.open.remove(0);
                }
                self.open.push(ring);
            }
        }
        Ok(self.open.last())
    }

    /// The ring of this record, to be kept by the caller.
    pub(super) fn take_ring(&mut self, record: &Record) -> Result<Option<Ring>> {
        let is_there = self.ring(record.place.file)?.is_some();
        Ok(if is_there { self.open.pop() } else { None })
    }

    /// What `take` makes of a record, in the ring that it is in.
    pub(super) fn of<T>(
        &mut self,
        record: &Record,
        take: impl FnOnce(&Ring, &Record) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        match self.ring(record.place.file)? {
            Some(ring) => take(ring, record),
            None => Ok(None),
        }
    }

    /// The record at this place, if it is of this commit.
    pub(super) fn record(&mut self, place: Place, commit: Commit) -> Result<Step> {
        if !place.is_some() {
            return Ok(Step::End);
        }
        let record = match self.ring(place.file)? {
            Some(ring) => ring.record(place.block)?,
            None => None,
        };
        let record = record.filter(|it| it.commit() == commit);
        self.is_in_doubt |= record.is_none();
        Ok(record.map_or(Step::Broken, Step::To))
    }

    /// The newest commit.
    pub(super) fn newest_commit(&self) -> Step {
        match (&self.standing.newest, &self.standing.lost) {
            (_, Some(_)) => Step::Broken,
            (Some(record), None) => Step::To(record.clone()),
            (None, None) => Step::End,
        }
    }

    pub(super) fn before(&mut self, record: &Record) -> Result<Step> {
        let (place, commit) = record.header.previous;
        self.record(place, commit)
    }

    /// The newest checkpoint.
    pub(super) fn newest(&mut self) -> Result<Step> {
        let newest = self.newest_commit();
        self.checkpoint(newest)
    }

    /// The checkpoint before.
    pub(super) fn checkpoint_before(&mut self, record: &Record) -> Result<Step> {
        let before = self.before(record)?;
        self.checkpoint(before)
    }

    /// This commit or, if it is none of a checkpoint, the newest one before it.
    pub(super) fn checkpoint(&mut self, mut step: Step) -> Result<Step> {
        loop {
            match step {
                Step::To(record) if record.header.kind == Kind::Mark => {
                    step = self.before(&record)?;
                }
                step => return Ok(step),
            }
        }
    }

    /// The oldest revision that is kept.
    pub(super) fn kept(&self) -> u64 {
        self.standing.newest.as_ref().map_or(0, |it| it.header.kept)
    }

    /// The oldest checkpoint of a higher revision than this one, up to a record.
    pub(super) fn above(&mut self, record: Record, revision: u64) -> Result<Step> {
        let mut at = record;
        while at.header.previous.1.revision > revision {
            if let Some(record) = self.jump(&at, revision + 1)? {
                at = record;
                continue;
            }
            match self.before(&at)? {
                Step::To(record) => at = record,
                // Version 1 has the rest.
                Step::End => break,
                Step::Broken => return Ok(Step::Broken),
            }
        }
        Ok(Step::To(at))
    }

    /// The commit before a record with the highest revision that is not above this one, along the jumps.
    pub(super) fn back_to(&mut self, record: Record, revision: u64) -> Result<Step> {
        let mut at = record;
        loop {
            let is_it = at.header.revision <= revision && at.header.kind != Kind::Mark;
            if is_it || at.header.revision < revision {
                return Ok(Step::To(at));
            }
            if let Some(record) = self.jump(&at, revision)? {
                at = record;
                continue;
            }
            match self.before(&at)? {
                Step::To(record) => at = record,
                end => return Ok(end),
            }
        }
    }

    /// The record that the jump of this one leads to, if it does not lead too far.
    fn jump(&mut self, record: &Record, revision: u64) -> Result<Option<Record>> {
        let (place, target) = record.header.jump;
        let lsn = record.header.lsn & (record.header.lsn - 1);
        if !place.is_some() || target < revision || lsn + 1 == record.header.lsn {
            return Ok(None);
        }
        self.along(record)
    }

    /// The record that the jump of this one leads to, if its space was not used again.
    pub(super) fn along(&mut self, record: &Record) -> Result<Option<Record>> {
        let (place, target) = record.header.jump;
        let lsn = record.header.lsn & (record.header.lsn - 1);
        if !place.is_some() {
            return Ok(None);
        }
        let found = match self.ring(place.file)? {
            Some(ring) => ring.record(place.block)?,
            None => None,
        };
        Ok(found.filter(|it| (it.header.lsn, it.header.revision) == (lsn, target)))
    }

    /// All records that are there and count, the newest first, where the way back is broken.
    pub(super) fn survey(&mut self) -> Result<Vec<Record>> {
        self.is_in_doubt = true;
        let Some(survey) = Survey::of(self.session, Some(self.standing.journal))? else {
            return Ok(Vec::new());
        };
        let mut records = survey.records(self.session)?;
        records.retain(|it| it.header.lsn <= self.standing.commit.lsn);
        Ok(records)
    }

    /// The newest revision below this one that is whole, wherever it is.
    pub(super) fn newest_good(&mut self, below: u64) -> Result<Option<u64>> {
        let kept = self.kept();
        for record in self.survey()? {
            let revision = record.header.revision;
            let is_in_question =
                record.header.kind != Kind::Mark && (kept..below).contains(&revision);
            if is_in_question && self.of(&record, Ring::payload)?.is_some() {
                return Ok(Some(revision));
            }
        }
        Ok(None)
    }

    /// The error of a revision that is lost.
    pub(super) fn corrupt(&mut self, revision: u64, file: u64) -> Result<Error> {
        let damage = Damage::Revision(Revision::from_number(revision));
        let lost = Lost { file: names::segment(file), damage };
        let good = self.newest_good(revision)?;
        Ok(lost.error(self.session, good))
    }
}
