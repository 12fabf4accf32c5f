//! A repository that does one thing at a time: what each operation does to it, and what it may be told.

use std::collections::BTreeMap;

use super::{Call, History, Item, Outcome, Payload};

/// How long after the death of a writer, in nanoseconds, others may be told that it is there.
pub(super) const GRACE: u64 = 150_000_000_000;

/// What stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct State {
    sessions: BTreeMap<String, Incarnation>,
    /// `None` for the time of what came there by an operation whose answer is unknown.
    trash: Vec<(String, Option<u128>, Incarnation)>,
}

/// One life of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Incarnation {
    /// The operation that created it.
    created: usize,
    /// All that was ever saved, with its revision, or 0 where that was not told: the last is the newest.
    saved: Vec<(u64, Payload)>,
    /// The operation by which the writer took its place.
    writer: Option<usize>,
}

impl Incarnation {
    /// Whether this may be the newest revision.
    fn is_newest(&self, revision: u64) -> bool {
        self.saved.last().map_or(revision == 0, |(newest, _)| *newest == 0 || *newest == revision)
    }

    /// The same of what was told, which may be nothing.
    fn is_told(&self, revision: u64) -> bool {
        revision == 0 || self.is_newest(revision)
    }

    fn keeps(&self, kept: &[(u64, Payload)]) -> bool {
        let is_it = |((revision, payload), (of, saved)): (&(u64, Payload), &(u64, Payload))| {
            payload == saved && (*of == 0 || of == revision)
        };
        kept.len() <= self.saved.len()
            && kept.is_empty() == self.saved.is_empty()
            && kept.windows(2).all(|pair| pair[0].0 > pair[1].0)
            && kept.iter().zip(self.saved.iter().rev()).all(is_it)
    }
}

/// What a session's writer may lose its place by.
pub(super) struct Rules<'a> {
    pub(super) history: &'a History,
}

impl Rules<'_> {
    /// A session in which one more checkpoint was saved; `None` if it cannot have been told this.
    fn saved(
        &self,
        session: &Incarnation,
        payload: Payload,
        outcome: &Outcome,
    ) -> Option<Incarnation> {
        let last = session.saved.iter().rev().map(|(revision, _)| *revision).find(|it| *it != 0);
        let last = last.unwrap_or(0);
        // Where locks rule, a number that a caller knows may be passed over.
        let is_next = |told: u64| if self.history.locks { told > last } else { told == last + 1 };
        let revision = match outcome {
            Outcome::Saved(0) => 0,
            Outcome::Saved(told) => Some(*told).filter(|told| is_next(*told))?,
            Outcome::Unknown if self.history.locks => 0,
            Outcome::Unknown => last + 1,
            _ => return None,
        };
        let mut saved = session.clone();
        saved.saved.push((revision, payload));
        Some(saved)
    }

    /// Whether somebody else may take the place of this writer, with an operation that ends then.
    fn is_displaceable(&self, writer: usize, end: u64) -> bool {
        self.history.was_down(self.history.ops[writer].client, end)
    }

    /// The states that stand after an operation, if it takes effect now: none if it cannot.
    pub(super) fn after(&self, state: &State, index: usize) -> Vec<State> {
        let op = &self.history.ops[index];
        let is_unknown = op.outcome == Outcome::Unknown;
        let name = match &op.call {
            Call::Write { place, .. } | Call::Release { place } => {
                return self.after_writer(state, index, *place);
            }
            Call::ListTrash => return list_trash(state, &op.outcome).into_iter().collect(),
            Call::Sweep => return Vec::from_iter((!is_unknown).then(|| state.clone())),
            Call::Restore { item, name } => return restore(state, item, name, &op.outcome),
            Call::Delete { item } => return delete(state, item, &op.outcome),
            Call::Create { name }
            | Call::Save { name, .. }
            | Call::Acquire { name }
            | Call::Load { name }
            | Call::History { name }
            | Call::Prune { name }
            | Call::Remove { name }
            | Call::Trash { name } => name,
        };
        let session = state.sessions.get(name);
        let mut next = state.clone();
        let is_possible = match (&op.outcome, session) {
            (Outcome::NotFound, None) => !matches!(op.call, Call::Create { .. }),
            (Outcome::AlreadyExists, Some(_)) => matches!(op.call, Call::Create { .. }),
            (Outcome::Busy, session) if self.history.locks && self.history.has_rival(index) => {
                session.is_some()
            }
            (Outcome::Busy, Some(it)) => it.writer.is_some_and(|writer| {
                let death = self.history.death(self.history.ops[writer].client);
                death.is_none_or(|death| op.start < death.saturating_add(GRACE))
            }),
            (_, session) => match (&op.call, session) {
                (Call::Create { .. }, None) => {
                    let session = Incarnation { created: index, saved: Vec::new(), writer: None };
                    next.sessions.insert(name.clone(), session);
                    is_unknown || op.outcome == Outcome::Done
                }
                (Call::Save { payload, follows, .. }, Some(it)) => match &op.outcome {
                    Outcome::Conflict { found } => {
                        it.is_told(*found) && follows.is_some_and(|it| it != *found)
                    }
                    outcome => {
                        let Some(saved) = self.saved(it, *payload, outcome) else {
                            return Vec::new();
                        };
                        next.sessions.insert(name.clone(), Incarnation { writer: None, ..saved });
                        let is_free =
                            it.writer.is_none_or(|it| self.is_displaceable(it, op.latest()));
                        is_free && follows.is_none_or(|follows| it.is_newest(follows))
                    }
                },
                (Call::Acquire { .. }, Some(it)) => {
                    let is_free = it.writer.is_none_or(|it| self.is_displaceable(it, op.latest()));
                    let held = Incarnation { writer: Some(index), ..it.clone() };
                    next.sessions.insert(name.clone(), held);
                    is_free && (is_unknown || op.outcome == Outcome::Done)
                }
                (Call::Load { .. }, Some(it)) => match &op.outcome {
                    Outcome::Loaded { revision, payload } => {
                        it.is_told(*revision)
                            && it.saved.last().is_some_and(|(_, saved)| saved == payload)
                    }
                    outcome => *outcome == Outcome::Empty && it.saved.is_empty(),
                },
                (Call::History { .. }, Some(it)) => {
                    matches!(&op.outcome, Outcome::Kept(kept) if it.keeps(kept))
                }
                (Call::Prune { .. }, Some(it)) => {
                    let is_free = it.writer.is_none_or(|it| self.is_displaceable(it, op.latest()));
                    next.sessions.insert(name.clone(), Incarnation { writer: None, ..it.clone() });
                    if op.outcome == Outcome::Empty {
                        return Vec::from_iter(it.saved.is_empty().then(|| state.clone()));
                    }
                    if op.outcome == Outcome::Done {
                        // Where nothing is given up, nobody is in the way.
                        return [state.clone()]
                            .into_iter()
                            .chain(is_free.then_some(next))
                            .collect();
                    }
                    is_free && is_unknown
                }
                (Call::Remove { .. } | Call::Trash { .. }, Some(it)) => {
                    let is_free = it.writer.is_none_or(|it| self.is_displaceable(it, op.latest()));
                    next.sessions.remove(name);
                    let mut gone = it.clone();
                    gone.writer = None;
                    is_free
                        && match (&op.call, &op.outcome) {
                            (Call::Remove { .. }, Outcome::Done | Outcome::Unknown) => true,
                            (Call::Trash { .. }, Outcome::Unknown) => {
                                next.trash.push((name.clone(), None, gone));
                                true
                            }
                            (Call::Trash { .. }, Outcome::Trashed(item)) => {
                                next.trash.push((name.clone(), Some(item.removed), gone));
                                item.name == *name
                            }
                            _ => false,
                        }
                }
                _ => false,
            },
        };
        Vec::from_iter(is_possible.then_some(next))
    }

    /// The same for what a writer does, by the operation `place` that made it.
    fn after_writer(&self, state: &State, index: usize, place: usize) -> Vec<State> {
        let op = &self.history.ops[index];
        let Call::Acquire { name } = &self.history.ops[place].call else { return Vec::new() };
        let session = state.sessions.get(name);
        let held = session.filter(|session| session.writer == Some(place));
        let mut next = state.clone();
        let is_possible = match (&op.call, &op.outcome, held) {
            (Call::Release { .. }, _, Some(held)) => {
                next.sessions.insert(name.clone(), Incarnation { writer: None, ..held.clone() });
                true
            }
            (Call::Write { follows, .. }, Outcome::Conflict { found }, Some(held)) => {
                held.is_told(*found) && follows.is_some_and(|follows| follows != *found)
            }
            (Call::Write { payload, follows, .. }, outcome, Some(held)) => {
                let Some(saved) = self.saved(held, *payload, outcome) else { return Vec::new() };
                next.sessions.insert(name.clone(), saved);
                follows.is_none_or(|follows| held.is_newest(follows))
            }
            // It is the writer no more. If it names a revision to follow, what it knew may be enough to refuse.
            (Call::Write { follows, .. }, Outcome::Conflict { found }, None) => {
                *found == 0
                    || follows.is_some_and(|follows| follows != *found)
                    || session.is_some_and(|session| session.is_told(*found))
            }
            (Call::Write { .. }, Outcome::NotFound, None) => session.is_none(),
            _ => false,
        };
        Vec::from_iter(is_possible.then_some(next))
    }
}

fn list_trash(state: &State, outcome: &Outcome) -> Option<State> {
    let Outcome::Items(items) = outcome else { return None };
    let mut next = state.clone();
    let mut left: Vec<usize> = (0..state.trash.len()).collect();
    let mut named = Vec::new();
    for item in items {
        let known = |it: &usize| {
            let (name, removed, _) = &state.trash[*it];
            (*name == item.name && *removed == Some(item.removed)).then_some(0)
        };
        let unknown = |it: &usize| {
            let (name, removed, _) = &state.trash[*it];
            (*name == item.name && removed.is_none()).then_some(1)
        };
        let at = left.iter().position(|it| known(it).is_some());
        let at = at.or_else(|| left.iter().position(|it| unknown(it).is_some()))?;
        named.push((left.remove(at), item.removed));
    }
    for (index, removed) in named {
        next.trash[index].1 = Some(removed);
    }
    left.is_empty().then_some(next)
}

/// Where in the trash this item may be.
fn places<'a>(state: &'a State, item: &'a Item) -> impl Iterator<Item = usize> + 'a {
    let exact = state
        .trash
        .iter()
        .position(|(name, removed, _)| *name == item.name && *removed == Some(item.removed));
    let unknown = state.trash.iter().enumerate();
    let unknown = unknown.filter(|(_, (name, removed, _))| *name == item.name && removed.is_none());
    let unknown = unknown.map(|(index, _)| index);
    exact.into_iter().chain(unknown.filter(move |_| exact.is_none()))
}

fn restore(state: &State, item: &Item, name: &str, outcome: &Outcome) -> Vec<State> {
    let is_taken = state.sessions.contains_key(name);
    match outcome {
        Outcome::AlreadyExists => Vec::from_iter(is_taken.then(|| state.clone())),
        Outcome::NotFound => not_there(state, item),
        Outcome::Done | Outcome::Unknown if !is_taken => places(state, item)
            .map(|at| {
                let mut next = state.clone();
                let (_, _, session) = next.trash.remove(at);
                next.sessions.insert(name.to_owned(), session);
                next
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn delete(state: &State, item: &Item, outcome: &Outcome) -> Vec<State> {
    match outcome {
        Outcome::NotFound => not_there(state, item),
        Outcome::Done | Outcome::Unknown => places(state, item)
            .map(|at| {
                let mut next = state.clone();
                next.trash.remove(at);
                next
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn not_there(state: &State, item: &Item) -> Vec<State> {
    let is_known = state
        .trash
        .iter()
        .any(|(name, removed, _)| *name == item.name && *removed == Some(item.removed));
    Vec::from_iter((!is_known).then(|| state.clone()))
}
