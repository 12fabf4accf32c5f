//! Saves, leases, prunes, removals and new beginnings.

use super::ghost::Told;
use super::host::{After, Became, Change, CopyWhy, Pc, Then, Why};
use super::store::{Condition, Entry, Head, Key, Log, Object, Session, Standing};
use super::world::{State, World};
use super::{Planted, store};

/// What a host is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Saves without a lease.
    Save,
    Acquire,
    /// Saves by the lease that this operation took.
    Write(u8),
    Release(u8),
    /// Gives up all revisions but the newest.
    Prune,
    Create,
    Remove(u8),
    Trash(u8),
    Restore {
        key: u8,
        to: u8,
    },
    Delete {
        key: u8,
    },
    /// Clears away a copy that means nothing, and ends a deletion.
    SweepCopy {
        key: u8,
    },
    /// Deletes records that nobody names.
    Collect,
}

impl Kind {
    /// Whether it takes effect by a change that is recorded.
    pub fn is_recorded(self) -> bool {
        use Kind::{Create, Remove, Restore, Save, Trash, Write};
        matches!(self, Save | Write(_) | Create | Remove(_) | Trash(_) | Restore { .. })
    }

    /// The name that it is about.
    fn name(self) -> u8 {
        match self {
            Self::Remove(name) | Self::Trash(name) => name,
            _ => 0,
        }
    }
}

/// A head, with its version.
type Base = (u8, Head);

/// So many revisions are kept by a save.
const KEPT: usize = 3;

impl State {
    pub(crate) fn first(&mut self, host: usize, op: u8, kind: Kind) {
        self.hosts[host].pc = match kind {
            Kind::Restore { key, .. } | Kind::Delete { key } | Kind::SweepCopy { key } => {
                let name = self.origins[usize::from(key)];
                Pc::Look { op, name, why: Why::Judge { key } }
            }
            Kind::Release(_) => {
                self.hosts[host].lease = None;
                Pc::Look { op, name: 0, why: Why::Begin }
            }
            _ => Pc::Look { op, name: kind.name(), why: Why::Begin },
        };
    }

    /// A head made of another one.
    pub(crate) fn head(
        &mut self,
        host: usize,
        op: u8,
        log: &Log,
        standing: Standing,
        is_recorded: bool,
    ) -> Head {
        let log = if is_recorded { log.with(op) } else { log.clone() };
        Head { tag: self.tag(host, op), log, standing }
    }

    /// A change of a head.
    #[allow(clippy::too_many_arguments)] // A change as the protocol tells it.
    pub(crate) fn change(
        &mut self,
        host: usize,
        op: u8,
        name: u8,
        base: Option<&Base>,
        standing: Standing,
        is_recorded: bool,
        then: Then,
    ) -> Change {
        let nothing = Log::default();
        let log = base.map_or(&nothing, |(_, head)| &head.log);
        let head = self.head(host, op, log, standing, is_recorded);
        let number = is_recorded.then_some(head.log.count);
        let condition = base.map_or(Condition::Absent, |(version, _)| Condition::Version(*version));
        Change { op, key: Key::Head(name), condition, object: Object::Head(head), number, then }
    }

    pub(crate) fn begin_at(
        &mut self,
        world: &World,
        host: usize,
        op: u8,
        name: u8,
        base: Option<Base>,
    ) {
        let kind = self.kind(op);
        let session = match (&base, kind) {
            (Some((version, Head { standing: Standing::Session(session), .. })), _) => {
                (*version, session.clone())
            }
            (_, Kind::Create) => return self.create(host, op, base),
            (
                Some((_, Head { standing: Standing::Tombstone { removed: Some(gone), .. }, .. })),
                Kind::Collect,
            ) => {
                let incarnation = *gone;
                let then = After::Done;
                self.hosts[host].pc =
                    Pc::Collect { op, incarnation, fence: u8::MAX, named: Vec::new(), then };
                return;
            }
            _ => return self.tell(host, Told::No),
        };
        let (Some(base), (_, session)) = (base, session) else { return };
        let target = *self.hosts[host].target.get_or_insert(session.incarnation);
        match (kind, session.lease) {
            (Kind::Create, _) => self.tell(host, Told::No),
            (Kind::Acquire, Some(lease)) if lease == op => self.acquired(host, op, base, false),
            (Kind::Write(lease) | Kind::Release(lease), held) if held != Some(lease) => {
                self.hosts[host].lease = None;
                self.tell(host, Told::No);
            }
            (Kind::Remove(_) | Kind::Trash(_), _) if session.incarnation != target => {
                self.tell(host, Told::No);
            }
            (Kind::Write(_) | Kind::Release(_), _) | (_, None) => {
                self.begin_free(world, host, op, name, base, session);
            }
            (Kind::Collect, Some(_)) => self.tell(host, Told::No),
            (_, Some(lease)) => self.hosts[host].pc = Pc::Watch { op, lease, base },
        }
    }

    /// Goes on when the writer that was watched is silent.
    pub(crate) fn expire(&mut self, world: &World, host: usize) {
        if let Pc::Watch { op, base, .. } = std::mem::take(&mut self.hosts[host].pc)
            && let Standing::Session(session) = base.1.standing.clone()
        {
            let name = self.kind(op).name();
            self.begin_free(world, host, op, name, base, session);
        }
    }

    /// Begins where nobody else has a lease, or only who is silent.
    fn begin_free(
        &mut self,
        world: &World,
        host: usize,
        op: u8,
        name: u8,
        base: Base,
        session: Session,
    ) {
        let mut next = session.clone();
        let (then, is_recorded) = match self.kind(op) {
            Kind::Save | Kind::Write(_) => {
                let (incarnation, revision) = (session.incarnation, session.newest() + 1);
                self.hosts[host].known = Some(base);
                self.hosts[host].pc = Pc::PutRecord { op, incarnation, revision };
                return;
            }
            Kind::Acquire => {
                let collects = session.lease.is_some();
                next.lease = Some(op);
                next.fence = if collects { session.newest() } else { session.fence };
                (Then::Acquired { collects }, false)
            }
            Kind::Release(_) => {
                next.lease = None;
                (Then::Released, false)
            }
            Kind::Prune | Kind::Collect => {
                next.lease = None;
                let keep = if self.kind(op) == Kind::Prune { 1 } else { next.table.len() };
                next.table.truncate(keep);
                next.fence = session.newest();
                if world.planted == Planted::NoFence {
                    return self.collect(host, op, &next, session.newest());
                }
                (Then::Pruned, false)
            }
            Kind::Remove(_) | Kind::Trash(_) => {
                if let Some(key) = session.restored_from
                    && self.hosts[host].retired != Some(key)
                {
                    return self.retire(world, host, op, key, After::Begin { name });
                }
                match self.kind(op) {
                    Kind::Trash(_) => return self.put_copy(world, host, op, name, base, session),
                    _ => {
                        let incarnation = session.incarnation;
                        let gone = Standing::Tombstone { names: None, removed: Some(incarnation) };
                        let then = Then::Removed { incarnation };
                        let change = self.change(host, op, name, Some(&base), gone, true, then);
                        self.hosts[host].pc = Pc::Send(change);
                        return;
                    }
                }
            }
            _ => return,
        };
        let change =
            self.change(host, op, name, Some(&base), Standing::Session(next), is_recorded, then);
        self.hosts[host].pc = Pc::Send(change);
    }

    fn create(&mut self, host: usize, op: u8, base: Option<Base>) {
        let incarnation = self.created.count_ones() as u8;
        let session =
            Session { incarnation, table: Vec::new(), fence: 0, lease: None, restored_from: None };
        let session = Standing::Session(session);
        let change = self.change(host, op, 0, base.as_ref(), session, true, Then::Created);
        self.replace(host, op, base, change);
    }

    /// Does what a tombstone stands for, and then puts something in its place.
    pub(crate) fn replace(&mut self, host: usize, op: u8, base: Option<Base>, change: Change) {
        self.hosts[host].pc = match base.map(|(_, head)| head.standing) {
            Some(Standing::Tombstone { names: Some(key), .. }) => {
                Pc::LookCopy { op, key, why: CopyWhy::Keep { change: Box::new(change) } }
            }
            Some(Standing::Tombstone { removed: Some(incarnation), .. }) => {
                let then = After::Place(Box::new(change));
                Pc::Collect { op, incarnation, fence: u8::MAX, named: Vec::new(), then }
            }
            _ => return self.place(host, op, change),
        };
    }

    fn collect(&mut self, host: usize, op: u8, session: &Session, fence: u8) {
        let named = session.table.iter().map(|entry| entry.record).collect();
        let (incarnation, then) = (session.incarnation, After::Done);
        self.hosts[host].pc = Pc::Collect { op, incarnation, fence, named, then };
    }

    fn acquired(&mut self, host: usize, op: u8, base: Base, collects: bool) {
        let of_host = &mut self.hosts[host];
        of_host.lease = Some(op);
        let Standing::Session(session) = base.1.standing.clone() else { return };
        of_host.known = Some(base);
        match collects {
            true => self.collect(host, op, &session, session.fence),
            false => self.tell(host, Told::Yes),
        }
    }

    pub(crate) fn record_is_put(&mut self, world: &World, host: usize, op: u8, put: (u8, u8, u8)) {
        let (record, incarnation, revision) = put;
        let why = Why::Save { record, incarnation, revision };
        match (self.kind(op), self.hosts[host].known.take()) {
            (Kind::Write(_), Some(base)) => self.looked(world, host, op, 0, Some(base), why),
            _ => self.hosts[host].pc = Pc::Look { op, name: 0, why },
        }
    }

    /// Names a record in a head, if it may be.
    pub(crate) fn save_at(
        &mut self,
        world: &World,
        host: usize,
        op: u8,
        base: Option<Base>,
        put: (u8, u8, u8),
    ) {
        let (record, incarnation, revision) = put;
        let refuse = |state: &mut Self| {
            let then = After::Done;
            state.tell_and(
                host,
                Told::No,
                Pc::Delete { op, keys: vec![Key::Record(record)], then },
            );
        };
        let Some(base) = base else { return refuse(self) };
        let Standing::Session(session) = base.1.standing.clone() else { return refuse(self) };
        let is_free = match self.kind(op) {
            Kind::Write(lease) => session.lease == Some(lease),
            // Who came meanwhile is the writer; who was silent still is.
            _ => session.lease.is_none_or(|lease| !self.beats(world, lease)),
        };
        if !is_free {
            if let Kind::Write(_) = self.kind(op) {
                self.hosts[host].lease = None;
            }
            return refuse(self);
        }
        if session.incarnation != incarnation || revision <= session.fence {
            let (incarnation, revision) = (session.incarnation, session.newest() + 1);
            self.hosts[host].known = Some(base);
            self.hosts[host].pc = Pc::PutRecord { op, incarnation, revision };
            return;
        }
        let mut next = session.clone();
        next.table.insert(0, Entry { revision: session.newest() + 1, op, record });
        let dropped = next.table.split_off(next.table.len().min(KEPT));
        let dropped = dropped.iter().map(|entry| Key::Record(entry.record)).collect();
        if self.kind(op) == Kind::Save {
            next.lease = None;
        }
        let then = Then::Saved { record, incarnation, revision, dropped };
        let mut change = self.change(host, op, 0, Some(&base), Standing::Session(next), true, then);
        if world.planted == Planted::BlindPut {
            change.condition = Condition::Always;
        }
        self.hosts[host].pc = Pc::Send(change);
    }

    /// What follows a change of these operations.
    pub(crate) fn became(&mut self, world: &World, host: usize, change: Change, became: Became) {
        let Change { op, condition, object, then, .. } = change;
        let is_made = matches!(became, Became::Applied | Became::Superseded);
        let version = match condition {
            Condition::Version(version) => version + 1,
            _ => 1,
        };
        let begin = Pc::Look { op, name: self.kind(op).name(), why: Why::Begin };
        match (then, object) {
            (Then::Saved { dropped, .. }, Object::Head(head)) if is_made => {
                let is_known = became == Became::Applied && self.hosts[host].lease.is_some();
                self.hosts[host].known = is_known.then_some((version, head));
                let then = After::Done;
                self.tell_and(host, Told::Yes, Pc::Delete { op, keys: dropped, then });
            }
            (Then::Saved { record, .. }, _) if became == Became::Unknown => {
                match world.planted == Planted::UnknownIsNo {
                    true => {
                        let (keys, then) = (vec![Key::Record(record)], After::Done);
                        self.tell_and(host, Told::Unknown, Pc::Delete { op, keys, then });
                    }
                    false => self.tell(host, Told::Unknown),
                }
            }
            (Then::Saved { record, incarnation, revision, .. }, _) => {
                let why = Why::Save { record, incarnation, revision };
                self.hosts[host].pc = Pc::Look { op, name: 0, why };
            }
            (Then::Acquired { collects }, Object::Head(head)) if is_made => {
                self.acquired(host, op, (version, head), collects);
            }
            (Then::Released, _) if is_made => self.tell(host, Told::Yes),
            (Then::Pruned, Object::Head(Head { standing: Standing::Session(session), .. }))
                if is_made =>
            {
                self.collect(host, op, &session, session.fence);
            }
            (Then::Created, _) if is_made => self.tell(host, Told::Yes),
            (Then::Removed { incarnation }, _) if is_made => {
                let (fence, named, then) = (u8::MAX, Vec::new(), After::Done);
                self.tell_and(host, Told::Yes, Pc::Collect { op, incarnation, fence, named, then });
            }
            (Then::Created | Then::Removed { .. }, _) if became == Became::Unknown => {
                self.tell(host, Told::Unknown);
            }
            (
                Then::Created
                | Then::Removed { .. }
                | Then::Acquired { .. }
                | Then::Released
                | Then::Pruned,
                _,
            ) => {
                self.hosts[host].pc = begin;
            }
            (then, _) => self.trash_became(world, host, op, then, became),
        }
    }

    pub(crate) fn looked(
        &mut self,
        world: &World,
        host: usize,
        op: u8,
        name: u8,
        head: Option<Base>,
        why: Why,
    ) {
        match why {
            Why::Begin => self.begin_at(world, host, op, name, head),
            Why::Save { record, incarnation, revision } => {
                self.save_at(world, host, op, head, (record, incarnation, revision));
            }
            why => self.looked_for_trash(world, host, op, name, head, why),
        }
    }
}

impl store::Standing {
    /// Whether this copy counts by it.
    pub fn names(&self, key: u8) -> bool {
        matches!(self, Self::Tombstone { names, .. } if *names == Some(key))
    }
}
