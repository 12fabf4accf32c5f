//! What must be found in a repository, after what was done and what was promised.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use twox_hash::XxHash3_64;

use super::scenario::COPIED;
use super::step::{Id, Step};
use pitstop::{Format, Revision};

/// Stands for what is no link, where the link to the last session belongs.
pub(crate) const NO_LINK: Id = "(no link)";

/// What must be found. Where something is in flight, more than one answer is right.
#[derive(Clone, Debug, Hash)]
pub(crate) struct World {
    pub sessions: BTreeMap<Id, Expected>,
    pub last: Vec<Option<Id>>,
    /// Whether the last session must have a checkpoint to go on from.
    pub resumable: bool,
    pub in_flight: Option<Step>,
    /// A number that was given to two checkpoints of a session.
    pub given_twice: Option<(Id, Revision)>,
    /// What was found where it does not belong, in a session or beside them: a number for its content,
    /// and whether it is aside for certain. Somewhere it is, whatever happens.
    pub evidence: BTreeMap<(Option<Id>, u64), bool>,
    pub removed_last: Option<Id>,
    /// The session that one replaces with its first checkpoint.
    pub replaces: BTreeMap<Id, Replaced>,
}

#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Replaced {
    pub old: Id,
    /// Whether it was acknowledged that it will.
    pub sure: bool,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Expected {
    pub presence: Presence,
    /// Whether it is in the trash. Where both that and its presence may be, one of them is.
    pub in_trash: Presence,
    /// Whether it may not be usable before it is repaired, or saved again.
    pub is_damaged: bool,
    /// The payloads that may be the newest; `None` is a session without a checkpoint.
    pub payloads: Vec<Option<u32>>,
    /// Whether the program keeps files of its own in it.
    pub has_own_files: bool,
    /// The format that it is converted to, and whether it is for certain.
    pub converted: Option<(Format, bool)>,
    /// The payload of the oldest revision that was not given up, and whether older ones are gone for certain.
    pub oldest: Option<(u32, bool)>,
    /// The payload that is not there without them.
    pub own_files_come_with: Option<u32>,
    /// The payload of each number that was ever given, as far as anybody was told or saw it.
    pub given: BTreeMap<u64, u32>,
    /// The highest number that was told, or seen to be on the disk: no other may be so low again.
    pub told: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Presence {
    Sure,
    Maybe,
    Gone,
}

impl Default for World {
    fn default() -> Self {
        Self {
            sessions: BTreeMap::new(),
            last: vec![None],
            resumable: false,
            in_flight: None,
            given_twice: None,
            evidence: BTreeMap::new(),
            removed_last: None,
            replaces: BTreeMap::new(),
        }
    }
}

impl World {
    /// A number for all of it.
    pub(crate) fn digest(&self) -> u64 {
        let mut hash = XxHash3_64::new();
        self.hash(&mut hash);
        hash.finish()
    }

    pub(crate) fn is_present(&self, id: Id) -> bool {
        self.sessions.get(id).is_some_and(|it| it.presence != Presence::Gone)
    }

    /// Whether the repository is there for certain. Making it changes what is around it.
    pub(crate) fn has_repository(&self) -> bool {
        self.sessions.values().any(|it| it.presence == Presence::Sure)
    }

    pub(crate) fn session(&mut self, id: Id) -> &mut Expected {
        self.sessions.entry(id).or_insert_with(|| Expected {
            presence: Presence::Gone,
            in_trash: Presence::Gone,
            is_damaged: false,
            payloads: vec![None],
            has_own_files: false,
            converted: None,
            oldest: None,
            own_files_come_with: None,
            given: BTreeMap::new(),
            told: 0,
        })
    }

    /// A checkpoint was saved, and its number told.
    pub(crate) fn give(&mut self, id: Id, revision: Revision, payload: u32) {
        let Some(number) = revision.number() else { return };
        if number <= self.session(id).told {
            self.given_twice = Some((id, revision));
        }
        let session = self.session(id);
        session.given.insert(number, payload);
        session.told = number;
    }

    /// The checkpoints of [`COPIED`] were copied, each with its number.
    pub(crate) fn copied(&mut self, id: Id) {
        let session = self.session(id);
        session.given.extend(COPIED);
        session.told = COPIED.iter().map(|(number, _)| *number).max().unwrap_or(0);
    }

    /// Somebody saw what this holds, after a kill. It may not last. Where a power cut takes a save that
    /// was killed, and leaves the mark which the writer before it made at its end, its number is given
    /// again.
    pub(crate) fn saw(&mut self, found: &Self) {
        for (id, session) in &mut self.sessions {
            if let Some(seen) = found.sessions.get(id) {
                session.given.clone_from(&seen.given);
            }
        }
    }

    /// What one that was killed moved aside nobody flushed.
    pub(crate) fn forget_moved(&mut self, found: &Self) {
        self.evidence.retain(|key, is_aside| *is_aside || found.evidence.get(key) == Some(&false));
    }

    pub(crate) fn acknowledge_aside(&mut self, of: Option<Id>) {
        let evidence = self.evidence.iter_mut().filter(|((it, _), _)| *it == of);
        evidence.for_each(|(_, is_aside)| *is_aside = true);
    }

    /// The numbers that were told.
    pub(crate) fn tell(&mut self, done: &Self) {
        self.saw(done);
        for (id, session) in &mut self.sessions {
            session.told = done.sessions.get(id).map_or(0, |it| it.told);
        }
    }

    pub(crate) fn has_checkpoint(&self, id: Id) -> bool {
        self.sessions.get(id).is_some_and(|it| !it.payloads.contains(&None))
    }

    /// A step begins: what it does may be found from now on.
    pub(crate) fn begin(&mut self, step: Step) {
        self.in_flight = Some(step);
        step.operation().begin(self);
    }

    /// The step that began returned `Ok`: what it does must be found from now on.
    pub(crate) fn acknowledge(&mut self) {
        if let Some(step) = self.in_flight.take() {
            step.operation().acknowledge(self);
        }
    }

    /// The step that began returned `Ok`, though a call failed.
    pub(crate) fn acknowledge_in_spite(&mut self) {
        if let Some(step) = self.in_flight.take() {
            step.operation().acknowledge_in_spite(self);
        }
    }

    /// The step that was to begin is done, and may not last: what must be found now, and later.
    pub(crate) fn indeterminate(&self, step: Step) -> (Self, Self) {
        let (mut now, mut later) = (self.clone(), self.clone());
        step.operation().indeterminate(&mut now, &mut later);
        (now, later)
    }

    /// The step that was to begin failed, where sessions are of this format: what must be found now, and later.
    pub(crate) fn failed(mut self, step: Step, format: Format) -> (Self, Self) {
        step.operation().failed(&mut self, format);
        (self.clone(), self)
    }

    /// Somebody removes a session.
    pub(crate) fn begin_removal(&mut self, id: Id) {
        self.session(id).presence = Presence::Maybe;
        if self.last.contains(&Some(id)) {
            self.last.push(None);
            self.removed_last = Some(id);
            self.resumable = false;
        }
    }

    /// Something lies where the link to the last session belongs. It is nothing to go on from, so that it is kept
    /// or moved away.
    pub(crate) fn begin_no_link(&mut self) {
        self.last.extend([None, Some(NO_LINK)]);
        self.resumable = false;
    }

    pub(crate) fn begin_create(&mut self, id: Id) {
        let was_present = self.is_present(id);
        let session = self.session(id);
        session.own_files_come_with = None;
        (session.presence, session.has_own_files) = (Presence::Maybe, false);
        match was_present {
            true => session.payloads.push(None),
            false => {
                session.payloads = vec![None];
                (session.told, session.given) = (0, BTreeMap::new());
            }
        }
        self.revive_last(id);
    }

    /// The link is a name: it comes to life again with a session of that name.
    pub(crate) fn revive_last(&mut self, id: Id) {
        if self.removed_last == Some(id) {
            self.last.push(Some(id));
        }
    }

    pub(crate) fn begin_last(&mut self, id: Id) {
        self.resumable &= self.has_checkpoint(id);
        if self.last.contains(&Some(NO_LINK)) {
            // No call puts a link in the place of a directory.
            self.last.push(None);
        }
        self.last.push(Some(id));
    }

    pub(crate) fn acknowledge_create(&mut self, id: Id) {
        let session = self.session(id);
        (session.presence, session.payloads) = (Presence::Sure, vec![None]);
        (session.told, session.given) = (0, BTreeMap::new());
    }
}
