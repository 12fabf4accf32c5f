//! What is true, whatever hosts believe: what the properties are about.

use super::host::Pc;
use super::ops::Kind;
use super::store::{Claim, Copy, Head, Standing, Store};
use super::{Planted, World};
use crate::world::State;

/// What the caller of an operation was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Told {
    Yes,
    No,
    Unknown,
}

/// An operation, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Op {
    pub host: u8,
    pub kind: Kind,
    /// How often it took effect.
    pub applied: u8,
    pub told: Option<Told>,
}

impl State {
    /// Notes what putting this head means.
    pub(crate) fn note_head(&mut self, before: Option<Head>, after: &Head) {
        let count = before.as_ref().map_or(0, |head| head.log.count);
        if after.log.count > count {
            let op = &mut self.ops[usize::from(after.tag.0)];
            op.applied += 1;
        }
        let session = |head: &Head| match &head.standing {
            Standing::Session(session) => Some(session.clone()),
            Standing::Tombstone { .. } => None,
        };
        let before = before.as_ref().and_then(session);
        match (before, &after.standing) {
            (Some(before), Standing::Session(now)) if before.incarnation == now.incarnation => {
                self.has_skipped |=
                    now.newest() > before.newest() + 1 || now.newest() < before.newest();
                // Who has lost the place of the writer saves no more.
                let saver = now.table.first().filter(|_| now.newest() > before.newest());
                let saver = saver.map(|entry| &self.ops[usize::from(entry.op)]);
                self.is_fence_broken |= saver.is_some_and(
                    |op| matches!(op.kind, Kind::Write(lease) if before.lease != Some(lease)),
                );
            }
            (_, Standing::Tombstone { removed: Some(incarnation), .. }) => {
                self.ended |= 1 << incarnation;
            }
            (None, Standing::Session(now)) => self.created |= 1 << now.incarnation,
            _ => (),
        }
    }
}

/// Whether a session is in the trash by a copy.
pub(crate) fn counts(store: &Store, key: u8, copy: &Copy) -> bool {
    match copy.claim {
        Claim::Pending => store.head(copy.of.0).is_some_and(|(_, head)| {
            matches!(head.standing, Standing::Tombstone { names, .. } if names == Some(key))
        }),
        Claim::InTrash => true,
        Claim::Restoring => !is_back(store, copy),
        Claim::Deleting | Claim::Retired => false,
    }
}

/// Whether it stands under a name for which it was claimed.
pub(crate) fn is_back(store: &Store, copy: &Copy) -> bool {
    let is_there = |name: &u8| {
        store.session(*name).is_some_and(|it| it.incarnation == copy.session.incarnation)
    };
    copy.to.iter().any(is_there)
}

/// What holds in every state.
pub type Property = (&'static str, fn(&World, &State) -> bool);

/// All of them.
pub const PROPERTIES: [Property; 7] = [
    ("an operation takes effect once", |_, state| state.ops.iter().all(|op| op.applied <= 1)),
    ("what is told is true", |_, state| {
        state.ops.iter().all(|op| match op.told {
            Some(Told::Yes) => op.applied == 1 || !op.kind.is_recorded(),
            Some(Told::No) => op.applied == 0,
            _ => true,
        })
    }),
    ("what is named is there", |_, state| {
        let store = &state.store;
        let heads = (0..2).filter_map(|name| store.session(name));
        let copies = store.copies().filter(|(key, copy)| counts(store, *key, copy));
        heads.chain(copies.map(|(_, copy)| &copy.session)).all(|session| {
            session.table.iter().all(|entry| {
                store.records(session.incarnation).any(|(record, _)| record == entry.record)
            })
        })
    }),
    ("a session is in one place until it is removed", |_, state| {
        let store = &state.store;
        (0..8).filter(|it| state.created & 1 << it != 0).all(|incarnation| {
            let heads = (0..2).filter_map(|name| store.session(name));
            let heads = heads.filter(|it| it.incarnation == incarnation).count();
            let copies = store.copies().filter(|(_, copy)| copy.session.incarnation == incarnation);
            let is_ended = state.ended & 1 << incarnation != 0;
            // One that is being deleted may turn out to be back.
            let goes = |copy: &Copy| copy.claim == Claim::Deleting && !is_back(store, copy);
            let copies = copies
                .filter(|(key, copy)| counts(store, *key, copy) || (goes(copy) && !is_ended))
                .count();
            heads + copies == usize::from(!is_ended)
        })
    }),
    ("revisions rise by one", |_, state| !state.has_skipped),
    ("who lost its place saves no more", |_, state| !state.is_fence_broken),
    ("the dead keep nobody out", |world, state| {
        state.hosts.iter().all(|host| match &host.pc {
            Pc::Watch { lease, .. } => {
                let holder = &state.ops[usize::from(*lease)];
                !(state.hosts[usize::from(holder.host)].is_dead && state.beats(world, *lease))
            }
            _ => true,
        })
    }),
];

impl State {
    /// Whether somebody who watches for the heartbeat of this lease sees one.
    pub(crate) fn beats(&self, world: &World, lease: u8) -> bool {
        self.hosts.iter().any(|host| {
            let is_up = !host.is_dead && !host.is_still;
            let beats = host
                .lease
                .is_some_and(|it| it == lease || world.planted == Planted::SharedHeartbeat);
            is_up && beats
        })
    }
}
