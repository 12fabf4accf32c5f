//! What may be found in a session, after all that was done and that happened.

use std::collections::BTreeMap;
use std::fmt;

/// A revision: its number, and which attempt to save it was. No two attempts are of the same label.
pub(super) type Entry = (u64, u32);
/// What is kept, the newest first.
pub(super) type Kept = Vec<Entry>;

/// What a call does, if it does it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    /// The attempt becomes the newest, and at least so many of the newest are kept.
    Save {
        attempt: u32,
        keeps: usize,
    },
    /// All but so many of the newest are given up.
    Prune {
        keep: usize,
    },
    Nothing,
}

/// How a call, and maybe its program, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// `Ok`: it is done, and lasts.
    Done,
    /// An error that says that nothing was done.
    NotDone,
    /// `Indeterminate`, or the program was killed: done or not, and nobody knows what lasts.
    Unknown,
}

/// What was promised, and what was seen.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What is found as long as the power is not cut.
    visible: Kept,
    /// What may be found once it was.
    lasting: Vec<Kept>,
    /// Which attempt each number was given to, as far as that was told, or found on the disk.
    given: BTreeMap<u64, u32>,
    /// The same, as far as somebody saw it in memory alone.
    seen: BTreeMap<u64, u32>,
    seen_numbers_last: bool,
}

impl Ledger {
    pub(super) fn new(seen_numbers_last: bool) -> Self {
        Self { seen_numbers_last, lasting: vec![Vec::new()], ..Self::default() }
    }

    /// How many revisions are kept now.
    pub(super) fn len(&self) -> usize {
        self.visible.len()
    }

    /// Whether this attempt is what is loaded now.
    pub(super) fn is_newest(&self, attempt: u32) -> bool {
        self.visible.first().is_some_and(|(_, newest)| *newest == attempt)
    }

    /// A call ended, and this is found.
    pub(super) fn after_call(
        &mut self,
        effect: Effect,
        outcome: Outcome,
        found: Kept,
    ) -> Result<(), String> {
        let is_done = follows(&self.visible, effect, &found);
        let is_as_before = found == self.visible;
        match outcome {
            Outcome::Done if !is_done => return Err(self.wrong("it is not done", effect, &found)),
            Outcome::NotDone if !is_as_before => {
                return Err(self.wrong("it changed something", effect, &found));
            }
            Outcome::Unknown if !is_done && !is_as_before => {
                return Err(self.wrong("it did something else", effect, &found));
            }
            _ => (),
        }
        let is_new = found != self.visible;
        match (outcome, effect) {
            (Outcome::Done, Effect::Save { .. } | Effect::Prune { .. }) => {
                self.note(&found, true)?;
                self.lasting = vec![found.clone()];
            }
            (Outcome::Unknown, _) if is_new => {
                self.note(&found, false)?;
                self.lasting.push(found.clone());
            }
            _ => (),
        }
        self.visible = found;
        Ok(())
    }

    /// The power was cut in the middle of a call, or behind all of them, and this is found.
    pub(super) fn after_power_cut(&mut self, effect: Effect, found: Kept) -> Result<(), String> {
        let is_done = follows(&self.visible, effect, &found);
        if !is_done && !self.lasting.contains(&found) {
            return Err(self.wrong("that was never to last", effect, &found));
        }
        if !self.seen_numbers_last {
            self.seen.clear();
        }
        self.note(&found, true)?;
        self.lasting = vec![found.clone()];
        self.visible = found;
        Ok(())
    }

    /// No number is given to two attempts, and none that is lower than one that was given.
    fn note(&mut self, found: &Kept, lasts: bool) -> Result<(), String> {
        for (number, attempt) in found {
            let known = self.given.get(number).or_else(|| self.seen.get(number));
            if known.is_some_and(|known| known != attempt) {
                return Err(format!("{number} is given to {attempt}, and was given: {self}"));
            }
            if known.is_none() && self.given.keys().any(|given| given > number) {
                return Err(format!("{number} is given to {attempt}, and is too low: {self}"));
            }
        }
        let notes = if lasts { &mut self.given } else { &mut self.seen };
        notes.extend(found.iter().copied());
        Ok(())
    }

    fn wrong(&self, what: &str, effect: Effect, found: &Kept) -> String {
        format!("{what}: {effect:?} left {found:?}; {self}")
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { visible, lasting, given, seen, .. } = self;
        write!(f, "before: {visible:?}, may last: {lasting:?}, given: {given:?}, seen: {seen:?}")
    }
}

/// Whether this is what a call makes of what was there.
fn follows(before: &Kept, effect: Effect, found: &Kept) -> bool {
    match effect {
        Effect::Nothing => found == before,
        Effect::Prune { keep } => found[..] == before[..keep.min(before.len())],
        Effect::Save { attempt, keeps } => match found.split_first() {
            Some(((number, newest), older)) => {
                *newest == attempt
                    && before.first().is_none_or(|(last, _)| number > last)
                    && before.starts_with(older)
                    && found.len() >= keeps.min(before.len() + 1)
            }
            None => false,
        },
    }
}
