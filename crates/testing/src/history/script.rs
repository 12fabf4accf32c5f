//! Chooses what a client does, by a seed and by what it was told.

use std::collections::HashMap;
use std::time::Duration;

use super::{Call, Client, Outcome, Payload};
use crate::random::Random;

/// The names that sessions have.
pub const NAMES: [&str; 2] = ["job", "other"];

/// Which calls are made, beside saves and loads.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Sessions are created, removed, put into the trash, restored and deleted.
    pub moves: bool,
    /// Revisions are numbered: saves name the one that they follow, and histories are read and pruned.
    pub numbers: bool,
}

/// What one client does.
#[derive(Debug)]
pub struct Script {
    random: Random,
    mix: Mix,
    /// Numbers for its payloads, which no other client uses.
    next: Payload,
    /// The newest revision that it was told of each session.
    known: HashMap<String, u64>,
    held: Option<(usize, String)>,
}

impl Script {
    /// What the client of this number does, by a seed.
    pub fn new(client: usize, seed: u64, mix: Mix) -> Self {
        let random = Random(seed ^ (client as u64 + 1).wrapping_mul(0x5851_f42d_4c95_7f2d));
        Self { random, mix, next: client as u64 * 1_000_003, known: HashMap::new(), held: None }
    }

    /// How long it waits before its next step: mostly shortly, now and then for minutes.
    pub fn pause(&mut self) -> Duration {
        let is_held = self.held.is_some();
        let longest = match self.below(20) {
            0 if is_held => 400_000,
            0..2 => 120_000,
            2..5 => 20_000,
            _ => 800,
        };
        Duration::from_millis(self.below(longest) as u64)
    }

    /// Does the next thing, unless the client was killed.
    pub fn step(&mut self, client: &mut Client) {
        let Some(call) = self.choose(client) else { return };
        if client.is_dead() {
            return;
        }
        let (index, outcome) = client.call(call.clone());
        let told = match (&call, &outcome) {
            (Call::Acquire { name }, Outcome::Done) => {
                self.held = Some((index, name.clone()));
                return;
            }
            (Call::Release { .. }, _) => {
                self.held = None;
                return;
            }
            (Call::Save { name, .. } | Call::Load { name }, _) => Some(name),
            (Call::Write { .. }, _) => self.held.as_ref().map(|(_, name)| name),
            _ => None,
        };
        if let (Some(name), Outcome::Saved(revision) | Outcome::Loaded { revision, .. }) =
            (told, &outcome)
        {
            self.known.insert(name.clone(), *revision);
        }
    }

    /// Gives back what it holds.
    pub fn finish(&mut self, client: &mut Client) {
        if let Some((place, _)) = self.held.take() {
            client.call(Call::Release { place });
        }
    }

    fn choose(&mut self, client: &Client) -> Option<Call> {
        let name = NAMES[usize::from(self.below(4) == 0)].to_owned();
        if let Some((place, held)) = self.held.clone()
            && self.below(3) > 0
        {
            return Some(match self.below(8) {
                0 | 1 => Call::Release { place },
                _ => {
                    let (payload, follows) = (self.payload(), self.follows(&held));
                    Call::Write { place, payload, follows }
                }
            });
        }
        let (moves, numbers) = (self.mix.moves, self.mix.numbers);
        Some(match self.below(if moves { 100 } else { 66 }) {
            0..30 => {
                let (payload, follows) = (self.payload(), self.follows(&name));
                Call::Save { name, payload, follows }
            }
            30..42 => Call::Load { name },
            42..50 if self.held.is_none() => Call::Acquire { name },
            50..54 if numbers => Call::History { name },
            54..62 if numbers => Call::Prune { name },
            62..66 => Call::Sweep,
            66..77 => Call::Create { name },
            77..80 => Call::Remove { name },
            80..88 => Call::Trash { name },
            88..100 => {
                let items = client.items();
                let item = items.get(self.below(items.len()))?.clone();
                match self.below(4) {
                    0 => Call::Delete { item },
                    _ => Call::Restore { item, name },
                }
            }
            _ => Call::Load { name },
        })
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound)
    }

    fn payload(&mut self) -> Payload {
        self.next += 1;
        self.next
    }

    fn follows(&mut self, name: &str) -> Option<u64> {
        let known = self.known.get(name).copied().unwrap_or(0);
        (self.mix.numbers && self.below(3) == 0).then_some(known)
    }
}
