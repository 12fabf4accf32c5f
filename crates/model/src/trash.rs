//! The trash: copies of heads, which count by tombstones, and are claimed by who takes them out.

use super::Planted;
use super::ghost::Told;
use super::host::{After, Became, Change, CopyWhy, Pc, Then, Why};
use super::ops::Kind;
use super::store::{Claim, Condition, Copy, Head, Key, Object, Session, Standing};
use super::world::{State, World};

type Base = (u8, Head);

impl State {
    /// Puts a copy of a session under a new key, and then the tombstone that names it.
    pub(crate) fn put_copy(
        &mut self,
        world: &World,
        host: usize,
        op: u8,
        name: u8,
        base: Base,
        session: Session,
    ) {
        let key = self.origins.len() as u8;
        self.origins.push(name);
        let tombstone = Standing::Tombstone { names: Some(key), removed: None };
        let then = Then::Buried { key };
        let bury = Box::new(self.change(host, op, name, Some(&base), tombstone, true, then));
        let session = Session { lease: None, ..session };
        let tag = self.tag(host, op);
        let copy = Copy { tag, of: (name, base.0), session, claim: Claim::Pending, to: Vec::new() };
        let condition = match world.planted == Planted::UnconditionalCopy {
            true => Condition::Always,
            false => Condition::Absent,
        };
        let (object, then) = (Object::Copy(copy), Then::CopyPut { key, bury });
        self.hosts[host].pc =
            Pc::Send(Change { op, key: Key::Copy(key), condition, object, number: None, then });
    }

    /// Sees to it that no tombstone names a copy, and empties it.
    pub(crate) fn retire(&mut self, world: &World, host: usize, op: u8, key: u8, then: After) {
        self.hosts[host].retired = Some(key);
        let name = self.origins[usize::from(key)];
        self.hosts[host].pc = match world.planted == Planted::NamedCopyDeleted {
            true => Pc::Delete { op, keys: vec![Key::Copy(key)], then },
            false => Pc::Look { op, name, why: Why::Retire { key, then } },
        };
    }

    /// Empties a copy that no tombstone names.
    fn empty(&self, world: &World, op: u8, key: u8, then: After) -> Pc {
        match world.planted == Planted::CopyDeleted {
            true => Pc::Delete { op, keys: vec![Key::Copy(key)], then },
            false => Pc::LookCopy { op, key, why: CopyWhy::Retire { then } },
        }
    }

    fn change_copy(&mut self, op: u8, key: u8, version: u8, copy: Copy, then: Then) -> Change {
        let (condition, object) = (Condition::Version(version), Object::Copy(copy));
        Change { op, key: Key::Copy(key), condition, object, number: None, then }
    }

    pub(crate) fn looked_for_trash(
        &mut self,
        world: &World,
        host: usize,
        op: u8,
        name: u8,
        head: Option<Base>,
        why: Why,
    ) {
        let session = match &head {
            Some((_, Head { standing: Standing::Session(session), .. })) => Some(session.clone()),
            _ => None,
        };
        let is_there = |copy: &Copy| {
            session.as_ref().is_some_and(|it| it.incarnation == copy.session.incarnation)
        };
        match why {
            Why::Judge { key } => {
                self.hosts[host].pc = Pc::LookCopy { op, key, why: CopyWhy::Judge { seen: head } };
            }
            Why::Back { key, copy, mut left } => match is_there(&copy.1) {
                true => self.is_void(world, host, op, key),
                false => {
                    left.retain(|it| *it != name);
                    self.look_back(host, op, key, copy, left);
                }
            },
            Why::KeepOut { key, copy, .. } if is_there(&copy) => self.is_void(world, host, op, key),
            Why::KeepOut { key, copy, left } if session.is_some() => {
                self.keep_out(host, op, key, copy, left);
            }
            Why::KeepOut { key, copy, left } => {
                let empty = Standing::Tombstone { names: None, removed: None };
                let standing = head.as_ref().map_or(empty, |(_, head)| head.standing.clone());
                let mut all = vec![name];
                all.extend(left);
                let then = Then::KeptOut { key, copy, left: all };
                let change = self.change(host, op, name, head.as_ref(), standing, false, then);
                self.hosts[host].pc = Pc::Send(change);
            }
            Why::Place { .. } if session.is_some() => self.tell(host, Told::No),
            Why::Place { key, copy } => {
                let session = Session { restored_from: Some(key), ..copy.session.clone() };
                let then = Then::Restored { key, copy };
                let session = Standing::Session(session);
                let change = self.change(host, op, name, head.as_ref(), session, true, then);
                self.replace(host, op, head, change);
            }
            Why::Retire { key, then } => {
                let named = head.as_ref().filter(|(_, head)| head.standing.names(key));
                self.hosts[host].pc = match named {
                    Some(base) => {
                        let nothing = Standing::Tombstone { names: None, removed: None };
                        let then = Then::Unnamed { key, then };
                        Pc::Send(self.change(host, op, name, Some(base), nothing, false, then))
                    }
                    None => self.empty(world, op, key, then),
                };
            }
            Why::Begin | Why::Save { .. } => (),
        }
    }

    pub(crate) fn looked_at_copy(
        &mut self,
        world: &World,
        host: usize,
        op: u8,
        key: u8,
        copy: Option<(u8, Copy)>,
        why: CopyWhy,
    ) {
        match (why, copy) {
            (CopyWhy::Keep { change }, Some((version, copy))) if copy.claim == Claim::Pending => {
                let kept = Copy { claim: Claim::InTrash, tag: self.tag(host, op), ..copy };
                let then = Then::Kept { change };
                self.hosts[host].pc = Pc::Send(self.change_copy(op, key, version, kept, then));
            }
            (CopyWhy::Keep { change }, _) => self.place(host, op, *change),
            (CopyWhy::IsOurs { change }, Some((_, copy)))
                if Some(copy.tag) == self.hosts[host].claim
                    || world.planted == Planted::NoKeepOut =>
            {
                self.hosts[host].pc = Pc::Send(*change);
            }
            (CopyWhy::Retire { then }, Some((version, copy))) if copy.claim != Claim::Retired => {
                let retired = Copy { claim: Claim::Retired, tag: self.tag(host, op), ..copy };
                let then = Then::Retired { key, then };
                self.hosts[host].pc = Pc::Send(self.change_copy(op, key, version, retired, then));
            }
            (CopyWhy::Retire { then }, _) => self.go_on(world, host, op, then),
            (CopyWhy::IsOurs { .. }, _) | (CopyWhy::Judge { .. }, None) => {
                self.tell(host, Told::No);
            }
            (CopyWhy::Judge { seen }, Some((version, copy))) => {
                self.judge(world, host, op, key, seen, (version, copy));
            }
        }
    }

    fn judge(
        &mut self,
        world: &World,
        host: usize,
        op: u8,
        key: u8,
        seen: Option<Base>,
        copy: (u8, Copy),
    ) {
        let is_sweep = matches!(self.kind(op), Kind::SweepCopy { .. });
        let is_named = seen.as_ref().is_some_and(|(_, head)| head.standing.names(key));
        let may_be_named = seen.as_ref().is_some_and(|(version, _)| *version == copy.1.of.1);
        match copy.1.claim {
            Claim::Pending if !is_named && !may_be_named => self.is_void(world, host, op, key),
            Claim::Pending if !is_named => self.tell(host, Told::No),
            Claim::Restoring => {
                let left = copy.1.to.clone();
                self.look_back(host, op, key, copy, left);
            }
            Claim::Retired => self.tell(host, if is_sweep { Told::Yes } else { Told::No }),
            Claim::Deleting if is_sweep => self.claim(host, op, key, copy),
            Claim::Deleting if matches!(self.kind(op), Kind::Restore { .. }) => {
                self.tell(host, Told::No);
            }
            _ if is_sweep => self.tell(host, Told::Yes),
            _ => self.claim(host, op, key, copy),
        }
    }

    /// A copy that never counts again.
    fn is_void(&mut self, world: &World, host: usize, op: u8, key: u8) {
        match self.kind(op) {
            Kind::SweepCopy { .. } => self.retire(world, host, op, key, After::Done),
            _ => self.tell(host, Told::No),
        }
    }

    /// Looks whether it stands under one of these names.
    fn look_back(&mut self, host: usize, op: u8, key: u8, copy: (u8, Copy), left: Vec<u8>) {
        match (left.first(), self.kind(op)) {
            (Some(name), _) => {
                let name = *name;
                self.hosts[host].pc = Pc::Look { op, name, why: Why::Back { key, copy, left } };
            }
            (None, Kind::SweepCopy { .. }) => self.tell(host, Told::Yes),
            (None, _) => self.claim(host, op, key, copy),
        }
    }

    fn claim(&mut self, host: usize, op: u8, key: u8, (version, copy): (u8, Copy)) {
        let earlier = copy.to.clone();
        let tag = self.tag(host, op);
        let mut ours = Copy { tag, ..copy };
        match self.kind(op) {
            Kind::Restore { to, .. } => {
                ours.claim = Claim::Restoring;
                ours.to.push(to);
                ours.to.sort_unstable();
                ours.to.dedup();
            }
            _ => ours.claim = Claim::Deleting,
        }
        self.hosts[host].claim = Some(tag);
        let then = Then::Claimed { key, copy: ours.clone(), earlier };
        self.hosts[host].pc = Pc::Send(self.change_copy(op, key, version, ours, then));
    }

    /// Keeps out those who claimed it before for these names, and then goes on.
    fn keep_out(&mut self, host: usize, op: u8, key: u8, copy: Copy, mut left: Vec<u8>) {
        self.hosts[host].pc = match (left.pop(), self.kind(op)) {
            (Some(name), _) => Pc::Look { op, name, why: Why::KeepOut { key, copy, left } },
            (None, Kind::Restore { to, .. }) => {
                Pc::Look { op, name: to, why: Why::Place { key, copy } }
            }
            (None, _) => {
                let (incarnation, then) = (copy.session.incarnation, After::Retire { key });
                self.ended |= 1 << incarnation;
                Pc::Collect { op, incarnation, fence: u8::MAX, named: Vec::new(), then }
            }
        };
    }

    /// Makes a change in the place of a tombstone, if the copy that is restored is still ours.
    pub(crate) fn place(&mut self, host: usize, op: u8, change: Change) {
        let change = Box::new(change);
        self.hosts[host].pc = match &change.then {
            Then::Restored { key, .. } => {
                Pc::LookCopy { op, key: *key, why: CopyWhy::IsOurs { change } }
            }
            _ => Pc::Send(*change),
        };
    }

    pub(crate) fn trash_became(
        &mut self,
        world: &World,
        host: usize,
        op: u8,
        then: Then,
        became: Became,
    ) {
        let is_made = matches!(became, Became::Applied | Became::Superseded);
        match then {
            Then::CopyPut { bury, .. } if is_made => self.hosts[host].pc = Pc::Send(*bury),
            Then::Buried { .. } if is_made => self.tell(host, Told::Yes),
            Then::Buried { .. } if became == Became::Unknown => self.tell(host, Told::Unknown),
            Then::CopyPut { key, .. } | Then::Buried { key } => {
                let name = self.origins[usize::from(key)];
                let (keys, then) = (vec![Key::Copy(key)], After::Begin { name });
                self.hosts[host].pc = Pc::Delete { op, keys, then };
            }
            // If somebody else noted it, or claimed it, this change shows by its own condition what it is worth.
            Then::Kept { change } => self.place(host, op, *change),
            Then::Claimed { key, copy, earlier } if is_made => {
                let earlier =
                    if world.planted == Planted::NoKeepOut { Vec::new() } else { earlier };
                self.keep_out(host, op, key, copy, earlier);
            }
            Then::Claimed { key, .. } => {
                let name = self.origins[usize::from(key)];
                self.hosts[host].pc = Pc::Look { op, name, why: Why::Judge { key } };
            }
            Then::KeptOut { key, copy, mut left } => {
                // What was read is no more, whoever changed it: but another look is needed if it was not us.
                if is_made {
                    left.remove(0);
                }
                left.reverse();
                self.keep_out(host, op, key, copy, left);
            }
            Then::Restored { key, .. } if is_made => {
                let op_index = usize::from(op);
                self.ops[op_index].told.get_or_insert(Told::Yes);
                self.retire(world, host, op, key, After::Done);
            }
            Then::Restored { .. } if became == Became::Unknown => self.tell(host, Told::Unknown),
            Then::Restored { key, copy } => {
                let Kind::Restore { to, .. } = self.kind(op) else { return };
                self.hosts[host].pc = Pc::Look { op, name: to, why: Why::Place { key, copy } };
            }
            Then::Retired { then, .. } if is_made => self.go_on(world, host, op, then),
            Then::Retired { key, then } => self.hosts[host].pc = self.empty(world, op, key, then),
            Then::Unnamed { key, then } => {
                let name = self.origins[usize::from(key)];
                self.hosts[host].pc = match is_made {
                    true => self.empty(world, op, key, then),
                    false => Pc::Look { op, name, why: Why::Retire { key, then } },
                };
            }
            _ => (),
        }
    }
}
