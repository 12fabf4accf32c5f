//! A host: where it is in its operation, and how it makes a change.

use super::Planted;
use super::ghost::{Op, Told};
use super::ops::Kind;
use super::store::{Condition, Copy, Head, Key, Object, Tag};
use super::world::{Fate, State, World};

/// One host, which does one thing after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Host {
    pub pc: Pc,
    pub is_still: bool,
    pub is_dead: bool,
    /// The lease that it believes to have, by the operation that took it.
    pub lease: Option<u8>,
    /// The head that it put last, while it has a lease.
    pub(crate) known: Option<(u8, Head)>,
    /// How many changes its operation tried.
    pub(crate) attempts: u8,
    /// The incarnation that its operation is about.
    pub(crate) target: Option<u8>,
    /// The copy that it retired, so that its session can go.
    pub(crate) retired: Option<u8>,
    /// By which it knows the copy that it claimed.
    pub(crate) claim: Option<Tag>,
}

/// What a host does next: one request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pc {
    #[default]
    Idle,
    /// Reads a head.
    Look {
        op: u8,
        name: u8,
        why: Why,
    },
    /// Watches the heartbeat of a lease in this head.
    Watch {
        op: u8,
        lease: u8,
        base: (u8, Head),
    },
    PutRecord {
        op: u8,
        incarnation: u8,
        revision: u8,
    },
    /// Makes a change, or finds out what became of it.
    Send(Change),
    Settle(Change),
    /// Reads a copy, after the head of its name.
    LookCopy {
        op: u8,
        key: u8,
        why: CopyWhy,
    },
    /// Lists the records of an incarnation up to a revision, to delete those that are not named.
    Collect {
        op: u8,
        incarnation: u8,
        fence: u8,
        named: Vec<u8>,
        then: After,
    },
    Delete {
        op: u8,
        keys: Vec<Key>,
        then: After,
    },
}

/// Why a head is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The operation begins, or begins again.
    Begin,
    /// A record was put, of this incarnation and revision, for a save.
    Save { record: u8, incarnation: u8, revision: u8 },
    /// A session is to be put there.
    Place { key: u8, copy: Copy },
    /// Those who claimed a copy before for these names are to be kept out.
    KeepOut { key: u8, copy: Copy, left: Vec<u8> },
    /// The copy is to be judged by it.
    Judge { key: u8 },
    /// Whether one of these names has the copy's session.
    Back { key: u8, copy: (u8, Copy), left: Vec<u8> },
    /// No tombstone is to name the copy any more.
    Retire { key: u8, then: After },
}

/// Why a copy is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CopyWhy {
    Judge {
        seen: Option<(u8, Head)>,
    },
    /// A tombstone that names it is to be replaced by this session.
    Keep {
        change: Box<Change>,
    },
    /// It is to be empty.
    Retire {
        then: After,
    },
    /// Whether it is still claimed by this host.
    IsOurs {
        change: Box<Change>,
    },
}

/// What comes after something is cleared away.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum After {
    Done,
    /// The operation begins again.
    Begin {
        name: u8,
    },
    /// The copy goes.
    Retire {
        key: u8,
    },
    /// This change is made in the place of a tombstone.
    Place(Box<Change>),
}

/// A change of an object, on a condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    pub op: u8,
    pub key: Key,
    pub condition: Condition,
    pub object: Object,
    /// Its number among the recorded changes.
    pub number: Option<u8>,
    pub then: Then,
}

/// What follows a change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    Saved {
        record: u8,
        incarnation: u8,
        revision: u8,
        dropped: Vec<Key>,
    },
    Acquired {
        collects: bool,
    },
    Released,
    Created,
    Pruned,
    Removed {
        incarnation: u8,
    },
    CopyPut {
        key: u8,
        bury: Box<Change>,
    },
    Buried {
        key: u8,
    },
    /// Then this change can be made.
    Kept {
        change: Box<Change>,
    },
    Claimed {
        key: u8,
        copy: Copy,
        earlier: Vec<u8>,
    },
    KeptOut {
        key: u8,
        copy: Copy,
        left: Vec<u8>,
    },
    Restored {
        key: u8,
        copy: Copy,
    },
    Unnamed {
        key: u8,
        then: After,
    },
    Retired {
        key: u8,
        then: After,
    },
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Became {
    /// It stands.
    Applied,
    /// It was made, and another came after.
    Superseded,
    /// It was not made, and never will be.
    Rejected,
    Unknown,
}

impl State {
    pub(crate) fn begin(&mut self, host: usize, kind: Kind) {
        let op = self.ops.len() as u8;
        self.ops.push(Op { host: host as u8, kind, applied: 0, told: None });
        let of_host = &mut self.hosts[host];
        *of_host = Host { lease: of_host.lease, known: of_host.known.take(), ..Host::default() };
        self.first(host, op, kind);
    }

    /// Tells the caller, and is done.
    pub(crate) fn tell(&mut self, host: usize, told: Told) {
        let op = self.current(host);
        self.ops[op].told.get_or_insert(told);
        let host = &mut self.hosts[host];
        *host = Host { lease: host.lease, known: host.known.take(), ..Host::default() };
    }

    /// Tells the caller, and clears away.
    pub(crate) fn tell_and(&mut self, host: usize, told: Told, pc: Pc) {
        let op = self.current(host);
        self.ops[op].told.get_or_insert(told);
        self.hosts[host].pc = pc;
    }

    /// The operation that a host is in.
    fn current(&self, host: usize) -> usize {
        self.ops.iter().rposition(|op| usize::from(op.host) == host).unwrap_or(0)
    }

    pub(crate) fn kind(&self, op: u8) -> Kind {
        self.ops[usize::from(op)].kind
    }

    /// A tag that no other change has.
    pub(crate) fn tag(&mut self, host: usize, op: u8) -> Tag {
        let attempts = &mut self.hosts[host].attempts;
        *attempts += 1;
        (op, *attempts)
    }

    /// Makes a host's next request.
    pub(crate) fn step(&mut self, world: &World, host: usize, fate: Fate) {
        match std::mem::take(&mut self.hosts[host].pc) {
            Pc::Idle | Pc::Watch { .. } => (),
            Pc::Look { op, name, why } => {
                let head = self.store.head(name).map(|(version, head)| (version, head.clone()));
                self.looked(world, host, op, name, head, why);
            }
            Pc::LookCopy { op, key, why } => {
                let copy = self.store.copy(key).map(|(version, copy)| (version, copy.clone()));
                self.looked_at_copy(world, host, op, key, copy, why);
            }
            Pc::PutRecord { op, incarnation, revision } => {
                let record = self.records;
                let object = Object::Record { incarnation, revision };
                match self.put_with(fate, Key::Record(record), Condition::Always, object) {
                    true => {
                        self.records += 1;
                        self.record_is_put(world, host, op, (record, incarnation, revision));
                    }
                    // The same again.
                    false => self.hosts[host].pc = Pc::PutRecord { op, incarnation, revision },
                }
            }
            Pc::Send(change) => {
                let Change { key, condition, object, .. } = change.clone();
                match self.put_with(fate, key, condition, object) {
                    true => self.became(world, host, change, Became::Applied),
                    false => self.hosts[host].pc = Pc::Settle(change),
                }
            }
            Pc::Settle(change) => self.settle(world, host, change),
            Pc::Collect { op, incarnation, fence, named, then } => {
                let garbage = self.store.records(incarnation);
                let garbage =
                    garbage.filter(|(key, revision)| *revision <= fence && !named.contains(key));
                let keys: Vec<Key> = garbage.map(|(key, _)| Key::Record(key)).collect();
                self.hosts[host].pc = Pc::Delete { op, keys, then };
            }
            Pc::Delete { op, keys, then } => {
                self.delete_with(fate, keys);
                self.go_on(world, host, op, then);
            }
        }
    }

    pub(crate) fn go_on(&mut self, world: &World, host: usize, op: u8, then: After) {
        match then {
            After::Done => self.tell(host, Told::Yes),
            After::Begin { name } => self.hosts[host].pc = Pc::Look { op, name, why: Why::Begin },
            After::Retire { key } => self.retire(world, host, op, key, After::Done),
            After::Place(change) => self.place(host, op, *change),
        }
    }

    /// Looks at what stands, to learn what became of a change.
    fn settle(&mut self, world: &World, host: usize, change: Change) {
        let there = self.store.get(change.key).cloned();
        let tag = |object: &Object| match object {
            Object::Head(head) => Some(head.tag),
            Object::Copy(copy) => Some(copy.tag),
            Object::Record { .. } => None,
        };
        let is_as_expected = match change.condition {
            Condition::Always => false,
            Condition::Absent => there.is_none(),
            Condition::Version(version) => there.as_ref().is_some_and(|it| it.0 == version),
        };
        let became = match &there {
            Some((_, object)) if tag(object) == tag(&change.object) => Became::Applied,
            _ if is_as_expected => {
                self.hosts[host].pc = Pc::Send(change);
                return;
            }
            Some((_, Object::Head(head))) => match change.number {
                Some(_) if world.planted == Planted::SaveKnownByTable && self.is_save(&change) => {
                    let entries = match &head.standing {
                        super::store::Standing::Session(session) => &session.table[..],
                        super::store::Standing::Tombstone { .. } => &[],
                    };
                    match entries.iter().any(|entry| entry.op == change.op) {
                        true => Became::Superseded,
                        false => Became::Rejected,
                    }
                }
                Some(number) if number <= head.log.count => match head.log.change(number) {
                    Some(op) if op == change.op => Became::Superseded,
                    Some(_) => Became::Rejected,
                    None => Became::Unknown,
                },
                _ => Became::Rejected,
            },
            _ => Became::Rejected,
        };
        self.became(world, host, change, became);
    }

    fn is_save(&self, change: &Change) -> bool {
        matches!(self.kind(change.op), Kind::Save | Kind::Write(_))
    }
}
