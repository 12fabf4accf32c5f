//! What is in the store.

use std::collections::BTreeMap;

/// A key. No name or number is used for two objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The head of the session with this name.
    Head(u8),
    /// A copy in the trash.
    Copy(u8),
    /// A record with a payload.
    Record(u8),
}

/// What a put asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Condition {
    /// Nothing.
    Always,
    /// That nothing stands there.
    Absent,
    /// That this version stands there.
    Version(u8),
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    Head(Head),
    Copy(Copy),
    Record { incarnation: u8, revision: u8 },
}

/// By which a host knows what it wrote: its operation, and which attempt it was.
pub(crate) type Tag = (u8, u8);

/// What stands under a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Head {
    pub tag: Tag,
    pub log: Log,
    pub standing: Standing,
}

/// The recorded changes made under a key: how many, and the operations that made the last ones, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Log {
    pub count: u8,
    pub recent: Vec<u8>,
}

/// How many of them are kept: as few as show what happens when one is no longer there.
const RECENT: usize = 2;

impl Log {
    /// With one more change.
    pub fn with(&self, op: u8) -> Self {
        let recent = [op].into_iter().chain(self.recent.iter().copied()).take(RECENT).collect();
        Self { count: self.count + 1, recent }
    }

    /// Which operation made the change of this number; `None` if that is no longer told.
    pub fn change(&self, number: u8) -> Option<u8> {
        self.recent.get(usize::from(self.count.checked_sub(number)?)).copied()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    Session(Session),
    /// What is left of one: the copy that counts by it, or the incarnation that was removed.
    Tombstone {
        names: Option<u8>,
        removed: Option<u8>,
    },
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Session {
    pub incarnation: u8,
    /// The revisions that are kept, the newest first.
    pub table: Vec<Entry>,
    /// Objects that came with a revision up to this one, and are not named, may be deleted.
    pub fence: u8,
    /// The operation by which the writer took its place.
    pub lease: Option<u8>,
    pub restored_from: Option<u8>,
}

/// A revision, with its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entry {
    pub revision: u8,
    pub op: u8,
    pub record: u8,
}

impl Session {
    pub fn newest(&self) -> u8 {
        self.table.first().map_or(0, |entry| entry.revision)
    }
}

/// A session in the trash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Copy {
    pub tag: Tag,
    /// The version of the head that it is a copy of, under its name.
    pub of: (u8, u8),
    pub session: Session,
    pub claim: Claim,
    /// The names for which it was claimed.
    pub to: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Claim {
    Pending,
    InTrash,
    Restoring,
    Deleting,
    /// Nothing is in it any more. It stays, so that a late copy of the put that made it finds no free key.
    Retired,
}

/// All objects, with their versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Store {
    objects: BTreeMap<Key, (u8, Object)>,
}

impl Store {
    pub fn get(&self, key: Key) -> Option<&(u8, Object)> {
        self.objects.get(&key)
    }

    pub fn head(&self, name: u8) -> Option<(u8, &Head)> {
        match self.get(Key::Head(name)) {
            Some((version, Object::Head(head))) => Some((*version, head)),
            _ => None,
        }
    }

    pub fn session(&self, name: u8) -> Option<&Session> {
        match self.head(name)?.1 {
            Head { standing: Standing::Session(session), .. } => Some(session),
            _ => None,
        }
    }

    pub fn copy(&self, key: u8) -> Option<(u8, &Copy)> {
        match self.get(Key::Copy(key)) {
            Some((version, Object::Copy(copy))) => Some((*version, copy)),
            _ => None,
        }
    }

    pub fn copies(&self) -> impl Iterator<Item = (u8, &Copy)> {
        self.objects.iter().filter_map(|(key, (_, object))| match (key, object) {
            (Key::Copy(key), Object::Copy(copy)) => Some((*key, copy)),
            _ => None,
        })
    }

    /// The records of an incarnation, with their revisions.
    pub fn records(&self, of: u8) -> impl Iterator<Item = (u8, u8)> {
        self.objects.iter().filter_map(move |(key, (_, object))| match (key, object) {
            (Key::Record(key), Object::Record { incarnation, revision }) if *incarnation == of => {
                Some((*key, *revision))
            }
            _ => None,
        })
    }

    /// Puts an object; whether its condition held.
    pub fn put(&mut self, key: Key, condition: Condition, object: Object) -> bool {
        let there = self.objects.get(&key).map(|(version, _)| *version);
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => there.is_none(),
            Condition::Version(version) => there == Some(version),
        };
        if holds {
            self.objects.insert(key, (there.unwrap_or(0) + 1, object));
        }
        holds
    }

    pub fn delete(&mut self, key: Key) {
        self.objects.remove(&key);
    }
}
