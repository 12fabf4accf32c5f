//! Looks for an order of the operations that explains every answer (Wing and Gong's search, with Lowe's memory).

use std::collections::HashSet;

use super::model::{Rules, State};
use super::{Call, History, Outcome, Violation, explain};

/// How many states a search looks at before it gives up, which is a violation too: nothing was shown.
const MOST: usize = 3_000_000;

/// Whether a history can be true.
///
/// # Errors
/// The operations that no order explains.
pub fn check(history: &History) -> Result<(), Violation> {
    if let Some(op) = history.ops.iter().find(|op| matches!(op.outcome, Outcome::Wrong(_))) {
        return Err(Violation(format!("a client was told what none may be told: {op:?}")));
    }
    Search::new(history).run()
}

struct Search<'a> {
    history: &'a History,
    rules: Rules<'a>,
    /// The operations that are to be placed, by their start. Those that failed change nothing and tell nothing.
    order: Vec<usize>,
}

/// A set of operations.
type Placed = Box<[u64]>;

fn has(placed: &Placed, at: usize) -> bool {
    placed[at / 64] & (1 << (at % 64)) != 0
}

fn with(placed: &Placed, at: usize) -> Placed {
    let mut placed = placed.clone();
    placed[at / 64] |= 1 << (at % 64);
    placed
}

impl<'a> Search<'a> {
    fn new(history: &'a History) -> Self {
        let told = |index: &usize| {
            let op = &history.ops[*index];
            let is_unknown = op.outcome == Outcome::Unknown;
            let tells_nothing = matches!(op.call, Call::Sweep)
                || is_unknown
                    && matches!(
                        op.call,
                        Call::Load { .. }
                            | Call::History { .. }
                            | Call::Prune { .. }
                            | Call::ListTrash
                    );
            op.outcome != Outcome::Failed && !tells_nothing
        };
        let mut order: Vec<usize> = (0..history.ops.len()).filter(told).collect();
        order.sort_by_key(|index| history.ops[*index].start);
        Self { history, rules: Rules { history }, order }
    }

    fn run(&self) -> Result<(), Violation> {
        let nothing: Placed = vec![0; self.order.len().div_ceil(64)].into();
        let (mut seen, mut best) = (HashSet::new(), nothing.clone());
        let mut open = vec![(nothing, State::default())];
        while let Some((placed, state)) = open.pop() {
            let Some(next) = self.next(&placed) else { return Ok(()) };
            let count = |placed: &Placed| placed.iter().map(|it| it.count_ones()).sum::<u32>();
            if count(&placed) > count(&best) {
                best = placed.clone();
            }
            // What has an end is tried first: it comes last into the stack.
            for at in next.into_iter().rev() {
                for state in self.rules.after(&state, self.order[at]) {
                    let reached = (with(&placed, at), state);
                    if seen.insert(reached.clone()) {
                        open.push(reached);
                    }
                }
            }
            if seen.len() > MOST {
                return Err(Violation(format!("undecided after {MOST} states")));
            }
        }
        let missing = self.next(&best).unwrap_or_default();
        let missing: Vec<usize> = missing.into_iter().map(|at| self.order[at]).collect();
        Err(explain::violation(self.history, &missing))
    }

    /// The operations that may come next, the first to end first; `None` if all that must have a place have one.
    fn next(&self, placed: &Placed) -> Option<Vec<usize>> {
        let open = || (0..self.order.len()).filter(|at| !has(placed, *at));
        let op = |at: usize| &self.history.ops[self.order[at]];
        // Nothing comes before what ended before it began.
        let first_end = open().map(|at| op(at).latest()).min()?;
        if first_end == u64::MAX {
            return None;
        }
        let mut next: Vec<usize> = open().filter(|at| op(*at).start <= first_end).collect();
        next.sort_by_key(|at| op(*at).latest());
        Some(next)
    }
}
