//! Which revisions are kept. The oldest one is known; those behind it are read when they become the oldest.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use super::layout::{BLOCK, Place};
use super::record::Record;
use super::view::{Step, View};
use crate::checkpoint::Retention;
use crate::error::Result;

/// However little a checkpoint is, so much history fits.
const LEAST_BYTES: u64 = 64 * 1024;
const DEFAULT_REVISIONS: u64 = 16;
const DEFAULT_FACTOR: u64 = 8;
/// Never fewer, whatever the rule: one may turn out to be damaged.
const LEAST_REVISIONS: u64 = 2;
/// How many checkpoints that seem to be of the future are looked past for the age of those before them.
const LOOK_AHEAD: usize = 16;

/// The revisions that are kept.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The oldest; `None` if there is none in this version of the format.
    oldest: Option<Entry>,
    /// Those behind it that are known, up to some one, and those that this writer saved.
    behind: VecDeque<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    revision: u64,
    /// The revision before.
    before: u64,
    needs: Place,
    saved: SystemTime,
    /// How many checkpoints there are before it, and how many bytes they take.
    count: u64,
    bytes: u64,
}

impl Entry {
    fn of(record: &Record) -> Self {
        let header = &record.header;
        Self {
            revision: header.revision,
            before: header.previous.1.revision,
            needs: record.needs(),
            saved: header.saved,
            count: header.count - 1,
            bytes: header.bytes.saturating_sub(record.place.len()),
        }
    }
}

/// What a save adds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Added {
    /// How many checkpoints there are then, and how many bytes their records take.
    pub count: u64,
    pub bytes: u64,
    pub size: u64,
    pub now: SystemTime,
}

impl Window {
    /// The window of a journal from this record on.
    pub(super) fn from(oldest: Option<&Record>) -> Self {
        Self { oldest: oldest.map(Entry::of), behind: VecDeque::new() }
    }

    pub(super) fn push(&mut self, record: &Record) {
        let entry = Entry::of(record);
        match self.oldest {
            None => self.oldest = Some(entry),
            Some(_) => self.behind.push_back(entry),
        }
    }

    /// The first block that is needed.
    pub(super) fn needs(&self) -> Option<Place> {
        self.oldest.map(|it| it.needs)
    }

    /// How many bytes the records of those that are kept take, up to these.
    pub(super) fn bytes(&self, bytes: u64) -> u64 {
        bytes - self.oldest.map_or(bytes, |it| it.bytes)
    }

    /// Drops what this rule does not keep beside what is added. Gives the oldest that it does, if it dropped
    /// any.
    pub(super) fn shrink(
        &mut self,
        view: &mut View<'_>,
        newest: &Record,
        rule: Retention,
        added: &Added,
    ) -> Result<Option<u64>> {
        let mut dropped = None;
        while let Some(oldest) = self.oldest
            && added.count - oldest.count > LEAST_REVISIONS
            && !self.keeps_all(view, newest, rule, added)?
            && let Some(next) = self.behind(view, newest, 0)?
        {
            self.behind.pop_front();
            self.oldest = Some(next);
            dropped = Some(next.revision);
        }
        Ok(dropped)
    }

    /// Drops all before this revision.
    pub(super) fn drop_before(
        &mut self,
        view: &mut View<'_>,
        newest: &Record,
        revision: u64,
    ) -> Result<()> {
        if self.oldest.is_some_and(|it| it.revision < revision)
            && let Step::To(oldest) = view.above(newest.clone(), revision - 1)?
        {
            *self = Self::from(Some(&oldest));
        }
        Ok(())
    }

    fn keeps_all(
        &mut self,
        view: &mut View<'_>,
        newest: &Record,
        rule: Retention,
        added: &Added,
    ) -> Result<bool> {
        let Some(oldest) = self.oldest else { return Ok(true) };
        let (count, bytes) = (added.count - oldest.count, added.bytes - oldest.bytes);
        Ok(match rule {
            Retention::Default => {
                // What a record of its size takes, with its header.
                let most = (added.size / BLOCK + 2).saturating_mul(BLOCK * DEFAULT_FACTOR);
                let most = most.max(LEAST_BYTES);
                count <= DEFAULT_REVISIONS && bytes <= most
            }
            Retention::Revisions(most) => count <= most as u64,
            Retention::Bytes(most) => bytes <= most,
            Retention::Age(most) => self.age(view, newest, added.now)? <= most,
            Retention::All => true,
        })
    }

    /// How old the oldest is at least: it was saved before those behind it, though its clock may have been
    /// ahead.
    fn age(&mut self, view: &mut View<'_>, newest: &Record, now: SystemTime) -> Result<Duration> {
        let mut saved = self.oldest.map(|it| it.saved);
        for n in 0..LOOK_AHEAD {
            match saved {
                Some(saved) if saved > now => (),
                _ => break,
            }
            saved = self.behind(view, newest, n)?.map(|it| it.saved);
        }
        Ok(saved.and_then(|saved| now.duration_since(saved).ok()).unwrap_or_default())
    }

    /// The one so many places behind the oldest's next, which must be asked for one after the other.
    fn behind(&mut self, view: &mut View<'_>, newest: &Record, n: usize) -> Result<Option<Entry>> {
        let before = match n.checked_sub(1) {
            None => self.oldest.map(|it| it.revision),
            Some(n) => self.behind.get(n).map(|it| it.revision),
        };
        let Some(before) = before else { return Ok(None) };
        if let Some(entry) = self.behind.get(n).filter(|it| it.before == before) {
            return Ok(Some(*entry));
        }
        if newest.header.revision <= before {
            return Ok(None);
        }
        let Step::To(record) = view.above(newest.clone(), before)? else { return Ok(None) };
        let entry = Entry::of(&record);
        self.behind.insert(n.min(self.behind.len()), entry);
        Ok(Some(entry))
    }
}
