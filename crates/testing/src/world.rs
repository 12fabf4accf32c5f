//! What must be found in a repository, after what was done and what was promised.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use twox_hash::XxHash3_64;

use super::scenario::COPIED;
use super::step::{Harm, Id, Step};
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
    removed_last: Option<Id>,
    /// The session that one replaces with its first checkpoint.
    replaces: BTreeMap<Id, Replaced>,
}

#[derive(Clone, Copy, Debug, Hash)]
struct Replaced {
    old: Id,
    /// Whether it was acknowledged that it will.
    sure: bool,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Expected {
    pub presence: Presence,
    /// Whether it is in the trash. Where both that and its presence may be, one of them is.
    pub in_trash: Presence,
    /// Whether its creation was acknowledged. One that was cut short may have left a plain session.
    pub is_complete: bool,
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

    fn session(&mut self, id: Id) -> &mut Expected {
        self.sessions.entry(id).or_insert_with(|| Expected {
            presence: Presence::Gone,
            in_trash: Presence::Gone,
            is_complete: false,
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

    fn acknowledge_aside(&mut self, of: Option<Id>) {
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

    fn has_checkpoint(&self, id: Id) -> bool {
        self.sessions.get(id).is_some_and(|it| !it.payloads.contains(&None))
    }

    /// A step begins: what it does may be found from now on.
    pub(crate) fn begin(&mut self, step: Step) {
        self.in_flight = Some(step);
        match step {
            Step::Create(id) | Step::Foreign(id) => self.begin_create(id),
            Step::Fork(from, to) => {
                let payloads = self.session(from).payloads.clone();
                self.begin_create(to);
                self.session(to).payloads.extend(payloads);
            }
            Step::Copy(id) | Step::Import(id) => {
                if !self.is_present(id) {
                    self.begin_create(id);
                }
                let session = self.session(id);
                session.payloads.extend(COPIED.map(|(_, payload)| Some(payload)));
                session.own_files_come_with = COPIED.last().map(|(_, payload)| *payload);
            }
            Step::Replace(id) => {
                self.begin_create(id);
                match self.last.as_slice() {
                    [Some(old)] => {
                        self.replaces.insert(id, Replaced { old, sure: false });
                    }
                    _ => self.begin_last(id),
                }
            }
            Step::Save(id, payload)
            | Step::Stream(id, payload)
            | Step::Follow(id, payload)
            | Step::Restore(id, payload) => {
                self.session(id).payloads.push(Some(payload));
                if let Some(Replaced { old, .. }) = self.replaces.get(id).copied() {
                    if self.is_present(old) {
                        self.session(old).presence = Presence::Maybe;
                    }
                    if !self.last.contains(&Some(id)) {
                        self.last.push(Some(id));
                    }
                }
            }
            Step::MakeLast(id) => self.begin_last(id),
            Step::PutBack(id) => {
                let session = self.session(id);
                (session.presence, session.in_trash) = (Presence::Maybe, Presence::Maybe);
                self.revive_last(id);
            }
            Step::EmptyTrash(id) => self.session(id).in_trash = Presence::Maybe,
            Step::Remove(id) | Step::Trash(id) => {
                let session = self.session(id);
                session.presence = Presence::Maybe;
                if step == Step::Trash(id) {
                    session.in_trash = Presence::Maybe;
                }
                if self.last.contains(&Some(id)) {
                    self.last.push(None);
                    self.removed_last = Some(id);
                    self.resumable = false;
                }
            }
            Step::Contend(id, payload) => self.session(id).payloads.push(Some(payload)),
            Step::OwnFiles(id) => self.session(id).has_own_files = true,
            Step::Convert(id, to) => self.session(id).converted = Some((to, false)),
            Step::GiveUp(id, oldest) => self.session(id).oldest = Some((oldest, false)),
            // Nothing is lost by that.
            Step::Damage(_, Harm::FirstBlock) => (),
            Step::Misplace(id) | Step::Damage(id, _) => self.session(id).is_damaged = true,
            Step::RepairLast if self.last.contains(&Some(NO_LINK)) => self.last.push(None),
            Step::LastIs(id) => self.last = vec![Some(id)],
            // It is nothing to go on from, so that it is kept or moved away.
            Step::LastIsFile | Step::LastIsDirectory => {
                self.last.extend([None, Some(NO_LINK)]);
                self.resumable = false;
            }
            _ => (),
        }
    }

    /// The step that began returned `Ok`, though a call failed. Taking the place of another session is
    /// put off to the next save then.
    pub(crate) fn acknowledge_in_spite(&mut self) {
        match self.in_flight {
            Some(
                Step::Save(id, payload) | Step::Stream(id, payload) | Step::Follow(id, payload),
            ) if self.replaces.contains_key(id) => {
                self.in_flight = None;
                self.session(id).payloads = vec![Some(payload)];
            }
            Some(Step::Save(..)) => {
                // Nor may what is damaged be aside before the next one.
                let evidence = self.evidence.clone();
                self.acknowledge();
                self.evidence = evidence;
            }
            _ => self.acknowledge(),
        }
    }

    /// The step that was to begin is done, and may not last: what must be found now, and later.
    pub(crate) fn indeterminate(&self, step: Step) -> (Self, Self) {
        let (mut now, mut later) = (self.clone(), self.clone());
        match step {
            Step::Save(id, payload)
            | Step::Stream(id, payload)
            | Step::Follow(id, payload)
            | Step::Restore(id, payload)
            | Step::Contend(id, payload) => {
                now.session(id).payloads = vec![Some(payload)];
                later.session(id).payloads.push(Some(payload));
            }
            Step::MakeLast(id) => {
                now.last = vec![Some(id)];
                later.last.push(Some(id));
                now.resumable &= self.has_checkpoint(id);
                later.resumable = now.resumable;
            }
            // It was taken back, and that may not last.
            Step::Remove(_) | Step::Trash(_) | Step::PutBack(_) | Step::EmptyTrash(_) => {
                later.begin(step)
            }
            // The session is gone again, and what made it the last one is not.
            Step::Replace(id) => {
                (now.removed_last, later.removed_last) = (Some(id), Some(id));
            }
            Step::Convert(id, to) => {
                now.session(id).converted = Some((to, true));
                later.begin(step);
            }
            Step::GiveUp(id, oldest) => {
                now.session(id).oldest = Some((oldest, true));
                later.begin(step);
            }
            _ => (),
        }
        (now, later)
    }

    /// It is of the format that it was, and what is left of the attempt is cleared away by the next.
    pub(crate) fn not_converted(mut self, step: Step, format: Format) -> (Self, Self) {
        if let Step::Convert(id, _) = step {
            self.session(id).converted.get_or_insert((format, true));
        }
        (self.clone(), self)
    }

    /// The step was done in part.
    pub(crate) fn interrupted(mut self, step: Step) -> (Self, Self) {
        self.begin(step);
        (self.clone(), self)
    }

    fn begin_create(&mut self, id: Id) {
        let was_present = self.is_present(id);
        let session = self.session(id);
        session.own_files_come_with = None;
        (session.presence, session.has_own_files) = (Presence::Maybe, false);
        session.is_complete = false;
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
    fn revive_last(&mut self, id: Id) {
        if self.removed_last == Some(id) {
            self.last.push(Some(id));
        }
    }

    fn begin_last(&mut self, id: Id) {
        self.resumable &= self.has_checkpoint(id);
        if self.last.contains(&Some(NO_LINK)) {
            // No call puts a link in the place of a directory.
            self.last.push(None);
        }
        self.last.push(Some(id));
    }

    fn acknowledge_create(&mut self, id: Id) {
        let session = self.session(id);
        (session.presence, session.payloads) = (Presence::Sure, vec![None]);
        session.is_complete = true;
        (session.told, session.given) = (0, BTreeMap::new());
    }

    /// The step that began returned `Ok`: what it does must be found from now on.
    pub(crate) fn acknowledge(&mut self) {
        let Some(step) = self.in_flight.take() else { return };
        match step {
            Step::Create(id) => self.acknowledge_create(id),
            Step::Replace(id) => {
                self.acknowledge_create(id);
                match self.replaces.get_mut(id) {
                    Some(replaced) => replaced.sure = true,
                    None => self.last = vec![Some(id)],
                }
            }
            Step::Fork(from, to) => {
                let from = self.session(from).clone();
                self.acknowledge_create(to);
                let session = self.session(to);
                session.given.extend(from.payloads.iter().flatten().map(|payload| (1, *payload)));
                session.told = 1;
                session.payloads = from.payloads;
                session.has_own_files = from.has_own_files;
            }
            Step::Copy(id) | Step::Import(id) => {
                let session = self.session(id);
                session.presence = Presence::Sure;
                session.payloads =
                    COPIED.last().map(|(_, payload)| Some(*payload)).into_iter().collect();
                session.has_own_files = true;
            }
            Step::Save(id, payload)
            | Step::Stream(id, payload)
            | Step::Follow(id, payload)
            | Step::Restore(id, payload) => {
                let session = self.session(id);
                session.presence = Presence::Sure;
                session.is_damaged = false;
                session.payloads = vec![Some(payload)];
                self.acknowledge_aside(Some(id));
                if let Some(Replaced { old, sure: true }) = self.replaces.get(id).copied() {
                    self.replaces.remove(id);
                    self.session(old).presence = Presence::Gone;
                    self.last = vec![Some(id)];
                }
                self.resumable |= self.last == [Some(id)];
            }
            Step::Convert(id, to) => {
                let session = self.session(id);
                session.converted = Some((to, true));
                // A journal begins with what there is.
                let newest = session.payloads.iter().flatten().next().copied();
                if let Some(payload) = newest.filter(|_| to == Format::Journal) {
                    session.given.insert(1, payload);
                    session.told = 1;
                }
            }
            Step::GiveUp(id, oldest) => self.session(id).oldest = Some((oldest, true)),
            Step::MakeLast(id) => {
                self.last = vec![Some(id)];
                self.resumable = self.has_checkpoint(id);
                self.acknowledge_aside(None);
            }
            Step::PutBack(id) => {
                let session = self.session(id);
                (session.presence, session.in_trash) = (Presence::Sure, Presence::Gone);
                if self.removed_last == Some(id) {
                    self.last = vec![Some(id)];
                }
            }
            Step::EmptyTrash(id) => self.session(id).in_trash = Presence::Gone,
            Step::Repair(id) => {
                self.session(id).is_damaged = false;
                self.acknowledge_aside(Some(id));
            }
            Step::Unlock(id) => self.acknowledge_aside(Some(id)),
            Step::RepairLast => {
                self.last.retain(|last| *last != Some(NO_LINK));
                self.acknowledge_aside(None);
            }
            Step::Remove(id) | Step::Trash(id) => {
                let session = self.session(id);
                session.presence = Presence::Gone;
                if step == Step::Trash(id) {
                    session.in_trash = Presence::Sure;
                }
                self.last.retain(|last| *last != Some(id));
            }
            _ => (),
        }
    }
}
