//! Writes down what clients ask for and are told, in one process or in many.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Call, Down, History, Op, Outcome};

/// Records the operations of the clients of one repository. All clones record into one history.
#[derive(Clone)]
pub struct Recorder {
    history: Arc<Mutex<History>>,
    now: Arc<Now>,
    tell: Option<Arc<Tell>>,
}

type Now = dyn Fn() -> u64 + Send + Sync;
type Tell = dyn Fn(&str) + Send + Sync;

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

/// A line that a process tells.
#[derive(Serialize, Deserialize)]
enum Line {
    Begin { client: usize, at: u64, call: Call },
    End { index: usize, at: u64, outcome: Outcome },
}

impl Recorder {
    /// Records by this clock, which never gives a time that is before another that it gave.
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { history: Arc::default(), now: Arc::new(now), tell: None }
    }

    /// Tells each line before an operation is begun and after it ended, for [`merge`].
    pub fn telling(self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { tell: Some(Arc::new(tell)), ..self }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, line: &Line) {
        if let Some(tell) = &self.tell {
            tell(&serde_json::to_string(line).unwrap_or_default());
        }
    }

    /// Notes that a client begins an operation, and returns its index.
    pub fn begin(&self, client: usize, call: &Call) -> usize {
        let mut history = self.history();
        let at = (self.now)();
        self.line(&Line::Begin { client, at, call: call.clone() });
        let outcome = Outcome::Unknown;
        history.ops.push(Op { client, call: call.clone(), start: at, end: at, outcome });
        history.ops.len() - 1
    }

    /// Notes what the client was told. One that was killed was told nothing.
    pub fn end(&self, index: usize, outcome: &Outcome) {
        let mut history = self.history();
        let client = history.ops[index].client;
        if history.death(client).is_some() {
            return;
        }
        let at = (self.now)();
        self.line(&Line::End { index, at, outcome: outcome.clone() });
        let op = &mut history.ops[index];
        (op.end, op.outcome) = (at, outcome.clone());
    }

    /// Notes that a client stands still until then, or is killed.
    pub fn down(&self, client: usize, until: Option<u64>) {
        let mut history = self.history();
        let from = (self.now)();
        history.down.push(Down { client, from, until });
    }

    /// Whether a client was killed.
    pub fn is_dead(&self, client: usize) -> bool {
        self.history().death(client).is_some()
    }

    /// Takes what was recorded so far.
    pub fn history_so_far(&self) -> History {
        self.history().clone()
    }
}

/// Makes one history of the lines that each of many processes told. What was not ended has an unknown outcome.
///
/// # Errors
/// A line that none of them can have told.
pub fn merge(
    processes: &[Vec<String>],
    down: Vec<Down>,
) -> std::result::Result<History, serde_json::Error> {
    let mut all: Vec<(usize, usize, Op)> = Vec::new();
    for (process, lines) in processes.iter().enumerate() {
        let mut ops: Vec<Op> = Vec::new();
        for line in lines {
            match serde_json::from_str(line)? {
                Line::Begin { client, at, call } => {
                    ops.push(Op { client, call, start: at, end: at, outcome: Outcome::Unknown });
                }
                Line::End { index, at, outcome } => {
                    (ops[index].end, ops[index].outcome) = (at, outcome);
                }
            }
        }
        all.extend(ops.into_iter().enumerate().map(|(index, op)| (process, index, op)));
    }
    all.sort_by_key(|(_, _, op)| op.start);
    let places: HashMap<_, _> =
        all.iter().enumerate().map(|(at, (process, index, _))| ((*process, *index), at)).collect();
    let ops = all.into_iter().map(|(process, _, mut op)| {
        if let Call::Write { place, .. } | Call::Release { place } = &mut op.call {
            *place = places[&(process, *place)];
        }
        op
    });
    Ok(History { ops: ops.collect(), down, locks: false })
}
