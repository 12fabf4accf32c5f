//! What a writer finds where the one before it ended: docs/format.md, taking over.

use super::fence::Own;
use super::hint::{Hint, Publisher};
use super::layout::Place;
use super::record::Record;
use super::ring::{Opened, Ring};
use super::standing::Standing;
use super::survey::Survey;
use super::tail::Tail;
use super::view::{Step, View};
use super::window::Window;
use crate::directory::journal::Held;
use crate::directory::names;
use crate::error::Result;
use crate::stream::IN_MEMORY;
use crate::sys::{Access, Directory, found};

/// What there is to go on from.
struct Inheritance {
    standing: Standing,
    /// A whole record behind the newest commit, which may have been acknowledged: it is saved again.
    unsettled: Option<Record>,
    /// Whether nothing may be written into the newest ring any more.
    is_frozen: bool,
    /// What else there is, where it had to be looked for.
    survey: Option<Survey>,
}

impl Tail {
    /// Finds out where a journal goes on; `None` if it is none of version 2. If the hint is of another
    /// `session.writer` than this one, the writer before was displaced, and may still be at work.
    pub(super) fn find(session: &Directory, held: Held) -> Result<Option<(Self, Option<Record>)>> {
        let hint = Hint::read(session)?;
        let lock = held.lock.inode;
        let is_displaced = hint.is_some_and(|it| it.is_exact && it.lock != lock);
        let is_claim = held.is_claim || is_displaced;
        let Some(inheritance) = Inheritance::find(session, hint.as_ref(), is_claim)? else {
            return Ok(None);
        };
        let publisher = if is_claim { None } else { Publisher::open(session, lock)? };
        let Inheritance { standing, unsettled, is_frozen, survey } = inheritance;
        let mut tail = Self::behind(session, &standing)?;
        (tail.publisher, tail.is_claim) = (publisher, is_claim);
        if !is_frozen && standing.lost.is_none() {
            tail.ring = own_ring(session, standing.ring)?;
        }
        if let Some(survey) = survey {
            tail.note(session, &survey)?;
        }
        Ok(Some((tail, unsettled)))
    }

    /// Goes on behind what stands.
    fn behind(session: &Directory, standing: &Standing) -> Result<Self> {
        let mut tail = Self::empty(standing.journal, standing.ring);
        tail.commit = standing.commit;
        tail.next = standing.commit.revision + 1;
        if standing.lost.is_some() {
            // How many numbers are lost is not known. As many fit into what is read into memory.
            tail.next += IN_MEMORY as u64 / super::layout::BLOCK;
        }
        let Some(newest) = &standing.newest else { return Ok(tail) };
        tail.kept = newest.header.kept;
        tail.next = tail.next.max(tail.kept);
        tail.path = path(session, newest)?;
        let mut view = View::new(session, Standing::empty(standing.journal));
        match view.above(newest.clone(), tail.kept.saturating_sub(1))? {
            Step::To(oldest) => tail.window = Window::from(Some(&oldest)),
            // What is kept of it cannot all be reached. It stays where it is until what can is given up.
            _ => {
                tail.window = Window::from(Some(&reachable(&mut view, newest)?));
                tail.ring = None;
                tail.is_broken = true;
            }
        }
        tail.floor = tail.window.needs();
        tail.cleared = tail.floor.map_or(0, |it| it.file);
        if let Step::To(checkpoint) = view.checkpoint(Step::To(newest.clone()))? {
            tail.checkpoint = Some(checkpoint);
        }
        tail.newest = Some(newest.clone());
        Ok(tail)
    }

    /// Takes what a survey has found into account, and removes what nobody needs.
    fn note(&mut self, session: &Directory, survey: &Survey) -> Result<()> {
        for name in &survey.staged {
            found(session.remove_file(name))?;
        }
        self.top = self.top.max(survey.top);
        self.cleared = 0;
        for (number, len) in &survey.damaged {
            self.damaged.push(names::segment(*number));
            self.next += len / super::layout::BLOCK + 1;
        }
        Ok(())
    }
}

impl Inheritance {
    fn find(session: &Directory, hint: Option<&Hint>, is_claim: bool) -> Result<Option<Self>> {
        let Some(exact) = hint.filter(|it| it.is_exact) else {
            let journal = hint.map(|it| it.published.journal);
            let Some(survey) = Survey::of(session, journal)? else { return Ok(None) };
            let standing = Standing::of_survey(session, &survey)?;
            let is_frozen = is_claim || standing.is_torn;
            return Ok(Some(Self { standing, unsettled: None, is_frozen, survey: Some(survey) }));
        };
        let standing = Standing::of_hint(session, exact)?;
        let something = something_behind(session, &standing)?;
        let clean = Self { standing, unsettled: None, is_frozen: is_claim, survey: None };
        if exact.published.is_closed && !something && !is_claim {
            return Ok(Some(clean));
        }
        let survey = Survey::of(session, Some(exact.published.journal))?.unwrap_or_default();
        match something || is_claim || survey.top > clean.standing.ring {
            true => {
                let may_count = is_claim || !exact.is_of_mount(session)?;
                clean.look_behind(session, survey, may_count).map(Some)
            }
            false => Ok(Some(Self { survey: Some(survey), ..clean })),
        }
    }

    /// An exact hint names the newest commit, so that at most one can be behind it, which was not acknowledged
    /// and is dropped; unless it `may_count`. If there are more, the disk was taken away and came back while the
    /// kernel ran, and the hint with it as it was before.
    fn look_behind(mut self, session: &Directory, survey: Survey, may_count: bool) -> Result<Self> {
        self.is_frozen = true;
        if let Ok(found) = Standing::of_survey(session, &survey)
            && let Some(newest) = &found.newest
        {
            let lsn = self.standing.commit.lsn;
            if newest.header.lsn > lsn + 1 {
                self.standing = found;
            } else if may_count && newest.header.previous.1 == self.standing.commit {
                self.unsettled = Some(newest.clone());
            }
        }
        self.survey = Some(survey);
        Ok(self)
    }
}

/// Whether anything lies where the next record would have gone, or in the next ring.
fn something_behind(session: &Directory, standing: &Standing) -> Result<bool> {
    if session.identity(names::segment(standing.ring.saturating_add(1)))?.is_some() {
        return Ok(true);
    }
    let Some((ring, _)) = Ring::open(session, standing.ring, Access::Read)?.and_then(Opened::ring)
    else {
        return Ok(true);
    };
    let end = standing.newest.as_ref().map_or(1, |it| it.place.end());
    let check = standing.commit.check;
    Ok(ring.has_follower(end, check)? || ring.has_follower(1, check)?)
}

fn own_ring(session: &Directory, number: u64) -> Result<Option<(Own, u32)>> {
    match Ring::open(session, number, Access::Write)? {
        Some(Opened::Ring(ring, header)) => {
            Ok(Own::new(session, ring)?.map(|own| (own, header.end())))
        }
        _ => Ok(None),
    }
}

/// The commits along the jumps from this one, the newest last.
fn path(session: &Directory, newest: &Record) -> Result<Vec<(u64, u64, Place)>> {
    let mut view = View::new(session, Standing::empty(0));
    let mut path = Vec::new();
    let mut at = Some(newest.clone());
    while let Some(record) = at {
        path.push((record.header.lsn, record.header.revision, record.place));
        at = view.along(&record)?;
    }
    path.reverse();
    Ok(path)
}

/// The oldest checkpoint that a way leads back to.
fn reachable(view: &mut View<'_>, newest: &Record) -> Result<Record> {
    let mut at = newest.clone();
    while let Step::To(before) = view.before(&at)? {
        at = before;
    }
    Ok(at)
}
