//! All that there is, and what may happen next.

use super::Planted;
use super::ghost::Op;
use super::host::{Host, Pc};
use super::ops::Kind;
use super::store::{Condition, Entry, Head, Key, Log, Object, Session, Standing, Store};

/// What is modelled: the protocol or a faulty one, and how much may happen.
#[derive(Clone, Debug)]
pub struct World {
    pub planted: Planted,
    /// What hosts may do.
    pub menu: Vec<Kind>,
    /// How many operations are begun.
    pub ops: usize,
    /// How many changes go wrong on the way.
    pub faults: u8,
    /// How often a host stands still.
    pub stills: u8,
    /// How many hosts are killed.
    pub kills: u8,
}

/// How many hosts there are.
pub const HOSTS: usize = 3;

/// One moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub store: Store,
    pub hosts: [Host; HOSTS],
    /// Copies of requests that come later, or never.
    pub late: Vec<Late>,
    pub ops: Vec<Op>,
    /// Under which name the copy of each number was made.
    pub origins: Vec<u8>,
    pub(crate) records: u8,
    /// Incarnations that were created and ended, as bits.
    pub(crate) created: u8,
    pub(crate) ended: u8,
    pub(crate) has_skipped: bool,
    pub(crate) is_fence_broken: bool,
    faults: u8,
    stills: u8,
    kills: u8,
}

/// A request that comes late.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Late {
    Put(Key, Condition, Object),
    Delete(Vec<Key>),
}

/// What becomes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    Done,
    /// It is made, and the answer is lost.
    AnswerLost,
    /// It is not made, and a copy comes later.
    Late,
    /// It is made, and a copy comes later.
    Again,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Begin(usize, Kind),
    Step(usize, Fate),
    /// A watcher sees that the writer lives, or was silent for too long.
    SeeHeartbeat(usize),
    SeeSilence(usize),
    Deliver(usize),
    StandStill(usize),
    GoOn(usize),
    Kill(usize),
}

impl World {
    /// A session that was saved once, and hosts that do nothing.
    pub fn start(&self) -> State {
        let first = Entry { revision: 1, op: 0, record: 0 };
        let session = Session {
            incarnation: 0,
            table: vec![first],
            fence: 0,
            lease: None,
            restored_from: None,
        };
        let head =
            Head { tag: (0, 0), log: Log::default().with(0), standing: Standing::Session(session) };
        let mut store = Store::default();
        store.put(
            Key::Record(0),
            Condition::Absent,
            Object::Record { incarnation: 0, revision: 1 },
        );
        store.put(Key::Head(0), Condition::Absent, Object::Head(head));
        State {
            store,
            hosts: std::array::from_fn(|_| Host::default()),
            late: Vec::new(),
            ops: vec![Op { host: 0, kind: Kind::Save, applied: 1, told: None }],
            origins: Vec::new(),
            records: 1,
            created: 1,
            ended: 0,
            has_skipped: false,
            is_fence_broken: false,
            faults: self.faults,
            stills: self.stills,
            kills: self.kills,
        }
    }

    /// All that may happen next.
    pub fn actions(&self, state: &State) -> Vec<Action> {
        let mut actions: Vec<_> = (0..state.late.len()).map(Action::Deliver).collect();
        for (number, host) in state.hosts.iter().enumerate() {
            if host.is_dead {
                continue;
            }
            if host.is_still {
                actions.push(Action::GoOn(number));
                continue;
            }
            let is_busy = host.pc != Pc::Idle || host.lease.is_some();
            actions.extend((is_busy && state.stills > 0).then_some(Action::StandStill(number)));
            actions.extend((is_busy && state.kills > 0).then_some(Action::Kill(number)));
            match &host.pc {
                Pc::Idle if state.ops.len() <= self.ops => {
                    actions
                        .extend(self.choices(state, host).map(|kind| Action::Begin(number, kind)));
                }
                Pc::Idle => (),
                Pc::Watch { lease, .. } => actions.push(match state.beats(self, *lease) {
                    true => Action::SeeHeartbeat(number),
                    false => Action::SeeSilence(number),
                }),
                pc => {
                    let fates: &[Fate] = match pc {
                        _ if state.faults == 0 => &[Fate::Done],
                        Pc::Send(_) | Pc::PutRecord { .. } => {
                            &[Fate::Done, Fate::AnswerLost, Fate::Late, Fate::Again]
                        }
                        Pc::Delete { .. } => &[Fate::Done, Fate::Again],
                        _ => &[Fate::Done],
                    };
                    actions.extend(fates.iter().map(|fate| Action::Step(number, *fate)));
                }
            }
        }
        actions
    }

    fn choices<'a>(&'a self, state: &'a State, host: &'a Host) -> impl Iterator<Item = Kind> + 'a {
        let copies = 0..state.origins.len() as u8;
        self.menu.iter().flat_map(move |kind| match (*kind, host.lease) {
            (Kind::Write(_), Some(lease)) => vec![Kind::Write(lease)],
            (Kind::Release(_), Some(lease)) => vec![Kind::Release(lease)],
            (Kind::Write(_) | Kind::Release(_), None) => Vec::new(),
            (Kind::Acquire, Some(_)) => Vec::new(),
            (Kind::Restore { to, .. }, _) => {
                copies.clone().map(|key| Kind::Restore { key, to }).collect()
            }
            (Kind::Delete { .. }, _) => copies.clone().map(|key| Kind::Delete { key }).collect(),
            (Kind::SweepCopy { .. }, _) => {
                copies.clone().map(|key| Kind::SweepCopy { key }).collect()
            }
            (kind, _) => vec![kind],
        })
    }

    /// What stands after a step.
    pub fn after(&self, state: &State, action: Action) -> State {
        let mut next = state.clone();
        match action {
            Action::Begin(host, kind) => next.begin(host, kind),
            Action::Step(host, fate) => next.step(self, host, fate),
            Action::SeeHeartbeat(host) => next.tell(host, super::Told::No),
            Action::SeeSilence(host) => next.expire(self, host),
            Action::Deliver(at) => match next.late.remove(at) {
                Late::Put(key, condition, object) => drop(next.put(key, condition, object)),
                Late::Delete(keys) => keys.into_iter().for_each(|key| next.store.delete(key)),
            },
            Action::StandStill(host) => {
                next.hosts[host].is_still = true;
                next.stills -= 1;
            }
            Action::GoOn(host) => next.hosts[host].is_still = false,
            Action::Kill(host) => {
                next.hosts[host] = Host { is_dead: true, ..Host::default() };
                next.kills -= 1;
            }
        }
        next
    }
}

impl State {
    /// Puts an object; whether its condition held.
    pub(crate) fn put(&mut self, key: Key, condition: Condition, object: Object) -> bool {
        let before = match key {
            Key::Head(name) => self.store.head(name).map(|(_, head)| head.clone()),
            _ => None,
        };
        let holds = self.store.put(key, condition, object.clone());
        match (key, object) {
            (Key::Head(_), Object::Head(head)) if holds => self.note_head(before, &head),
            _ => (),
        }
        holds
    }

    /// Makes a change with this fate; whether it was made, and the host was told so.
    pub(crate) fn put_with(
        &mut self,
        fate: Fate,
        key: Key,
        condition: Condition,
        object: Object,
    ) -> bool {
        if fate != Fate::Done {
            self.faults -= 1;
        }
        if matches!(fate, Fate::Late | Fate::Again) {
            self.add_late(Late::Put(key, condition, object.clone()));
        }
        let holds = fate != Fate::Late && self.put(key, condition, object);
        holds && matches!(fate, Fate::Done | Fate::Again)
    }

    pub(crate) fn delete_with(&mut self, fate: Fate, keys: Vec<Key>) {
        keys.iter().for_each(|key| self.store.delete(*key));
        if fate == Fate::Again {
            self.faults -= 1;
            self.add_late(Late::Delete(keys));
        }
    }

    fn add_late(&mut self, late: Late) {
        let at = self.late.partition_point(|it| *it < late);
        self.late.insert(at, late);
    }
}
